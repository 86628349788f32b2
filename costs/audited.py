"""Which tables of bills the audit log follows; the others with the reason."""

from finops_site.pillars import Audited

AUDITED = {
    "Source": Audited(
        left_out=("sync", "sync_message", "sync_progress", "sync_started_at", "synced_at", "warned_after"),
    ),
    "Source_complements": Audited(identity="from_source"),
    "Credential": Audited(secret=("sealed",)),
    "Delivery": Audited(
        left_out=(
            # What the load computes, and how far it is.
            *("totals", "residual", "conformance", "stage", "progress", "heartbeat_at", "loaded_at", "expected_rows"),
            *("rows_read", "rows_loaded", "rows_rejected", "order_at"),
        ),
        name="format",
    ),
    "Delivery_beside": Audited(identity="from_delivery"),
    "DeliveryFile": Audited(),
    "Stream": Audited(name="export"),
    "Pool": Audited(),
    "AccountGroup": Audited(),
    "GroupedAccount": Audited(name="account"),
    "ClusterFile": Audited(left_out=("notes",)),
    "FocusExport": Audited(left_out=("rows", "bytes", "totals", "filled", "notes"), name="kind"),
    "ExportPlace": Audited(left_out=("marks",)),
    "Invoice": Audited(name="invoice_id"),
    "InvoiceFile": Audited(),
    # A list of one bank has some hundred thousand.
    "ExchangeRate": Audited(left_out=("loaded_at",), name="quote", summed_up=True),
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
