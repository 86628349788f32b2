"""Virtual tags that we set ourselves, suggestions of tags to set, and change sets that set tags at the provider."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.calc import allocation_rules
from costs.models import ProviderChangeSet, ProviderChangeSetQuerySet
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc.policy_problems import tag_problem
from tagging.calc.tag_policy import MOST_KEY, MOST_VALUE

PERSON: dict[str, Any] = {"on_delete": models.PROTECT, "related_name": "+"}


class TeamRowsQuerySet(models.QuerySet):
    """Rows about resources: each is seen by those who see its `team`; without one, by those who see the company."""

    def visible_to(self, user: Person) -> Self:
        return self if user.sees_whole_company else self.filter(team__in=user.visible_team_ids)


class VirtualTagBatchQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "VirtualTagBatchQuerySet":
        """The batches whose every tag the person may see: those she may undo."""
        if user.sees_whole_company:
            return self
        hidden = VirtualTag.objects.exclude(pk__in=VirtualTag.objects.visible_to(user).values("pk"))
        return self.exclude(pk__in=hidden.values("batch"))


class VirtualTagBatch(models.Model):
    """Virtual tags that were set in one go, and are undone in one go."""

    words = models.CharField(max_length=300, help_text=_lazy("what was accepted, in a line"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, **PERSON)
    made_at = models.DateTimeField(default=timezone.now)
    applied_at = models.DateTimeField(
        null=True, blank=True, help_text=_lazy("when our figures included it; null: not yet")
    )
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, **PERSON)
    undone_at = models.DateTimeField(null=True, blank=True)

    objects = VirtualTagBatchQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return self.words


class VirtualTagQuerySet(TeamRowsQuerySet):
    def in_force(self) -> "VirtualTagQuerySet":
        return self.filter(state=VirtualTag.State.ACTIVE)

    def open(self) -> "VirtualTagQuerySet":
        """In force, and without a day on which they end."""
        return self.in_force().filter(end__isnull=True)

    def as_virtual_tags(self) -> list[allocation_rules.VirtualTag]:
        """Those in force, as costs lays them over the delivered tags; a later one of the same key wins."""
        fields = ("provider", "sub_account", "resource", "key", "value", "start", "end")
        return [
            allocation_rules.VirtualTag(*row) for row in self.in_force().order_by("start", "pk").values_list(*fields)
        ]


class VirtualTag(models.Model):
    """A tag that we set on a resource for our own figures, from a charge day on; the provider does not know it."""

    class State(models.TextChoices):
        ACTIVE = "active", _lazy("in force")
        WAITING = "waiting", _lazy("waits for finance")
        DECLINED = "declined", _lazy("declined by finance")
        UNDONE = "undone", _lazy("undone")

    provider = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField(_lazy("account"), max_length=200, blank=True)
    resource = models.CharField(max_length=2000)
    resource_name = models.CharField(_lazy("name"), max_length=1000, blank=True)
    resource_key = models.CharField(max_length=32, db_index=True, help_text=_lazy("the key of its TaggedResource"))
    team = models.ForeignKey(
        "finops_site.Team",
        models.PROTECT,
        null=True,
        blank=True,
        help_text=_lazy("the resource's owner; of a claim: the team that claims it"),
    )
    key = models.CharField(max_length=MOST_KEY)
    value = models.CharField(max_length=MOST_VALUE)
    start = models.DateField(_lazy("from"), help_text=_lazy("The first charge day it holds on."))
    end = models.DateField(
        _lazy("until"), null=True, blank=True, help_text=_lazy("The first charge day it no longer holds on.")
    )
    evidence = models.JSONField(default=list, help_text=_lazy("[{kind, words, agree, total}]: why, as of then"))
    confidence = models.DecimalField(max_digits=5, decimal_places=4, null=True, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    batch = models.ForeignKey(VirtualTagBatch, models.PROTECT, related_name="tags")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, **PERSON)
    made_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, **PERSON)
    decided_at = models.DateTimeField(null=True, blank=True)

    objects = VirtualTagQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-id"]
        permissions = [("confirm_virtualtag", "May confirm or decline what a team claims as its own")]
        constraints = [
            models.UniqueConstraint(
                "provider",
                "sub_account",
                "resource_key",
                Lower("key"),
                condition=Q(state="active", end__isnull=True),
                name="one_open_virtual_tag",
            ),
            models.CheckConstraint(
                condition=Q(end__isnull=True) | Q(end__gt=models.F("start")),
                name="virtual_tag_ends_after_it_starts",
                violation_error_message=_lazy("It must hold for a day at least: until is after from."),
            ),
        ]

    def __str__(self) -> str:
        return _("{key}={value} on {resource}").format(
            key=self.key, value=self.value, resource=self.resource_name or self.resource
        )

    def get_absolute_url(self) -> str:
        return reverse("tagging:virtual_tags")

    def clean(self) -> None:
        problem = tag_problem(self.key, self.value)
        if problem:
            raise ValidationError(problem)

    def holds_on(self, day: date) -> bool:
        return self.state == self.State.ACTIVE and self.start <= day and (self.end is None or day < self.end)


class SuggestionQuerySet(TeamRowsQuerySet):
    def at_least(self, confidence: Decimal) -> "SuggestionQuerySet":
        return self.filter(confidence__gte=confidence)


class Suggestion(models.Model):
    """What a tag should be, judging by similar resources; rebuilt from the latest month without refused values."""

    class Kind(models.TextChoices):
        SPELLING = "spelling", _lazy("spelt otherwise")
        RELATED = "related", _lazy("what it belongs to")
        STACK = "stack", _lazy("same stack")
        BOOKS = "books", _lazy("our own books")
        FOLLOWS = "follows", _lazy("follows from another tag")
        NAME = "name", _lazy("named alike")
        ACCOUNT = "account", _lazy("same account")

    resource_key = models.CharField(max_length=32)
    charge_month = models.DateField()
    provider = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField(_lazy("account"), max_length=200, blank=True)
    service = models.CharField(max_length=300, blank=True)
    region = models.CharField(max_length=200, blank=True)
    resource = models.CharField(max_length=2000)
    resource_name = models.CharField(_lazy("name"), max_length=1000, blank=True)
    team = models.ForeignKey("finops_site.Team", models.CASCADE, null=True)
    currency = models.CharField(max_length=10)
    cost = models.DecimalField(max_digits=38, decimal_places=18, help_text=_lazy("the resource's in that month"))
    tag = models.CharField(max_length=MOST_KEY)
    state = models.CharField(
        max_length=20, help_text=_lazy("what is wrong with the tag: missing, empty or not_allowed")
    )
    current_value = models.CharField(max_length=1024, blank=True, help_text=_lazy("the value that is not allowed"))
    value = models.CharField(max_length=MOST_VALUE)
    kind = models.CharField(_lazy("evidence"), max_length=10, choices=Kind)
    confidence = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        help_text=_lazy("lower bound of the share of similar resources that agree, 0 to 1"),
    )
    evidence = models.JSONField(
        default=list, help_text=_lazy("[{kind, words, agree, total, group}], the strongest first")
    )
    alternatives = models.JSONField(default=list, help_text=_lazy("[{value, confidence}]: other values with evidence"))
    wrong_tags = models.PositiveSmallIntegerField(help_text=_lazy("how many required tags of the resource are wrong"))

    objects = SuggestionQuerySet.as_manager()

    class Meta:
        ordering = ["-confidence", "-cost", "pk"]
        permissions = [("decide_suggestion", "May accept and refuse suggestions about the resources she sees")]
        constraints = [models.UniqueConstraint(fields=["resource_key", "tag"], name="one_suggestion_for_a_tag")]
        indexes = [models.Index(fields=["team", "-confidence"], name="suggestion_of_team")]

    def __str__(self) -> str:
        return _("{tag}={value} for {resource}").format(
            tag=self.tag, value=self.value, resource=self.resource_name or self.resource
        )


class SuggestionDecision(models.Model):
    """An answer to a suggestion: a refused value is never suggested again, an accepted pattern counts next time."""

    class Answer(models.TextChoices):
        ACCEPTED = "accepted", _lazy("accepted")
        REFUSED = "refused", _lazy("refused")

    resource_key = models.CharField(max_length=32)
    resource_name = models.CharField(max_length=1000, blank=True)
    team = models.ForeignKey("finops_site.Team", models.SET_NULL, null=True)
    tag = models.CharField(max_length=MOST_KEY)
    value = models.CharField(max_length=MOST_VALUE)
    patterns = models.JSONField(default=list, help_text=_lazy("[[kind, group]]: the evidence it was based on"))
    answer = models.CharField(max_length=10, choices=Answer)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, **PERSON)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["resource_key", "tag", "value"], name="one_decision_for_a_value")
        ]

    def __str__(self) -> str:
        return _("{tag}={value} {answer} for {resource}").format(
            tag=self.tag, value=self.value, answer=self.answer, resource=self.resource_name or self.resource_key
        )


class ChangeSetQuerySet(ProviderChangeSetQuerySet):
    def visible_to(self, user: Person) -> "ChangeSetQuerySet":
        """All of them; or those in which every resource belongs to her teams."""
        if user.sees_whole_company:
            return self
        others = TagChange.objects.exclude(team__in=user.visible_team_ids)
        others |= TagChange.objects.filter(team__isnull=True)
        return self.exclude(pk__in=others.values("change_set"))


class ChangeSet(ProviderChangeSet):
    """Tags to be set at the provider itself: made by one person, approved by another, then exported or applied."""

    class State(models.TextChoices):
        DRAFT = "draft", _lazy("draft")
        REVIEW = "review", _lazy("waits for approval")
        APPROVED = "approved", _lazy("approved")
        REJECTED = "rejected", _lazy("sent back")
        APPLYING = "applying", _lazy("being applied")
        APPLIED = "applied", _lazy("applied")
        PARTLY = "partly", _lazy("applied in part")

    UNDER_WAY = (State.APPLYING,)
    STALLED_AFTER = timedelta(minutes=2)

    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)

    objects = ChangeSetQuerySet.as_manager()

    class Meta(ProviderChangeSet.Meta):
        permissions = [
            ("approve_changeset", "May approve tags that somebody else wants to set at the provider"),
            ("apply_changeset", "May set approved tags at the provider"),
        ]

    def get_absolute_url(self) -> str:
        return reverse("tagging:change_set", args=[self.pk])


class TagChange(models.Model):
    """One tag of one resource in a change set: before, after, and its result."""

    class Result(models.TextChoices):
        WAITING = "waiting", _lazy("not applied yet")
        OK = "ok", _lazy("set")
        SAME = "same", _lazy("there already")
        FAILED = "failed", _lazy("failed")
        UNABLE = "unable", _lazy("cannot be set by this API")

    change_set = models.ForeignKey(ChangeSet, models.CASCADE, related_name="changes")
    provider = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField(_lazy("account"), max_length=200, blank=True)
    region = models.CharField(max_length=200, blank=True)
    resource = models.CharField(max_length=2000)
    resource_name = models.CharField(_lazy("name"), max_length=1000, blank=True)
    resource_key = models.CharField(max_length=32)
    team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True)
    arn = models.CharField(_lazy("ARN"), max_length=2000, blank=True)
    key = models.CharField(max_length=MOST_KEY)
    before = models.CharField(max_length=1024, blank=True)
    provider_value = models.CharField(
        _lazy("at the provider"), max_length=1024, blank=True, help_text=_lazy("the value that the dry run read there")
    )
    after = models.CharField(max_length=MOST_VALUE)
    result = models.CharField(max_length=10, choices=Result, default=Result.WAITING)
    message = models.CharField(max_length=1000, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)

    objects = TeamRowsQuerySet.as_manager()

    class Meta:
        ordering = ["sub_account", "region", "resource", "key"]
        constraints = [
            models.UniqueConstraint(fields=["change_set", "resource_key", "key"], name="one_change_for_a_tag"),
        ]

    def __str__(self) -> str:
        return _("{key}={after} on {value}").format(
            key=self.key, after=self.after, value=self.resource_name or self.resource
        )


class TaggingAccess(models.Model):
    """Which credential sets tags in an account, chosen by an administrator. The secret stays in the credential."""

    sub_account = models.CharField(_lazy("account"), max_length=200, unique=True)
    credential = models.ForeignKey("costs.Credential", models.PROTECT, related_name="+")
    endpoint = models.URLField(blank=True, max_length=500, help_text=_lazy("Empty: AWS's own address."))
    per_call = models.PositiveSmallIntegerField(
        _lazy("resources in a call"),
        default=20,
        validators=[MinValueValidator(1)],
        help_text=_lazy("AWS takes 20 at most."),
    )

    class Meta:
        verbose_name_plural = _lazy("tagging access")
        ordering = ["sub_account"]
        constraints = [
            models.CheckConstraint(condition=Q(per_call__gte=1, per_call__lte=20), name="twenty_resources_in_a_call")
        ]

    def __str__(self) -> str:
        return _("account {sub_account} as {credential}").format(
            sub_account=self.sub_account, credential=self.credential
        )
