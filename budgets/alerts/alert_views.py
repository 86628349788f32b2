"""Alerts: all, and one with its history; acknowledged and snoozed by a button."""

from datetime import date, datetime, timedelta
from typing import Any, cast

import django_filters
import django_tables2
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.generic import View

from budgets.alerts import acknowledgement, causes
from budgets.alerts.acknowledgement import TooLate
from budgets.alerts.alert_summary import ALERT_STATES, alert_chart, alert_headline
from budgets.alerts.ignored_thresholds import ignored_thresholds
from budgets.models import Alert, Budget, Threshold
from budgets.querysets import AlertQuerySet
from finops_site.lib.periods import moment_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import DayInput
from finops_site.ui.pages import Action, DetailPage, Empty, ListPage, Page
from finops_site.ui.tables import BaseTable, MomentColumn, MoneyColumn, StatusColumn


class AlertTable(BaseTable):
    opened_at = MomentColumn(_lazy("Opened"))
    budget = django_tables2.Column(_lazy("Budget"), accessor="budget__name")
    threshold = django_tables2.Column(_lazy("Threshold"), orderable=False)
    period = django_tables2.Column(_lazy("Period"), accessor="period__words", orderable=False)
    value = MoneyColumn(_lazy("Reached"), currency="budget__currency")
    limit = MoneyColumn(_lazy("Threshold's amount"), currency="budget__currency")
    state = StatusColumn(_lazy("State"), states=ALERT_STATES)
    acknowledged_by = django_tables2.Column(_lazy("Acknowledged by"), orderable=False)

    class Meta(BaseTable.Meta):
        phone_name = "budget"
        phone_facts = ("opened_at", "threshold", "state")
        model = Alert
        fields = ()
        caption = _lazy("Alerts")

    def render_budget(self, value: str, record: Alert) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)

    def value_budget(self, value: str) -> str:
        return value


class AlertFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(label=_lazy("State"), choices=Alert.State.choices)
    kind = django_filters.ChoiceFilter(label=_lazy("Kind"), choices=Threshold.Kind.choices)
    budget = django_filters.CharFilter(label=_lazy("Budget"), field_name="budget__name", lookup_expr="icontains")

    answer = django_filters.ChoiceFilter(
        label=_lazy("Answer"), choices=[("none", _lazy("without an answer"))], method="filter_by_answer"
    )
    opened_from = django_filters.DateFilter(
        label=_lazy("Opened from"), field_name="opened_at", lookup_expr="date__gte", widget=DayInput()
    )

    class Meta:
        model = Alert
        fields: list[str] = []

    def filter_by_answer(self, queryset: AlertQuerySet, name: str, value: str) -> AlertQuerySet:
        return queryset.filter(acknowledged_at=None, resolved_at=None)


class AlertsPage(ListPage):
    permission_required = "budgets.view_alert"
    title = _lazy("Alerts")
    template_name = "budgets/alerts.html"
    subtitle = _lazy("A threshold breached in a period is one alert. Acknowledge it, and nobody is reminded of it.")
    actions = (Action(_lazy("Messages not sent"), "unsent_messages", "mail"),)
    table_class = AlertTable
    filterset_class = AlertFilter
    empty = Empty(_lazy("No alert"), _lazy("No threshold is breached yet. Budgets are evaluated every night."), "bell")

    def get_queryset(self) -> AlertQuerySet:
        alerts = Alert.objects.visible_to(self.person)
        return alerts.select_related("budget", "threshold__budget", "acknowledged_by", "period__budget")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.person
        context = {
            "ignored": ignored_thresholds(user, timezone.now()),
            "may_change": user.has_perm("budgets.change_budget"),
        }
        return super().get_context_data(**{**context, **kwargs})


class AlertPage(DetailPage):
    permission_required = "budgets.view_alert"
    model = Alert
    template_name = "budgets/alert.html"
    breadcrumbs = ((_lazy("Alerts"), "budgets:alerts"),)

    def get_queryset(self) -> AlertQuerySet:
        return cast(
            AlertQuerySet,
            super().get_queryset().select_related("budget", "threshold__budget", "acknowledged_by", "period__budget"),
        )

    def get_subtitle(self) -> str:
        return _("{words}. Opened on {opened_at}.").format(
            words=self.object.period.words, opened_at=moment_text(self.object.opened_at)
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        alert, today = self.object, timezone.now().date()
        drivers = causes.alert_drivers(alert)
        culprits = causes.alert_culprits(alert, drivers) if causes.sees_resources(self.person, alert) else []
        is_over = alert.state == Alert.State.RESOLVED or alert.budget.state == Budget.State.ARCHIVED
        may = self.person.has_perm("budgets.change_alert") and not is_over
        context = {
            "figures": alert.figures,
            "state": ALERT_STATES[alert.state],
            "history": [{**entry, "at": datetime.fromisoformat(entry["at"])} for entry in alert.history],
            "deliveries": alert.deliveries.all(),
            "headline": alert_headline(alert),
            "chart": alert_chart(alert),
            "drivers": drivers,
            "culprits": culprits,
            "advice": causes.alert_advice(alert, self.person, today, drivers, culprits),
            "may_act": may,
            "tomorrow": today + timedelta(days=1),
            "in_a_week": today + timedelta(days=7),
        }
        return super().get_context_data(**{**context, **kwargs})


class ActOnAlert(Page, View):
    permission_required = "budgets.change_alert"

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        alert = get_object_or_404(Alert.objects.visible_to(self.person), pk=pk)
        now = timezone.now()
        try:
            if verb == "acknowledge":
                acknowledgement.acknowledge(alert, by=self.person, now=now)
                messages.success(request, _("You have acknowledged it: nobody else is reminded."))
            else:
                until = date.fromisoformat(request.POST.get("until", ""))
                acknowledgement.snooze(alert, until=until, by=self.person, now=now)
                messages.success(request, _("It is snoozed until then."))
        except TooLate as error:
            messages.error(request, str(error))
        except ValueError:
            messages.error(
                request, _("{text!r} is not a day: write it like 2026-03-15.").format(text=request.POST.get("until"))
            )
        return redirect(alert)
