"""Budgets: all that one may see, one with its course, and the forms that make and change them."""

from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import django_filters
import django_tables2
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.html import format_html
from django.views.generic import View

from budgets.alerts.alert_views import STATES as ALERT_STATES
from budgets.calc import amounts
from budgets.calc.headlines import whole_units
from budgets.evaluation import spending, status
from budgets.models import Budget, BudgetPeriod, Forecast, Recipient
from budgets.planning import budget_changes
from budgets.planning.budget_changes import NotNow, Stale
from budgets.planning.forms import BudgetForm, CopyForm, WhyForm
from costs.query.spend import LABELS
from costs.web.views.teams import lines_url
from finops_site.lib import charts
from finops_site.lib.money import exact_sum
from finops_site.lib.periods import Period, short_day_text
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.ui.figures import percent_text
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page
from finops_site.ui.tables import BaseTable, MoneyColumn, PercentColumn, StatusColumn, status_html

ADD = Action("New budget", "budgets:add", "plus", "budgets.add_budget", primary=True)
PROPOSE = Action("Propose a budget", "budgets:propose", "plus", "budgets.propose_budget", primary=True)
GRID = Action("All amounts", "budgets:grid", "table", "budgets.change_budget")
FINANCE = Action("The year", "budgets:finance", "report-money", "budgets.view_budget")
STATES = {
    "draft": ("draft", "calm", "pencil"),
    "proposed": ("proposed", "warn", "hourglass"),
    "active": ("active", "good", "circle-check"),
    "archived": ("archived", "calm", "archive"),
}


class ForecastColumn(MoneyColumn):
    """The likeliest end, and under it between which two 8 in 10 outcomes lie."""

    def render(self, value: Any, record: Any) -> Any:
        if record.now_p10 == record.now_p90:
            return super().render(value, record)
        low, high = whole_units(record.now_p10), whole_units(record.now_p90)
        return format_html('{}<span class="second-line">{} to {}</span>', super().render(value, record), low, high)


class BudgetTable(BaseTable):
    name = django_tables2.Column("Budget")
    team = django_tables2.Column("Team", accessor="team__name", default="Company")
    whole = MoneyColumn("Amount")
    now_spent = MoneyColumn("Actual")
    used = django_tables2.Column("Used", accessor="now_spent", orderable=False)
    now_p50 = ForecastColumn("Forecast")
    chance = PercentColumn("Chance of overrun", accessor="now_chance_of_overrun", places=0)
    state = StatusColumn(states=STATES)

    class Meta(BaseTable.Meta):
        model = Budget
        fields = ()
        caption = "Budgets"

    def render_name(self, value: str, record: Budget) -> Any:
        return format_html('<a href="{}">{}</a>', record.get_absolute_url(), value)

    def value_name(self, value: str) -> str:
        return value

    def render_used(self, value: Decimal, record: Any) -> Any:
        """A bar with its words: the share in figures and how it stands, whatever the colours."""
        if record.whole is None:
            return "—"
        share = status.share(value, record.whole)
        badge = status_html(*status.light_of(value, record.now_chance_of_overrun, record.whole))
        if share is None:
            return badge
        return format_html(
            '<progress max="100" value="{}" aria-label="{} of the amount is spent"></progress>'
            '<span class="second-line">{} {}</span>',
            min(max(int(share * 100), 0), 100),
            percent_text(share, 0),
            percent_text(share, 0),
            badge,
        )

    def value_used(self, value: Decimal, record: Any) -> Any:
        return status.share(value, record.whole)


class BudgetFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(label="Name", lookup_expr="icontains")
    team = django_filters.ModelChoiceFilter(label="Team", queryset=None)
    state = django_filters.MultipleChoiceFilter(label="State", choices=Budget.State.choices)
    kind = django_filters.ChoiceFilter(label="Period", choices=Budget.Kind.choices)
    risk = django_filters.ChoiceFilter(
        label="Standing", choices=[("over", "over"), ("heading", "heading over")], method="standing_as"
    )

    class Meta:
        model = Budget
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["team"].queryset = Team.objects.visible_to(self.request.user)

    def standing_as(self, queryset: Any, name: str, value: str) -> Any:
        over = Q(now_spent__gt=F("whole"))
        return queryset.filter(over if value == "over" else ~over & Q(now_chance_of_overrun__gte=Decimal("0.5")))


class BudgetsPage(ListPage):
    permission_required = "budgets.view_budget"
    title = "Budgets"
    subtitle = "This period's amounts against what is spent and where it will land. Judged every night."
    actions = (FINANCE, GRID, ADD)
    table_class = BudgetTable
    filterset_class = BudgetFilter
    empty = Empty(
        "No budget yet",
        "A budget warns before it is overrun: finance makes them, a lead may propose one for her team.",
        "target",
        ADD,
    )

    def get_queryset(self) -> Any:
        visible = Budget.objects.visible_to(self.request.user).select_related("team")
        if not self.request.GET.getlist("state"):
            visible = visible.exclude(state=Budget.State.ARCHIVED)
        return status.with_standing(visible, timezone.now().date())

    def get_actions(self) -> list[Action]:
        found = super().get_actions()
        return found if ADD in found or not budget_changes.led_teams(self.request.user) else [*found, PROPOSE]


class BudgetPage(DetailPage):
    permission_required = "budgets.view_budget"
    model = Budget
    template_name = "budgets/budget.html"
    breadcrumbs = (("Budgets", "budgets:budgets"),)

    @cached_property
    def today(self) -> date:
        return timezone.now().date()

    @cached_property
    def period(self) -> BudgetPeriod | None:
        """The period asked for by its first day, else today's, else the last."""
        periods = list(self.object.periods.all())
        asked = [each for each in periods if each.start.isoformat() == self.request.GET.get("period")]
        now = [each for each in periods if self.today in each.period]
        return next(iter([*asked, *now, *reversed(periods)]), None)

    @cached_property
    def forecast(self) -> Forecast | None:
        return self.period.forecasts.first() if self.period else None

    def get_subtitle(self) -> str:
        budget = self.object
        whose = f"{budget.team} and the teams below" if budget.team else "The whole company"
        scope = "; ".join(f"{_label(name)} {', '.join(values)}" for name, values in budget.scope.items())
        left = f", without {', '.join(budget.left_out).lower()}" if budget.left_out else ""
        return f"{whose}{': ' + scope if scope else ''}. {budget.get_basis_display().capitalize()}{left}."

    def get_actions(self) -> list[Action]:
        budget, user = self.object, self.request.user
        args = (budget.pk,)
        found = []
        if may_edit(user, budget):
            found.append(Action("Edit", "budgets:edit", "pencil", args=args, primary=True))
        if user.has_perm("budgets.change_budget"):
            found.append(Action("Copy to next year", "budgets:copy", "copy", args=args))
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        budget, period, forecast = self.object, self.period, self.forecast
        whole = period.whole if period else None
        context = {
            "period": period,
            "periods": list(budget.periods.all()),
            "forecast": forecast,
            "landing": status.landing(forecast, whole, budget.currency),
            "light": status.light(forecast, whole),
            "share": status.share(forecast.spent, whole) if forecast else None,
            "chart": self._chart() if period else None,
            "stats": self._stats(),
            "backtest": _backtest_rows(forecast),
            "coverage": Decimal(str(forecast.backtest["coverage"])) if forecast and forecast.backtest else None,
            "drivers": self._drivers(),
            "children": self._children(),
            "versions": budget.versions.select_related("by")[:20],
            "alerts": [
                {"alert": each, "badge": status_html(*ALERT_STATES[each.state])}
                for each in budget.alerts.select_related("threshold__budget", "period")[:20]
            ],
            "thresholds": budget.thresholds.order_by("-is_active", "kind", "percent", "amount"),
            "recipients": _shown_recipients(budget),
            "may_edit": may_edit(self.request.user, budget),
            "may_tell": may_tell(self.request.user, budget),
            "suggestion": budget_changes.suggest(budget, self.today),
            "may_approve": self.request.user.has_perm("budgets.approve_budget"),
            "may_archive": self.request.user.has_perm("budgets.change_budget") and budget.state != "archived",
        }
        return super().get_context_data(**{**context, **kwargs})

    def _stats(self) -> list[dict[str, Any]]:
        period, forecast, code = self.period, self.forecast, self.object.currency
        if period is None:
            return []
        carried = f"{period.rolled_over:,.2f} of it carried over" if period.rolled_over else ""
        cards = [{"label": "Amount", "amount": period.whole, "currency": code, "note": carried, "icon": "target"}]
        if forecast:
            known = Period(period.start, max(period.start, min(period.end, forecast.as_of + timedelta(days=1))))
            url = lines_url(known, {**self.object.filters, "currency": code}) if known.days else ""
            cards += [
                {
                    "label": "Actual",
                    "amount": forecast.spent,
                    "currency": code,
                    "note": f"as of {forecast.as_of}, whole days until {forecast.complete_until or 'none'}",
                    "url": url,
                    "icon": "receipt",
                },
                {
                    "label": "Forecast",
                    "amount": forecast.p50,
                    "currency": code,
                    "note": f"8 in 10 times between {forecast.p10:,.0f} and {forecast.p90:,.0f}",
                    "icon": "chart-line",
                },
                {
                    "label": "Chance of overrun",
                    "value": percent_text(forecast.chance_of_overrun, 0),
                    "note": forecast.get_method_display(),
                    "icon": "gauge",
                },
            ]
        return cards

    def _chart(self) -> dict[str, Any]:
        """The period day by day: what is spent, the band of where it goes, and the amount."""
        assert self.period
        return course(self.period, self.forecast)

    def _drivers(self) -> dict[str, Any] | None:
        if not self.period or not self.forecast:
            return None
        until = min(self.forecast.complete_until or self.forecast.as_of, self.period.period.last_day)
        comparison, found = status.drivers(self.request.user, self.period, until)
        filters = {**self.object.filters, "currency": self.object.currency}
        rows = [
            {
                "label": each.label,
                "difference": each.change.difference,
                "before": each.change.before,
                "after": each.change.after,
                "url": lines_url(comparison.now, {**filters, "service": each.change.key}),
            }
            for each in found[:8]
        ]
        return {"rows": rows, "comparison": comparison} if rows and comparison.now.days else None

    def _children(self) -> list[dict[str, Any]]:
        children = list(self.object.children.visible_to(self.request.user).active().prefetch_related("periods"))
        if not children or not self.period:
            return []
        own = {each.start: each.whole for each in self.object.periods.all()}
        theirs = [{each.start: each.whole for each in child.periods.all()} for child in children]
        found = amounts.allocations(own, theirs)[self.period.start]
        rows = [
            {"budget": child, "amount": exact_sum(a for s, a in each.items() if s in self.period.period)}
            for child, each in zip(children, theirs, strict=True)
        ]
        return [{"rows": rows, "allocation": found}]


def _label(name: str) -> str:
    return LABELS.get(name, name.replace("tag:", "Tag "))


def course(period: BudgetPeriod, forecast: Forecast | None) -> dict[str, Any]:
    """A chart of a period's running total; the band opens with the root of the days ahead."""
    span = period.period
    as_of = forecast.as_of if forecast else span.start
    known = Period(span.start, max(span.start, min(span.end, as_of + timedelta(days=1))))
    days = spending.daily([period.budget], known)[period.budget_id]
    step = max(1, span.days // 92)
    shown = [day for number, day in enumerate(span.each_day()) if number % step == 0 or day == span.last_day]
    actual = [days.total(Period(span.start, day + timedelta(days=1))) if day in known else None for day in shown]
    many = [charts.series("Actual", actual), charts.series("Amount", [period.whole] * len(shown), dashed=True)]
    if forecast and forecast.method not in ("done", "none") and known.end < span.end:
        many += [
            charts.series(name, _ahead(shown, as_of, span, forecast, end), dashed=True)
            for name, end in (("Likely", forecast.p50), ("Low (10 %)", forecast.p10), ("High (90 %)", forecast.p90))
        ]
    return {
        "id": "course",
        "kind": "line",
        "title": f"{period.budget}, day by day",
        "categories": [short_day_text(day) for day in shown],
        "series": many,
        "currency": period.budget.currency,
        "note": "Of the days ahead 8 in 10 outcomes lie between low and high.",
    }


def _ahead(shown: list[date], as_of: date, span: Period, forecast: Forecast, end: Decimal) -> list[Decimal | None]:
    """From what is spent to an end: the likely course straight, the band's edges around it."""
    whole = (span.last_day - as_of).days
    found: list[Decimal | None] = []
    for day in shown:
        ahead = (day - as_of).days
        if ahead < 0 or whole <= 0:
            found.append(None)
            continue
        part = Decimal(ahead) / whole
        likely = forecast.spent + (forecast.p50 - forecast.spent) * part
        found.append((likely + (end - forecast.p50) * part.sqrt()).quantize(Decimal("0.01")))
    return found


def _backtest_rows(forecast: Forecast | None) -> list[dict[str, Any]]:
    """How far off each way to forecast was, 7, 14 and 21 days before the end."""
    wape = (forecast.backtest if forecast else {}).get("wape", {})
    return [
        {"name": name, "cells": [percent_text(Decimal(str(each))) for each in found.values()]}
        for name, found in wape.items()
    ]


def may_edit(user: Person, budget: Budget) -> bool:
    """Finance edits; a lead changes what she proposed until it is approved."""
    if user.has_perm("budgets.change_budget"):
        return True
    proposal = budget.state in (Budget.State.DRAFT, Budget.State.PROPOSED)
    return proposal and user.has_perm("budgets.propose_budget") and budget.team_id in budget_changes.led_teams(user)


def may_tell(user: Person, budget: Budget) -> bool:
    """Finance, and who leads the budget's team or one above it, say who is told."""
    if user.has_perm("budgets.change_budget"):
        return True
    return user.has_perm("budgets.propose_budget") and budget.team_id in budget_changes.led_teams(user)


def _shown_recipients(budget: Budget) -> list[dict[str, Any]]:
    """Whom it tells; of a channel's address only the host, for the rest of it is as good as a key."""
    return [
        {
            "line": each,
            "where": urlsplit(each.url).hostname if each.url else "",
            "is_channel": each.kind in Recipient.CHANNELS,
        }
        for each in budget.recipients.select_related("user", "secret")
    ]


class EditBudget(FormPage):
    """Makes a budget and changes one; the second of two editors is told, and nothing of hers is lost."""

    permission_required = "budgets.view_budget"
    model = Budget
    form_class = BudgetForm
    template_name = "budgets/form.html"
    breadcrumbs = (("Budgets", "budgets:budgets"),)
    cancel_url_name = "budgets:budgets"
    proposes = False

    @cached_property
    def teams(self) -> set[int] | None:
        user = self.request.user
        return None if user.has_perm("budgets.change_budget") else budget_changes.led_teams(user)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not self._may():
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def _may(self) -> bool:
        if self.object is not None:
            return may_edit(self.request.user, self.object)
        if self.proposes:
            user = self.request.user
            return user.has_perm("budgets.propose_budget") and (self.teams is None or bool(self.teams))
        return self.request.user.has_perm("budgets.add_budget")

    def get_title(self) -> str:
        return f"Edit {self.object}" if self.object else "Propose a budget" if self.proposes else "New budget"

    def get_form_kwargs(self) -> dict[str, Any]:
        extra = {"user": self.request.user, "today": timezone.now().date(), "teams": self.teams}
        return {**super().get_form_kwargs(), **extra}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._suggest() if "suggest" in request.POST else super().post(request, *args, **kwargs)

    def _suggest(self) -> HttpResponse:
        """The form again as it was filled in, with what the last months of its scope suggest; nothing is saved."""
        form = self.get_form()
        form.is_valid()
        found = budget_changes.suggest(form.instance, timezone.now().date()) if form.scope_is_clear else None
        kwargs = self.get_form_kwargs()
        kwargs["data"] = kwargs["data"].copy()
        if found and not kwargs["data"].get("amount"):
            kwargs["data"]["amount"] = f"{found.amount.normalize():f}"
        again = self.form_class(**kwargs)
        return self.render_to_response(self.get_context_data(form=again, suggestion=found, asked=True))

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)
        except Stale as error:
            form.add_error(None, str(error))
            newest = Budget.objects.get(pk=self.object.pk)
            # What is saved next is a change of the newest, knowingly.
            form.data = form.data.copy()
            form.data["version"] = newest.version
            return self.render_to_response(self.get_context_data(form=form, newest=newest), status=409)

    def save(self, form: BudgetForm) -> Budget:
        why, by = form.cleaned_data["why"], self.request.user
        if self.object is None:
            state = Budget.State.PROPOSED if self.proposes else Budget.State.ACTIVE
            return budget_changes.create(form.instance, form.wanted or {}, by=by, why=why, state=state)
        if self.teams is not None:
            form.instance.state = Budget.State.PROPOSED
        version = form.cleaned_data["version"] or 0
        return budget_changes.change(form.instance, form.wanted, version=version, by=by, why=why, what="edited")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        suggestion = budget_changes.suggest(self.object, timezone.now().date()) if self.object else None
        return super().get_context_data(**{"suggestion": suggestion, **kwargs})


class ChangeState(Page, View):
    """Approve, send back or archive: a button with a reason."""

    permission_required = "budgets.approve_budget"
    verbs = {
        "approve": budget_changes.approve,
        "send-back": budget_changes.send_back,
        "archive": budget_changes.archive,
    }
    said = {"approve": "is approved and counts from now on", "send-back": "is sent back", "archive": "is archived"}

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        budget = get_object_or_404(Budget.objects.visible_to(request.user), pk=pk)
        form = WhyForm(request.POST)
        if verb not in self.verbs or not form.is_valid():
            messages.error(request, "Open the budget again and press its button there.")
            return redirect(budget)
        try:
            self.verbs[verb](budget, **form.cleaned_data, by=request.user)
            messages.success(request, f"{budget} {self.said[verb]}.")
        except (Stale, NotNow) as error:
            messages.error(request, str(error))
        return redirect(budget)


class CopyBudget(FormPage):
    permission_required = "budgets.change_budget"
    model = Budget
    form_class = CopyForm
    title = "Copy to next year"
    breadcrumbs = (("Budgets", "budgets:budgets"),)
    submit_label = "Copy"
    cancel_url_name = "budgets:budgets"

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        kwargs.pop("instance", None)
        return {**kwargs, "initial": {"version": self.object.version, "percent": 0}}

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)
        except (Stale, NotNow) as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)

    def save(self, form: CopyForm) -> Budget:
        return budget_changes.copy_to_next_year(self.object, **form.cleaned_data, by=self.request.user)
