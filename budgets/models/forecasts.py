"""What each period is forecast to end at, night by night."""

from decimal import Decimal

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.models.budgets import BudgetPeriod, amount_field
from budgets.querysets import ForecastQuerySet
from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy


class Forecast(models.Model):
    """What was spent of a period as of a day, and the distribution of its cost at the end."""

    class Method(models.TextChoices):
        MODEL = "model", _lazy("weekday profile and smoothed level")
        RUN_RATE = "run rate", _lazy("run rate: too little history for more")
        DONE = "done", _lazy("the period is over")
        NONE = "none", _lazy("no cost to forecast from")

    period = models.ForeignKey(BudgetPeriod, models.CASCADE, related_name="forecasts")
    as_of = models.DateField()
    spent = amount_field(_lazy("delivered up to and including `as_of`"))
    complete_until = models.DateField(null=True, help_text=_lazy("the last day whose cost is taken as complete"))
    quiet_since = models.DateField(
        null=True,
        blank=True,
        help_text=_lazy("the last day with cost of a scope that has none any more, though bills came"),
    )
    p10 = amount_field()
    p50 = amount_field()
    p90 = amount_field()
    chance_of_overrun = models.DecimalField(max_digits=5, decimal_places=4, help_text="0 to 1")
    method = models.CharField(max_length=10, choices=Method)
    days_of_history = models.PositiveIntegerField(default=0)
    backtest = models.JSONField(
        default=dict,
        blank=True,
        help_text=_lazy("{wape: {days before the end: ratio}, coverage: ratio, origins: count}"),
    )
    made_at = models.DateTimeField(default=timezone.now)

    objects = ForecastQuerySet.as_manager()

    class Meta:
        ordering = ["-as_of"]
        constraints = [models.UniqueConstraint(fields=["period", "as_of"], name="forecast_once")]

    def __str__(self) -> str:
        return _("{period} as of {as_of}").format(period=self.period, as_of=day_text(self.as_of))

    @property
    def is_unknown(self) -> bool:
        """Whether no day of the period is complete and no cost of it is there: not known is not zero."""
        return not self.spent and self.complete_until is not None and self.complete_until < self.period.start

    @property
    def matches_nothing(self) -> bool:
        """Whether bills are delivered, and its scope never had cost in any of them."""
        return self.method == self.Method.NONE and self.complete_until is not None and not self.spent

    @property
    def known_spent(self) -> Decimal | None:
        """What was spent, None while that is not known."""
        return None if self.is_unknown else self.spent


class Night(models.Model):
    """A night that was evaluated, so that missed nights are known."""

    as_of = models.DateField(unique=True)
    budgets = models.PositiveIntegerField(default=0)
    alerts_made = models.PositiveIntegerField(default=0)
    mails_queued = models.PositiveIntegerField(default=0)
    anomalies_checked = models.JSONField(default=dict, help_text=_lazy("{account: the last day checked for anomalies}"))
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-as_of"]

    def __str__(self) -> str:
        return str(self.as_of)
