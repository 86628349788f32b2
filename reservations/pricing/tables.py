"""The table of prices."""

import django_tables2

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import (
    BaseTable,
    DayColumn,
    ExactColumn,
    NumberColumn,
)
from reservations.models import Rate


class PriceTable(BaseTable):
    service = django_tables2.Column(_lazy("Service"))
    instance_type = django_tables2.Column(_lazy("Type"))
    system = django_tables2.Column(_lazy("System or engine"))
    tenancy = django_tables2.Column(_lazy("Tenancy"))
    region = django_tables2.Column(_lazy("Region"))
    zone = django_tables2.Column(_lazy("Zone"))
    kind = django_tables2.Column(_lazy("Option"))
    term_months = NumberColumn(_lazy("Months"))
    payment = django_tables2.Column(_lazy("Payment"))
    hourly = ExactColumn(_lazy("An hour"))
    upfront = ExactColumn(_lazy("Upfront"))
    currency = django_tables2.Column(_lazy("Currency"))
    source = django_tables2.Column(_lazy("Source"))
    day = DayColumn(_lazy("Since"))

    caption = _lazy("Prices")

    class Meta(BaseTable.Meta):
        model = Rate
        orderable = False
        fields = [
            *("service", "instance_type", "system", "tenancy", "region", "zone"),
            *("kind", "term_months", "payment", "hourly", "upfront"),
            *("currency", "source", "day"),
        ]
