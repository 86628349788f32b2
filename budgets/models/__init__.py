from budgets.models.alerts import Alert, AlertDelivery, Recipient
from budgets.models.anomalies import Anomaly
from budgets.models.budgets import Budget, BudgetPeriod, BudgetVersion
from budgets.models.forecasts import Forecast, Night
from budgets.models.thresholds import Threshold

__all__ = [
    "Alert",
    "AlertDelivery",
    "Anomaly",
    "Budget",
    "BudgetPeriod",
    "BudgetVersion",
    "Forecast",
    "Night",
    "Recipient",
    "Threshold",
]
