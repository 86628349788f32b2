"""The table of unit costs."""

from decimal import Decimal
from typing import Any

import django_tables2
from django.utils.html import format_html

from finops_site.lib.money import exact_text, formatted
from finops_site.ui.tables import BaseTable, MoneyColumn, NumberColumn


def price(amount: Decimal | None) -> Decimal | None:
    """A cost per unit to four decimals: a cent is too coarse for one order."""
    return None if amount is None else amount.quantize(Decimal("0.0001"))


class UnitCostTable(BaseTable):
    day = django_tables2.Column("When")
    team = django_tables2.Column()
    cost = MoneyColumn("Cost")
    units = NumberColumn("Units", default="missing")
    per_unit = django_tables2.Column(
        "Cost per unit", default="—", attrs={"td": {"class": "number"}, "th": {"class": "number"}}
    )
    currency = django_tables2.Column()
    why = django_tables2.Column("Note", default="")

    class Meta(BaseTable.Meta):
        orderable = False
        caption = "Unit costs"

    def render_cost(self, value: Decimal, record: dict[str, Any]) -> str:
        text = formatted(value, record["currency"])
        return format_html('<a href="{}">{}</a>', record["url"], text) if record["url"] else text

    def value_cost(self, value: Decimal) -> Decimal:
        return value

    def render_units(self, value: Decimal) -> str:
        return f"{exact_text(value)}"

    def value_units(self, value: Decimal) -> Decimal:
        return value

    def render_per_unit(self, value: Decimal) -> str:
        return f"{price(value):,f}"

    def value_per_unit(self, value: Decimal) -> Decimal:
        return value
