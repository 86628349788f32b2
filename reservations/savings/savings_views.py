"""The savings ledger: what purchases promised, what the bills prove, and why they differ."""

from datetime import date
from functools import cached_property
from typing import Any, cast

from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import Month, last_months
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import DetailPage, Empty, ListPage
from finops_site.ui.tables import BaseTable
from reservations.actions import RECOMMENDATIONS, UPLOAD_BILL
from reservations.calc import purchase_rules, realised_savings
from reservations.models import LedgerMonth, PurchaseRequest
from reservations.querysets import LedgerQuerySet, PurchaseQuerySet
from reservations.savings import ledger
from reservations.savings.forms import LedgerFilter
from reservations.savings.savings_figures import (
    currency_figures,
    month_chart,
    promise_facts,
    savings_by_purchase,
    savings_stats,
)
from reservations.savings.tables import LedgerTable, SavedTable

CRUMBS = ((_lazy("Commitments"), "reservations:overview"),)
NOTHING_BOUGHT = Empty(
    _lazy("Nothing has been approved yet"),
    _lazy("The ledger begins with the first purchase that is approved: open a recommendation and request a purchase."),
    "report-money",
    RECOMMENDATIONS,
)
NOTHING_BILLED = Empty(
    _lazy("No bill shows it yet"),
    _lazy("A purchase is approved. Its first line is written when a bill has a day after that: load the newest one."),
    "report-money",
    UPLOAD_BILL,
)


class SavingsPage(ListPage):
    permission_required = "reservations.view_ledgermonth"
    model = LedgerMonth
    title = _lazy("Savings ledger")
    subtitle = _lazy("What purchases promised when they were approved, and what the bills prove, month by month.")
    breadcrumbs = CRUMBS
    template_name = "reservations/savings.html"
    table_class = LedgerTable
    filterset_class = LedgerFilter

    @property
    def empty(self) -> Empty:
        accepted = PurchaseRequest.objects.visible_to(self.person).filter(state__in=purchase_rules.ACCEPTED)
        return NOTHING_BILLED if accepted.exists() else NOTHING_BOUGHT

    def get_queryset(self) -> LedgerQuerySet:
        return cast(LedgerQuerySet, super().get_queryset().select_related("request__commitment"))

    def make_table(self, data: LedgerQuerySet, **kwargs: Any) -> BaseTable:
        table = super().make_table(data, **kwargs)
        # The page of a purchase shows them, and the CSV has them.
        for name in ("timing", "demand", "utilisation", "price"):
            table.columns.hide(name)
        return table

    @cached_property
    def today(self) -> date:
        return timezone.now().date()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = ledger.lines_of_year(self.person, self.today)
        saved = savings_by_purchase(rows)
        context = {
            "blocks": [currency_figures(row, rows, self.today) for row in ledger.sum_lines(rows)],
            "saved": SavedTable(saved, request=None) if saved else None,
            "first": last_months(12, self.today).start,
        }
        return super().get_context_data(**{**context, **kwargs})


class SavedPage(DetailPage):
    """One purchase: its promise, each month of its bill, and the equation with its numbers."""

    permission_required = "reservations.view_ledgermonth"
    model = PurchaseRequest
    template_name = "reservations/saved.html"
    breadcrumbs = (*CRUMBS, (_lazy("Savings ledger"), "reservations:savings"))

    def get_queryset(self) -> PurchaseQuerySet:
        return cast(
            PurchaseQuerySet,
            super().get_queryset().filter(state__in=purchase_rules.ACCEPTED).select_related("commitment", "team"),
        )

    def get_title(self) -> str:
        return _("What was saved by {object}").format(object=self.object)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = self.object
        lines = LedgerMonth.objects.filter(request=row).select_related("request__commitment").order_by("month")
        months = [Month.of(line.month) for line in lines]
        context = {
            "stats": [stat for sums in ledger.sum_lines(lines) for stat in savings_stats(sums)[:3]],
            "why": [realised_savings.explain_gap(sums, row.currency) for sums in ledger.sum_lines(lines)],
            "chart": month_chart(lines, row.currency, months) | {"csv_url": ""} if months else None,
            "months": LedgerTable(lines, request=None, exclude=("purchase",)) if months else None,
            "promise": promise_facts(row),
            "purchase": row,
        }
        return super().get_context_data(**{**context, **kwargs})
