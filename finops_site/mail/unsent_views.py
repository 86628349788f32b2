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
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from finops_site.lib.words import number_text
from finops_site.models import OutgoingEmail
from finops_site.registry import MessageQueue, UnsentMessage, registry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Empty, ListPage
from finops_site.ui.tables import HIDDEN_SELECT, BaseTable, MomentColumn, StatusColumn

STATES = {
    "failed": (_lazy("failed"), "bad", "alert-circle"),
    "sent, or not": (_lazy("sent, or not"), "warn", "alert-triangle"),
    "waits for another try": (_lazy("waits for another try"), "busy", "clock"),
}


class UnsentTable(BaseTable):
    pick = django_tables2.Column(
        HIDDEN_SELECT,
        accessor="identity",
        orderable=False,
        exclude_from_export=True,
        attrs={"td": {"class": "pick"}},
    )
    at = MomentColumn(_lazy("Written"))
    to = django_tables2.Column(_lazy("To"))
    subject = django_tables2.Column(_lazy("About"))
    state = StatusColumn(_lazy("State"), states=STATES)
    attempts = django_tables2.Column(_lazy("Tries"))
    reason = django_tables2.Column(_lazy("Why"), orderable=False, attrs={"td": {"class": "breakable"}})

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Messages that were not sent")

    def render_pick(self, value: str, record: UnsentMessage) -> SafeString:
        html = '<input class="form-check-input" type="checkbox" name="pick" value="{}" aria-label="{}">'
        return format_html(
            html, value, _("Select {subject} to {address}").format(subject=record.subject, address=record.to)[:200]
        )

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
    queue = django_filters.ChoiceFilter(label=_lazy("Kind"), choices=lambda: [(q.name, q.label) for q in _queues()])
    state = django_filters.ChoiceFilter(
        label=_lazy("State"), choices=[(name, words) for name, (words, *_look) in STATES.items()]
    )
    text = django_filters.CharFilter(label=_lazy("To, about or why"))

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
    title = _lazy("Messages that were not sent")
    subtitle = _lazy(
        "What failed, what may have been sent or not, and what waits for another try, each with the reason."
    )
    template_name = "unsent.html"
    table_class = UnsentTable
    filterset_class = UnsentFilter
    empty = Empty(_lazy("Nothing is stuck"), _lazy("Every message to people was sent, or waits for its hour."), "mail")

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
            messages.success(
                request,
                ngettext("{count} message is tried again now.", "{count} messages are tried again now.", count).format(
                    count=number_text(count)
                ),
            )
        else:
            messages.error(request, _("Nothing was tried again: tick what should be, or ask who runs the system."))
        return redirect(request.get_full_path())


def _queues() -> Iterator[MessageQueue]:
    yield from registry.of(MessageQueue)
