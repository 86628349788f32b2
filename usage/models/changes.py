"""Findings mended by role: who may do what in which account, and change sets that a second person approves."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from costs.models import ProviderChangeSet, ProviderChangeSetQuerySet
from costs.sources.storage import StorageProblem, allowed_endpoint
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from usage.calc.fix_actions import ACTIONS, FixAction, Target
from usage.models.findings import Finding

PERSON: dict[str, Any] = {"on_delete": models.PROTECT, "related_name": "+"}


class FixAccess(models.Model):
    """As whom findings are mended in an account, and by which actions: the allow-list. Without a row nothing is."""

    account = models.CharField(_lazy("account"), max_length=200, unique=True)
    credential = models.ForeignKey(
        "costs.Credential", models.PROTECT, related_name="+", verbose_name=_lazy("credential")
    )
    endpoint = models.URLField(blank=True, max_length=500, help_text=_lazy("Empty: AWS's own address."))
    actions = models.JSONField(
        _lazy("actions"),
        default=list,
        blank=True,
        help_text=format_lazy("{} {}", _lazy("Which actions it may take: a list of"), ", ".join(ACTIONS) + "."),
    )

    class Meta:
        verbose_name = _lazy("access for fixes")
        verbose_name_plural = _lazy("access for fixes")
        ordering = ["account"]

    def __str__(self) -> str:
        return _("account {account} as {credential}").format(account=self.account, credential=self.credential)

    def clean(self) -> None:
        if self.endpoint:
            try:
                allowed_endpoint(self.endpoint)
            except StorageProblem as problem:
                raise ValidationError({"endpoint": str(problem)}) from None
        if not isinstance(self.actions, list) or not set(map(str, self.actions)) <= set(ACTIONS):
            raise ValidationError({"actions": _("Write a list of any of {names}.").format(names=", ".join(ACTIONS))})


class FixSetQuerySet(ProviderChangeSetQuerySet):
    def visible_to(self, user: Person) -> "FixSetQuerySet":
        """All of them; or those in which every finding belongs to her teams."""
        if user.sees_whole_company:
            return self
        others = FixStep.objects.exclude(finding__owner__in=user.visible_team_ids)
        others |= FixStep.objects.filter(finding__owner=None)
        return self.exclude(pk__in=others.values("fix_set"))


class FixSet(ProviderChangeSet):
    """Findings to be mended at the provider itself: put together by one person, approved by another, then applied."""

    class State(models.TextChoices):
        DRAFT = "draft", _lazy("draft")
        REVIEW = "review", _lazy("waits for approval")
        APPROVED = "approved", _lazy("approved")
        REJECTED = "rejected", _lazy("sent back")
        APPLYING = "applying", _lazy("being applied")
        APPLIED = "applied", _lazy("applied")
        PARTLY = "partly", _lazy("applied in part")
        UNDOING = "undoing", _lazy("being undone")
        UNDONE = "undone", _lazy("undone")

    UNDER_WAY = (State.APPLYING, State.UNDOING)
    STALLED_AFTER = timedelta(minutes=5)

    state = models.CharField(_lazy("state"), max_length=10, choices=State, default=State.DRAFT)

    objects = FixSetQuerySet.as_manager()

    class Meta(ProviderChangeSet.Meta):
        verbose_name = _lazy("change set")
        permissions = [
            ("approve_fixset", "May approve fixes of findings that somebody else wants to apply"),
            ("apply_fixset", "May apply approved fixes of findings at the provider"),
        ]

    def get_absolute_url(self) -> str:
        return reverse("usage:change_set", args=[self.pk])


class FixStep(models.Model):
    """One finding in a change set: the action, what it read before, what was sent, and what became of it."""

    class Result(models.TextChoices):
        WAITING = "waiting", _lazy("not looked at yet")
        READY = "ready", _lazy("to be done")
        SAME = "same", _lazy("so already")
        GONE = "gone", _lazy("no longer there")
        CHANGED = "changed", _lazy("changed since: left alone")
        RUNNING = "running", _lazy("being done")
        DONE = "done", _lazy("done")
        FAILED = "failed", _lazy("not done")
        UNKNOWN = "unknown", _lazy("unknown: look again")
        UNDOING = "undoing", _lazy("being undone")
        UNDONE = "undone", _lazy("undone")
        NOT_UNDONE = "not-undone", _lazy("not undone")

    fix_set = models.ForeignKey(FixSet, models.CASCADE, related_name="steps")
    finding = models.ForeignKey(Finding, models.CASCADE, related_name="fix_steps")
    action = models.CharField(max_length=30)
    account = models.CharField(max_length=200)
    region = models.CharField(max_length=200, blank=True)
    target = models.CharField(max_length=2000)
    wanted = models.JSONField(default=dict)
    before = models.JSONField(null=True, help_text=_lazy("what the dry run read: the undo restores it"))
    call = models.TextField(blank=True, help_text=_lazy("what is sent, as a line for a shell"))
    undo_call = models.TextField(blank=True)
    result = models.CharField(max_length=10, choices=Result, default=Result.WAITING)
    message = models.CharField(max_length=1000, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["fix_set", "finding"], name="fix_step_once")]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"

    @property
    def rules(self) -> FixAction:
        """What the action does."""
        return ACTIONS[self.action]

    @property
    def place(self) -> Target:
        return Target(self.target, self.wanted)
