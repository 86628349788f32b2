"""What brings bills again and again, and what each version of a month covers."""

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import DateTimeField, F
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import days_text
from finops_site.translation import gettext_lazy as _lazy


class Stream(models.Model):
    """One export of a source: one view of the bill, of one partition such as a subscription.

    A delivery replaces only what its own stream brought before. Loose files, which lie in no layout that names their
    export, are the stream with an empty `export`; of these a delivery replaces what covers the same accounts and days.
    """

    source = models.ForeignKey("costs.Source", models.CASCADE, related_name="streams")
    export = models.CharField(
        max_length=500, blank=True, help_text=_lazy("where in the source it lies; empty: loose files")
    )
    view = models.CharField(
        max_length=10,
        blank=True,
        help_text=_lazy("actual or amortized, where a provider exports both; empty: both in one"),
    )
    partition = models.CharField(max_length=200, blank=True, help_text=_lazy("the part of the company that it bills"))
    created_at = models.DateTimeField(default=timezone.now)
    is_judged = models.BooleanField(
        _lazy("hold bills that are not whole"),
        default=True,
        help_text=_lazy("Compare each version with the one it replaces."),
    )
    hold_down = models.DecimalField(
        _lazy("hold when it falls by more than"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_lazy("Per cent of the month's cost on the same days; empty: as its history shows."),
    )
    hold_up = models.DecimalField(
        _lazy("hold when it rises by more than"),
        max_digits=7,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_lazy("Per cent of the month's cost on the same days; empty: as its history shows."),
    )

    class Meta:
        ordering = ["source", "export", "view", "partition"]
        constraints = [
            models.UniqueConstraint(fields=["source", "export", "view", "partition"], name="stream_once"),
        ]

    def __str__(self) -> str:
        parts = [
            str(self.source),
            self.export,
            self.partition,
            _("{view} view").format(view=self.view) if self.view else "",
        ]
        return ", ".join(part for part in parts if part)


class DeliveredAccountQuerySet(models.QuerySet["DeliveredAccount"]):
    """Accounts of deliveries."""

    def with_moments(self) -> "models.QuerySet[Any]":
        """With `start` and `end`: the moments of the first and last charge; where unknown, all of the days."""
        day_after = Cast(F("last_day"), DateTimeField()) + timedelta(days=1)
        return self.annotate(
            start=Coalesce("first_moment", Cast("first_day", DateTimeField())),
            end=Coalesce("last_moment", day_after, output_field=DateTimeField()),
        )


class DeliveredAccount(models.Model):
    """An account in one version of a month, and the days of its charges: how far the bill is known for it."""

    delivery_month = models.ForeignKey("costs.DeliveryMonth", models.CASCADE, related_name="accounts")
    billing_account = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField(max_length=200, blank=True)
    first_day = models.DateField(help_text=_lazy("the first charge day, UTC"))
    last_day = models.DateField(help_text=_lazy("the last charge day, UTC"))
    first_moment = models.DateTimeField(
        null=True, help_text=_lazy("when its first charge period starts; empty: not noted")
    )
    last_moment = models.DateTimeField(
        null=True, help_text=_lazy("when its last charge period starts; empty: not noted")
    )
    charges = models.BigIntegerField(help_text=_lazy("rows of the bill"))

    objects = DeliveredAccountQuerySet.as_manager()

    class Meta:
        ordering = ["delivery_month", "billing_account", "sub_account"]
        constraints = [
            models.UniqueConstraint(
                fields=["delivery_month", "billing_account", "sub_account"], name="delivered_account_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sub_account or self.billing_account}: {days_text(self.first_day, self.last_day)}"
