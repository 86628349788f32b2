"""Prices of the providers' lists: what a machine costs on demand and under each commitment."""

from django.db import models
from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.terms import ON_DEMAND
from reservations.models.choices import KIND_CHOICES, PAYMENT_CHOICES
from reservations.models.commitments import amount

RATE_KINDS = {ON_DEMAND: _lazy("On demand"), **dict(KIND_CHOICES)}


class Rate(models.Model):
    """The price of one machine under one option. Every rate says whose it is and since when."""

    provider = models.CharField(max_length=50, default="AWS")
    service = models.CharField(max_length=50, default="EC2")
    region = models.CharField(max_length=100)
    zone = models.CharField(
        max_length=50, blank=True, help_text=_lazy("of a reservation of one zone; empty for the region")
    )
    instance_type = models.CharField(_lazy("type"), max_length=100)
    system = models.CharField(_lazy("operating system or engine"), max_length=100, default="Linux", blank=True)
    tenancy = models.CharField(max_length=20, default="default")
    kind = models.CharField(_lazy("option"), max_length=30, choices=list(RATE_KINDS.items()))
    term_months = models.PositiveSmallIntegerField(_lazy("term, months"), default=0, help_text=_lazy("0 on demand"))
    payment = models.CharField(max_length=10, choices=PAYMENT_CHOICES, blank=True)
    hourly = amount(_lazy("paid for each hour; of a plan the plan's rate for an hour of this machine"))
    upfront = amount(
        _lazy("paid on the first day for the whole term; of a plan it follows from its payment"), default=0
    )
    currency = models.CharField(max_length=10, default="USD")
    source = models.CharField(max_length=200, help_text=_lazy("which list or file says so"))
    day = models.DateField(_lazy("valid from"))
    is_indicative = models.BooleanField(
        _lazy("indicative"), default=False, help_text=_lazy("worked out, on no price list")
    )

    class Meta:
        ordering = ["provider", "region", "instance_type", "system", "kind", "term_months", "payment"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("provider", "service", "region", "zone", "instance_type", "system", "tenancy"),
                    *("kind", "term_months", "payment", "currency", "day", "is_indicative"),
                ],
                name="price_once",
            ),
            models.CheckConstraint(
                condition=models.Q(hourly__gte=0) & models.Q(upfront__gte=0), name="rate_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return _("{instance_type} {system} in {region}, {kind}").format(
            instance_type=self.instance_type,
            system=self.system,
            region=self.region,
            kind=self.get_kind_display(),
        )
