"""Which billing months are charged back, and how far that is."""

from django.conf import settings
from django.db import models

from finops_site.periods import Month


class ChargebackPeriodQuerySet(models.QuerySet):
    def closed_months(self) -> set[Month]:
        """The billing months whose statements are final: nothing names their owners anew."""
        closed = self.filter(state=ChargebackPeriod.State.CLOSED).values_list("billing_month", flat=True)
        return {Month.of(day) for day in closed}


class ChargebackPeriod(models.Model):
    """A billing month of chargeback: a draft until finance closes it."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        CLOSED = "closed", "Closed"

    class Basis(models.TextChoices):
        BILLED = "billed_cost", "Billed cost"
        EFFECTIVE = "effective_cost", "Effective cost"

    billing_month = models.DateField(unique=True, help_text="first day of the month it is invoiced in")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    basis = models.CharField(max_length=20, choices=Basis.choices, default=Basis.BILLED)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    objects = ChargebackPeriodQuerySet.as_manager()

    class Meta:
        ordering = ["-billing_month"]

    def __str__(self) -> str:
        return f"{Month.of(self.billing_month)}, {self.get_state_display().lower()}"
