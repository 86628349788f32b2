"""The table of prices."""

import django_tables2

from finops_site.ui.tables import (
    BaseTable,
    DayColumn,
    ExactColumn,
    NumberColumn,
)
from reservations.models import Rate


class PriceTable(BaseTable):
    service = django_tables2.Column("Service")
    instance_type = django_tables2.Column("Type")
    system = django_tables2.Column("System or engine")
    tenancy = django_tables2.Column("Tenancy")
    region = django_tables2.Column("Region")
    zone = django_tables2.Column("Zone")
    kind = django_tables2.Column("Option")
    term_months = NumberColumn("Months")
    payment = django_tables2.Column("Payment")
    hourly = ExactColumn("An hour")
    upfront = ExactColumn("Upfront")
    currency = django_tables2.Column("Currency")
    source = django_tables2.Column("Source")
    day = DayColumn("Since")

    caption = "Prices"

    class Meta(BaseTable.Meta):
        model = Rate
        orderable = False
        fields = [
            *("service", "instance_type", "system", "tenancy", "region", "zone"),
            *("kind", "term_months", "payment", "hourly", "upfront"),
            *("currency", "source", "day"),
        ]
