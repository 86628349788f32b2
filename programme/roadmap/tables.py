"""The list of a programme's milestones, for its page and its files."""

import django_tables2

from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import BaseTable, DayColumn, StatusColumn
from programme.models import Milestone, Programme
from programme.roadmap.timeline import criterion_text, now_text

STATES = {
    "planned": (_lazy("Planned"), "calm", "circle-dashed"),
    "running": (_lazy("Running"), "busy", "loader-2"),
    "ended": (_lazy("Ended"), "calm", "check"),
}


class ProgrammeTable(BaseTable):
    name = django_tables2.Column(linkify=True)
    start = DayColumn(verbose_name=_lazy("First day"))
    last_day = DayColumn(verbose_name=_lazy("Last day"), orderable=False)
    status = StatusColumn(states=STATES)

    class Meta(BaseTable.Meta):
        model = Programme
        fields = ("name", "start", "last_day", "status")


class MilestoneTable(BaseTable):
    name = django_tables2.Column(linkify=True)
    due = DayColumn()
    met_on = DayColumn(verbose_name=_lazy("Met"))
    owner = django_tables2.Column(_lazy("Owner"), accessor="owner_text", orderable=False)
    criterion = django_tables2.Column(verbose_name=_lazy("Criterion"), empty_values=(), orderable=False)
    now = django_tables2.Column(verbose_name=_lazy("Now"), empty_values=(), orderable=False)
    deliverable = django_tables2.Column(orderable=False)
    note = django_tables2.Column(orderable=False)

    class Meta(BaseTable.Meta):
        model = Milestone
        fields = ("name", "due", "met_on", "owner", "criterion", "now", "deliverable", "note")

    @property
    def _reader(self) -> Person | None:
        return self.request.user if self.request else None

    def render_criterion(self, record: Milestone) -> str:
        return criterion_text(record, self._reader)

    def value_criterion(self, record: Milestone) -> str:
        return criterion_text(record, self._reader)

    def render_now(self, record: Milestone) -> str:
        return now_text(record, self._reader)

    def value_now(self, record: Milestone) -> str:
        return now_text(record, self._reader)
