"""Exceptions from the policy, and the mails that ask people to fix what has none."""

from datetime import date

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc.tag_policy import MOST_KEY


class TagExceptionQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "TagExceptionQuerySet":
        """All of them, or those of her teams and the teams below."""
        return self if user.sees_whole_company else self.filter(team__in=user.visible_team_ids)

    def in_force(self, today: date) -> "TagExceptionQuerySet":
        return self.filter(state=TagException.State.APPROVED, expires_on__gte=today)


class TagException(models.Model):
    """A resource may do without a tag until a day: somebody requested it, somebody of finance approved it."""

    class State(models.TextChoices):
        REQUESTED = "requested", _lazy("waits for finance")
        APPROVED = "approved", _lazy("approved")
        DECLINED = "declined", _lazy("declined")
        ENDED = "ended", _lazy("ended early")

    resource_key = models.CharField(max_length=32, db_index=True)
    resource = models.CharField(max_length=2000)
    resource_name = models.CharField(max_length=1000, blank=True)
    tag = models.CharField(max_length=MOST_KEY, blank=True, help_text=_lazy("Empty: every tag."))
    team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="tag_exceptions", help_text=_lazy("who answers for it")
    )
    reason = models.CharField(max_length=1000)
    expires_on = models.DateField(
        _lazy("until"), help_text=_lazy("The last day it holds; after it the resource counts again.")
    )
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    requested_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="decided_tag_exceptions"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True)

    objects = TagExceptionQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-id"]
        permissions = [("decide_tagexception", "May approve, decline and end exceptions from the tag policy")]
        constraints = [
            models.UniqueConstraint(
                fields=["resource_key", "tag"],
                condition=models.Q(state="requested"),
                name="one_open_request_for_a_tag",
            )
        ]

    def __str__(self) -> str:
        return _("{resource}: {tag} until {day}").format(
            resource=self.resource_name or self.resource,
            tag=self.tag or _("every tag"),
            day=day_text(self.expires_on),
        )

    def get_absolute_url(self) -> str:
        return reverse("tagging:exception", args=[self.pk])

    def clean(self) -> None:
        if not self.reason.strip():
            raise ValidationError({"reason": _("Write why it cannot be tagged.")})

    def state_on(self, today: date) -> str:
        """Its state, `expired` once its last day is past."""
        if self.state == self.State.APPROVED and self.expires_on < today:
            return "expired"
        return self.state


class TagIssue(models.Model):
    """A resource that does not comply, and since when its tags have not changed. Gone as soon as it is fixed."""

    key = models.CharField(max_length=32, unique=True)
    team = models.ForeignKey("finops_site.Team", models.CASCADE, null=True, db_constraint=False)
    tag_set_id = models.BigIntegerField(null=True)
    since = models.DateField()
    seen_on = models.DateField()

    def __str__(self) -> str:
        return _("{key} since {since}").format(key=self.key, since=day_text(self.since))


class TagDigest(models.Model):
    """One mail of a week to one person or list about one team's resources; the outbox sends it."""

    class Level(models.TextChoices):
        TEAM = "team", _lazy("to the team")
        LEAD = "lead", _lazy("to its lead")
        FINANCE = "finance", _lazy("to finance")
        ASKED = "asked", _lazy("somebody asks the team")

    week = models.DateField(help_text=_lazy("its Monday"))
    level = models.CharField(max_length=10, choices=Level)
    team = models.ForeignKey("finops_site.Team", models.CASCADE, null=True)
    recipient = models.EmailField()
    made_at = models.DateTimeField(default=timezone.now)
    resources = models.PositiveIntegerField(help_text=_lazy("how many it lists"))

    class Meta:
        ordering = ["-week", "level", "recipient"]
        constraints = [
            models.UniqueConstraint(
                fields=["week", "level", "team", "recipient"], name="one_digest_a_week", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return _("digest {level} {recipient}, week of {week}").format(
            level=self.get_level_display(), recipient=self.recipient, week=self.week
        )


class TagReminder(models.Model):
    """A resource that a person was reminded of in a week: the database allows it once."""

    digest = models.ForeignKey(TagDigest, models.CASCADE, related_name="reminders")
    week = models.DateField()
    recipient = models.EmailField()
    key = models.CharField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["week", "recipient", "key"], name="one_reminder_a_week_for_one_thing")
        ]

    def __str__(self) -> str:
        return _("{key} to {recipient}, week of {week}").format(key=self.key, recipient=self.recipient, week=self.week)
