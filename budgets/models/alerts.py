"""Alerts: a threshold breached in a period, who is notified of it, and what became of it."""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.models.budgets import Budget, BudgetPeriod, amount_field
from budgets.models.thresholds import Threshold
from budgets.querysets import AlertDeliveryQuerySet, AlertQuerySet
from finops_site.lib.words import labelled
from finops_site.translation import gettext_lazy as _lazy

# What each occasion of a message is called.
OCCASIONS = {
    "opened": _lazy("opened"),
    "reopened": _lazy("open again"),
    "taken back": _lazy("taken back"),
    "resolved": _lazy("resolved"),
    "escalated": _lazy("escalated"),
}


class Recipient(models.Model):
    """Whom a budget notifies, where, and at which hours it does not."""

    class Kind(models.TextChoices):
        LEADS = "leads", _lazy("leads of its team")
        ROLE = "role", _lazy("everybody in a role")
        USER = "user", _lazy("a person")
        ADDRESS = "address", _lazy("an address")
        SLACK = "slack", _lazy("a Slack channel")
        TEAMS = "teams", _lazy("a Microsoft Teams channel")
        WEBHOOK = "webhook", _lazy("a webhook")

    class When(models.TextChoices):
        AT_ONCE = "at once", _lazy("at once")
        DIGEST = "digest", _lazy("once a day, together")

    CHANNELS = (Kind.SLACK, Kind.TEAMS, Kind.WEBHOOK)

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="recipients")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.LEADS)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    role = models.CharField(max_length=50, blank=True)
    address = models.EmailField(blank=True)
    url = models.URLField(max_length=1000, blank=True, help_text=_lazy("Where a channel receives messages."))
    secret = models.ForeignKey(
        "costs.Credential",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_lazy('What signs a webhook\'s messages: {"hmac": …}, written by an administrator, never shown.'),
    )
    when = models.CharField(max_length=10, choices=When, default=When.AT_ONCE)
    quiet_from = models.TimeField(null=True, blank=True, help_text=_lazy("In the recipient's time zone."))
    quiet_until = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, blank=True, help_text=_lazy("Empty: the person's own, else UTC."))

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        targets = {"user": self.user, "role": _(self.role), "address": self.address}
        return str(targets.get(self.kind) or self.get_kind_display())

    def clean(self) -> None:
        needed = {
            "user": "user",
            "role": "role",
            "address": "address",
            **{str(channel): "url" for channel in self.CHANNELS},
        }
        name = needed.get(self.kind)
        if name and not getattr(self, name):
            raise ValidationError({name: _("{kind}: choose which.").format(kind=self.get_kind_display())})
        domain = self.address.rpartition("@")[2]
        if self.address and (domain.startswith("[") or "." not in domain):
            raise ValidationError(
                {"address": _("{domain} names a machine: write the address of a mailbox.").format(domain=domain)}
            )
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValidationError({"quiet_until": _("Quiet hours have a beginning and an end.")})


class Alert(models.Model):
    """A threshold breached in a period: one row however often it is evaluated, restated or delivered again."""

    class State(models.TextChoices):
        OPEN = "open", _lazy("open")
        ACKNOWLEDGED = "acknowledged", _lazy("acknowledged")
        SNOOZED = "snoozed", _lazy("snoozed")
        RESOLVED = "resolved", _lazy("resolved")
        REOPENED = "reopened", _lazy("open again")

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="alerts")
    period = models.ForeignKey(BudgetPeriod, models.CASCADE, related_name="alerts")
    # Deleted with its budget only: a threshold is switched off instead, so that its alerts stay.
    threshold = models.ForeignKey(Threshold, models.RESTRICT, related_name="alerts")
    kind = models.CharField(max_length=10, choices=Threshold.Kind)
    state = models.CharField(max_length=15, choices=State, default=State.OPEN)
    as_of = models.DateField(help_text=_lazy("the night that opened it"))
    evaluated_as_of = models.DateField(help_text=_lazy("the last night that evaluated it"))
    figures = models.JSONField(
        default=dict, help_text=_lazy("the period at opening: exact amounts, forecast, known changes")
    )
    value = amount_field(_lazy("what reached the limit, at opening"))
    limit = amount_field(_lazy("the limit in money, at opening"))
    peak = amount_field(_lazy("the highest value since"))
    opened_at = models.DateTimeField(default=timezone.now)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    acknowledged_as = models.CharField(
        max_length=254, blank=True, help_text=_lazy("the address, of somebody without login")
    )
    snoozed_until = models.DateField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_as_of = models.DateField(null=True, blank=True, help_text=_lazy("the night that resolved it"))
    reopened = models.PositiveIntegerField(default=0, help_text=_lazy("how many times it came back"))
    escalated = models.PositiveSmallIntegerField(default=0, help_text=_lazy("how many steps up it went"))
    escalated_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, help_text=_lazy("what a reader must know: taken back by a newer bill"))
    history = models.JSONField(default=list, help_text=_lazy("[{at, what, by}], the earliest first"))

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["budget", "period", "threshold", "kind"], name="alert_once"),
        ]
        indexes = [models.Index(fields=["state", "opened_at"], name="alert_by_state")]

    def __str__(self) -> str:
        return labelled(self.budget, self.threshold)

    def get_absolute_url(self) -> str:
        return reverse("budgets:alert", args=[self.pk])

    def add_history(self, what: str, now: datetime, by: object = "", comment: str = "") -> None:
        """Adds a line to its history, with `comment` where there is one; the caller saves it."""
        line = {"at": now.isoformat(), "what": what, "by": str(by or ""), **({"comment": comment} if comment else {})}
        self.history = [*self.history, line]

    @property
    def is_open(self) -> bool:
        return self.state in (self.State.OPEN, self.State.REOPENED)

    @property
    def response_time(self) -> timedelta | None:
        """From opening to acknowledgement."""
        return self.acknowledged_at - self.opened_at if self.acknowledged_at else None


class AlertDelivery(models.Model):
    """One message to one recipient about one occasion of an alert: it is queued once, claimed, and sent once.

    `occasion` is ``opened``, ``reopened:2``, ``taken back``, ``escalated:1``. `address` is where it goes: an e-mail
    address, or the kind and number of a channel.
    """

    class Outcome(models.TextChoices):
        QUEUED = "", _lazy("queued")
        SENT = "sent", _lazy("sent")
        FAILED = "failed", _lazy("failed")
        # The connection was lost after the message: nobody knows whether it was delivered.
        UNKNOWN = "unknown", _lazy("unknown")
        # The breach was taken back before it was sent.
        CANCELLED = "cancelled", _lazy("not needed any more")

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="deliveries")
    recipient = models.ForeignKey(Recipient, models.SET_NULL, null=True, blank=True, related_name="deliveries")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    channel = models.CharField(max_length=10, default="mail", help_text=_lazy("mail, slack, teams or webhook"))
    address = models.CharField(max_length=320)
    occasion = models.CharField(max_length=40, default="opened")
    queued_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(null=True, blank=True, help_text=_lazy("quiet hours, a digest, or the next try"))
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=100, blank=True, help_text=_lazy("which worker holds it"))
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.QUEUED, blank=True)
    message_id = models.CharField(max_length=255, blank=True)
    problem = models.TextField(blank=True, help_text=_lazy("the server's answer, or why it was not sent"))

    objects = AlertDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _lazy("alert deliveries")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["alert", "address", "occasion"], name="alert_delivery_once"),
        ]
        indexes = [
            models.Index(fields=["not_before", "queued_at"], name="alert_delivery_waiting", condition=Q(outcome="")),
        ]

    def __str__(self) -> str:
        return _("{alert} to {address}, {occasion}").format(
            alert=self.alert, address=self.address, occasion=self.occasion
        )

    @property
    def occasion_words(self) -> str:
        """The occasion in words, without the number that makes it unique."""
        name = self.occasion.partition(":")[0]
        return str(OCCASIONS.get(name, name))
