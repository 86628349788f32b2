"""Other amounts that a lead proposes for a budget that is in force."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from budgets.models.budgets import Budget
from budgets.querysets import ForBudgetQuerySet
from finops_site.translation import gettext_lazy as _lazy


class ProposedChange(models.Model):
    """Amounts of some periods of a budget, which it has once finance has approved them."""

    class State(models.TextChoices):
        WAITING = "waiting", _lazy("waiting for approval")
        APPROVED = "approved", _lazy("approved")
        REJECTED = "rejected", _lazy("rejected")
        WITHDRAWN = "withdrawn", _lazy("withdrawn")

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="proposed_changes")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    # {first day of a period: exact amount}, as versions of a budget have them; before it null where there is none.
    before = models.JSONField(help_text=_lazy("{first day: exact amount} when it was proposed"))
    after = models.JSONField(help_text=_lazy("{first day: exact amount} that is proposed"))
    why = models.CharField(max_length=500, blank=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_why = models.CharField(max_length=500, blank=True)

    objects = ForBudgetQuerySet.as_manager()

    class Meta:
        ordering = ["-proposed_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["budget"], condition=Q(state="waiting"), name="one_change_of_a_budget_waits"
            )
        ]

    def __str__(self) -> str:
        return str(self.budget)

    def get_absolute_url(self) -> str:
        return reverse("budgets:budget", args=[self.budget_id])

    @property
    def amounts(self) -> list[tuple[Decimal, Decimal]]:
        """Each amount before (zero where there was none) and after."""
        return [(Decimal(self.before.get(day) or 0), Decimal(text)) for day, text in self.after.items()]
