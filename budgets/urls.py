"""Addresses of the pages of budgets."""

from django.urls import path

from budgets.views import acknowledge, alerts, anomalies, budgets, finance, rules

app_name = "budgets"

urlpatterns = [
    path("budgets/", budgets.BudgetsPage.as_view(), name="budgets"),
    path("budgets/add/", budgets.EditBudget.as_view(), name="add"),
    path("budgets/propose/", budgets.EditBudget.as_view(proposes=True), name="propose"),
    path("budgets/grid/", finance.GridPage.as_view(), name="grid"),
    path("budgets/import/", finance.ImportPage.as_view(), name="import"),
    path("budgets/year/", finance.FinancePage.as_view(), name="finance"),
    path("budgets/<int:pk>/", budgets.BudgetPage.as_view(), name="budget"),
    path("budgets/<int:pk>/edit/", budgets.EditBudget.as_view(), name="edit"),
    path("budgets/<int:pk>/copy/", budgets.CopyBudget.as_view(), name="copy"),
    path("budgets/<int:pk>/state/<str:verb>/", budgets.ChangeState.as_view(), name="state"),
    path("budgets/<int:pk>/thresholds/add/", rules.EditThreshold.as_view(), name="threshold_add"),
    path("budgets/<int:pk>/thresholds/<int:line>/", rules.EditThreshold.as_view(), name="threshold"),
    path("budgets/<int:pk>/thresholds/<int:line>/<str:verb>/", rules.ActOnThreshold.as_view(), name="threshold_act"),
    path("budgets/<int:pk>/recipients/add/", rules.EditRecipient.as_view(), name="recipient_add"),
    path("budgets/<int:pk>/recipients/<int:line>/", rules.EditRecipient.as_view(), name="recipient"),
    path("budgets/<int:pk>/recipients/<int:line>/<str:verb>/", rules.ActOnRecipient.as_view(), name="recipient_act"),
    path("anomalies/", anomalies.AnomaliesPage.as_view(), name="anomalies"),
    path("anomalies/<int:pk>/", anomalies.AnomalyPage.as_view(), name="anomaly"),
    path("anomalies/<int:pk>/<str:verb>/", anomalies.AnswerAnomaly.as_view(), name="answer"),
    path("alerts/ignored/<int:pk>/", rules.FollowProposal.as_view(), name="follow"),
    path("alerts/", alerts.AlertsPage.as_view(), name="alerts"),
    path("alerts/acknowledge/<str:token>/", acknowledge.AcknowledgePage.as_view(), name="acknowledge"),
    path("alerts/<int:pk>/", alerts.AlertPage.as_view(), name="alert"),
    path("alerts/<int:pk>/<str:verb>/", alerts.ActOnAlert.as_view(), name="act"),
]
