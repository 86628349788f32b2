"""What the company has committed to, and how well each day used it."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.purchase_titles import Terms
from reservations.calc.reach import Reach, reach_of
from reservations.calc.stated_terms import API, BILL, GUESS, PERSON, service_name
from reservations.calc.terms import (
    AWS,
    EC2,
    PLANS,
    RI_STANDARD,
    SP_COMPUTE,
    provider_of,
    service_of_type,
)
from reservations.models.choices import KIND_CHOICES, PAYMENT_CHOICES
from reservations.querysets import CommitmentQuerySet, CoverageQuerySet, UtilisationQuerySet

ENDING_DAYS = 90


def amount(help_text: str = "", **options: Any) -> models.DecimalField:
    """Money or units with 18 decimals, like the cost lines they come from."""
    return models.DecimalField(max_digits=38, decimal_places=18, help_text=help_text, **options)


class Commitment(models.Model):
    """A reserved instance, savings plan, Azure reservation or GCP CUD. Dates are days, the end not included."""

    class Source(models.TextChoices):
        BILL = "bill", _lazy("found in the bill")
        CSV = "csv", _lazy("by CSV")
        API = "api", _lazy("by the provider's API")

    provider = models.CharField(max_length=200)
    commitment_id = models.CharField(
        _lazy("id"), max_length=1000, help_text=_lazy("as the bill writes it: an ARN, a reservation id")
    )
    name = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=30, choices=KIND_CHOICES, default="other")
    term_months = models.PositiveSmallIntegerField(_lazy("term, months"), null=True, blank=True)
    payment = models.CharField(max_length=10, choices=PAYMENT_CHOICES, blank=True)
    scope = models.CharField(max_length=20, blank=True, help_text=_lazy("zonal, regional, account or shared"))
    account = models.CharField(max_length=200, blank=True, help_text=_lazy("who bought it"))
    region = models.CharField(max_length=200, blank=True)
    service = models.CharField(
        max_length=100, blank=True, help_text=_lazy("whose machines: EC2, RDS; empty for several")
    )
    instance_type = models.CharField(_lazy("type or family"), max_length=100, blank=True)
    system = models.CharField(_lazy("operating system"), max_length=100, blank=True)
    count = amount(_lazy("machines, or normalised units"), null=True, blank=True)
    hourly_commitment = amount(_lazy("what a plan commits to, each hour"), null=True, blank=True)
    unit = models.CharField(max_length=50, blank=True, help_text=_lazy("of what a day buys: a currency, hours, units"))
    upfront = amount(_lazy("paid on the first day"), null=True, blank=True)
    recurring_hourly = amount(_lazy("paid each hour"), null=True, blank=True)
    currency = models.CharField(max_length=10, default="USD")
    start = models.DateField(null=True, blank=True)
    end = models.DateField(null=True, blank=True, help_text=_lazy("the first day without it"))
    owner = models.ForeignKey("finops_site.Team", models.SET_NULL, null=True, blank=True, related_name="commitments")
    source = models.CharField(max_length=10, choices=Source, default=Source.BILL)
    origins = models.JSONField(
        default=dict, editable=False, help_text=_lazy("{field: guess, bill, api or person}: where its value comes from")
    )
    first_seen = models.DateField(null=True, blank=True, editable=False)
    last_seen = models.DateField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CommitmentQuerySet.as_manager()

    class Meta:
        ordering = ["end", "id"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "commitment_id"], name="commitment_once"),
            models.CheckConstraint(
                condition=models.Q(end__isnull=True)
                | models.Q(start__isnull=True)
                | models.Q(end__gt=models.F("start")),
                name="commitment_ends_after_it_starts",
            ),
        ]
        indexes = [models.Index(fields=["end"], name="commitment_end")]

    def __str__(self) -> str:
        """Its name, or what it is: ``Compute SP 0.73/h, 1 year, no upfront (ab12cd34)``, with the end of its id."""
        return self.name or f"{self.terms.title} ({self.short_id})"

    def get_absolute_url(self) -> str:
        return reverse("reservations:commitment", args=[self.pk])

    def origin_of(self, name: str) -> str:
        """Where the value of a field comes from: guess, bill, api or person (reservations.calc.stated_terms)."""
        if known := self.origins.get(name):
            return str(known)
        if self.source == self.Source.CSV:
            return PERSON
        is_guess = name == "kind" and self.kind in (RI_STANDARD, SP_COMPUTE, "other")
        return API if self.source == self.Source.API else GUESS if is_guess else BILL

    @property
    def thing(self) -> str:
        """Its name, or what it is without its terms: ``2 × m5.large Linux in us-east-1``."""
        return self.name or self.terms.thing or self.get_kind_display()

    @property
    def how(self) -> str:
        """Its terms, and the end of its id: ``Standard RI, 1 year, no upfront (ri-77)``."""
        return f"{self.terms.how} ({self.short_id})".strip()

    @property
    def short_id(self) -> str:
        """What an ARN ends with; of a long id the first digits."""
        return re.split("[/:]", self.commitment_id)[-1][:20]

    @property
    def terms(self) -> Terms:
        """Where it holds, how much of it there is, and how it is paid, as far as somebody stated it."""
        is_plan = self.kind in PLANS
        return Terms(
            self.kind,
            self.term_months,
            self.payment,
            self.hourly_commitment if is_plan else self.count,
            self.currency if is_plan else "",
            self.service or EC2,
            region=self.region,
            instance_type=self.instance_type,
            system=self.system,
        )

    @property
    def reach(self) -> Reach:
        """Which use it can cover; of nobody's in particular, for commitments are shared."""
        return reach_of(self.provider, self.kind, self.region, self.instance_type, self.service)

    @property
    def has_marketplace(self) -> bool:
        """Whether somebody could buy it from us: AWS's marketplace takes standard reserved instances of EC2 only."""
        machine = service_of_type(self.instance_type) if self.instance_type else ""
        is_ec2 = (service_name(self.provider, self.service) or machine) == EC2
        return self.kind == RI_STANDARD and provider_of(self.provider) == AWS and is_ec2

    def state(self, day: date) -> str:
        """future, active, ending (within 90 days), ended, or unknown where nobody said when it ends."""
        if self.start and day < self.start:
            return "future"
        if self.end is None:
            return "unknown"
        if day >= self.end:
            return "ended"
        return "ending" if (self.end - day).days <= ENDING_DAYS else "active"

    def months_left(self, day: date) -> Decimal | None:
        """Months of 365/12 days until the end; None where the end is not known."""
        if self.end is None:
            return None
        return Decimal(max((self.end - day).days, 0)) * 12 / 365


class Utilisation(models.Model):
    """One day of one commitment: throw-away, made again from the bills. Unit: the commitment's own."""

    commitment = models.ForeignKey(Commitment, models.CASCADE, related_name="days")
    day = models.DateField()
    used = amount(_lazy("of the commitment's unit"))
    unused = amount(_lazy("of the commitment's unit"))
    unit = models.CharField(max_length=50, blank=True)
    paid = amount(_lazy("effective cost, unused included"))
    unused_cost = amount(_lazy("effective cost of what nobody used"))
    on_demand = amount(_lazy("what the covered usage would have cost on demand"), null=True)
    currency = models.CharField(max_length=10)

    objects = UtilisationQuerySet.as_manager()

    class Meta:
        ordering = ["commitment", "day"]
        constraints = [models.UniqueConstraint(fields=["commitment", "day", "currency"], name="commitment_day_once")]
        indexes = [models.Index(fields=["day"], name="utilisation_day")]

    def __str__(self) -> str:
        return f"{self.commitment}, {day_text(self.day)}"


class Coverage(models.Model):
    """Eligible usage of one day, by who and where: throw-away, made again from the bills.

    Costs are at on-demand prices except `paid`, which is what the eligible usage cost, unused commitments included.
    """

    day = models.DateField()
    provider = models.CharField(max_length=200, blank=True)
    account = models.CharField(max_length=200, blank=True)
    region = models.CharField(max_length=200, blank=True)
    service = models.CharField(
        max_length=100, blank=True, help_text=_lazy("whose machines: EC2, RDS; empty for several")
    )
    family = models.CharField(max_length=100, blank=True)
    owner = models.ForeignKey("finops_site.Team", models.CASCADE, null=True, related_name="+")
    currency = models.CharField(max_length=10)
    eligible_hours = amount(_lazy("running hours that a commitment could cover; spot is not eligible"))
    covered_hours = amount()
    reserved_hours = amount(_lazy("covered by reservations"), default=0)
    planned_hours = amount(_lazy("covered by plans"), default=0)
    eligible_units = amount(_lazy("normalised units an hour, of machines whose size has any"), default=0)
    covered_units = amount(default=0)
    reserved_units = amount(_lazy("covered by reservations"), default=0)
    planned_units = amount(_lazy("covered by plans"), default=0)
    eligible_cost = amount(_lazy("at on-demand prices"))
    covered_cost = amount(_lazy("at on-demand prices"))
    reserved_cost = amount(_lazy("covered by reservations, at on-demand prices"), default=0)
    planned_cost = amount(_lazy("covered by plans, at on-demand prices"), default=0)
    unused_cost = amount(_lazy("commitments that nobody used"))
    paid = amount(_lazy("effective cost"))
    unpriced = models.PositiveIntegerField(
        default=0,
        help_text=_lazy("covered cost lines whose bill states no on-demand price: costs at such prices lack them"),
    )
    listed = models.PositiveIntegerField(
        default=0,
        help_text=_lazy("covered cost lines whose on-demand price is a loaded price list's, for the bill states none"),
    )

    objects = CoverageQuerySet.as_manager()

    class Meta:
        ordering = ["day"]
        verbose_name_plural = "coverage"
        indexes = [models.Index(fields=["day", "owner"], name="coverage_day_owner")]

    def __str__(self) -> str:
        return f"{day_text(self.day)} {self.family} {self.region}"


class Notice(models.Model):
    """What somebody has to know about a commitment: it ends soon, or a week used too little of it. Sent once."""

    class Kind(models.TextChoices):
        EXPIRY = "expiry", _lazy("ends soon")
        UTILISATION = "utilisation", _lazy("poorly used")

    commitment = models.ForeignKey(Commitment, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=20, choices=Kind)
    days_before = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_lazy("of an expiry: 90, 60, 30 or 7")
    )
    about = models.DateField(help_text=_lazy("the day it ends, or the first day of the week"))
    text = models.TextField()
    figures = models.JSONField(default=dict, help_text=_lazy("what the text says, as exact decimal text"))
    options = models.JSONField(default=list, help_text=_lazy("the contingency: [{name, saves, currency, working}]"))
    made_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["commitment", "kind", "about", "days_before"], nulls_distinct=False, name="notice_once"
            )
        ]

    def __str__(self) -> str:
        return self.text
