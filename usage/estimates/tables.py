"""The list of estimates, and an estimate's lines as a file."""

from collections.abc import Iterator
from typing import Any

import django_tables2

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import BaseTable, DayColumn, MoneyColumn, NumberColumn
from usage.estimates.figures import ScenarioFigures
from usage.models import Estimate

HEADER = (
    *("scenario", "text", "item", "region", "count", "monthly_quantity", "unit", "terms", "list_price", "own_rate"),
    *("list_cost", "cost", "committed_cost", "currency", "price_source", "problem"),
)


class EstimateTable(BaseTable):
    name = django_tables2.Column(linkify=True)
    team = django_tables2.Column(verbose_name=_lazy("Team"))
    monthly = MoneyColumn(verbose_name=_lazy("A month"), accessor="monthly")
    unpriced = NumberColumn(verbose_name=_lazy("Without a price"))
    starts = DayColumn(verbose_name=_lazy("Starts"))
    made_by = django_tables2.Column(verbose_name=_lazy("By"))
    made_at = DayColumn(verbose_name=_lazy("Made"))

    class Meta(BaseTable.Meta):
        model = Estimate
        fields = ("name", "team", "monthly", "unpriced", "starts", "made_by", "made_at")
        phone_amount = "monthly"

    def render_unpriced(self, value: int) -> str:
        return str(value) if value else "—"


def export_rows(currency: str, scenarios: list[ScenarioFigures]) -> Iterator[list[Any]]:
    """Every line of every scenario with all digits; what has no price is empty."""
    yield list(HEADER)
    for figures in scenarios:
        for line in figures.lines:
            amounts = [line.list_cost, line.cost, line.committed_cost]
            yield [
                *(figures.scenario.name, line.text, line.item, line.region, line.count, line.monthly_quantity),
                *(line.unit, line.terms, line.list_price, line.own_rate, *amounts, currency),
                *(line.price_source, line.problem),
            ]
