"""Findings: what could cost less, what people decided about it, and what the bills showed afterwards."""

from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy


def amount(label: str | None = None, **options: Any) -> models.DecimalField:
    """Money for an average month, in the row's currency; null is not known, never zero."""
    return models.DecimalField(label, max_digits=38, decimal_places=10, null=True, **options)


class FindingQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "FindingQuerySet":
        """All of them for who sees the company; else those of resources that her teams and the teams below own."""
        return self if user.sees_whole_company else self.filter(owner__in=user.visible_team_ids)

    def open(self) -> "FindingQuerySet":
        """What waits for somebody: new, accepted, or back after it was mended."""
        return self.filter(state__in=Finding.OPEN)

    def by_saving(self) -> "FindingQuerySet":
        """What saves most first, what saves an unknown amount last."""
        return self.order_by(models.F("counted_saving").desc(nulls_last=True), "id")


class Finding(models.Model):
    """One thing that could cost less: a rule, a resource and the part of its cost that the rule is about.

    The same finding is the same row for as long as it lives; each evaluation renews its figures. `saving` is what it
    saves alone, `counted_saving` what is counted after those that come before it (`counted_after`), so that sums of
    the latter never exceed the cost of a resource.
    """

    class State(models.TextChoices):
        NEW = "new", _lazy("new")
        ACCEPTED = "accepted", _lazy("accepted")
        SNOOZED = "snoozed", _lazy("snoozed")
        DISMISSED = "dismissed", _lazy("dismissed")
        MENDED = "mended", _lazy("mended, awaiting proof")
        PROVED = "proved", _lazy("proved by the bill")
        BACK = "back", _lazy("back again")
        QUIET = "quiet", _lazy("kept quiet")
        GONE = "gone", _lazy("gone by itself")

    OPEN = (State.NEW, State.ACCEPTED, State.BACK)

    rule = models.CharField(_lazy("what"), max_length=60, help_text=_lazy("the name of the rule"))
    provider = models.CharField(_lazy("provider"), max_length=200)
    account = models.CharField(_lazy("account"), max_length=200, blank=True)
    region = models.CharField(_lazy("region"), max_length=200, blank=True)
    resource = models.CharField(_lazy("resource"), max_length=2000)
    part = models.CharField(max_length=60, blank=True, help_text=_lazy("which part of its cost: compute, storage"))
    key = models.CharField(
        max_length=32, unique=True, editable=False, help_text="md5 of rule, provider, account, region, resource, part"
    )
    resource_key = models.CharField(
        max_length=32, editable=False, db_index=True, help_text="md5 of provider, account, region, resource"
    )
    resource_name = models.CharField(max_length=1000, blank=True)
    service = models.CharField(_lazy("service"), max_length=300, blank=True)
    environment = models.CharField(_lazy("environment"), max_length=200, blank=True)
    owner = models.ForeignKey(
        "finops_site.Team", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_lazy("team")
    )
    state = models.CharField(_lazy("state"), max_length=20, choices=State, default=State.NEW)
    lever = models.PositiveSmallIntegerField(default=0)
    effort = models.CharField(_lazy("effort"), max_length=10)
    risk = models.CharField(_lazy("risk"), max_length=10)
    confidence = models.CharField(_lazy("confidence"), max_length=20)
    currency = models.CharField(max_length=10)
    monthly_cost = amount(_lazy("monthly cost"))
    saving = amount(_lazy("saving alone"))
    counted_saving = amount(_lazy("monthly saving"))
    counted_after = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text=_lazy("what comes before it on the same resource, so that money counts once"),
    )
    evidence = models.JSONField(default=dict)
    target = models.JSONField(default=dict)
    sources = models.JSONField(
        default=list,
        help_text=_lazy("who says so: bill, metrics, inventory, or the provider in its words"),
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_lazy("owner")
    )
    due_day = models.DateField(_lazy("until"), null=True, blank=True)
    snoozed_until = models.DateField(null=True, blank=True)
    reason = models.CharField(_lazy("reason"), max_length=500, blank=True)
    first_seen = models.DateField(_lazy("first seen"))
    last_seen = models.DateField(_lazy("last seen"))
    mended_day = models.DateField(null=True, blank=True)
    promised_saving = amount(help_text=_lazy("what was counted on the day it was mended"))
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = FindingQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("finding")
        ordering = [models.F("counted_saving").desc(nulls_last=True), "id"]
        indexes = [
            models.Index(fields=["owner", "state"], name="finding_owner_state"),
            models.Index(fields=["state", "rule"], name="finding_state_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.resource_name or self.resource}"

    def get_absolute_url(self) -> str:
        return reverse("usage:finding", args=[self.pk])


class OfFindingQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "OfFindingQuerySet":
        """What belongs to findings that she may see."""
        return self if user.sees_whole_company else self.filter(finding__owner__in=user.visible_team_ids)


class FindingEvent(models.Model):
    """What happened to a finding, written once: a person's answer, or what the bills showed (nobody's)."""

    finding = models.ForeignKey(Finding, models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    verb = models.CharField(max_length=30)
    before = models.CharField(max_length=20, blank=True)
    after = models.CharField(max_length=20, blank=True)
    note = models.CharField(max_length=1000, blank=True)

    objects = OfFindingQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.verb}: {self.finding_id}"


class QuietRuleQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "QuietRuleQuerySet":
        """Those of the company, and those of her teams."""
        if user.sees_whole_company:
            return self
        return self.filter(models.Q(team=None) | models.Q(team__in=user.visible_team_ids))


class QuietRule(models.Model):
    """What a dismissal taught: a rule that stays quiet for resources with a tag, an account or a name, until a day."""

    rule = models.CharField(max_length=60)
    team = models.ForeignKey("finops_site.Team", models.CASCADE, null=True, blank=True, related_name="+")
    account = models.CharField(max_length=200, blank=True)
    name_begins = models.CharField(max_length=200, blank=True)
    tag_key = models.CharField(max_length=128, blank=True)
    tag_value = models.CharField(max_length=256, blank=True)
    reason = models.CharField(_lazy("reason"), max_length=500)
    until = models.DateField(null=True, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)

    objects = QuietRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("quiet rule")
        ordering = ["rule", "id"]

    def __str__(self) -> str:
        return self.rule


class Evaluation(models.Model):
    """One run over all resources: of which days, how long it took, and what could not be judged."""

    class State(models.TextChoices):
        RUNNING = "running", _lazy("running")
        DONE = "done", _lazy("done")
        FAILED = "failed", _lazy("failed")

    as_of = models.DateField()
    first_day = models.DateField(null=True)
    last_day = models.DateField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    resources = models.BigIntegerField(default=0)
    findings = models.BigIntegerField(default=0)
    notes = models.JSONField(default=list, help_text=_lazy("what was not known: rules that could not run, and why"))
    message = models.TextField(blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="running"), name="evaluation_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return str(self.as_of)


class SavingMonth(models.Model):
    """What a mended finding saved in a month by the bill: cost before, less cost after, for the resource and part.

    Written for a month that the bills know to its end; a later bill changes it. `gap` says why it differs from what
    was promised.
    """

    finding = models.ForeignKey(Finding, models.CASCADE, related_name="saving_months")
    month = models.DateField()
    currency = models.CharField(max_length=10)
    cost_before = amount()
    cost_after = amount()
    promised = amount()
    amount = amount()
    gap = models.CharField(max_length=40, blank=True, help_text=_lazy("a code of usage.calc.proof"))

    objects = OfFindingQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "-id"]
        constraints = [models.UniqueConstraint(fields=["finding", "month"], name="saving_month_once")]

    def __str__(self) -> str:
        return f"{self.finding_id} {self.month}"
