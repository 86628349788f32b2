"""Which tables of budgets, alerts and controls the audit log follows; the others with the reason."""

from finops_site.pillars import Audited

AUDITED = {
    "Budget": Audited(left_out=("evaluated_as_of", "not_evaluated")),
    "BudgetPeriod": Audited(name="start"),
    "BudgetVersion": Audited(name="what"),
    "CompanyYear": Audited(),
    "Threshold": Audited(name="kind"),
    # The address of a channel is as secret as a key.
    "Recipient": Audited(secret=("url",), name="kind"),
    "Alert": Audited(
        left_out=("as_of", "evaluated_as_of", "figures", "value", "limit", "peak", "history"),
        name="kind",
        made_by_machines=True,
    ),
    "Anomaly": Audited(
        left_out=("last_day", "actual", "expected", "latest_a_day", "contributors", "found_as_of", "severity"),
        name="service",
        made_by_machines=True,
    ),
    "AnomalySensitivity": Audited(name="service"),
    "KnownCharge": Audited(name="description"),
    "ProposedChange": Audited(),
    "Control": Audited(left_out=("last_result",)),
    "ControlPolicy": Audited(),
    "ControlAccess": Audited(name="account"),
    "ControlChangeSet": Audited(left_out=("saved", "saved_days", "saved_until", "saved_note"), name="why"),
    "ControlStep": Audited(left_out=("claimed_at",), name="resource"),
    "ControlEvent": Audited(name="verb"),
}
NOT_AUDITED = {
    "AlertDelivery": "a message that went out is kept as it is, with its outcome",
    "Forecast": "computed each night",
    "Night": "what a night did, written by the night alone",
}
