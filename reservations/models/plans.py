"""A recommendation as it was worked out: what to buy, what it costs, how sure, and how it was computed."""

from decimal import Decimal
from typing import Any, Protocol

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.purchase_titles import Terms, counted_text
from reservations.calc.terms import AN_HOUR
from reservations.models.choices import KIND_CHOICES, PAYMENT_CHOICES
from reservations.models.commitments import amount
from reservations.querysets import RecommendationQuerySet


class Plan(models.Model):
    """One run of the optimiser. Costs are for a year of the demand that was observed, in `currency`."""

    class State(models.TextChoices):
        WAITING = "waiting", _lazy("waiting")
        RUNNING = "running", _lazy("being worked out")
        READY = "ready", _lazy("ready")
        FAILED = "failed", _lazy("failed")

    class Confidence(models.TextChoices):
        HOURLY = "hourly", _lazy("from hourly use")
        DAILY = "daily", _lazy("from daily use")
        SNAPSHOT = "snapshot", _lazy("from a snapshot")
        NONE = "none", _lazy("no use found")

    as_of = models.DateField(help_text=_lazy("what was known at the start of this day"))
    lookback_days = models.PositiveIntegerField(default=30)
    team = models.ForeignKey(
        "finops_site.Team",
        models.CASCADE,
        null=True,
        blank=True,
        help_text=_lazy("whose use; empty for the whole company"),
    )
    parameters = models.JSONField(default=dict, blank=True, help_text=_lazy("the limits asked for"))
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    stage = models.CharField(max_length=60, blank=True)
    progress = models.PositiveSmallIntegerField(default=0)
    message = models.TextField(blank=True)
    currency = models.CharField(max_length=10, default="USD")
    cost_before = amount(_lazy("a year on demand"), null=True)
    cost_after = amount(_lazy("a year with the plan"), null=True)
    lower_bound = amount(_lazy("no set of purchases within the limits costs less"), null=True)
    gap = amount(_lazy("(cost_after - lower_bound) / cost_after"), null=True)
    upfront = amount(_lazy("cash on the first day"), null=True)
    confidence = models.CharField(max_length=10, choices=Confidence, blank=True)
    is_indicative = models.BooleanField(default=False, help_text=_lazy("some rate stands on no price list"))
    notes = models.JSONField(default=list, blank=True, help_text=_lazy("sentences a reader must know"))
    working = models.JSONField(default=dict, blank=True, help_text=_lazy("steady machines, comparison, frontier, risk"))
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ready_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, editable=False, help_text=_lazy("the last sign of its worker"))

    objects = RecommendationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "recommendation"

    def __str__(self) -> str:
        return _("Recommendation {pk}, {value}, {as_of}").format(
            pk=self.pk, value=self.team or _("whole company"), as_of=day_text(self.as_of)
        )

    def get_absolute_url(self) -> str:
        return reverse("reservations:recommendation", args=[self.pk])

    @property
    def whose(self) -> str:
        """``the whole company``, or the team's name."""
        return str(self.team or _("the whole company"))

    @property
    def is_open(self) -> bool:
        """Whether it still waits or is worked out, so that a page goes on asking."""
        return self.state in (self.State.WAITING, self.State.RUNNING)

    @property
    def saving(self) -> Decimal | None:
        """What a year costs less, in `currency`."""
        if self.cost_before is None or self.cost_after is None:
            return None
        return self.cost_before - self.cost_after

    @property
    def best_saving(self) -> Decimal | None:
        """What a year saves at most, where a bill of days leaves it open which hours machines ran in; else `saving`."""
        most = self.working.get("saving_range", {}).get("most")
        return self.saving if most is None else Decimal(most)

    def item_count(self) -> int:
        return self.items.count()


class _HasTerms(Protocol):
    """The fields that both models of PurchaseTerms have."""

    kind: Any
    term_months: Any
    payment: Any
    quantity: Any
    unit: Any
    service: Any
    region: Any
    instance_type: Any
    system: Any
    zone: Any
    tenancy: Any

    @property
    def terms(self) -> Terms: ...

    @property
    def on_demand_cost(self) -> Decimal: ...

    @property
    def committed_cost(self) -> Decimal: ...


class PurchaseTerms:
    """What a recommended purchase and a request for one say of it in the same words."""

    @property
    def terms(self: _HasTerms) -> Terms:
        return Terms(
            self.kind,
            self.term_months,
            self.payment,
            # As it was stored, or as somebody is about to store it.
            Decimal(self.quantity),
            self.unit.removesuffix(AN_HOUR) if self.unit.endswith(AN_HOUR) else "",
            self.service,
            self.region,
            self.instance_type,
            self.system,
            self.zone,
            self.tenancy,
        )

    @property
    def title(self: _HasTerms) -> str:
        """``Compute SP 0.73/h, 1 year, no upfront``."""
        return self.terms.title

    @property
    def thing(self: _HasTerms) -> str:
        """``2 × m5.large Linux in us-east-1``: the title without its terms."""
        return self.terms.thing

    @property
    def amount_text(self: _HasTerms) -> str:
        """``2 machines``, ``0.734 USD an hour``."""
        return counted_text(Decimal(self.quantity), self.unit)

    @property
    def how(self: _HasTerms) -> str:
        """``Standard RI, 1 year, no upfront``."""
        return self.terms.how

    @property
    def saving(self: _HasTerms) -> Decimal:
        """What a year is promised to cost less, in the currency of the plan."""
        return self.on_demand_cost - self.committed_cost


class PlanItem(PurchaseTerms, models.Model):
    """One purchase of a plan. Costs are for a year, in the plan's currency."""

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    provider = models.CharField(max_length=50)
    service = models.CharField(
        max_length=50,
        default="EC2",
        blank=True,
        help_text=_lazy("whose machines; empty for a plan over several services"),
    )
    kind = models.CharField(_lazy("option"), max_length=30, choices=KIND_CHOICES)
    term_months = models.PositiveSmallIntegerField(_lazy("term, months"))
    payment = models.CharField(max_length=10, choices=PAYMENT_CHOICES)
    region = models.CharField(max_length=100, blank=True, help_text=_lazy("empty for a plan over all regions"))
    instance_type = models.CharField(_lazy("type or family"), max_length=100, blank=True)
    system = models.CharField(_lazy("operating system"), max_length=100, blank=True)
    zone = models.CharField(
        max_length=50, blank=True, help_text=_lazy("of a reservation of one zone; empty for the region")
    )
    tenancy = models.CharField(max_length=20, default="default", blank=True)
    account = models.CharField(
        max_length=200, blank=True, help_text=_lazy("which it is for, where accounts do not share; empty for all")
    )
    quantity = amount(_lazy("machines, or currency an hour for a plan"))
    unit = models.CharField(max_length=50)
    hourly = amount(_lazy("effective cost of an hour of all of it, upfront spread over the term"))
    upfront = amount(_lazy("cash on the first day"))
    monthly = amount(_lazy("paid each month of 730 hours"))
    on_demand_cost = amount(_lazy("a year of what it covers, on demand"))
    committed_cost = amount(_lazy("a year of it"))
    utilisation = amount(_lazy("expected share of it that is used, on the observed demand"))
    break_even_months = amount(_lazy("until committing was cheaper, upfront included"), null=True)
    rate_source = models.CharField(max_length=200)
    rate_day = models.DateField()
    is_indicative = models.BooleanField(default=False)
    working = models.JSONField(
        default=dict, blank=True, help_text=_lazy("the formula with its numbers, and the demand")
    )

    # Its plan's: set where items are listed.
    currency: str

    class Meta:
        ordering = ["plan", "position"]
        constraints = [models.UniqueConstraint(fields=["plan", "position"], name="plan_position_once")]

    def __str__(self) -> str:
        return self.title
