"""Anomalies: the list, and one with its daily cost, what makes it up, and whether it was to be expected."""

from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import django_filters
import django_tables2
import numpy as np
from django.contrib import messages
from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.generic import View

from budgets.anomalies.anomaly_words import PATTERNS, SEVERITIES, words_of
from budgets.anomalies.cost_scopes import known_of_checked_days, scope_of
from budgets.anomalies.detection import answer_anomaly
from budgets.anomalies.sensitivity import sensitivities_of
from budgets.calc.anomaly_detection import usual_band
from budgets.calc.cost_history import CostHistory
from budgets.forecast.spending import DailyCost, cost_matrix
from budgets.models import Anomaly
from costs.models import DayRollup
from costs.query.known_until import KnownDays
from costs.web.links import group_filters, lines_url
from finops_site.lib import charts
from finops_site.lib.money import rounded
from finops_site.lib.periods import Period, day_text, days_text, short_day_text
from finops_site.models import Team
from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import pgettext_lazy
from finops_site.ui.pages import Action, DetailPage, Empty, ListPage, Page
from finops_site.ui.tables import BaseTable, DayColumn, MoneyColumn, StatusColumn

ANOMALY_STATES = {
    "open": (_lazy("open"), "bad", "alert-triangle"),
    "expected": (_lazy("expected"), "good", "circle-check"),
    "unexpected": (_lazy("not expected"), "warn", "hourglass"),
    "taken back": (_lazy("taken back"), "calm", "archive"),
}
SHOWN_BEFORE, SHOWN_AFTER = 28, 7
# What is expected is learnt from so many days before those.
LEARNT_DAYS = 180


class AnomalyTable(BaseTable):
    day = DayColumn(_lazy("From"))
    last_day = DayColumn(pgettext_lazy("day", "To"))
    scope = django_tables2.Column(_lazy("What"), accessor="scope_name", orderable=False)
    team = django_tables2.Column(_lazy("Team"), default=_lazy("Unowned"))
    pattern = StatusColumn(verbose_name=_lazy("Kind"), states=PATTERNS)
    severity = StatusColumn(_lazy("Severity"), states=SEVERITIES)
    excess = MoneyColumn(_lazy("More or less than expected"), accessor="more")
    a_month = MoneyColumn(_lazy("A month at this rate"), default="—")
    actual = MoneyColumn(_lazy("Actual"))
    expected = MoneyColumn(_lazy("Expected"))
    state = StatusColumn(_lazy("State"), states=ANOMALY_STATES)

    class Meta(BaseTable.Meta):
        model = Anomaly
        fields = ()
        sequence = ("scope", "team", "pattern", "severity", "excess", "a_month", "day", "last_day", "...")
        caption = _lazy("Anomalies")

    def render_scope(self, value: str, record: Anomaly) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)

    def value_scope(self, value: str) -> str:
        return value


class AnomalyFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(label=_lazy("State"), choices=Anomaly.State.choices)
    pattern = django_filters.MultipleChoiceFilter(label=_lazy("Kind"), choices=Anomaly.Pattern.choices)
    team = django_filters.ModelChoiceFilter(label=_lazy("Team"), queryset=None)
    service = django_filters.CharFilter(label=_lazy("Service"), lookup_expr="icontains")

    class Meta:
        model = Anomaly
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["team"].queryset = Team.objects.visible_to(signed_in_user(self.request))


class AnomaliesPage(ListPage):
    permission_required = "budgets.view_alert"
    title = _lazy("Anomalies")
    subtitle = _lazy(
        "What costs more, or less, than its weekdays and its month let one expect: open ones first, by money."
    )
    table_class = AnomalyTable
    filterset_class = AnomalyFilter
    empty = Empty(
        _lazy("No anomaly"), _lazy("No cost is unusual. Complete days are checked every night."), "trending-up"
    )
    actions = (Action(_lazy("Sensitivity"), "budgets:sensitivities", "adjustments", "budgets.propose_budget"),)

    def get_queryset(self) -> QuerySet[Anomaly]:
        return Anomaly.objects.visible_to(self.person).select_related("team").by_money()

    @cached_property
    def known(self) -> KnownDays:
        return known_of_checked_days(self.person, timezone.now().date())


class AnomalyPage(DetailPage):
    permission_required = "budgets.view_alert"
    model = Anomaly
    template_name = "budgets/anomaly.html"
    breadcrumbs = ((_lazy("Anomalies"), "budgets:anomalies"),)

    def get_queryset(self) -> QuerySet[Anomaly]:
        return super().get_queryset().select_related("team", "answered_by")

    def get_subtitle(self) -> str:
        anomaly = self.object
        days = days_text(anomaly.day, anomaly.last_day)
        days = _("On {days}").format(days=days) if anomaly.days == 1 else _("From {days}").format(days=days)
        owner = anomaly.team or _("no team")
        return _("{days}. Effective cost of usage of {owner}. Detected in the night of {found_as_of}.").format(
            days=days, owner=owner, found_as_of=day_text(anomaly.found_as_of)
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        anomaly = self.object
        parts = []
        for part in anomaly.contributors:
            names = [name for name in ("service", "account", "resource") if part[name]]
            named = group_filters(names, [part[name] for name in names])
            url = lines_url(anomaly.period, {**anomaly.filters, **named}) if part["service"] else ""
            parts.append({**part, "amount": Decimal(part["amount"]), "url": url})
        context = {
            "state": ANOMALY_STATES[anomaly.state],
            "pattern": PATTERNS[anomaly.pattern],
            "severity": SEVERITIES[anomaly.severity],
            "words": words_of(anomaly),
            "parts": parts,
            "chart": self.get_chart(),
            "lines_url": lines_url(anomaly.period, anomaly.filters),
            "may_answer": self.person.has_perm("budgets.change_alert"),
        }
        return super().get_context_data(**{**context, **kwargs})

    def get_chart(self) -> dict[str, Any]:
        """The cost of each day around the anomaly, and what was expected as if it had not been."""
        anomaly = self.object
        first = anomaly.day - timedelta(days=SHOWN_BEFORE)
        span = Period(first - timedelta(days=LEARNT_DAYS), anomaly.last_day + timedelta(days=SHOWN_AFTER + 1))
        rows = DayRollup.objects.visible_to(self.person).filter(
            owner=anomaly.team_id,
            currency=anomaly.currency,
            charge_category="Usage",
            charge_date__range=(span.start, span.last_day),
        )
        if anomaly.kind == Anomaly.Kind.SERVICE:
            rows = rows.filter(service=anomaly.service, sub_account=anomaly.account)
        spent = dict(rows.order_by().values_list("charge_date").annotate(Sum("effective_cost")))
        low, expected, high = self._band(span, spent)
        # A drop to nothing has no rows any more: its days are zero, those after it are unknown.
        last = max([anomaly.last_day, *spent])
        days = [day for day in span.each_day() if first <= day <= last]
        return {
            "id": "course",
            "kind": "bar",
            "title": _("{scope_name}, day by day").format(scope_name=anomaly.scope_name),
            "categories": [short_day_text(day) for day in days],
            "series": [
                charts.series(_("Actual"), [spent.get(day) or Decimal(0) for day in days]),
                charts.series(_("Expected"), [expected.get(day) for day in days], kind="line", dashed=True),
                charts.band(
                    _("Usual"),
                    [low.get(day) for day in days],
                    [high.get(day) for day in days],
                    currency=anomaly.currency,
                ),
            ],
            "currency": anomaly.currency,
            "note": _("It stands out from {day}.").format(day=days_text(anomaly.day, anomaly.last_day)),
        }

    def _band(self, span: Period, spent: dict[date, Decimal]) -> list[dict[date, Decimal]]:
        """What is usual of each day (low, expected, high), learnt as if the anomaly's own days were unknown."""
        anomaly = self.object
        history = cost_matrix([DailyCost(dict(spent))], span)
        begun = (min(spent, default=span.start) - span.start).days
        history[0, :begun] = np.nan
        first = (anomaly.day - span.start).days
        history[0, first : first + anomaly.days] = np.nan
        (level,) = sensitivities_of([scope_of(anomaly)])
        limits = usual_band(CostHistory(span.start, history), level)
        code = anomaly.currency
        return [
            {
                day: rounded(Decimal(repr(float(value))), code)
                for day, value in zip(span.each_day(), limit[0], strict=True)
                if np.isfinite(value)
            }
            for limit in limits
        ]


class AnswerAnomaly(Page, View):
    """Was it to be expected? The answer is learnt."""

    permission_required = "budgets.change_alert"

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        anomaly = get_object_or_404(Anomaly.objects.visible_to(self.person), pk=pk)
        if verb not in ("expected", "unexpected"):
            raise Http404
        expected = verb == "expected"
        why = request.POST.get("why", "")
        answer_anomaly(anomaly, expected=expected, by=self.person, why=why, now=timezone.now())
        effect = (
            _("nobody is notified of its like for half a year") if expected else _("the next one is reported again")
        )
        messages.success(request, _("Thank you: {effect}.").format(effect=effect))
        return redirect(anomaly)
