"""Which tables of bills the audit log follows; the others with the reason."""

from finops_site.pillars import AuditRule

AUDITED = {
    "Source": AuditRule(
        left_out=("sync", "sync_message", "sync_progress", "sync_started_at", "synced_at", "warned_after"),
    ),
    "Source_complements": AuditRule(identity="from_source"),
    "Credential": AuditRule(secret=("sealed",)),
    "Delivery": AuditRule(
        left_out=(
            # What the load computes, and how far it is.
            *("totals", "residual", "conformance", "stage", "progress", "heartbeat_at", "loaded_at", "expected_rows"),
            *("rows_read", "rows_loaded", "rows_rejected", "order_at"),
        ),
        name="format",
    ),
    "Delivery_beside": AuditRule(identity="from_delivery"),
    "DeliveryFile": AuditRule(),
    "Stream": AuditRule(name="export"),
    "Pool": AuditRule(),
    "AccountGroup": AuditRule(),
    "GroupedAccount": AuditRule(name="account"),
    "ClusterFile": AuditRule(left_out=("notes",)),
    "FocusExport": AuditRule(left_out=("rows", "bytes", "totals", "filled", "notes"), name="kind"),
    "ExportPlace": AuditRule(left_out=("marks",)),
    "Invoice": AuditRule(name="invoice_id"),
    "InvoiceFile": AuditRule(),
    # A list of one bank has some hundred thousand.
    "ExchangeRate": AuditRule(left_out=("loaded_at",), name="quote", summed_up=True),
}
_OF_A_BILL = "computed of a bill as it was delivered, which is kept; check_books counts it anew each night"
NOT_AUDITED = {
    "DeliveryMonth": "which version of a month counts follows the status of the delivery, and is checked each night",
    "Reject": _OF_A_BILL,
    "TagSet": _OF_A_BILL,
    "CostLine": _OF_A_BILL,
    "MonthRollup": _OF_A_BILL,
    "ResourceRollup": _OF_A_BILL,
    "DayRollup": _OF_A_BILL,
    "Dimension": _OF_A_BILL,
    "Restatement": _OF_A_BILL,
    "RestatedCost": _OF_A_BILL,
    "ClusterUsage": "computed of a file as it was received, which is audited",
    "ConformanceResult": _OF_A_BILL,
    "InvoiceCost": _OF_A_BILL,
    "DeliveredAccount": _OF_A_BILL,
    "FetchedBill": "which files of a source were seen: the deliveries made of them are audited",
}
