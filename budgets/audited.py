"""Which tables of budgets, alerts and controls the audit log follows; the others with the reason."""

from finops_site.pillars import AuditRule

AUDITED = {
    "Budget": AuditRule(left_out=("evaluated_as_of", "not_evaluated")),
    "BudgetPeriod": AuditRule(name="start"),
    "BudgetVersion": AuditRule(name="what"),
    "CompanyYear": AuditRule(),
    "Threshold": AuditRule(name="kind"),
    # The address of a channel is as secret as a key.
    "Recipient": AuditRule(secret=("url",), name="kind"),
    "Alert": AuditRule(
        left_out=("as_of", "evaluated_as_of", "figures", "value", "limit", "peak", "history"),
        name="kind",
        made_by_machines=True,
    ),
    "Anomaly": AuditRule(
        left_out=("last_day", "actual", "expected", "latest_a_day", "contributors", "found_as_of", "severity"),
        name="service",
        made_by_machines=True,
    ),
    "AnomalySensitivity": AuditRule(name="service"),
    "KnownCharge": AuditRule(name="description"),
    "ProposedChange": AuditRule(),
    "Control": AuditRule(left_out=("last_result",)),
    "ControlPolicy": AuditRule(),
    "ControlAccess": AuditRule(name="account"),
    "ControlChangeSet": AuditRule(left_out=("saved", "saved_days", "saved_until", "saved_note"), name="why"),
    "ControlStep": AuditRule(left_out=("claimed_at",), name="resource"),
    "ControlEvent": AuditRule(name="verb"),
}
NOT_AUDITED = {
    "AlertDelivery": "a message that went out is kept as it is, with its outcome",
    "Forecast": "computed each night",
    "Night": "what a night did, written by the night alone",
}
