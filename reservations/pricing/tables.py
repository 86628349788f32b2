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
    instance_type = django_tables2.Column("Type")
    system = django_tables2.Column("System")
    region = django_tables2.Column("Region")
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
            *("instance_type", "system", "region", "kind", "term_months", "payment", "hourly", "upfront"),
            *("currency", "source", "day"),
        ]
