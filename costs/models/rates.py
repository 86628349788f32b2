"""Exchange rates, as they were loaded."""

from django.db import models
from django.utils import timezone

from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy


class ExchangeRate(models.Model):
    """What one unit of `base` is worth in `quote`, on a day or on the average of a month."""

    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    day = models.DateField(help_text=_lazy("the day, or the first day of the month"))
    monthly = models.BooleanField(default=False, help_text=_lazy("the average of the month"))
    rate = models.DecimalField(max_digits=38, decimal_places=18)
    source = models.CharField(max_length=100, blank=True)
    loaded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-day", "base", "quote"]
        constraints = [models.UniqueConstraint(fields=["base", "quote", "day", "monthly"], name="rate_once")]

    def __str__(self) -> str:
        return f"1 {self.base} = {self.rate.normalize():f} {self.quote}, {day_text(self.day)}"
