"""Thresholds: when a budget warns."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _

from budgets.models.budgets import Budget, amount_field
from finops_site.lib.locale_format import in_marks, percent_figure
from finops_site.translation import gettext_lazy as _lazy


class Threshold(models.Model):
    """When a budget warns; the alerts of one that is switched off stay."""

    class Kind(models.TextChoices):
        ACTUAL = "actual", _lazy("spent")
        FORECAST = "forecast", _lazy("forecast")
        RATE = "rate", _lazy("rate of the last 3 days")
        DAY = "day", _lazy("a single day")
        ANOMALY = "anomaly", _lazy("unusual day")

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="thresholds")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.ACTUAL)
    percent = models.DecimalField(
        max_digits=7, decimal_places=2, null=True, blank=True, help_text=_lazy("of the period's amount: 80 is 80%")
    )
    amount = amount_field(_lazy("in the budget's currency, instead of a percentage"), null=True, blank=True)
    probability = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        null=True,
        blank=True,
        help_text=_lazy("For a forecast: how likely it must be. Empty: more likely than not, on two nights in a row."),
    )
    is_active = models.BooleanField(_lazy("in force"), default=True)

    class Meta:
        ordering = ["kind", "percent", "amount", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__isnull=True) ^ Q(amount__isnull=True),
                name="threshold_percent_or_amount",
                violation_error_message="Give a percentage or an amount, one of the two.",
            ),
            models.CheckConstraint(
                condition=Q(probability__gt=0) & Q(probability__lt=1),
                name="threshold_probability",
                violation_error_message="A probability lies between 0 and 1.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.level}"

    @property
    def level(self) -> str:
        """The threshold in words: ``80%`` or ``500 USD``."""
        if self.percent is not None:
            return percent_figure(f"{Decimal(self.percent).normalize():f}")
        if self.amount is None:
            # A form that was sent without either has written nothing into it.
            return _("without a limit")
        return in_marks(f"{Decimal(self.amount).normalize():,f}") + f" {self.budget.currency}"

    def clean(self) -> None:
        if self.percent is not None and not (0 < self.percent <= 1000):
            raise ValidationError({"percent": _("More than 0%, up to 1000%: a threshold of 0% is always breached.")})
        if self.amount is not None and self.amount <= 0:
            raise ValidationError({"amount": _("More than zero.")})


DEFAULT_THRESHOLDS = (
    (Threshold.Kind.ACTUAL, Decimal(50)),
    (Threshold.Kind.ACTUAL, Decimal(80)),
    (Threshold.Kind.ACTUAL, Decimal(100)),
    (Threshold.Kind.FORECAST, Decimal(100)),
)
