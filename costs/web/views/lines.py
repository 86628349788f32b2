"""Cost lines, and each of them down to the charges as delivered."""

from functools import cached_property, partial
from typing import Any

from django.http import Http404
from django.utils import timezone

from costs.models import CostLine
from costs.query import drilldown, spend
from costs.query.known_until import KnownDays, known_of
from costs.query.result_cache import cached
from costs.web.filters import LineFilter
from costs.web.tables import LineTable
from finops_site.lib import charts
from finops_site.lib.periods import short_day_text
from finops_site.ui.pages import Action, DetailPage, Empty, ListPage
from finops_site.ui.tables import total_rows


class LinesPage(ListPage):
    permission_required = "costs.view_costline"
    model = CostLine
    title = "Cost lines"
    table_class = LineTable
    per_page = 25
    orderings = ("-charge_date", "billed_cost", "effective_cost")
    template_name = "costs/lines.html"
    fragment_template_name = "costs/lines_list.html"
    empty = Empty(
        "No cost lines",
        "A loaded bill makes them: one for each day, account, service, resource and set of tags.",
        "list-details",
        Action("Upload a bill", "costs:delivery_upload", "upload", "costs.add_delivery"),
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("owner", "pool", "tag_set")

    @cached_property
    def filterset(self) -> LineFilter:
        today = timezone.now().date()
        return LineFilter(self.request.GET, queryset=self.get_queryset(), request=self.request, today=today)

    def get_subtitle(self) -> str:
        if not self.filterset.is_valid():
            return ""
        period = self.filterset.period
        return f"Charge days {period.start} to {period.last_day} (UTC). Open a line to see its charges as delivered."

    def get_sums(self) -> list[dict[str, Any]]:
        """The sums of all that the filters leave, from the smallest table that knows them."""
        if not self.filterset.is_valid():
            return []
        if self.filterset.needs_lines:
            return total_rows(self.rows.totals(["billed_cost", "effective_cost"]))
        sums: dict[str, dict[str, Any]] = {}
        for metric in ("billed_cost", "effective_cost"):
            question = self.filterset.question.for_metric(metric)
            for currency, amount in spend.total_spend(self.person, question).items():
                sums.setdefault(currency, {})[metric] = amount
        return total_rows(sums)

    @cached_property
    def known(self) -> KnownDays | None:
        valid = self.filterset.is_valid()
        return known_of(self.person, self.filterset.question, timezone.now().date()) if valid else None

    def cursor_of_page(self, number: int) -> str | None:
        """Kept, because skipping thousands of lines takes as long as all the rest of the page."""
        question = ("page", number, self.request.GET.urlencode(), self.filterset.period, self.per_page)
        return cached(self.person, question, partial(super().cursor_of_page, number))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(sums=self.get_sums(), **kwargs)


class LinePage(DetailPage):
    permission_required = "costs.view_costline"
    model = CostLine
    template_name = "costs/line.html"
    breadcrumbs = (("Cost lines", "costs:lines"),)

    def get_queryset(self) -> Any:
        return (
            super()
            .get_queryset()
            .select_related("owner", "pool", "tag_set__delivered", "delivery_month__delivery__source")
        )

    def get_object(self, queryset: Any = None) -> CostLine:
        try:
            return super().get_object(queryset)
        except OverflowError:
            raise Http404 from None

    def get_subtitle(self) -> str:
        line = self.object
        return f"Charge day {line.charge_date}, billing month {line.billing_month:%Y-%m}, {line.provider}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        charges = drilldown.charges_of(self.object)
        days = drilldown.resource_by_day(self.person, self.object)
        history = self._chart(days) if len(days) > 1 else None
        return super().get_context_data(
            charges=charges, heads=list(drilldown.SHOWN.values()), history=history, days=days, **kwargs
        )

    def _chart(self, days: list[dict[str, Any]]) -> dict[str, Any]:
        """The resource's cost on each day of the bill."""
        return {
            "id": "resource-by-day",
            "kind": "bar",
            "title": f"{self.object.resource_name or self.object.resource} in this bill, by day",
            "categories": [short_day_text(row["day"]) for row in days],
            "series": [charts.series("Effective cost", [row["effective_cost"] for row in days])],
            "currency": self.object.currency,
            "table_id": "resource-days",
        }
