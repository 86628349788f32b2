from tagging.models.chargeback import ChargebackPeriod
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
]
