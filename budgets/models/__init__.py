from budgets.models.alerts import Alert, AlertDelivery, Recipient
from budgets.models.anomalies import Anomaly, AnomalySensitivity
from budgets.models.budgets import Budget, BudgetPeriod, BudgetVersion, CompanyYear
from budgets.models.controls import (
    Control,
    ControlAccess,
    ControlChangeSet,
    ControlEvent,
    ControlPolicy,
    ControlStep,
)
from budgets.models.forecasts import Forecast, Night
from budgets.models.known_charges import KnownCharge
from budgets.models.proposed_changes import ProposedChange
from budgets.models.thresholds import Threshold

__all__ = [
    "Alert",
    "AlertDelivery",
    "Anomaly",
    "AnomalySensitivity",
    "Budget",
    "BudgetPeriod",
    "BudgetVersion",
    "CompanyYear",
    "Control",
    "ControlAccess",
    "ControlChangeSet",
    "ControlEvent",
    "ControlPolicy",
    "ControlStep",
    "Forecast",
    "KnownCharge",
    "Night",
    "ProposedChange",
    "Recipient",
    "Threshold",
]
