from tagging.models.chargeback import ChargebackPeriod
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
from tagging.models.ownership import CONDITIONS, KNOWN, Application, Changed, Fixer, OwnershipRule
from tagging.models.policy import (
    ComplianceMonth,
    TagFact,
    TaggedResource,
    TagRequirement,
    TagVerdict,
)
from tagging.models.reminders import TagDigest, TagException, TagIssue, TagReminder

__all__ = [
    "CONDITIONS",
    "KNOWN",
    "Application",
    "ChangeSet",
    "Changed",
    "ChargebackPeriod",
    "ComplianceMonth",
    "Fixer",
    "Metric",
    "MetricValue",
    "OwnershipRule",
    "Suggestion",
    "SuggestionDecision",
    "TagChange",
    "TagDigest",
    "TagException",
    "TagFact",
    "TagIssue",
    "TagReminder",
    "TagRequirement",
    "TagVerdict",
    "TaggedResource",
    "TaggingAccess",
    "VirtualTag",
    "VirtualTagBatch",
]
