from tagging.models.chargeback import (
    Adjustment,
    Allocation,
    ChargebackPeriod,
    Dispute,
    JournalAccount,
    MonthTotal,
    Split,
    SplitPart,
    Statement,
    StatementLine,
)
from tagging.models.fixing import (
    ChangeSet,
    Suggestion,
    SuggestionDecision,
    TagChange,
    TaggingAccess,
    VirtualTag,
    VirtualTagBatch,
)
from tagging.models.metrics import Metric, MetricValue
from tagging.models.ownership import CONDITIONS, OwnershipRule
from tagging.models.policy import (
    ComplianceMonth,
    TagFact,
    TaggedResource,
    TagRequirement,
    TagVerdict,
)
from tagging.models.reminders import TagDigest, TagException, TagIssue, TagReminder

__all__ = [
    "Adjustment",
    "Allocation",
    "Dispute",
    "JournalAccount",
    "MonthTotal",
    "Split",
    "SplitPart",
    "Statement",
    "StatementLine",
    "CONDITIONS",
    "ChargebackPeriod",
    "ComplianceMonth",
    "OwnershipRule",
    "TagDigest",
    "TagException",
    "TagFact",
    "TagIssue",
    "TagReminder",
    "TagRequirement",
    "TagVerdict",
    "TaggedResource",
    "ChangeSet",
    "Suggestion",
    "SuggestionDecision",
    "TagChange",
    "TaggingAccess",
    "VirtualTag",
    "VirtualTagBatch",
    "Metric",
    "MetricValue",
]
