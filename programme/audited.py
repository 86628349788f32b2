"""Which tables of the programme the audit log follows; the others with the reason."""

from finops_site.pillars import Audited

# What each night writes is no change of anybody's.
AUDITED = {
    "Kpi": Audited(left_out=("changed_by", "changed_at")),
    "KpiComment": Audited(),
    "ReportSchedule": Audited(left_out=("pause_reason",), secret=("url",)),
    "ReportRecipient": Audited(name="address"),
    "Programme": Audited(left_out=("checked_on",)),
    "Phase": Audited(),
    "ProgrammeWeek": Audited(name="focus"),
    "Milestone": Audited(
        left_out=("last_value", "last_unit", "last_currency", "read_on", "why_unknown", "reminded_on"),
    ),
    "Risk": Audited(left_out=("last_value", "last_unit", "last_currency", "read_on", "why_unknown")),
    "DecisionPoint": Audited(left_out=("reminded_on",)),
    "SignOff": Audited(),
    "Communication": Audited(name="audience"),
    "ProgrammeTemplate": Audited(),
    "SavingsModel": Audited(name="currency"),
    "Assumption": Audited(),
    "AssumptionChange": Audited(name="reason"),
}
NOT_AUDITED = {
    "KpiDay": "computed each night, and kept as it is",
    "KpiRecount": "computed each night, and kept as it is",
    "ReportRun": "how far a report is, and what became of it",
    "MadeReport": "kept as it was made, with its sha256; the database changes none",
    "ReportDelivery": "a message that went out is kept as it is, with its outcome",
}
