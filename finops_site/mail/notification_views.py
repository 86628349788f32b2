"""The page of notifications, one that leads to its thing, and where a person gets each kind."""

from typing import Any

import django_filters
import django_tables2
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView, View

from finops_site.lib.words import number_text
from finops_site.mail import notifications
from finops_site.models import Notification
from finops_site.registry import NotificationKind, registry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import icon_html
from finops_site.ui.keyset import KeysetPage
from finops_site.ui.pages import Action, Empty, ListPage, Page
from finops_site.ui.tables import BaseTable, MomentColumn

LIST = "notifications"


class NotificationTable(BaseTable):
    created_at = MomentColumn(_lazy("When"))
    kind = django_tables2.Column(_lazy("Kind"), orderable=False)
    text = django_tables2.Column(_lazy("What"), orderable=False, attrs={"td": {"class": "breakable"}})
    read_at = django_tables2.Column(_lazy("State"), orderable=False, empty_values=())

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Notifications")

    def render_kind(self, value: str) -> str:
        kind = notifications.kind_of(value)
        return kind.label if kind else value

    def render_text(self, record: Notification) -> SafeString | str:
        if not record.may_open:
            return record.words
        html = '<a href="{}">{}</a>' if record.read_at else '<a href="{}"><strong>{}</strong></a>'
        return format_html(html, reverse("notification", args=[record.pk]), record.words)

    def render_read_at(self, record: Notification) -> SafeString | str:
        return (
            _("read")
            if record.read_at
            else format_html('<span class="text-nowrap">{} {}</span>', icon_html("point"), _("unread"))
        )


class NotificationFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(
        label=_lazy("State"),
        method="filter_state",
        choices=[("unread", _lazy("unread")), ("read", _lazy("read"))],
        empty_label=_lazy("All"),
    )
    kind = django_filters.ChoiceFilter(label=_lazy("Kind"), choices=lambda: _kinds(), empty_label=_lazy("All"))

    class Meta:
        model = Notification
        fields: list[str] = []

    def filter_state(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(read_at__isnull=value == "unread")


def _kinds() -> list[tuple[str, str]]:
    return [(kind.name, kind.label) for kind in registry.of(NotificationKind)]


class NotificationsPage(ListPage):
    """A person's own. Their words are for who may open what they are about: there is no file of them."""

    permission_required = None
    title = _lazy("Notifications")
    subtitle = _lazy("What happened that concerns you, the newest first.")
    template_name = "notifications.html"
    model = Notification
    table_class = NotificationTable
    filterset_class = NotificationFilter
    orderings = ("-created_at",)
    exports = ()
    actions = (Action(_lazy("Where I get them"), "notification_preferences", "adjustments-horizontal"),)
    empty = Empty(
        _lazy("No notifications yet"),
        _lazy("Alerts, statements, answers and what you are to decide stand here."),
        "bell",
    )

    def _keyset_page(self) -> KeysetPage:
        page = super()._keyset_page()
        notifications.check_rights(self.person, page.rows)
        return page

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Marks all as read."""
        count = notifications.mark_read(self.person, timezone.now())
        messages.success(
            request,
            ngettext(
                "{count} notification is marked as read.", "{count} notifications are marked as read.", count
            ).format(count=number_text(count)),
        )
        return redirect(LIST)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        unread = Notification.objects.visible_to(self.person).unread().count()
        return super().get_context_data(**{"unread": unread, **kwargs})


class OpenNotification(Page, View):
    """Leads to what a notification is about; it is read from then on."""

    permission_required = None

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = Notification.objects.visible_to(self.person).filter(pk=pk).first()
        if row is None:
            raise Http404
        notifications.mark_read(self.person, timezone.now(), [pk])
        return redirect(row.url if row.url.startswith("/") else LIST)


class PreferencesPage(Page, TemplateView):
    permission_required = None
    title = _lazy("Where I get notifications")
    subtitle = _lazy("It holds from now on, for what was written and is not sent yet, too.")
    template_name = "notification_preferences.html"
    breadcrumbs = ((_lazy("Notifications"), LIST),)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"preferences": notifications.preferences_of(self.person), **kwargs})

    def post(self, request: HttpRequest) -> HttpResponse:
        on_site, by_mail = set(request.POST.getlist("on_site")), set(request.POST.getlist("by_mail"))
        wanted = {
            one.kind.name: (one.kind.name in on_site, bool(one.kind.always_mailed) or one.kind.name in by_mail)
            for one in notifications.preferences_of(self.person)
        }
        notifications.set_preferences(self.person, wanted)
        messages.success(request, _("Saved."))
        return redirect("notification_preferences")
