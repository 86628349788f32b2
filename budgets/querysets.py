"""Budgets, their periods, forecasts and alerts: which are active, and which a person may see."""

from datetime import date
from typing import Self

from django.db import models

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
        return self.filter(budget__state="active")


class ForecastQuerySet(BudgetRelatedQuerySet):
    to_team = "period__budget__team"


class AlertQuerySet(BudgetRelatedQuerySet):
    to_team = "budget__team"

    def unresolved(self) -> Self:
        return self.exclude(state="resolved")


class AlertDeliveryQuerySet(BudgetRelatedQuerySet):
    to_team = "alert__budget__team"

    def queued(self) -> Self:
        """Queued and not yet sent, failed or cancelled."""
        return self.filter(outcome="", sent_at__isnull=True)
