"""Alerts: all, and one with its history; acknowledged and snoozed by a button."""

from datetime import date, datetime, timedelta
from typing import Any

import django_filters
import django_tables2
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.html import format_html
from django.views.generic import View

from budgets.alerts import actions, emails, ignored_thresholds
from budgets.alerts.actions import TooLate
from budgets.models import Alert, Threshold
from finops_site.ui.pages import DetailPage, Empty, ListPage, Page
from finops_site.ui.tables import BaseTable, MoneyColumn, StatusColumn

STATES = {
    "open": ("open", "bad", "bell-ringing"),
    "reopened": ("open again", "bad", "bell-ringing"),
    "acknowledged": ("acknowledged", "busy", "check"),
    "snoozed": ("snoozed", "calm", "alarm"),
    "resolved": ("resolved", "good", "circle-check"),
}


class AlertTable(BaseTable):
    opened_at = django_tables2.DateTimeColumn(format="Y-m-d H:i", verbose_name="Opened")
    budget = django_tables2.Column("Budget", accessor="budget__name")
    threshold = django_tables2.Column("Threshold", orderable=False)
    period = django_tables2.Column("Period", accessor="period__words", orderable=False)
    value = MoneyColumn("Reached", currency="budget__currency")
    limit = MoneyColumn("Threshold's amount", currency="budget__currency")
    state = StatusColumn(states=STATES)
    acknowledged_by = django_tables2.Column("Taken by", orderable=False)

    class Meta(BaseTable.Meta):
        model = Alert
        fields = ()
        caption = "Alerts"

    def render_budget(self, value: str, record: Alert) -> Any:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)

    def value_budget(self, value: str) -> str:
        return value


class AlertFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(label="State", choices=Alert.State.choices)
    kind = django_filters.ChoiceFilter(label="Kind", choices=Threshold.Kind.choices)
    budget = django_filters.CharFilter(label="Budget", field_name="budget__name", lookup_expr="icontains")

    class Meta:
        model = Alert
        fields: list[str] = []


class AlertsPage(ListPage):
    permission_required = "budgets.view_alert"
    title = "Alerts"
    template_name = "budgets/alerts.html"
    subtitle = "A threshold crossed in a period is one alert, however often it is judged. Take it, and it stays quiet."
    table_class = AlertTable
    filterset_class = AlertFilter
    empty = Empty("No alert", "Nothing has crossed a threshold yet. Budgets are judged every night.", "bell")

    def get_queryset(self) -> Any:
        found = Alert.objects.visible_to(self.request.user)
        return found.select_related("budget", "threshold__budget", "acknowledged_by", "period")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        found = {
            "ignored": ignored_thresholds.ignored(user, timezone.now()),
            "may_change": user.has_perm("budgets.change_budget"),
        }
        return super().get_context_data(**{**found, **kwargs})


class AlertPage(DetailPage):
    permission_required = "budgets.view_alert"
    model = Alert
    template_name = "budgets/alert.html"
    breadcrumbs = (("Alerts", "budgets:alerts"),)

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("budget", "threshold__budget", "acknowledged_by", "period")

    def get_subtitle(self) -> str:
        return f"{self.object.period.words}. Opened on {self.object.opened_at:%Y-%m-%d at %H:%M} UTC."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        alert = self.object
        said = {**alert.said}
        may = self.request.user.has_perm("budgets.change_alert") and alert.state != Alert.State.RESOLVED
        context = {
            "said": said,
            "state": STATES[alert.state],
            "history": [{**each, "at": datetime.fromisoformat(each["at"])} for each in alert.history],
            "deliveries": alert.deliveries.all(),
            "headline": emails.headline_of(alert),
            "chart": emails.chart(alert),
            "drivers": emails.drivers(alert),
            "advice": emails.advice(alert, self.request.user, timezone.now().date()),
            "may_act": may,
            "tomorrow": timezone.now().date() + timedelta(days=1),
            "in_a_week": timezone.now().date() + timedelta(days=7),
        }
        return super().get_context_data(**{**context, **kwargs})


class ActOnAlert(Page, View):
    permission_required = "budgets.change_alert"

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        alert = get_object_or_404(Alert.objects.visible_to(request.user), pk=pk)
        now = timezone.now()
        try:
            if verb == "acknowledge":
                actions.acknowledge(alert, by=request.user, now=now)
                messages.success(request, "You have it: nobody else is reminded.")
            else:
                actions.snooze(alert, until=_day(request.POST.get("until", "")), by=request.user, now=now)
                messages.success(request, "It is quiet until then.")
        except TooLate as error:
            messages.error(request, str(error))
        return redirect(alert)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise TooLate(f"{text!r} is not a day: write it like 2026-03-15.") from None
