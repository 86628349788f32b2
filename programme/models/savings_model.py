"""The savings model: its assumptions, and every change of them."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.periods import Month, day_text
from finops_site.lib.person import Person
from programme.calc.savings_model import CASES, KINDS, AssumptionKind

USER = settings.AUTH_USER_MODEL


def value_field(help_text: str = "") -> models.DecimalField:
    return models.DecimalField(max_digits=38, decimal_places=18, null=True, blank=True, help_text=help_text)


class CompanyFigureQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "CompanyFigureQuerySet":
        """Figures of the whole company: for those who see it."""
        return self if user.sees_whole_company else self.none()


class SavingsModel(models.Model):
    """The model of this company: one row. What is realised counts from `start`, and is summed in `currency`."""

    currency = models.CharField(max_length=10, default="USD")
    start = models.DateField(help_text="first day of the month from which savings count")
    started_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)

    objects = CompanyFigureQuerySet.as_manager()

    def __str__(self) -> str:
        return f"savings model since {self.month}, {self.currency}"

    def get_absolute_url(self) -> str:
        return reverse("programme:savings")

    @property
    def month(self) -> Month:
        return Month.of(self.start)


class Assumption(models.Model):
    """What the model takes for granted, in three cases, with its source; empty values are not known."""

    key = models.CharField(max_length=40, unique=True, choices=[(key, key) for key in KINDS])
    position = models.PositiveSmallIntegerField()
    conservative = value_field()
    expected = value_field()
    optimistic = value_field()
    currency = models.CharField(max_length=10, blank=True, help_text="of money; empty for anything else")
    source = models.CharField(max_length=500, blank=True, help_text="where the values come from")
    changed_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField(default=1, help_text="how often it was saved")

    objects = CompanyFigureQuerySet.as_manager()

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return self.key

    def get_absolute_url(self) -> str:
        return reverse("programme:assumption", args=[self.pk])

    @property
    def kind(self) -> AssumptionKind:
        return KINDS[self.key]

    @property
    def values(self) -> dict[str, Decimal | None]:
        """{case: value}."""
        return {case: getattr(self, case) for case in CASES}


class AssumptionChange(models.Model):
    """A change of an assumption: what it was, what it is, by whom and why. Never edited."""

    assumption = models.ForeignKey(Assumption, models.CASCADE, related_name="changes")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
    by_name = models.CharField(max_length=254, help_text="as the person was called then")
    before = models.JSONField(help_text="{field: value}, values as exact text")
    after = models.JSONField(help_text="{field: value}, values as exact text")
    reason = models.CharField(max_length=500)

    objects = CompanyFigureQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.assumption}, {day_text(self.at)}"
