"""Budgets, their periods, forecasts and alerts: which are active, and which a person may see."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Abs

from finops_site.lib.person import Person


class BudgetRelatedQuerySet(models.QuerySet):
    """Rows that belong to a budget, whose team is at the path `to_team`."""

    to_team = "team"

    def visible_to(self, user: Person) -> Self:
        """All, or those of her teams and the teams below; a budget without a team is the company's."""
        return self if user.sees_whole_company else self.filter(**{f"{self.to_team}__in": user.visible_team_ids})


class BudgetQuerySet(BudgetRelatedQuerySet):
    def active(self) -> Self:
        """Those that are evaluated every night."""
        return self.filter(state="active")


class PeriodQuerySet(BudgetRelatedQuerySet):
    to_team = "budget__team"

    def holding(self, day: date) -> Self:
        """Those that `day` lies in."""
        return self.filter(start__lte=day, end__gt=day)

    def of_active(self) -> Self:
        """Those of active budgets, within the days that the budget counts."""
        ends_later = Q(budget__end=None) | Q(start__lt=F("budget__end"))
        return self.filter(ends_later, budget__state="active", end__gt=F("budget__start"))


class PeriodManager(models.Manager.from_queryset(PeriodQuerySet)):  # type: ignore[misc]
    """Periods that count; those that a budget has no more are left out."""

    def get_queryset(self) -> PeriodQuerySet:
        rows: PeriodQuerySet = super().get_queryset()
        return rows.filter(removed_at=None)


class ForBudgetQuerySet(BudgetRelatedQuerySet):
    to_team = "budget__team"


class ForecastQuerySet(BudgetRelatedQuerySet):
    to_team = "period__budget__team"


class AnomalyQuerySet(BudgetRelatedQuerySet):
    def by_money(self) -> Self:
        """Open ones first, the most money first; `more` is what is beyond expectations, `a_month` None for a jump.

        Both are below zero for a drop.
        """
        a_month = models.Case(
            models.When(pattern="jump", then=None),
            default=models.F("latest_a_day") * models.Value(30),
            output_field=models.DecimalField(max_digits=38, decimal_places=18),
        )
        is_open = models.Case(models.When(state="open", then=0), default=1)
        rows = self.annotate(more=models.F("actual") - models.F("expected"), a_month=a_month, is_open=is_open)
        return rows.order_by("is_open", Abs(models.F("more")).desc(), "-day", "-pk")


class AlertQuerySet(BudgetRelatedQuerySet):
    to_team = "budget__team"

    def unresolved(self) -> Self:
        return self.exclude(state="resolved")


# Of a delivery: not yet sent, failed or cancelled.
QUEUED = Q(outcome="", sent_at__isnull=True)


class AlertDeliveryQuerySet(BudgetRelatedQuerySet):
    to_team = "alert__budget__team"

    def queued(self) -> Self:
        """Queued and not yet sent, failed or cancelled."""
        return self.filter(QUEUED)


class ControlChangeSetQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> Self:
        """All, or those of budgets of her teams and the teams below, wherever a budget was moved meanwhile, and those
        of their anomalies; one without a team is the company's."""
        if user.sees_whole_company:
            return self
        teams = user.visible_team_ids
        of_budget = models.Q(control__budget__team__in=teams)
        return self.filter(of_budget | models.Q(control__budget__isnull=True, team__in=teams))


class ControlQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> Self:
        """All, or those of budgets and anomalies of her teams and the teams below; one without a team is the
        company's."""
        if user.sees_whole_company:
            return self
        teams = user.visible_team_ids
        return self.filter(models.Q(budget__team__in=teams) | models.Q(budget__isnull=True, team__in=teams))
