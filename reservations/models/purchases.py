"""Purchases: requested by one, approved by another, bought, found in a bill, and worth what months prove."""

import uuid
from dataclasses import fields
from decimal import Decimal
from functools import cached_property

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc import purchase_orders, purchase_rules
from reservations.calc.reach import Reach, reach_of
from reservations.models.choices import KIND_CHOICES, PAYMENT_CHOICES
from reservations.models.commitments import amount
from reservations.models.plans import PurchaseTerms
from reservations.querysets import LedgerQuerySet, PlanQuerySet, PurchaseQuerySet


class BuyingPolicy(models.Model):
    """How buying is done here, and what may be recommended: one row.

    `is_stopped` is read at the last moment before every purchase; the fields from `cash_rate` on are the default of
    every recommendation.
    """

    by_api = models.BooleanField(
        _lazy("buy through the provider's API"),
        default=False,
        help_text=_lazy("otherwise as an export that a person buys by hand"),
    )
    is_stopped = models.BooleanField(
        _lazy("stop all buying"), default=False, help_text=_lazy("holds at once, also for what is on its way")
    )
    monthly_ceiling = amount(_lazy("the API commits to no more in a calendar month, whole terms, in USD"), default=0)
    default_limit = amount(
        _lazy("up to which whole-term value somebody without a limit of her own approves"), default=25_000
    )
    cash_rate = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=Decimal("0.08"),
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_lazy("what cash costs a year, 0.08 is 8%; what returns less is not recommended"),
    )
    longest_term = models.PositiveSmallIntegerField(
        _lazy("longest term"),
        choices=[(12, _lazy("1 year")), (36, _lazy("3 years"))],
        default=12,
        help_text=_lazy("that is recommended, months"),
    )
    upfront_limit = amount(
        _lazy("cash on the first day of a recommendation, at most, in USD; empty is no limit"),
        default=0,
        null=True,
        blank=True,
    )
    coverage_limit = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=Decimal("0.7"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_lazy("share of demand that is covered at most, at on-demand prices; empty is no limit"),
    )
    minimum_utilisation = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=Decimal("0.9"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_lazy("share of a purchase that is expected to be used at least; empty is any"),
    )
    currency = models.CharField(max_length=10, default="USD", editable=False)
    credential = models.ForeignKey(
        "costs.Credential",
        models.PROTECT,
        null=True,
        blank=True,
        help_text=_lazy("as whom we buy; an administrator makes it"),
    )
    endpoint = models.URLField(blank=True, editable=False)

    class Meta:
        verbose_name_plural = _lazy("buying policy")
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="buying_policy_is_one")]

    def __str__(self) -> str:
        return _("Buying policy")

    @classmethod
    def get(cls, *, lock: bool = False) -> "BuyingPolicy":
        """The one row; locked, purchases of the same moment wait for each other."""
        policy, _ignored = cls.objects.get_or_create(pk=1)
        return cls.objects.select_for_update().get(pk=1) if lock else policy


class ApproverLimit(models.Model):
    """Up to which whole-term value somebody of finance approves alone. Nobody sets her own."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="approver_limit")
    limit = amount(_lazy("in USD, over the whole term"))
    currency = models.CharField(max_length=10, default="USD", editable=False)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+")

    class Meta:
        ordering = ["user__email"]
        constraints = [models.CheckConstraint(condition=models.Q(limit__gte=0), name="approver_limit_not_negative")]

    def __str__(self) -> str:
        return f"{self.user}: {self.limit:,.2f} {self.currency}"


class StandingOrder(models.Model):
    """Each month requests the newest plan's next batch, while what is owned is well used. It buys nothing itself."""

    name = models.CharField(max_length=100, unique=True)
    team = models.ForeignKey(
        "finops_site.Team",
        models.CASCADE,
        null=True,
        blank=True,
        help_text=_lazy("whose plans; empty for the company's"),
    )
    minimum_utilisation = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        default=Decimal("0.9"),
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_lazy("share of what is owned that the last 30 days used, 0.9 is 90%"),
    )
    is_active = models.BooleanField(default=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+")
    last_request_month = models.DateField(null=True, blank=True, editable=False, help_text=_lazy("of its last request"))
    last_result = models.TextField(blank=True, editable=False, help_text=_lazy("what it did last, and why"))

    objects = PlanQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("reservations:standing_orders")


class PurchaseRequest(PurchaseTerms, models.Model):
    """One purchase. What is bought and what it promises is copied here, so that a newer plan changes nothing of it."""

    # mypy reads this way of making an enumeration as str(...).
    State = models.TextChoices(  # type: ignore[call-overload]
        "State", {name.upper(): (name, _lazy(words)) for name, words in purchase_rules.STATES.items()}
    )

    plan = models.ForeignKey("reservations.Plan", models.SET_NULL, null=True, related_name="requests")
    position = models.PositiveIntegerField(help_text=_lazy("of the purchase in its plan"))
    batch = models.PositiveIntegerField(help_text=_lazy("which monthly batch, 1 is the first; 0 is all of it"))
    team = models.ForeignKey("finops_site.Team", models.SET_NULL, null=True, blank=True)
    standing_order = models.ForeignKey(StandingOrder, models.SET_NULL, null=True, blank=True, related_name="requests")
    state = models.CharField(max_length=10, choices=State, default=purchase_rules.WAITING)
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
    region = models.CharField(max_length=100, blank=True)
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
    hourly = amount(_lazy("effective cost of an hour of all of it"))
    upfront = amount(_lazy("cash on the first day"))
    monthly = amount(_lazy("paid each month of 730 hours"))
    value = amount(_lazy("committed to over the whole term"))
    on_demand_cost = amount(_lazy("promised: a year of what it covers, on demand"))
    committed_cost = amount(_lazy("promised: a year of it"))
    utilisation = amount(_lazy("promised share of it that is used"))
    currency = models.CharField(max_length=10)
    is_indicative = models.BooleanField(default=False)
    request_snapshot = models.JSONField(
        default=dict, help_text=_lazy("prices and demand when it was requested, exact text")
    )
    baseline = models.JSONField(default=dict, help_text=_lazy("the same when it was approved: frozen for the ledger"))
    token = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, help_text=_lazy("makes the purchase happen once")
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="purchase_requests"
    )
    requested_at = models.DateTimeField(default=timezone.now)
    comment = models.TextField(blank=True, max_length=2000)
    expires_at = models.DateTimeField()
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    dry_run_at = models.DateTimeField(null=True, help_text=_lazy("when the provider's offer was looked at last"))
    offering = models.CharField(max_length=200, blank=True)
    known_before = models.JSONField(
        default=list, help_text=_lazy("reservations that were there before this was bought")
    )
    executed_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    through_api = models.BooleanField(default=False)
    reference = models.CharField(max_length=300, blank=True, help_text=_lazy("the provider's id of what was bought"))
    commitment = models.OneToOneField(
        "reservations.Commitment", models.SET_NULL, null=True, blank=True, related_name="purchase"
    )
    message = models.TextField(blank=True)

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-id"]
        permissions = [("approve_purchaserequest", "Can approve purchases"), ("buy_purchaserequest", "Can buy")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(approved_by=None) | ~models.Q(approved_by=models.F("requested_by")),
                name="purchase_has_four_eyes",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=purchase_rules.SPENT) | models.Q(approved_by__isnull=False),
                name="purchase_was_approved",
            ),
            models.UniqueConstraint(
                fields=["plan", "position", "batch"],
                condition=~models.Q(state__in=purchase_rules.ENDED),
                name="batch_asked_once",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("reservations:purchase", args=[self.pk])

    @cached_property
    def reach(self) -> Reach:
        """Which use it can cover. The frozen baseline, the ledger and a second purchase are counted by it."""
        owners = frozenset(Team.objects.below(self.team).values_list("pk", flat=True)) if self.team else None
        return reach_of(self.provider, self.kind, self.region, self.instance_type, self.service, owners)

    @property
    def order(self) -> purchase_orders.Order:
        copied = {field.name for field in fields(purchase_orders.Order)} - {"number", "token"}
        values = {name: getattr(self, name) for name in copied}
        return purchase_orders.Order(number=self.pk, token=str(self.token), **values)


class PurchaseEvent(models.Model):
    """A step of a request: written with it, never changed."""

    request = models.ForeignKey(PurchaseRequest, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    verb = models.CharField(max_length=20)
    before = models.CharField(max_length=10, blank=True)
    after = models.CharField(max_length=10)
    comment = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.verb} {day_text(self.at)}"


class LedgerMonth(models.Model):
    """A month of a purchase: promised, and proved by the bill. Throw-away: made again from the days of commitments."""

    request = models.ForeignKey(PurchaseRequest, models.CASCADE, related_name="months")
    month = models.DateField()
    currency = models.CharField(max_length=10)
    days = models.PositiveSmallIntegerField(help_text=_lazy("that the bill shows it"))
    on_demand = amount(_lazy("what ran under it, on demand"))
    paid = amount(_lazy("effective cost, unused included"))
    promised = amount()
    realised = amount(_lazy("on_demand - paid - displaced"))
    timing = amount(_lazy("gap: days without it"))
    demand = amount(_lazy("gap: there was less to cover"))
    utilisation = amount(_lazy("gap: less of it was used"))
    displaced = amount(_lazy("gap: older commitments stood idle for it"))
    price = amount(_lazy("gap: other prices than promised"))
    reason = models.CharField(max_length=20, blank=True)

    objects = LedgerQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "request"]
        constraints = [models.UniqueConstraint(fields=["request", "month"], name="ledger_month_once")]

    def __str__(self) -> str:
        return f"{self.request}, {self.month:%Y-%m}"
