"""Tables of the savings ledger."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.lib.periods import Month, month_text
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

    purchase = django_tables2.Column("Purchase", accessor="request")
    promised = MoneyColumn("Promised")
    realised = MoneyColumn("Realised")
    gap = MoneyColumn("Missing")
    why = django_tables2.Column("Why", attrs={"td": {"class": "breakable"}})

    caption = "Each purchase, promised and realised"

    class Meta(BaseTable.Meta):
        orderable = False

    def render_purchase(self, record: dict[str, Any]) -> SafeString:
        url = reverse("reservations:saved", args=[record["request"].pk])
        return title_in_two_lines(url, record["request"].thing, record["request"].how)


class LedgerTable(BaseTable):
    """The lines of the ledger, with every amount of the equation."""

    month = MonthColumn("Month")
    purchase = django_tables2.Column("Purchase", accessor="request", orderable=False)
    promised = MoneyColumn("Promised")
    on_demand = MoneyColumn("On demand instead")
    paid = MoneyColumn("Paid")
    displaced = MoneyColumn("Older ones idle")
    realised = MoneyColumn("Realised")
    timing = MoneyColumn("Missing: days")
    demand = MoneyColumn("Missing: demand")
    utilisation = MoneyColumn("Missing: use")
    price = MoneyColumn("Missing: prices")
    days = NumberColumn("Days in the bill")

    caption = "The ledger, line by line"

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
