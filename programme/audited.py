"""Which tables of the programme the audit log follows; the others with the reason."""

from finops_site.pillars import AuditRule

# What each night writes is no change of anybody's.
AUDITED = {
    "Kpi": AuditRule(left_out=("changed_by", "changed_at")),
    "KpiTargetChange": AuditRule(),
    "KpiComment": AuditRule(),
    "ReportSchedule": AuditRule(left_out=("pause_reason",), secret=("url",)),
    "ReportRecipient": AuditRule(name="address"),
    "Programme": AuditRule(left_out=("checked_on",)),
    "Phase": AuditRule(),
    "ProgrammeWeek": AuditRule(name="focus"),
    "Milestone": AuditRule(
        left_out=("last_value", "last_unit", "last_currency", "read_on", "why_unknown", "reminded_on"),
    ),
    "Risk": AuditRule(left_out=("last_value", "last_unit", "last_currency", "read_on", "why_unknown")),
    "DecisionPoint": AuditRule(left_out=("reminded_on",)),
    "SignOff": AuditRule(),
    "Communication": AuditRule(name="audience"),
    "ProgrammeTemplate": AuditRule(),
    "SavingsModel": AuditRule(name="currency"),
    "Assumption": AuditRule(),
    "AssumptionChange": AuditRule(name="reason"),
}
NOT_AUDITED = {
    "KpiDay": "computed each night, and kept as it is",
    "KpiRecount": "computed each night, and kept as it is",
    "ReportRun": "how far a report is, and what became of it",
    "MadeReport": "kept as it was made, with its sha256; the database changes none",
    "ReportDelivery": "a message that went out is kept as it is, with its outcome",
}
