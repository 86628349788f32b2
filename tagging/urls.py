"""Addresses of the pages of tagging."""

from django.urls import path, re_path

from tagging.chargeback.web import dispute_views, journal_views, month_views, split_views, statement_views
from tagging.ownership import pool_views, proposal_views, rule_views, unowned_views
from tagging.policy import exception_views, overview_views, policy_views, prevention_views, resource_views
from tagging.remediation import change_set_views, resources_to_fix, suggestion_views, virtual_tag_views
from tagging.unit_costs import unit_cost_views

app_name = "tagging"

urlpatterns = [
    path("chargeback/", month_views.ChargebackPage.as_view(), name="chargeback"),
    path("chargeback/splits/", split_views.SplitsPage.as_view(), name="splits"),
    path("chargeback/splits/add/", split_views.AddSplit.as_view(), name="split_add"),
    path("chargeback/splits/<int:pk>/", split_views.SplitPage.as_view(), name="split"),
    path("chargeback/splits/<int:pk>/remove/", split_views.RemoveSplit.as_view(), name="split_remove"),
    path("chargeback/accounts/", journal_views.JournalAccounts.as_view(), name="journal_accounts"),
    path("chargeback/disputes/", dispute_views.DisputesPage.as_view(), name="disputes"),
    path("chargeback/disputes/<int:pk>/", dispute_views.DisputePage.as_view(), name="dispute"),
    path("chargeback/lines/<int:pk>/dispute/", dispute_views.RaiseDispute.as_view(), name="dispute_add"),
    path("chargeback/<str:month>/", month_views.MonthPage.as_view(), name="chargeback_month"),
    path("chargeback/<str:month>/close/", month_views.CloseMonth.as_view(), name="chargeback_close"),
    path("chargeback/<str:month>/aside/", month_views.SetMonthAside.as_view(), name="chargeback_aside"),
    path("chargeback/<str:month>/refresh/", month_views.RefreshMonth.as_view(), name="chargeback_refresh"),
    path("chargeback/<str:month>/basis/", month_views.PeriodSettings.as_view(), name="chargeback_basis"),
    path("chargeback/<str:month>/books/", month_views.ReconciledMonth.as_view(), name="chargeback_books"),
    path("chargeback/<str:month>/statements.csv", month_views.StatementsCsv.as_view(), name="statements_csv"),
    path("chargeback/<str:month>/statements.xlsx", month_views.StatementsXlsx.as_view(), name="statements_xlsx"),
    path(
        "chargeback/<str:month>/teams/<int:pk>/statement.pdf",
        statement_views.StatementPdf.as_view(),
        name="statement_pdf",
    ),
    path("chargeback/<str:month>/journal/", journal_views.JournalPage.as_view(), name="journal"),
    path("chargeback/<str:month>/journal.csv", journal_views.JournalCsv.as_view(), name="journal_csv"),
    path("chargeback/<str:month>/teams/<int:pk>/", statement_views.StatementPage.as_view(), name="statement"),
    path(
        "chargeback/<str:month>/teams/<int:pk>/statement.csv",
        statement_views.StatementCsv.as_view(),
        name="statement_csv",
    ),
    path("tagging/suggestions/", suggestion_views.SuggestionsPage.as_view(), name="suggestions"),
    path("tagging/virtual-tags/", virtual_tag_views.VirtualTagsPage.as_view(), name="virtual_tags"),
    path("tagging/virtual-tags/claim/", virtual_tag_views.ClaimPage.as_view(), name="claim"),
    re_path(
        r"^tagging/resources/(?P<key>[0-9a-f]{32})/tag/$", virtual_tag_views.TagByHand.as_view(), name="virtual_tag_add"
    ),
    path("tagging/change-sets/", change_set_views.ChangeSetsPage.as_view(), name="change_sets"),
    path("tagging/change-sets/<int:pk>/", change_set_views.ChangeSetPage.as_view(), name="change_set"),
    re_path(
        r"^tagging/change-sets/(?P<pk>\d{1,18})/file/(?P<kind>sh|tf|csv)$",
        change_set_views.ChangeSetFile.as_view(),
        name="change_set_file",
    ),
    path("unit-costs/", unit_cost_views.UnitCostsPage.as_view(), name="unit_costs"),
    path("unit-costs/upload/", unit_cost_views.UploadMetric.as_view(), name="metric_upload"),
    path("unit-costs/<int:pk>/edit/", unit_cost_views.EditMetric.as_view(), name="metric_edit"),
    path("tagging/", overview_views.ComplianceOverview.as_view(), name="overview"),
    path("tagging/resources/", resources_to_fix.ResourcesToFixPage.as_view(), name="resources"),
    re_path(r"^tagging/resources/(?P<key>[0-9a-f]{32})/$", resource_views.ResourcePage.as_view(), name="resource"),
    re_path(
        r"^tagging/resources/(?P<key>[0-9a-f]{32})/exception/$",
        exception_views.RequestException.as_view(),
        name="exception_add",
    ),
    path("tagging/policy/", policy_views.PolicyPage.as_view(), name="policy"),
    path("tagging/policy/add/", policy_views.RequirementPage.as_view(), name="requirement_add"),
    path("tagging/policy/<int:pk>/", policy_views.RequirementPage.as_view(), name="requirement"),
    path("tagging/policy/<int:pk>/remove/", policy_views.RemoveRequirement.as_view(), name="requirement_remove"),
    path("tagging/policy/prevention/", prevention_views.PreventionPage.as_view(), name="prevention"),
    path("tagging/policy/prevention/<slug:kind>/", prevention_views.PreventionFile.as_view(), name="prevention_file"),
    path("tagging/exceptions/", exception_views.ExceptionsPage.as_view(), name="exceptions"),
    path("tagging/exceptions/<int:pk>/", exception_views.ExceptionPage.as_view(), name="exception"),
    path("ownership/", rule_views.OwnershipPage.as_view(), name="ownership"),
    path("ownership/add/", rule_views.RulePage.as_view(), name="ownership_add"),
    path("ownership/proposals/", proposal_views.ProposalsPage.as_view(), name="ownership_proposals"),
    path("ownership/import/", rule_views.ImportRules.as_view(), name="ownership_import"),
    path("ownership/apply/", rule_views.ApplyNow.as_view(), name="ownership_apply"),
    path("ownership/progress/", rule_views.ApplyProgress.as_view(), name="ownership_progress"),
    path("ownership/unowned/", unowned_views.UnownedPage.as_view(), name="unowned"),
    path("ownership/unowned/fixer/", unowned_views.FixerPage.as_view(), name="unowned_fixer"),
    path("ownership/pools/", pool_views.PoolsPage.as_view(), name="pools"),
    path("ownership/pools/add/", pool_views.PoolPage.as_view(), name="pool_add"),
    path("ownership/pools/<int:pk>/", pool_views.PoolPage.as_view(), name="pool"),
    path("ownership/<int:pk>/", rule_views.RulePage.as_view(), name="ownership_rule"),
    path("ownership/<int:pk>/remove/", rule_views.RemoveRule.as_view(), name="ownership_remove"),
    path("ownership/<int:pk>/move/", rule_views.MoveRule.as_view(), name="ownership_move"),
]
