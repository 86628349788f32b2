"""The savings ledger: what purchases promised, what the bills prove, and why they differ."""

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.utils import timezone

from finops_site.lib import charts
from finops_site.lib.money import exact_text, formatted, ratio
from finops_site.lib.periods import Month, last_months
from finops_site.ui.figures import percent_text
from finops_site.ui.pages import Action, DetailPage, Empty, ListPage
from finops_site.ui.tables import BaseTable
from reservations.calc import realised_savings
from reservations.forms import LedgerFilter
from reservations.models import LedgerMonth, PurchaseRequest
from reservations.savings import ledger
from reservations.tables import LedgerTable, SavedTable

CRUMBS = (("Commitments", "reservations:overview"),)
RECOMMENDATIONS = Action("Recommendations", "reservations:recommendations", "bulb", "reservations.view_plan")
PURCHASES = Action("Purchases", "reservations:purchases", "credit-card", "reservations.view_purchaserequest")
NOTHING_BOUGHT = Empty(
    "Nothing has been approved yet",
    "The ledger begins with the first purchase that is approved: open a recommendation and ask for what it says.",
    "report-money",
    RECOMMENDATIONS,
)
NOTHING_BILLED = Empty(
    "No bill tells of it yet",
    "Something is approved. Its first line is written when a bill has a day after that: load the newest one.",
    "report-money",
    Action("Upload a bill", "costs:delivery_upload", "upload", "costs.add_delivery"),
)


class SavingsPage(ListPage):
    permission_required = "reservations.view_ledgermonth"
    model = LedgerMonth
    title = "Savings ledger"
    subtitle = "What purchases promised when they were approved, and what the bills prove, month by month."
    breadcrumbs = CRUMBS
    template_name = "reservations/savings.html"
    table_class = LedgerTable
    filterset_class = LedgerFilter
    actions = (PURCHASES,)

    @property
    def empty(self) -> Empty:  # type: ignore[override]
        accepted = PurchaseRequest.objects.visible_to(self.request.user).filter(state__in=ledger.ACCEPTED)
        return NOTHING_BILLED if accepted.exists() else NOTHING_BOUGHT

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("request__commitment")

    def make_table(self, data: Any, **kwargs: Any) -> BaseTable:
        table = super().make_table(data, **kwargs)
        # The page of a purchase shows them, and the CSV has them.
        for name in ("timing", "demand", "utilisation", "price"):
            table.columns.hide(name)
        return table

    @cached_property
    def today(self) -> date:
        return timezone.now().date()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = ledger.of_year(self.request.user, self.today)
        saved = purchases(rows)
        context = {
            "blocks": [block(row, rows, self.today) for row in ledger.sums(rows)],
            "saved": SavedTable(saved, request=None) if saved else None,
            "first": last_months(12, self.today).start,
        }
        return super().get_context_data(**{**context, **kwargs})


def block(row: dict[str, Any], rows: Any, today: date) -> dict[str, Any]:
    """The twelve months of one currency: figures, chart, and the reasons that sum to what is missing."""
    code = row["currency"]
    return {
        "currency": code,
        "stats": stats(row),
        "chart": month_chart(rows.filter(currency=code), code, last_months(12, today).months()),
        "why": realised_savings.because(row, code),
        "reasons": [(realised_savings.NAMES[name], row[name]) for name in realised_savings.REASONS],
        "gap": row["gap"],
    }


def stats(row: dict[str, Any]) -> list[dict[str, Any]]:
    code, promised, realised = row["currency"], row["promised"], row["realised"]
    share = f"{percent_text(ratio(realised, promised))} of what was promised" if promised > 0 else ""
    found: list[dict[str, Any]] = [
        {"label": "Promised, 12 months", "amount": promised, "currency": code, "note": "for the days a bill tells of"},
        {"label": "Realised", "amount": realised, "currency": code, "note": share},
        {"label": "Missing", "amount": row["gap"], "currency": code, "note": "promised less realised"},
    ]
    return [*found, _aim(realised)] if code == ledger.TARGET_CURRENCY else found


def _aim(realised: Decimal) -> dict[str, Any]:
    words = "reached" if realised >= ledger.TARGET else "not reached"
    part = percent_text(ratio(realised, ledger.TARGET))
    note = f"{words}: {part} of {formatted(ledger.TARGET, ledger.TARGET_CURRENCY)} {ledger.TARGET_CURRENCY} a year"
    return {"label": "Of the year's aim", "value": part, "note": note}


def month_chart(rows: Any, code: str, months: list[Month]) -> dict[str, Any]:
    """Promised and realised of each month; a month without a line has no bar."""
    known = {Month.of(row["month"]): row for row in ledger.sums(rows, "month")}
    return {
        "id": f"saved-{code.lower()}",
        "kind": "bar",
        "title": f"Promised and realised by month, {code}",
        "currency": code,
        "categories": [f"{month.start:%b %Y}" for month in months],
        "series": [
            charts.series(name.capitalize(), [known[month][name] if month in known else None for month in months])
            for name in ("promised", "realised")
        ],
        "csv_url": "?_export=csv",
    }


def purchases(rows: Any) -> list[dict[str, Any]]:
    """Each purchase of these lines with its sums and its reasons, what misses most first."""
    found = ledger.sums(rows, "request")
    named = PurchaseRequest.objects.in_bulk([row["request"] for row in found])
    said = [
        row | {"request": named[row["request"]], "why": realised_savings.because(row, row["currency"])} for row in found
    ]
    return sorted(said, key=lambda row: -row["gap"])


class SavedPage(DetailPage):
    """One purchase: its promise, each month of its bill, and the equation with its numbers."""

    permission_required = "reservations.view_ledgermonth"
    model = PurchaseRequest
    template_name = "reservations/saved.html"
    breadcrumbs = (*CRUMBS, ("Savings ledger", "reservations:savings"))

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(state__in=ledger.ACCEPTED).select_related("commitment", "team")

    def get_title(self) -> str:
        return f"What was saved by {self.object}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = self.object
        lines = LedgerMonth.objects.filter(request=row).select_related("request__commitment").order_by("month")
        months = [Month.of(each.month) for each in lines]
        context = {
            "stats": [stat for sums in ledger.sums(lines) for stat in stats(sums)[:3]],
            "why": [realised_savings.because(sums, row.currency) for sums in ledger.sums(lines)],
            "chart": month_chart(lines, row.currency, months) | {"csv_url": ""} if months else None,
            "months": LedgerTable(lines, request=None, exclude=("purchase",)) if months else None,
            "promise": promise(row),
            "purchase": row,
        }
        return super().get_context_data(**{**context, **kwargs})


def promise(row: PurchaseRequest) -> list[tuple[str, str]]:
    """What was frozen when it was approved, in words with its numbers."""
    a_day, code = ledger.promise_of(row), row.currency
    idle = Decimal(row.baseline.get("idle") or 0)
    amounts = {
        "Saving a day": a_day.on_demand - a_day.paid,
        "That is, on demand": a_day.on_demand,
        "Less what it costs": a_day.paid,
        "It could cover, a day": a_day.demand,
        "Older commitments idle, a day": idle,
    }
    said = [(label, f"{formatted(amount, code)} {code}") for label, amount in amounts.items()]
    return [*said, ("Expected to be used", percent_text(a_day.utilisation) or str(exact_text(a_day.utilisation)))]
