"""Anomalies: days on which something cost far more, or less, than expected; and how much it takes to be one."""

from datetime import date
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.models.budgets import amount_field
from budgets.querysets import AnomalyQuerySet, BudgetRelatedQuerySet
from costs.calc.filters import filter_value
from finops_site.lib.periods import Period, day_text
from finops_site.lib.words import labelled
from finops_site.translation import gettext_lazy as _lazy

MONTH_DAYS = 30


class Anomaly(models.Model):
    """A jump, shift, creep or drop in the effective cost of usage: of a service in an account, as far as one team owns
    it, or of a team.

    Because its amounts are one team's alone, whoever sees the team may see them. One without a team is the company's.
    """

    class Kind(models.TextChoices):
        SERVICE = "service", _lazy("service in an account")
        TEAM = "team", _lazy("team")

    class Pattern(models.TextChoices):
        JUMP = "jump", _lazy("jump")
        SHIFT = "shift", _lazy("lasting rise")
        CREEP = "creep", _lazy("slow rise")
        DROP = "drop", _lazy("drop")

    class Severity(models.TextChoices):
        INFORMATION = "information", _lazy("information")
        WARNING = "warning", _lazy("warning")
        CRITICAL = "critical", _lazy("critical")

    class State(models.TextChoices):
        OPEN = "open", _lazy("open")
        EXPECTED = "expected", _lazy("expected")
        UNEXPECTED = "unexpected", _lazy("not expected")
        TAKEN_BACK = "taken back", _lazy("taken back by a newer bill")

    kind = models.CharField(_lazy("scope"), max_length=10, choices=Kind)
    pattern = models.CharField(max_length=10, choices=Pattern, default=Pattern.JUMP)
    team = models.ForeignKey("finops_site.Team", models.CASCADE, null=True, blank=True, related_name="+")
    service = models.CharField(max_length=300, blank=True)
    account = models.CharField(max_length=200, blank=True)
    currency = models.CharField(max_length=10)
    day = models.DateField(help_text=_lazy("the day it began"))
    last_day = models.DateField()
    actual = amount_field(_lazy("what these days cost"))
    expected = amount_field(_lazy("what they were to cost"))
    severity = models.CharField(
        max_length=12, choices=Severity, default=Severity.INFORMATION, help_text=_lazy("by money")
    )
    latest_a_day = amount_field(_lazy("how much more (less: below zero) a day, on its last seven days"), default=0)
    contributors = models.JSONField(
        default=list, help_text=_lazy("[{service, account, resource, usage, amount}]; they sum")
    )
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    is_learnt = models.BooleanField(default=False, help_text=_lazy("expected because of an earlier answer"))
    found_as_of = models.DateField()
    found_at = models.DateTimeField(default=timezone.now)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=500, blank=True)

    objects = AnomalyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _lazy("anomalies")
        ordering = ["-day", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "team", "service", "account", "currency", "day", "pattern"],
                nulls_distinct=False,
                name="anomaly_once",
            ),
        ]
        indexes = [models.Index(fields=["day"], name="anomaly_day")]

    def __str__(self) -> str:
        return f"{self.scope_name}, {day_text(self.day)}"

    def get_absolute_url(self) -> str:
        return reverse("budgets:anomaly", args=[self.pk])

    @property
    def scope_name(self) -> str:
        if self.kind == self.Kind.TEAM:
            return str(self.team or _("Unowned"))
        return (
            _("{service} in {account}").format(service=self.service, account=self.account)
            if self.account
            else self.service
        )

    @property
    def excess(self) -> Decimal:
        return self.actual - self.expected

    @property
    def is_drop(self) -> bool:
        return self.pattern == self.Pattern.DROP

    @property
    def difference(self) -> Decimal:
        """How much money it is about so far, more or less than expected."""
        return abs(self.excess)

    @property
    def days(self) -> int:
        return (self.last_day - self.day).days + 1

    @property
    def per_month(self) -> Decimal | None:
        """What it makes in a month of thirty days at the rate of its last week; of a jump nobody knows if it lasts."""
        return None if self.pattern == self.Pattern.JUMP else abs(self.latest_a_day) * MONTH_DAYS

    @property
    def period(self) -> Period:
        return Period(self.day, date.fromordinal(self.last_day.toordinal() + 1))

    @property
    def filters(self) -> dict[str, list[str]]:
        """The cost lines behind it, as the explorer's filters."""
        filters = {"own_team": [str(self.team_id) if self.team_id else "none"], "currency": [self.currency]}
        if self.kind == self.Kind.SERVICE:
            filters |= {name: [filter_value(name, getattr(self, name))] for name in ("service", "account")}
        return {**filters, "charge_category": ["Usage"]}


class AnomalySensitivity(models.Model):
    """How much it takes to be an anomaly in a scope: of a team and those below it, a service, an account, or what all
    that are named have in common.

    Of several that fit, the one that names most counts; what none names is normal.
    """

    class Level(models.TextChoices):
        HIGH = "high", _lazy("high: small changes too")
        NORMAL = "normal", _lazy("normal")
        LOW = "low", _lazy("low: only large changes")

    team = models.ForeignKey("finops_site.Team", models.CASCADE, null=True, blank=True, related_name="+")
    service = models.CharField(max_length=300, blank=True)
    account = models.CharField(max_length=200, blank=True)
    level = models.CharField(max_length=10, choices=Level, default=Level.NORMAL)
    why = models.CharField(max_length=500, blank=True)

    objects = BudgetRelatedQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("sensitivity")
        verbose_name_plural = _lazy("sensitivities")
        ordering = ["team__name", "service", "account"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "service", "account"], nulls_distinct=False, name="sensitivity_once_for_a_scope"
            ),
        ]

    def __str__(self) -> str:
        return labelled(self.scope_name, self.get_level_display())

    def clean(self) -> None:
        if not (self.team_id or self.service or self.account):
            raise ValidationError(_("Name a team, a service or an account: what none of them names is normal."))

    @property
    def scope_name(self) -> str:
        named = [
            self.service,
            _("in {account}").format(account=self.account) if self.account else "",
            _("of {team}").format(team=self.team) if self.team_id else "",
        ]
        return " ".join(part for part in named if part)
