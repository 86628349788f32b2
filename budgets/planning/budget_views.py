"""The list of budgets, and the page of one."""

from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.alerts.alert_summary import ALERT_STATES
from budgets.alerts.recipients import AddressBook
from budgets.calc.amounts import split_among_children
from budgets.forecast import status
from budgets.forecast.renamed_scopes import likely_names, other_currencies
from budgets.models import Budget, BudgetPeriod, Forecast, ProposedChange, Recipient
from budgets.permissions import led_teams, may_edit_budget, may_edit_recipients, may_propose_change
from budgets.planning.budget_tables import BudgetFilter, BudgetTable
from budgets.planning.period_chart import period_chart
from budgets.planning.proposed_changes import amounts_text, change_text, waiting_change
from budgets.planning.suggestions import suggest_amount
from costs.calc.filters import filter_label, filter_value, split_name
from costs.query.filter_values import FilterValues
from costs.query.known_until import KnownDays
from costs.query.stored_values import values_in_no_bill
from costs.web.links import lines_url
from finops_site.lib.addresses import BadFilter
from finops_site.lib.money import exact_sum, formatted
from finops_site.lib.periods import Period, day_text
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import percent_text
from finops_site.ui.pages import Action, DetailPage, Empty, ListPage
from finops_site.ui.tables import status_html

MOST_NAMES = 3
# What the address calls a part of a budget's page, and what the tab says.
PARTS = {
    "": _lazy("Overview"),
    "alerts": _lazy("Alerts and thresholds"),
    "forecast": _lazy("Forecast"),
    "history": _lazy("History"),
}
ADD = Action(_lazy("New budget"), "budgets:add", "plus", "budgets.add_budget", primary=True)
PROPOSE = Action(_lazy("Propose a budget"), "budgets:propose", "plus", "budgets.propose_budget", primary=True)
FIRST = Action(_lazy("First budgets"), "budgets:proposals", "bulb", "budgets.add_budget")


class BudgetsPage(ListPage):
    permission_required = "budgets.view_budget"
    title = _lazy("Budgets")
    subtitle = _lazy("This period's amounts against the actual cost and the forecast. Evaluated every night.")
    actions = (ADD,)
    table_class = BudgetTable
    filterset_class = BudgetFilter
    empty = Empty(
        _lazy("No budget yet"),
        _lazy("A budget warns before it is overrun: finance makes them, a lead may propose one for her team."),
        "target",
        FIRST,
    )

    def get_queryset(self) -> QuerySet[Budget]:
        visible = Budget.objects.visible_to(self.person).select_related("team")
        if not self.request.GET.getlist("state"):
            visible = visible.exclude(state=Budget.State.ARCHIVED)
        return status.with_status(visible, timezone.now().date())

    @cached_property
    def known(self) -> KnownDays:
        return status.known_of_budgets(self.person, self.rows, timezone.now().date())

    def get_actions(self) -> list[Action]:
        actions = super().get_actions()
        return actions if ADD in actions or not led_teams(self.person) else [*actions, PROPOSE]


class BudgetPage(DetailPage):
    """One budget, a part at a time: how it stands, its alerts, its forecast, its history."""

    parameters = ("period", "part")
    parameter_values = {"part": PARTS}
    permission_required = "budgets.view_budget"
    model = Budget
    template_name = "budgets/budget.html"
    breadcrumbs = ((_lazy("Budgets"), "budgets:budgets"),)

    def check_address(self) -> None:
        super().check_address()
        if text := self.request.GET.get("period", ""):
            starts = [day.isoformat() for day in self.get_object().periods.values_list("start", flat=True)]
            if text not in starts:
                listed = ", ".join(starts) or _("none: it has no period yet")
                raise BadFilter(
                    _("No period of this budget begins on {text!r}: use {listed}.").format(
                        text=text[:80], listed=listed
                    )
                )

    @cached_property
    def today(self) -> date:
        return timezone.now().date()

    @cached_property
    def period(self) -> BudgetPeriod | None:
        """The period whose first day is in the address, else today's, else the last."""
        periods = list(self.object.periods.all())
        chosen = [period for period in periods if period.start.isoformat() == self.request.GET.get("period")]
        current = [period for period in periods if self.today in period.period]
        return next(iter([*chosen, *current, *reversed(periods)]), None)

    @cached_property
    def forecast(self) -> Forecast | None:
        return self.period.forecasts.first() if self.period else None

    @cached_property
    def known(self) -> KnownDays | None:
        """What the bills know of the period."""
        return status.known_of_period(self.person, self.period, self.today) if self.period else None

    @cached_property
    def change(self) -> ProposedChange | None:
        """What waits for a decision: one change at a time."""
        return waiting_change(self.object)

    def get_subtitle(self) -> str:
        budget = self.object
        owner = _("{team} and the teams below").format(team=budget.team) if budget.team else _("The whole company")
        words = FilterValues()
        scope = "; ".join(words.describe(name, values) for name, values in budget.scope.items())
        left = _(", without {names}").format(names=", ".join(budget.left_out)) if budget.left_out else ""
        return f"{owner}{': ' + scope if scope else ''}. {budget.get_basis_display().capitalize()}{left}."

    def get_actions(self) -> list[Action]:
        budget, user = self.object, self.person
        args = (budget.pk,)
        actions = []
        if may_edit_budget(user, budget):
            actions.append(Action(_("Edit"), "budgets:edit", "pencil", args=args, primary=True))
        if may_propose_change(user, budget) and not self.change:
            actions.append(Action(_("Propose a change"), "budgets:propose_change", "pencil", args=args, primary=True))
        if user.has_perm("budgets.change_budget") and budget.state != Budget.State.ARCHIVED:
            actions.append(Action(_("Copy to next year"), "budgets:copy", "copy", args=args))
        return actions

    @property
    def part(self) -> str:
        return self.request.GET.get("part", "")

    def get_tabs(self) -> list[dict[str, Any]]:
        """The parts of the page, each with its address; the chosen period stays."""
        chosen = {"period": self.request.GET.get("period", "")}
        tabs = []
        for name, label in PARTS.items():
            query = urlencode({key: value for key, value in {**chosen, "part": name}.items() if value})
            tabs.append({"label": label, "url": f"?{query}", "is_current": name == self.part})
        return tabs

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        budget, user = self.object, self.person
        change = self.change
        parts = {"": self.overview, "alerts": self.alerts, "forecast": self.forecasts, "history": self.history}
        context = {
            "part": self.part,
            "tabs": self.get_tabs(),
            "period": self.period,
            "periods": list(budget.periods.all()),
            "forecast": self.forecast,
            "lacks_amount": Budget.objects.filter(status.lacks_amount(self.today), pk=budget.pk).exists(),
            "in_no_bill": [
                f"{filter_label(*split_name(name))} {', '.join(values)}"
                for name, values in values_in_no_bill(budget.scope).items()
            ],
            "recipient_problems": AddressBook([budget]).problems_of(budget) if budget.state == "active" else [],
            "recipients_url": budget.part_url("recipients"),
            "may_edit": may_edit_budget(user, budget),
            "may_edit_recipients": may_edit_recipients(user, budget),
            "may_approve": user.has_perm("budgets.approve_budget"),
            "may_archive": user.has_perm("budgets.change_budget") and budget.state != "archived",
            "amounts_text": amounts_text(budget),
            "change": change,
            "change_text": change_text(change) if change else "",
            "may_withdraw": may_propose_change(user, budget),
        }
        return super().get_context_data(**{**context, **parts[self.part](), **kwargs})

    def overview(self) -> dict[str, Any]:
        """How it stands: the period, its chart, what drives it, and its parts."""
        budget, period, forecast = self.object, self.period, self.forecast
        budgeted = period.budgeted if period else None
        share = status.share_spent(forecast.known_spent, budgeted) if forecast else None
        return {
            "forecast_text": status.forecast_text(forecast, budgeted, budget.currency),
            "badge": status.status_badge(forecast, budgeted),
            "share": share,
            "share_text": ""
            if share is None
            else _("{share} of the amount is spent").format(share=percent_text(share)),
            "known": self.known,
            "chart": period_chart(period, forecast, self.known.until if self.known else None) if period else None,
            "stats": self.get_stats(period) if period else [],
            "doubt": status.scope_doubt(forecast),
            "likely_names": self.get_likely_names(),
            "other_currencies": self.get_other_currencies(),
            "drivers": self.get_drivers(period, forecast) if period and forecast else None,
            "children": self.get_children(period) if period else None,
            "suggestion": suggest_amount(budget, self.today),
            "suggestion_url": self.get_suggestion_url(),
        }

    def alerts(self) -> dict[str, Any]:
        """What warns, whom, and what it does."""
        budget = self.object
        alerts = budget.alerts.select_related("threshold__budget", "period__budget")[:20]
        return {
            "alerts": [{"alert": alert, "badge": status_html(*ALERT_STATES[alert.state])} for alert in alerts],
            "thresholds": budget.thresholds.order_by("-is_active", "kind", "percent", "amount"),
            # Only the host of a channel's address: the rest of it is as secret as a key.
            "recipients": [
                {
                    "recipient": recipient,
                    "host": urlsplit(recipient.url).hostname if recipient.url else "",
                    "is_channel": recipient.kind in Recipient.CHANNELS,
                }
                for recipient in budget.recipients.select_related("user", "secret")
            ],
            "controls": budget.controls.select_related("threshold__budget", "budget"),
            "may_add_control": self.person.has_perm("budgets.add_control") and budget.state != "archived",
        }

    def forecasts(self) -> dict[str, Any]:
        """What is known before its bill, and how far off each method was, 7, 14 and 21 days before the end."""
        forecast = self.forecast
        wape = (forecast.backtest if forecast else {}).get("wape", {})
        return {
            "backtest": [
                {"name": name, "cells": [percent_text(Decimal(str(ratio))) for ratio in ratios.values()]}
                for name, ratios in wape.items()
            ],
            "coverage": Decimal(str(forecast.backtest["coverage"])) if forecast and forecast.backtest else None,
        }

    def history(self) -> dict[str, Any]:
        """Every change, and what was proposed."""
        return {
            "versions": self.object.versions.select_related("by")[:20],
            "changes": self.object.proposed_changes.select_related("proposed_by", "decided_by")[:20],
        }

    def get_suggestion_url(self) -> str:
        """Where the suggested amount fills the form: to edit it, or to propose it; empty for who may do neither."""
        budget, user = self.object, self.person
        if may_edit_budget(user, budget):
            return reverse("budgets:edit", args=[budget.pk])
        return reverse("budgets:propose_change", args=[budget.pk]) if may_propose_change(user, budget) else ""

    def get_stats(self, period: BudgetPeriod) -> list[dict[str, Any]]:
        """The cards: amount, and with a forecast the actual cost, the forecast and the chance of overrun."""
        forecast, code = self.forecast, self.object.currency
        carried = (
            _("{rolled_over} of it carried over").format(rolled_over=number_text(period.rolled_over, 2))
            if period.rolled_over
            else ""
        )
        cards = [{"label": _("Amount"), "amount": period.budgeted, "currency": code, "note": carried, "icon": "target"}]
        if forecast is None:
            return cards
        known = Period(period.start, max(period.start, min(period.end, forecast.as_of + timedelta(days=1))))
        return [
            *cards,
            {
                "label": _("Actual"),
                "amount": forecast.known_spent,
                "currency": code,
                "note": _("not delivered yet")
                if forecast.is_unknown
                else _("known until {complete_until}").format(complete_until=day_text(forecast.complete_until)),
                "url": lines_url(known, self.object.filters) if known.days else "",
                "icon": "receipt",
            },
            {
                "label": _("Forecast"),
                "amount": forecast.p50,
                "currency": code,
                "note": _("8 in 10 times between {p10} and {p90}").format(
                    p10=number_text(forecast.p10, 0), p90=number_text(forecast.p90, 0)
                ),
                "icon": "chart-line",
            },
            {
                "label": _("Chance of overrun"),
                "value": percent_text(forecast.chance_of_overrun, 0),
                "note": forecast.get_method_display(),
                "icon": "gauge",
            },
        ]

    def get_likely_names(self) -> list[dict[str, str]]:
        """What a scope that fell silent may be called now, each with its cost lines."""
        names = likely_names(self.person, self.object, self.forecast) if self.forecast else []
        return [
            {
                "text": name.text,
                "daily": f"{formatted(name.daily, self.object.currency)} {self.object.currency}",
                "url": lines_url(name.period, name.filters),
            }
            for name in names[:MOST_NAMES]
        ]

    def get_other_currencies(self) -> list[str]:
        """In which currencies its scope has cost, where it has none in its own."""
        if not status.scope_doubt(self.forecast):
            return []
        year = Period(self.today - timedelta(days=365), self.today + timedelta(days=1))
        return other_currencies(self.person, self.object, year)

    def get_drivers(self, period: BudgetPeriod, forecast: Forecast) -> dict[str, Any] | None:
        """The services whose cost changed most since the days before the period."""
        until = min(forecast.complete_until or forecast.as_of, period.period.last_day)
        comparison, drivers = status.cost_drivers(self.person, period, until)
        rows = [
            {
                "label": driver.label,
                "difference": driver.change.difference,
                "before": driver.change.before,
                "after": driver.change.after,
                "url": lines_url(
                    comparison.now, {**self.object.filters, "service": filter_value("service", driver.change.key)}
                ),
            }
            for driver in drivers[:8]
        ]
        return {"rows": rows, "comparison": comparison} if rows and comparison.now.days else None

    def get_children(self, period: BudgetPeriod) -> dict[str, Any] | None:
        """The budgets below this one, and how much of its amount they have."""
        children = list(self.object.children.visible_to(self.person).active().prefetch_related("periods"))
        if not children:
            return None
        own = {row.start: row.budgeted for row in self.object.periods.all()}
        amounts = [{row.start: row.budgeted for row in child.periods.all()} for child in children]
        rows = []
        for child, by_start in zip(children, amounts, strict=True):
            inside = (amount for start, amount in by_start.items() if start in period.period)
            rows.append({"budget": child, "amount": exact_sum(inside)})
        return {"rows": rows, "share": split_among_children(own, amounts)[period.start]}
