"""Addresses of the pages of budgets."""

from django.urls import path

from budgets.alerts import acknowledge_views, alert_views, rule_views
from budgets.anomalies import anomaly_views
from budgets.planning import amount_views, annual_plan_views, budget_edit_views, budget_views

app_name = "budgets"

urlpatterns = [
    path("budgets/", budget_views.BudgetsPage.as_view(), name="budgets"),
    path("budgets/add/", budget_edit_views.EditBudget.as_view(), name="add"),
    path("budgets/propose/", budget_edit_views.EditBudget.as_view(proposes=True), name="propose"),
    path("budgets/grid/", amount_views.GridPage.as_view(), name="grid"),
    path("budgets/import/", amount_views.ImportPage.as_view(), name="import"),
    path("budgets/year/", annual_plan_views.AnnualPlanPage.as_view(), name="annual_plan"),
    path("budgets/<int:pk>/", budget_views.BudgetPage.as_view(), name="budget"),
    path("budgets/<int:pk>/edit/", budget_edit_views.EditBudget.as_view(), name="edit"),
    path("budgets/<int:pk>/copy/", budget_edit_views.CopyBudget.as_view(), name="copy"),
    path("budgets/<int:pk>/state/<str:verb>/", budget_edit_views.ChangeState.as_view(), name="state"),
    path("budgets/<int:pk>/thresholds/add/", rule_views.EditThreshold.as_view(), name="threshold_add"),
    path("budgets/<int:pk>/thresholds/<int:line>/", rule_views.EditThreshold.as_view(), name="threshold"),
    path(
        "budgets/<int:pk>/thresholds/<int:line>/<str:verb>/", rule_views.ActOnThreshold.as_view(), name="threshold_act"
    ),
    path("budgets/<int:pk>/recipients/add/", rule_views.EditRecipient.as_view(), name="recipient_add"),
    path("budgets/<int:pk>/recipients/<int:line>/", rule_views.EditRecipient.as_view(), name="recipient"),
    path(
        "budgets/<int:pk>/recipients/<int:line>/<str:verb>/", rule_views.ActOnRecipient.as_view(), name="recipient_act"
    ),
    path("anomalies/", anomaly_views.AnomaliesPage.as_view(), name="anomalies"),
    path("anomalies/<int:pk>/", anomaly_views.AnomalyPage.as_view(), name="anomaly"),
    path("anomalies/<int:pk>/<str:verb>/", anomaly_views.AnswerAnomaly.as_view(), name="answer"),
    path("alerts/ignored/<int:pk>/", rule_views.FollowProposal.as_view(), name="follow"),
    path("alerts/", alert_views.AlertsPage.as_view(), name="alerts"),
    path("alerts/acknowledge/<str:token>/", acknowledge_views.AcknowledgePage.as_view(), name="acknowledge"),
    path("alerts/<int:pk>/", alert_views.AlertPage.as_view(), name="alert"),
    path("alerts/<int:pk>/<str:verb>/", alert_views.ActOnAlert.as_view(), name="act"),
]
