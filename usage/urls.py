"""Addresses of the pages of usage."""

from django.urls import path

from usage.carbon import views as carbon
from usage.changes import change_set_views as changes
from usage.estimates import views as estimates
from usage.proof import views as proof
from usage.sources import connection_views as connections
from usage.sources import views as sources
from usage.worklist import finding_views, overview_views, quiet_rule_views

app_name = "usage"

FINDINGS: list = [
    path("usage/", overview_views.OverviewPage.as_view(), name="overview"),
    path("usage/findings/", finding_views.FindingsPage.as_view(), name="findings"),
    path("usage/findings/<int:pk>/", finding_views.FindingPage.as_view(), name="finding"),
    path("usage/quiet-rules/", quiet_rule_views.QuietRulesPage.as_view(), name="quiet_rules"),
]
PROOF = [path("usage/proof/", proof.ProofPage.as_view(), name="proof")]
IMPORTS = [
    path("usage/imports/", sources.ImportsPage.as_view(), name="imports"),
    path("usage/imports/add/", sources.AddImport.as_view(), name="import_add"),
    path("usage/imports/<int:pk>/", sources.ImportPage.as_view(), name="import"),
    path("usage/imports/<int:pk>/withdraw/", sources.WithdrawImport.as_view(), name="import_withdraw"),
]
CARBON = [path("usage/carbon/", carbon.CarbonPage.as_view(), name="carbon")]
CHANGES = [
    path("usage/changes/", changes.ChangeSetsPage.as_view(), name="change_sets"),
    path("usage/changes/add/", changes.AddChangeSet.as_view(), name="change_set_add"),
    path("usage/changes/<int:pk>/", changes.ChangeSetPage.as_view(), name="change_set"),
]
CONNECTIONS = [
    path("usage/connections/", connections.ConnectionsPage.as_view(), name="connections"),
    path("usage/connections/add/", connections.ConnectionPage.as_view(), name="connection_add"),
    path("usage/connections/<int:pk>/", connections.ConnectionPage.as_view(), name="connection"),
    path("usage/connections/<int:pk>/read/", connections.ReadNow.as_view(), name="connection_read"),
]
ESTIMATES = [
    path("usage/estimates/", estimates.EstimatesPage.as_view(), name="estimates"),
    path("usage/estimates/add/", estimates.AddEstimate.as_view(), name="estimate_add"),
    path("usage/estimates/<int:pk>/", estimates.EstimatePage.as_view(), name="estimate"),
    path("usage/estimates/<int:pk>/edit/", estimates.EditEstimate.as_view(), name="estimate_edit"),
    path("usage/estimates/<int:pk>/act/<slug:verb>/", estimates.ActOnEstimate.as_view(), name="estimate_act"),
    path("usage/estimates/<int:estimate>/scenarios/add/", estimates.AddScenario.as_view(), name="scenario_add"),
    path("usage/estimates/<int:estimate>/scenarios/<int:pk>/", estimates.EditScenario.as_view(), name="scenario_edit"),
    path(
        "usage/estimates/<int:estimate>/scenarios/<int:pk>/<slug:verb>/",
        estimates.ActOnScenario.as_view(),
        name="scenario_act",
    ),
]

urlpatterns: list = [*FINDINGS, *PROOF, *CHANGES, *IMPORTS, *CONNECTIONS, *CARBON, *ESTIMATES]
