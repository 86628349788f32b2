from budgets.models.alerts import Alert, AlertDelivery, Recipient
from budgets.models.anomalies import Anomaly
from budgets.models.budgets import Budget, BudgetPeriod, BudgetVersion, Threshold
from budgets.models.forecasts import Forecast, Night

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
