"""The table of sources."""

import django_tables2
from django.db.models import Max, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.models import Source, Stream
from costs.sources.health import SourceHealth, source_health
from finops_site.lib.periods import moment_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import BaseTable, DayColumn, NumberColumn, status_html

LIGHTS = {
    "good": (_lazy("In time"), "good", "circle-check"),
    "late": (_lazy("Late"), "bad", "clock"),
    "failing": (_lazy("Failing"), "bad", "alert-circle"),
    "new": (_lazy("New"), "calm", "point"),
}


class SourceTable(BaseTable):
    name = django_tables2.Column(_lazy("Source"), orderable=False)
    place = django_tables2.Column(_lazy("Fetched from"), empty_values=(), orderable=False)
    health = django_tables2.Column(_lazy("Health"), empty_values=(), orderable=False)
    looked = django_tables2.Column(_lazy("Last look"), accessor="synced_at", empty_values=(), orderable=False)
    expected = NumberColumn(_lazy("Expected every"), accessor="expected_every_hours", orderable=False)

    caption = _lazy("Sources")

    class Meta(BaseTable.Meta):
        pass

    def render_name(self, record: Source) -> SafeString | str:
        if not self.request or not self.request.user.has_perm("costs.change_source"):
            return record.name
        return format_html('<a href="{}">{}</a>', reverse("costs:source", args=[record.pk]), record.name)

    def value_name(self, record: Source) -> str:
        return record.name

    def render_place(self, record: Source) -> SafeString | str:
        if not record.is_fetched:
            return _("delivered by people")
        return format_html('<span class="text-break">{}</span>', record.place)

    def value_place(self, record: Source) -> str:
        return record.place

    def _health(self, record: Source) -> SourceHealth:
        return source_health(record, record.last_delivery, timezone.now())  # type: ignore[attr-defined]

    def render_health(self, record: Source) -> SafeString:
        health = self._health(record)
        badge = status_html(*LIGHTS[health.state])
        return format_html('{}<span class="second-line breakable">{}</span>', badge, health.words)

    def value_health(self, record: Source) -> str:
        health = self._health(record)
        return f"{LIGHTS[health.state][0]}. {health.words}"

    def render_looked(self, record: Source) -> SafeString | str:
        if record.sync == Source.Sync.RUNNING:
            return status_html(f"{record.sync_message} {record.sync_progress:.0%}", "busy", "loader-2")
        if not record.synced_at:
            return "—"
        at = moment_text(record.synced_at)
        return format_html('{}<span class="second-line breakable">{}</span>', at, record.sync_message)

    def value_looked(self, record: Source) -> str:
        return record.synced_at.isoformat() if record.synced_at else ""

    def render_expected(self, value: int) -> str:
        return f"{value} h" if value else "—"


class StreamTable(BaseTable):
    """What a source brings: see `streams_of`."""

    export = django_tables2.Column(_lazy("Export"), empty_values=(), orderable=False)
    partition = django_tables2.Column(_lazy("Partition"), orderable=False)
    view = django_tables2.Column(_lazy("View"), orderable=False)
    last_day = DayColumn(_lazy("Delivered until"), orderable=False)
    newest = django_tables2.Column(_lazy("Newest delivery"), orderable=False)

    caption = _lazy("Streams")

    class Meta(BaseTable.Meta):
        pass

    def render_export(self, record: Stream) -> str:
        return record.export or _("loose files")

    def render_newest(self, value: int) -> SafeString:
        return format_html('<a href="{}">#{}</a>', reverse("costs:delivery", args=[value]), value)


def streams_of(source: Source) -> QuerySet[Stream]:
    """The streams of a source with `last_day`, the last charge day that counts, and `newest`, its latest delivery."""
    counts = Q(months__is_current=True)
    return source.streams.annotate(
        last_day=Max("months__accounts__last_day", filter=counts), newest=Max("months__delivery")
    )
