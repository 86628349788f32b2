"""Addresses of the pages of usage."""

from django.urls import path

from usage.worklist import finding_views, overview_views, quiet_rule_views

app_name = "usage"

FINDINGS: list = [
    path("usage/", overview_views.OverviewPage.as_view(), name="overview"),
    path("usage/findings/", finding_views.FindingsPage.as_view(), name="findings"),
    path("usage/findings/<int:pk>/", finding_views.FindingPage.as_view(), name="finding"),
    path("usage/quiet-rules/", quiet_rule_views.QuietRulesPage.as_view(), name="quiet_rules"),
]
IMPORTS: list = []
ESTIMATES: list = []

urlpatterns: list = [*FINDINGS, *IMPORTS, *ESTIMATES]
