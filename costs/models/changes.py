"""What a newer bill changed in a month that was already counted."""

from django.db import models
from django.utils import timezone

from costs.models.deliveries import Delivery
from costs.models.lines import Pool, money
from finops_site.lib.periods import Month
from finops_site.translation import gettext_lazy as _lazy


class Restatement(models.Model):
    """A month's bill replaced by a newer one that differs on days the older one covered."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="restatements")
    replaced = models.ForeignKey(Delivery, models.CASCADE, related_name="restated_by")
    billing_month = models.DateField()
    covered_until = models.DateField(
        null=True, help_text=_lazy("last charge day of the older bill; later days are new")
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "replaced", "billing_month"], name="restatement_once")
        ]

    def __str__(self) -> str:
        return f"{Month.of(self.billing_month)} of {self.delivery.source}: #{self.replaced_id} → #{self.delivery_id}"


class RestatedCost(models.Model):
    """Before and after of one service, account, team or pool, on the days both bills cover; `new` is of later days."""

    restatement = models.ForeignKey(Restatement, models.CASCADE, related_name="costs")
    service = models.CharField(max_length=300, blank=True)
    sub_account = models.CharField("account", max_length=200, blank=True)
    owner = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, db_constraint=False)
    pool = models.ForeignKey(Pool, models.PROTECT, null=True, db_constraint=False, db_index=False)
    currency = models.CharField(max_length=10)
    billed_before = money(null=True)
    billed_after = money(null=True)
    billed_new = money(null=True)
    effective_before = money(null=True)
    effective_after = money(null=True)
    effective_new = money(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.service} {self.sub_account}: {self.billed_before} → {self.billed_after} {self.currency}"
