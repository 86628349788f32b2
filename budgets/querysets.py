"""Words about many budgets: whose they are, which count, which a person may see."""

from datetime import date
from typing import Any

from django.db import models

from finops_site.lib.person import Person


class OfBudget(models.QuerySet):
    """Rows that hang on a budget by the path `to_team`: seen by who sees the company, or by the team above or in it."""

    to_team = "team"

    def visible_to(self, user: Person) -> Any:
        """All, or those of her teams and the teams below; a budget without a team is the company's."""
        return self if user.sees_whole_company else self.filter(**{f"{self.to_team}__in": user.visible_team_ids})


class BudgetQuerySet(OfBudget):
    def active(self) -> "BudgetQuerySet":
        """Those that are judged every night."""
        return self.filter(state="active")


class PeriodQuerySet(OfBudget):
    to_team = "budget__team"

    def holding(self, day: date) -> "PeriodQuerySet":
        """Those that `day` lies in."""
        return self.filter(start__lte=day, end__gt=day)

    def of_active(self) -> "PeriodQuerySet":
        return self.filter(budget__state="active")


class ForecastQuerySet(OfBudget):
    to_team = "period__budget__team"


class AlertQuerySet(OfBudget):
    to_team = "budget__team"

    def unresolved(self) -> "AlertQuerySet":
        return self.exclude(state="resolved")


class DeliveryOfAlertQuerySet(OfBudget):
    to_team = "alert__budget__team"

    def waiting(self) -> "DeliveryOfAlertQuerySet":
        """Queued and not yet sent, given up or called back."""
        return self.filter(outcome="", sent_at__isnull=True)
