"""Which tables of tags, owners and chargeback the audit log follows; the others with the reason."""

from finops_site.pillars import Audited

AUDITED = {
    "OwnershipRule": Audited(),
    "Fixer": Audited(name="sub_account"),
    "ChargebackPeriod": Audited(left_out=("fingerprint", "problems", "known", "computed_at"), name="billing_month"),
    "Split": Audited(),
    "SplitPart": Audited(),
    "Dispute": Audited(),
    "Adjustment": Audited(),
    "JournalAccount": Audited(),
    "VirtualTag": Audited(),
    "VirtualTagBatch": Audited(left_out=("applied_at",)),
    "SuggestionDecision": Audited(name="tag"),
    "ChangeSet": Audited(left_out=("heartbeat_at",)),
    "TagChange": Audited(name="resource", made_by_machines=True),
    "TaggingAccess": Audited(name="sub_account"),
    "Metric": Audited(),
    "MetricValue": Audited(left_out=("changed_at",), name="of"),
    "TagRequirement": Audited(),
    "TagException": Audited(name="tag"),
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
