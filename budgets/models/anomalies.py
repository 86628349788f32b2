"""Anomalies: days on which something cost far more than expected."""

from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from budgets.models.budgets import amount_field
from budgets.querysets import BudgetRelatedQuerySet
from finops_site.lib.periods import Period


class Anomaly(models.Model):
    """A jump in the effective cost of usage: of a service in an account, as far as one team owns it, or of a team.

    Because its amounts are one team's alone, whoever sees the team may see them. One without a team is the company's.
    """

    class Kind(models.TextChoices):
        SERVICE = "service", "service in an account"
        TEAM = "team", "team"

    class State(models.TextChoices):
        OPEN = "open", "open"
        EXPECTED = "expected", "expected"
        UNEXPECTED = "unexpected", "not expected"
        TAKEN_BACK = "taken back", "taken back by a newer bill"

    kind = models.CharField(max_length=10, choices=Kind)
    team = models.ForeignKey("finops_site.Team", models.CASCADE, null=True, blank=True, related_name="+")
    service = models.CharField(max_length=300, blank=True)
    account = models.CharField(max_length=200, blank=True)
    currency = models.CharField(max_length=10)
    day = models.DateField(help_text="the day it began")
    last_day = models.DateField()
    actual = amount_field("what these days cost")
    expected = amount_field("what they were to cost")
    contributors = models.JSONField(default=list, help_text="[{service, account, resource, usage, amount}]; they sum")
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    is_learnt = models.BooleanField(default=False, help_text="expected because of an earlier answer")
    found_as_of = models.DateField()
    found_at = models.DateTimeField(default=timezone.now)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=500, blank=True)

    objects = BudgetRelatedQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "anomalies"
        ordering = ["-day", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "team", "service", "account", "currency", "day"],
                nulls_distinct=False,
                name="anomaly_once",
            ),
        ]
        indexes = [models.Index(fields=["day"], name="anomaly_day")]

    def __str__(self) -> str:
        return f"{self.scope_name}, {self.day}"

    def get_absolute_url(self) -> str:
        return reverse("budgets:anomaly", args=[self.pk])

    @property
    def scope_name(self) -> str:
        if self.kind == self.Kind.TEAM:
            return str(self.team or "Unowned")
        return f"{self.service} in {self.account}" if self.account else self.service

    @property
    def excess(self) -> Decimal:
        return self.actual - self.expected

    @property
    def days(self) -> int:
        return (self.last_day - self.day).days + 1

    @property
    def period(self) -> Period:
        return Period(self.day, date.fromordinal(self.last_day.toordinal() + 1))

    @property
    def filters(self) -> dict[str, list[str]]:
        """The cost lines behind it, as the explorer's filters."""
        filters = {"own_team": [str(self.team_id) if self.team_id else "none"], "currency": [self.currency]}
        if self.kind == self.Kind.SERVICE:
            filters |= {"service": [self.service], "account": [self.account]}
        return {**filters, "charge_category": ["Usage"]}
