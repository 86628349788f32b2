"""Tables of owned commitments and of their metrics."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import django_tables2
from django.utils.safestring import SafeString

from finops_site.lib.periods import month_text
from finops_site.translation import gettext_lazy as _lazy
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
    "active": (_lazy("Active"), "good", "circle-check"),
    "ending": (_lazy("Ends within 90 days"), "warn", "hourglass"),
    "ended": (_lazy("Ended"), "calm", "history"),
    "future": (_lazy("Not started"), "calm", "clock"),
    "unknown": (_lazy("End not known"), "warn", "help"),
}


class CommitmentTable(BaseTable):
    name = django_tables2.Column(_lazy("Commitment"), accessor="commitment_id", orderable=False)
    # The title has them: they are columns of the files only.
    kind = django_tables2.Column(_lazy("Kind"), visible=False)
    region = django_tables2.Column(_lazy("Region"), visible=False)
    instance_type = django_tables2.Column(_lazy("Type or family"), visible=False)
    utilisation = PercentColumn(_lazy("Used, 30 days"), orderable=False)
    unused = MoneyColumn(_lazy("Unused, 30 days"), orderable=False)
    end = DayColumn(_lazy("Ends"))
    state = django_tables2.Column(_lazy("State"), empty_values=(), orderable=False)
    owner = django_tables2.Column(_lazy("Owner"))

    caption = _lazy("Commitments")

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
    name = django_tables2.Column(_lazy("Name"))
    eligible = MoneyColumn(_lazy("At on-demand prices"))
    covered = MoneyColumn(_lazy("Covered"))
    on_demand = MoneyColumn(_lazy("Runs on demand"))
    coverage = PercentColumn(_lazy("Coverage"))
    savings_rate = PercentColumn(_lazy("Savings rate"))
    unused = MoneyColumn(_lazy("Unused"))

    caption = _lazy("Coverage")

    class Meta(BaseTable.Meta):
        orderable = False


class KindCoverageTable(BaseTable):
    name = django_tables2.Column(_lazy("Commitments"))
    cost = PercentColumn(_lazy("At on-demand prices"))
    hours = PercentColumn(_lazy("In machine hours"))
    units = PercentColumn(_lazy("In normalised units"))
    covered = MoneyColumn(_lazy("Covered"))
    eligible = MoneyColumn(_lazy("Eligible"))

    caption = _lazy("Coverage by kind")

    class Meta(BaseTable.Meta):
        orderable = False


class MetricsMonthTable(BaseTable):
    moment = django_tables2.Column(_lazy("Month"))
    eligible = MoneyColumn(_lazy("At on-demand prices"))
    paid = MoneyColumn(_lazy("Paid"))
    coverage = PercentColumn(_lazy("Coverage"))
    utilisation = PercentColumn(_lazy("Utilisation"))
    savings_rate = PercentColumn(_lazy("Savings rate"))
    unused = MoneyColumn(_lazy("Unused"))

    caption = _lazy("By month")

    class Meta(BaseTable.Meta):
        orderable = False

    def render_moment(self, value: date) -> str:
        return month_text(value)


class DayUseTable(BaseTable):
    day = DayColumn(_lazy("Day"))
    used = ExactColumn(_lazy("Used"))
    unused = ExactColumn(_lazy("Unused"))
    unit = django_tables2.Column(_lazy("Unit"))
    paid = MoneyColumn(_lazy("Paid"))
    unused_cost = MoneyColumn(_lazy("Unused cost"))
    on_demand = MoneyColumn(_lazy("On demand instead"))

    caption = _lazy("Day by day")

    class Meta(BaseTable.Meta):
        orderable = False
