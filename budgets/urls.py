"""Addresses of the pages of budgets."""

from django.urls import path

from budgets import first_budget_views
from budgets.alerts import acknowledge_views, alert_views, rule_views
from budgets.anomalies import anomaly_views, sensitivity_views
from budgets.controls import change_set_views, control_views
from budgets.forecast import charge_views
from budgets.planning import (
    amount_views,
    annual_plan_views,
    budget_edit_views,
    budget_views,
    company_year_views,
    proposal_views,
)

app_name = "budgets"

urlpatterns = [
    path("budgets/", budget_views.BudgetsPage.as_view(), name="budgets"),
    path("budgets/add/", budget_edit_views.EditBudget.as_view(), name="add"),
    path("budgets/propose/", budget_edit_views.EditBudget.as_view(proposes=True), name="propose"),
    path("budgets/proposals/", first_budget_views.BudgetProposalsPage.as_view(), name="proposals"),
    path("budgets/preview/", budget_edit_views.PreviewBudget.as_view(), name="preview"),
    path("budgets/grid/", amount_views.GridPage.as_view(), name="grid"),
    path("budgets/import/", amount_views.ImportPage.as_view(), name="import"),
    path("budgets/year/", annual_plan_views.AnnualPlanPage.as_view(), name="annual_plan"),
    path("budgets/company-year/", company_year_views.CompanyYearPage.as_view(), name="company_year"),
    path("budgets/<int:pk>/", budget_views.BudgetPage.as_view(), name="budget"),
    path("budgets/<int:pk>/edit/", budget_edit_views.EditBudget.as_view(), name="edit"),
    path("budgets/<int:pk>/preview/", budget_edit_views.PreviewBudget.as_view(), name="preview"),
    path("budgets/<int:pk>/propose-change/", proposal_views.ProposeChange.as_view(), name="propose_change"),
    path(
        "budgets/<int:pk>/changes/<int:change>/<str:verb>/", proposal_views.DecideChange.as_view(), name="decide_change"
    ),
    path("budgets/<int:pk>/copy/", budget_edit_views.CopyBudget.as_view(), name="copy"),
    path("budgets/<int:pk>/state/<str:verb>/", budget_edit_views.ChangeState.as_view(), name="state"),
    path("budgets/<int:pk>/thresholds/add/", rule_views.EditThreshold.as_view(), name="threshold_add"),
    path("budgets/<int:pk>/thresholds/<int:line>/", rule_views.EditThreshold.as_view(), name="threshold"),
    path(
        "budgets/<int:pk>/thresholds/<int:line>/<str:verb>/", rule_views.ActOnThreshold.as_view(), name="threshold_act"
    ),
    path("budgets/<int:pk>/recipients/add/", rule_views.EditRecipient.as_view(), name="recipient_add"),
    path("budgets/<int:pk>/recipients/<int:line>/", rule_views.EditRecipient.as_view(), name="recipient"),
    path("budgets/<int:pk>/charges/add/", charge_views.EditKnownCharge.as_view(), name="charge_add"),
    path("budgets/<int:pk>/charges/<int:line>/", charge_views.EditKnownCharge.as_view(), name="charge"),
    path("budgets/<int:pk>/charges/<int:line>/remove/", charge_views.RemoveKnownCharge.as_view(), name="charge_remove"),
    path(
        "budgets/<int:pk>/recipients/<int:line>/<str:verb>/", rule_views.ActOnRecipient.as_view(), name="recipient_act"
    ),
    path("controls/", control_views.ControlsPage.as_view(), name="controls"),
    path("controls/add/", control_views.EditControl.as_view(), name="control_add"),
    path("controls/policy/", control_views.ControlPolicyPage.as_view(), name="control_policy"),
    path("controls/policy/switch/", control_views.ControlSwitch.as_view(), name="control_switch"),
    path("controls/changes/", change_set_views.ControlChangesPage.as_view(), name="control_changes"),
    path("controls/changes/<int:pk>/", change_set_views.ControlChangePage.as_view(), name="control_change"),
    path("controls/changes/<int:pk>/<str:verb>.sh", change_set_views.ControlScript.as_view(), name="control_script"),
    path("controls/<int:pk>/", control_views.ControlPage.as_view(), name="control"),
    path("controls/<int:pk>/edit/", control_views.EditControl.as_view(), name="control_edit"),
    path("controls/<int:pk>/arm/", control_views.ArmControl.as_view(), name="control_arm"),
    path("controls/<int:pk>/<str:verb>/", control_views.ActOnControl.as_view(), name="control_act"),
    path("anomalies/", anomaly_views.AnomaliesPage.as_view(), name="anomalies"),
    path("anomalies/sensitivity/", sensitivity_views.SensitivitiesPage.as_view(), name="sensitivities"),
    path("anomalies/sensitivity/add/", sensitivity_views.EditSensitivity.as_view(), name="sensitivity_add"),
    path("anomalies/sensitivity/<int:pk>/", sensitivity_views.EditSensitivity.as_view(), name="sensitivity"),
    path(
        "anomalies/sensitivity/<int:pk>/remove/",
        sensitivity_views.RemoveSensitivity.as_view(),
        name="sensitivity_remove",
    ),
    path("anomalies/<int:pk>/", anomaly_views.AnomalyPage.as_view(), name="anomaly"),
    path("anomalies/<int:pk>/<str:verb>/", anomaly_views.AnswerAnomaly.as_view(), name="answer"),
    path("alerts/ignored/<int:pk>/", rule_views.FollowProposal.as_view(), name="follow"),
    path("alerts/", alert_views.AlertsPage.as_view(), name="alerts"),
    path("alerts/acknowledge/<str:token>/", acknowledge_views.AcknowledgePage.as_view(), name="acknowledge"),
    path("alerts/<int:pk>/", alert_views.AlertPage.as_view(), name="alert"),
    path("alerts/<int:pk>/<str:verb>/", alert_views.ActOnAlert.as_view(), name="act"),
]
