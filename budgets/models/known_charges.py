"""Charges that people know of before any bill: an invoice, a renewal, a credit that was promised."""

from collections.abc import Iterator
from datetime import date

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.models.budgets import Budget, amount_field
from budgets.querysets import ForBudgetQuerySet
from finops_site.lib.periods import Period, months_later
from finops_site.translation import gettext_lazy as _lazy


class KnownCharge(models.Model):
    """A charge of a budget's scope that is known before its bill, once or again and again; a credit is below zero.

    It counts in the forecast of the budget and of those above it, until the day it falls on is complete.
    """

    class Repeats(models.TextChoices):
        ONCE = "", _lazy("once")
        MONTH = "month", _lazy("each month")
        QUARTER = "quarter", _lazy("each quarter")
        YEAR = "year", _lazy("each year")

    # How many months lie between two of them.
    MONTHS = {Repeats.MONTH: 1, Repeats.QUARTER: 3, Repeats.YEAR: 12}

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="known_charges")
    day = models.DateField(help_text=_lazy("The charge day on the bill; of one that comes again, the first."))
    amount = amount_field(_lazy("In the budget's currency; below zero for a credit."))
    description = models.CharField(max_length=200, help_text=_lazy("Such as the supplier and what it is for."))
    repeats = models.CharField(_lazy("comes"), max_length=10, choices=Repeats, blank=True, default=Repeats.ONCE)
    until = models.DateField(_lazy("last on"), null=True, blank=True, help_text=_lazy("Empty where it goes on."))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ForBudgetQuerySet.as_manager()

    class Meta:
        ordering = ["day", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("day")),
                name="known_charge_ends_after_it_begins",
                violation_error_message="It cannot be over before it comes first.",
            ),
            models.CheckConstraint(
                condition=~Q(amount=0),
                name="known_charge_has_an_amount",
                violation_error_message="An amount of zero changes nothing.",
            ),
        ]

    def __str__(self) -> str:
        return self.description

    def clean(self) -> None:
        if self.until and not self.repeats:
            raise ValidationError({"until": _("Only what comes again has a last day.")})

    def days_in(self, period: Period) -> Iterator[date]:
        """The days of `period` it falls on: the same day of the month, the last where a month is shorter."""
        if not self.repeats:
            if self.day in period:
                yield self.day
            return
        number, step = 0, self.MONTHS[self.Repeats(self.repeats)]
        while (day := months_later(self.day, number)) < period.end and (self.until is None or day <= self.until):
            if day >= period.start:
                yield day
            number += step
