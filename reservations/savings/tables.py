"""Tables of the savings ledger."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.lib.periods import Month, month_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import (
    BaseTable,
    MoneyColumn,
    MonthColumn,
    NumberColumn,
)
from reservations.models import LedgerMonth
from reservations.titles import title_in_two_lines


class SavedTable(BaseTable):
    """What each purchase promised and saved, with the reasons for the difference in words."""

    purchase = django_tables2.Column(_lazy("Purchase"), accessor="request")
    promised = MoneyColumn(_lazy("Promised"))
    realised = MoneyColumn(_lazy("Realised"))
    gap = MoneyColumn(_lazy("Missing"))
    why = django_tables2.Column(_lazy("Why"), attrs={"td": {"class": "breakable"}})

    caption = _lazy("Each purchase, promised and realised")

    class Meta(BaseTable.Meta):
        orderable = False

    def render_purchase(self, record: dict[str, Any]) -> SafeString:
        url = reverse("reservations:saved", args=[record["request"].pk])
        return title_in_two_lines(url, record["request"].thing, record["request"].how)


class LedgerTable(BaseTable):
    """The lines of the ledger, with every amount of the equation."""

    month = MonthColumn(_lazy("Month"))
    purchase = django_tables2.Column(_lazy("Purchase"), accessor="request", orderable=False)
    promised = MoneyColumn(_lazy("Promised"))
    on_demand = MoneyColumn(_lazy("On demand instead"))
    paid = MoneyColumn(_lazy("Paid"))
    displaced = MoneyColumn(_lazy("Older ones idle"))
    realised = MoneyColumn(_lazy("Realised"))
    timing = MoneyColumn(_lazy("Missing: days"))
    demand = MoneyColumn(_lazy("Missing: demand"))
    utilisation = MoneyColumn(_lazy("Missing: use"))
    price = MoneyColumn(_lazy("Missing: prices"))
    days = NumberColumn(_lazy("Days in the bill"))

    caption = _lazy("The ledger, line by line")

    class Meta(BaseTable.Meta):
        model = LedgerMonth
        phone = "scroll"
        fields = [
            *("month", "purchase", "promised", "on_demand", "paid", "displaced", "realised"),
            *("timing", "demand", "utilisation", "price", "days"),
        ]

    def render_month(self, value: date, record: LedgerMonth) -> SafeString:
        return format_html('<a href="{}">{}</a>', cost_lines_url(record), month_text(value))

    def value_month(self, value: date) -> str:
        return str(Month.of(value))

    def render_purchase(self, record: LedgerMonth) -> SafeString:
        url = reverse("reservations:saved", args=[record.request_id])
        return title_in_two_lines(url, record.request.thing, record.request.how)

    def value_purchase(self, record: LedgerMonth) -> str:
        return f"{record.request_id} {record.request}"


def cost_lines_url(record: LedgerMonth) -> str:
    """The cost lines that prove a month of a purchase; the purchase itself until a bill shows it."""
    commitment = record.request.commitment
    if commitment is None:
        return str(record.request.get_absolute_url())
    period = Month.of(record.month).period
    query = {"commitment": commitment.commitment_id, "from": period.start, "to": period.last_day}
    return f"{reverse('costs:lines')}?{urlencode(query)}"
