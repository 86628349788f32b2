from usage.models.changes import FixAccess, FixSet, FixStep
from usage.models.connections import Connection
from usage.models.estimates import Estimate, EstimateLine, Scenario
from usage.models.facts import CarbonMonth, FactImport
from usage.models.findings import Evaluation, Finding, FindingEvent, QuietRule, SavingMonth
from usage.models.tickets import Ticket, Tracker

__all__ = [
    "CarbonMonth",
    "Connection",
    "Estimate",
    "EstimateLine",
    "Evaluation",
    "FactImport",
    "Finding",
    "FindingEvent",
    "FixAccess",
    "FixSet",
    "FixStep",
    "QuietRule",
    "SavingMonth",
    "Scenario",
    "Ticket",
    "Tracker",
]
