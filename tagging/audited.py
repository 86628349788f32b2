"""Which tables of tags, owners and chargeback the audit log follows; the others with the reason."""

from finops_site.pillars import AuditRule

AUDITED = {
    "OwnershipRule": AuditRule(),
    "Fixer": AuditRule(name="sub_account"),
    "ChargebackPeriod": AuditRule(left_out=("fingerprint", "problems", "known", "computed_at"), name="billing_month"),
    "Split": AuditRule(),
    "SplitPart": AuditRule(),
    "Dispute": AuditRule(),
    "Adjustment": AuditRule(),
    "JournalAccount": AuditRule(),
    "VirtualTag": AuditRule(),
    "VirtualTagBatch": AuditRule(left_out=("applied_at",)),
    "SuggestionDecision": AuditRule(name="tag"),
    "ChangeSet": AuditRule(left_out=("heartbeat_at",)),
    "TagChange": AuditRule(name="resource", made_by_machines=True),
    "TaggingAccess": AuditRule(name="sub_account"),
    "Metric": AuditRule(),
    "MetricValue": AuditRule(left_out=("changed_at",), name="of"),
    "TagRequirement": AuditRule(),
    "TagException": AuditRule(name="tag"),
}
_COMPUTED = "computed of cost lines, rules and splits, which are audited or checked each night"
NOT_AUDITED = {
    "Allocation": _COMPUTED,
    "MonthTotal": _COMPUTED,
    "Statement": f"{_COMPUTED}; who closed a month is in the log of the month",
    "StatementDocument": _COMPUTED,
    "StatementLine": _COMPUTED,
    "StatementOpening": "who opened a statement, kept as it is",
    "Application": "how far applying the rules is: the rules are audited",
    "TagVerdict": _COMPUTED,
    "TagFact": _COMPUTED,
    "ComplianceMonth": _COMPUTED,
    "TaggedResource": _COMPUTED,
    "ComplianceRollup": _COMPUTED,
    "Suggestion": f"{_COMPUTED}; what people decided about it is audited",
    "TagIssue": _COMPUTED,
    "TagDigest": "a message that went out is kept as it is",
    "TagReminder": "a message that went out is kept as it is",
}
