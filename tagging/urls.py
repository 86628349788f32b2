"""Addresses of the pages of tagging."""

from django.urls import path, re_path

from tagging.views import (
    change_sets,
    chargeback,
    compliance,
    disputes,
    exceptions,
    fixing,
    ownership,
    policy,
    prevention,
    splits,
    unit_costs,
)

app_name = "tagging"

urlpatterns = [
    path("chargeback/", chargeback.ChargebackPage.as_view(), name="chargeback"),
    path("chargeback/splits/", splits.SplitsPage.as_view(), name="splits"),
    path("chargeback/splits/add/", splits.AddSplit.as_view(), name="split_add"),
    path("chargeback/splits/<int:pk>/", splits.SplitPage.as_view(), name="split"),
    path("chargeback/splits/<int:pk>/remove/", splits.RemoveSplit.as_view(), name="split_remove"),
    path("chargeback/accounts/", chargeback.JournalAccounts.as_view(), name="journal_accounts"),
    path("chargeback/disputes/", disputes.DisputesPage.as_view(), name="disputes"),
    path("chargeback/disputes/<int:pk>/", disputes.DisputePage.as_view(), name="dispute"),
    path("chargeback/lines/<int:pk>/dispute/", disputes.RaiseDispute.as_view(), name="dispute_add"),
    path("chargeback/<str:month>/", chargeback.MonthPage.as_view(), name="chargeback_month"),
    path("chargeback/<str:month>/close/", chargeback.CloseMonth.as_view(), name="chargeback_close"),
    path("chargeback/<str:month>/refresh/", chargeback.RefreshMonth.as_view(), name="chargeback_refresh"),
    path("chargeback/<str:month>/basis/", chargeback.PeriodSettings.as_view(), name="chargeback_basis"),
    path("chargeback/<str:month>/books/", chargeback.BooksOfMonth.as_view(), name="chargeback_books"),
    path("chargeback/<str:month>/statements.csv", chargeback.StatementsCsv.as_view(), name="statements_csv"),
    path("chargeback/<str:month>/statements.xlsx", chargeback.StatementsXlsx.as_view(), name="statements_xlsx"),
    path(
        "chargeback/<str:month>/teams/<int:pk>/statement.pdf", chargeback.StatementPdf.as_view(), name="statement_pdf"
    ),
    path("chargeback/<str:month>/journal.csv", chargeback.JournalCsv.as_view(), name="journal_csv"),
    path("chargeback/<str:month>/teams/<int:pk>/", chargeback.StatementPage.as_view(), name="statement"),
    path(
        "chargeback/<str:month>/teams/<int:pk>/statement.csv", chargeback.StatementCsv.as_view(), name="statement_csv"
    ),
    path("tagging/suggestions/", fixing.SuggestionsPage.as_view(), name="suggestions"),
    path("tagging/virtual-tags/", fixing.VirtualTagsPage.as_view(), name="virtual_tags"),
    path("tagging/virtual-tags/claim/", fixing.ClaimPage.as_view(), name="claim"),
    re_path(r"^tagging/resources/(?P<key>[0-9a-f]{32})/tag/$", fixing.TagByHand.as_view(), name="virtual_tag_add"),
    path("tagging/change-sets/", change_sets.ChangeSetsPage.as_view(), name="change_sets"),
    path("tagging/change-sets/<int:pk>/", change_sets.ChangeSetPage.as_view(), name="change_set"),
    re_path(
        r"^tagging/change-sets/(?P<pk>\d{1,18})/file/(?P<kind>sh|tf|csv)$",
        change_sets.ChangeSetFile.as_view(),
        name="change_set_file",
    ),
    path("unit-costs/", unit_costs.UnitCostsPage.as_view(), name="unit_costs"),
    path("unit-costs/upload/", unit_costs.UploadMetric.as_view(), name="metric_upload"),
    path("tagging/", compliance.Overview.as_view(), name="overview"),
    path("tagging/resources/", compliance.ResourcesPage.as_view(), name="resources"),
    re_path(r"^tagging/resources/(?P<key>[0-9a-f]{32})/$", compliance.ResourcePage.as_view(), name="resource"),
    re_path(
        r"^tagging/resources/(?P<key>[0-9a-f]{32})/exception/$",
        exceptions.AskForException.as_view(),
        name="exception_add",
    ),
    path("tagging/policy/", policy.PolicyPage.as_view(), name="policy"),
    path("tagging/policy/add/", policy.RequirementPage.as_view(), name="requirement_add"),
    path("tagging/policy/<int:pk>/", policy.RequirementPage.as_view(), name="requirement"),
    path("tagging/policy/<int:pk>/remove/", policy.RemoveRequirement.as_view(), name="requirement_remove"),
    path("tagging/policy/prevention/", prevention.PreventionPage.as_view(), name="prevention"),
    path("tagging/policy/prevention/<slug:kind>/", prevention.PreventionFile.as_view(), name="prevention_file"),
    path("tagging/exceptions/", exceptions.ExceptionsPage.as_view(), name="exceptions"),
    path("tagging/exceptions/<int:pk>/", exceptions.ExceptionPage.as_view(), name="exception"),
    path("ownership/", ownership.OwnershipPage.as_view(), name="ownership"),
    path("ownership/add/", ownership.RulePage.as_view(), name="ownership_add"),
    path("ownership/import/", ownership.ImportRules.as_view(), name="ownership_import"),
    path("ownership/apply/", ownership.ApplyNow.as_view(), name="ownership_apply"),
    path("ownership/progress/", ownership.ApplyProgress.as_view(), name="ownership_progress"),
    path("ownership/unowned/", ownership.UnownedPage.as_view(), name="unowned"),
    path("ownership/unowned/fixer/", ownership.FixerPage.as_view(), name="unowned_fixer"),
    path("ownership/pools/", ownership.PoolsPage.as_view(), name="pools"),
    path("ownership/pools/add/", ownership.PoolPage.as_view(), name="pool_add"),
    path("ownership/pools/<int:pk>/", ownership.PoolPage.as_view(), name="pool"),
    path("ownership/<int:pk>/", ownership.RulePage.as_view(), name="ownership_rule"),
    path("ownership/<int:pk>/remove/", ownership.RemoveRule.as_view(), name="ownership_remove"),
    path("ownership/<int:pk>/move/", ownership.MoveRule.as_view(), name="ownership_move"),
]
