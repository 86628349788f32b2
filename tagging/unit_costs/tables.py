"""The table of unit costs."""

from decimal import Decimal
from typing import Any

import django_tables2
from django.utils.html import format_html

from finops_site.lib.locale_format import in_marks
from finops_site.lib.money import EXACT, formatted
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import money_html, percent_text
from finops_site.ui.tables import BaseTable, MoneyColumn, NumberColumn

CENT = Decimal("0.01")


def price(amount: Decimal | None) -> Decimal | None:
    """A cost per unit to four decimals, or to four digits where it is below a cent: one call may cost millionths."""
    if amount is None:
        return None
    digits = 4 if not amount or abs(amount) >= CENT else 3 - amount.adjusted()
    cut = amount.quantize(Decimal(1).scaleb(-digits), context=EXACT)
    shortest = max(4, -cut.normalize(EXACT).as_tuple().exponent)  # type: ignore[operator]
    return cut.quantize(Decimal(1).scaleb(-shortest), context=EXACT)


def price_text(amount: Decimal | None, currency: str) -> str:
    """``1,234.0500 EUR``."""
    return "—" if amount is None else in_marks(f"{price(amount):,f}") + f" {currency}"


def units_text(value: Decimal) -> str:
    """``1,234.5``: all its digits, the thousands separated."""
    digits, _, fraction = f"{value:,f}".partition(".")
    fraction = fraction.rstrip("0")
    return in_marks(f"{digits}.{fraction}" if fraction else digits)


class UnitCostTable(BaseTable):
    day = django_tables2.Column(_lazy("When"))
    team = django_tables2.Column(_lazy("Team"))
    cost = MoneyColumn(_lazy("Cost"))
    units = NumberColumn(_lazy("Units"), default=_lazy("missing"))
    per_unit = NumberColumn(_lazy("Cost per unit"), default="—")
    margin = MoneyColumn(_lazy("Margin"), currency="margin_currency", default="—")
    margin_share = NumberColumn(_lazy("Margin of revenue"), default="—")
    # For the file: beside the amounts it stands with them.
    currency = django_tables2.Column(visible=False)
    why = django_tables2.Column(_lazy("Note"), default="")

    class Meta(BaseTable.Meta):
        orderable = False
        caption = _lazy("Unit costs")

    def value_day(self, record: dict[str, Any]) -> str:
        return str(record["when"])

    def render_cost(self, value: Decimal, record: dict[str, Any]) -> str:
        if not record["url"]:
            return money_html(value, record["currency"])
        return format_html(
            '<a href="{}">{} {}</a>', record["url"], formatted(value, record["currency"]), record["currency"]
        )

    def value_cost(self, value: Decimal) -> Decimal:
        return value

    def render_units(self, value: Decimal) -> str:
        return units_text(value)

    def value_units(self, value: Decimal) -> Decimal:
        return value

    def render_per_unit(self, value: Decimal, record: dict[str, Any]) -> str:
        return price_text(value, record["currency"])

    def value_per_unit(self, value: Decimal) -> Decimal:
        return value

    def render_margin_share(self, value: Decimal) -> str:
        return str(percent_text(value))

    def value_margin_share(self, value: Decimal) -> Decimal:
        return value
