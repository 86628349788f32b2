"""The page of messages that were not sent, of all queues, with another try of one, of some or of all."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import django_filters
import django_tables2
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.lib.words import counted
from finops_site.models import OutgoingEmail
from finops_site.registry import MessageQueue, UnsentMessage, registry
from finops_site.ui.pages import Empty, ListPage
from finops_site.ui.tables import BaseTable, MomentColumn, StatusColumn

STATES = {
    "failed": ("failed", "bad", "alert-circle"),
    "sent, or not": ("sent, or not", "warn", "alert-triangle"),
    "waits for another try": ("waits for another try", "busy", "clock"),
}


class UnsentTable(BaseTable):
    pick = django_tables2.Column(
        format_html('<span class="visually-hidden">Select</span>'),
        accessor="identity",
        orderable=False,
        exclude_from_export=True,
        attrs={"td": {"class": "pick"}},
    )
    at = MomentColumn("Written")
    to = django_tables2.Column("To")
    subject = django_tables2.Column("About")
    state = StatusColumn(states=STATES)
    attempts = django_tables2.Column("Tries")
    reason = django_tables2.Column("Why", orderable=False, attrs={"td": {"class": "breakable"}})

    class Meta(BaseTable.Meta):
        fields = ()
        caption = "Messages that were not sent"

    def render_pick(self, value: str, record: UnsentMessage) -> SafeString:
        html = '<input class="form-check-input" type="checkbox" name="pick" value="{}" aria-label="{}">'
        return format_html(html, value, f"Select {record.subject} to {record.to}"[:200])

    def render_subject(self, value: str, record: UnsentMessage) -> SafeString | str:
        return format_html('<a href="{}">{}</a>', record.url, value) if record.url else value

    def value_subject(self, value: str) -> str:
        return value


class UnsentRows(list[UnsentMessage]):
    """Messages of several queues, with what a list page and its filters ask of their rows."""

    model = OutgoingEmail

    def all(self) -> "UnsentRows":
        return self

    def none(self) -> "UnsentRows":
        return UnsentRows()


class UnsentFilter(django_filters.FilterSet):
    queue = django_filters.ChoiceFilter(label="Kind", choices=lambda: [(q.name, q.label) for q in _queues()])
    state = django_filters.ChoiceFilter(label="State", choices=[(name, name) for name in STATES])
    text = django_filters.CharFilter(label="To, about or why")

    class Meta:
        model = OutgoingEmail
        fields: list[str] = []

    def filter_queryset(self, queryset: UnsentRows) -> UnsentRows:
        wanted = {name: value for name, value in self.form.cleaned_data.items() if value}
        text = str(wanted.pop("text", "")).lower()
        return UnsentRows(
            row
            for row in queryset
            if all(getattr(row, name) == value for name, value in wanted.items())
            and text in f"{row.to} {row.subject} {row.reason}".lower()
        )


class UnsentPage(ListPage):
    """Each queue shows what the person may see of it: administrators everything, others the alerts of their teams."""

    permission_required = None
    title = "Messages that were not sent"
    subtitle = "What failed, what may have been sent or not, and what waits for another try, each with the reason."
    template_name = "unsent.html"
    table_class = UnsentTable
    filterset_class = UnsentFilter
    empty = Empty("Nothing is stuck", "Every message to people was sent, or waits for its hour.", "mail")

    def get_queryset(self) -> UnsentRows:
        rows = [row for queue in _queues() for row in queue.unsent(self.person)]
        return UnsentRows(sorted(rows, key=lambda row: row.at, reverse=True))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        may_retry = any(queue.may_retry(self.person) for queue in _queues())
        return super().get_context_data(**{"may_retry": may_retry, **kwargs})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not any(queue.may_retry(self.person) for queue in _queues()):
            raise PermissionDenied
        rows: Iterable[UnsentMessage] = self.rows
        if request.POST.get("verb") != "all":
            picked = set(request.POST.getlist("pick"))
            rows = [row for row in rows if row.identity in picked]
        by_queue: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            by_queue[row.queue].append(row.pk)
        now = timezone.now()
        count = sum(queue.retry(self.person, by_queue[queue.name], now) for queue in _queues())
        if count:
            messages.success(request, f"{counted(count, 'message is', 'messages are')} tried again now.")
        else:
            messages.error(request, "Nothing was tried again: tick what should be, or ask who runs the system.")
        return redirect(request.get_full_path())


def _queues() -> Iterator[MessageQueue]:
    yield from registry.of(MessageQueue)
