"""Addresses of the pages of tagging."""

from django.urls import path

from tagging.views import chargeback, disputes, ownership, splits

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
