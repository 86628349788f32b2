"""Tables of owned commitments and of their metrics."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import django_tables2
from django.utils.safestring import SafeString

from finops_site.lib.periods import month_text
from finops_site.ui.tables import (
    BaseTable,
    DayColumn,
    ExactColumn,
    MoneyColumn,
    PercentColumn,
    status_html,
)
from reservations.models import Commitment
from reservations.querysets import CommitmentQuerySet
from reservations.titles import title_in_two_lines

COMMITMENT_STATES = {
    "active": ("Active", "good", "circle-check"),
    "ending": ("Ends within 90 days", "warn", "hourglass"),
    "ended": ("Ended", "calm", "history"),
    "future": ("Not started", "calm", "clock"),
    "unknown": ("End not known", "warn", "help"),
}


class CommitmentTable(BaseTable):
    name = django_tables2.Column("Commitment", accessor="commitment_id", orderable=False)
    # The title has them: they are columns of the files only.
    kind = django_tables2.Column("Kind", visible=False)
    region = django_tables2.Column("Region", visible=False)
    instance_type = django_tables2.Column("Type or family", visible=False)
    utilisation = PercentColumn("Used, 30 days", orderable=False)
    unused = MoneyColumn("Unused, 30 days", orderable=False)
    end = DayColumn("Ends")
    state = django_tables2.Column("State", empty_values=(), orderable=False)
    owner = django_tables2.Column("Owner")

    caption = "Commitments"

    class Meta(BaseTable.Meta):
        model = Commitment
        fields = ["name", "kind", "region", "instance_type", "utilisation", "unused", "end", "state", "owner"]

    def __init__(self, data: CommitmentQuerySet | Sequence[Commitment], *args: Any, today: date, **kwargs: Any) -> None:
        self.today = today
        super().__init__(data, *args, **kwargs)

    def render_name(self, record: Commitment) -> SafeString:
        return title_in_two_lines(record.get_absolute_url(), record.thing, record.how)

    def value_name(self, record: Commitment) -> str:
        return record.commitment_id

    def render_state(self, record: Commitment) -> SafeString:
        return status_html(*COMMITMENT_STATES[record.state(self.today)])

    def value_state(self, record: Commitment) -> str:
        return record.state(self.today)


class CoverageTable(BaseTable):
    name = django_tables2.Column("Name")
    eligible = MoneyColumn("At on-demand prices")
    covered = MoneyColumn("Covered")
    on_demand = MoneyColumn("Runs on demand")
    coverage = PercentColumn("Coverage")
    savings_rate = PercentColumn("Savings rate")
    unused = MoneyColumn("Unused")

    caption = "Coverage"

    class Meta(BaseTable.Meta):
        orderable = False


class KindCoverageTable(BaseTable):
    name = django_tables2.Column("Commitments")
    cost = PercentColumn("At on-demand prices")
    hours = PercentColumn("In machine hours")
    units = PercentColumn("In normalised units")
    covered = MoneyColumn("Covered")
    eligible = MoneyColumn("Eligible")

    caption = "Coverage by kind"

    class Meta(BaseTable.Meta):
        orderable = False


class MetricsMonthTable(BaseTable):
    moment = django_tables2.Column("Month")
    eligible = MoneyColumn("At on-demand prices")
    paid = MoneyColumn("Paid")
    coverage = PercentColumn("Coverage")
    utilisation = PercentColumn("Utilisation")
    savings_rate = PercentColumn("Savings rate")
    unused = MoneyColumn("Unused")

    caption = "By month"

    class Meta(BaseTable.Meta):
        orderable = False

    def render_moment(self, value: date) -> str:
        return month_text(value)


class DayUseTable(BaseTable):
    day = DayColumn("Day")
    used = ExactColumn("Used")
    unused = ExactColumn("Unused")
    unit = django_tables2.Column("Unit")
    paid = MoneyColumn("Paid")
    unused_cost = MoneyColumn("Unused cost")
    on_demand = MoneyColumn("On demand instead")

    caption = "Day by day"

    class Meta(BaseTable.Meta):
        orderable = False
