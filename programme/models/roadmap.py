"""A programme: its phases, weeks, milestones, risks, decision points, and who hears of it.

Dates may move as long as a programme runs; a milestone that was met keeps when and with what value, and a decision that
was recorded keeps its evidence. Names of owners and teams stay as text where the person or the team is deleted.
"""

from datetime import date, timedelta
from typing import Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.lib.words import labelled
from finops_site.translation import gettext_lazy as _lazy
from programme.calc.criteria import Comparison, is_reached
from programme.calc.decision_rule import Verdict
from programme.calc.programme_dates import LONGEST_DAYS, week_of

USER = settings.AUTH_USER_MODEL


class ForEverybodyQuerySet(models.QuerySet):
    """The plan is the whole company's: whoever holds the permission sees every row of it."""

    def visible_to(self, user: Person) -> Self:
        return self


class MilestoneQuerySet(ForEverybodyQuerySet):
    def open(self) -> Self:
        """Those of running programmes that are not met yet."""
        return self.filter(met_on=None, programme__status=Programme.Status.RUNNING)

    def owned_by(self, user: Person) -> Self:
        return self.filter(owner=user.pk)


class DecisionPointQuerySet(ForEverybodyQuerySet):
    def undecided(self) -> Self:
        """Those of running programmes that nobody has decided yet."""
        return self.filter(decided_at=None, programme__status=Programme.Status.RUNNING)


class Programme(models.Model):
    """A plan of so many days. One runs at a time; the next may be planned meanwhile."""

    class Status(models.TextChoices):
        PLANNED = "planned", _lazy("planned")
        RUNNING = "running", _lazy("running")
        ENDED = "ended", _lazy("ended")

    name = models.CharField(_lazy("name"), max_length=200)
    start = models.DateField(_lazy("first day"))
    days = models.PositiveIntegerField(
        _lazy("length, days"), default=90, validators=[MinValueValidator(1), MaxValueValidator(LONGEST_DAYS)]
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.PLANNED)
    template_name = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ended_on = models.DateField(null=True, blank=True)
    checked_on = models.DateField(null=True, blank=True, help_text="the last night that looked at its figures")

    objects = ForEverybodyQuerySet.as_manager()

    class Meta:
        ordering = ["-start", "-pk"]
        permissions = [("tick_milestone", "Can say that a milestone is met")]
        constraints = [
            models.UniqueConstraint(fields=["status"], condition=Q(status="running"), name="one_programme_runs"),
            models.CheckConstraint(condition=Q(days__gte=1), name="programme_has_a_day"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("programme:programme", args=[self.pk])

    @property
    def last_day(self) -> date:
        return self.start + timedelta(days=self.days - 1)

    @property
    def is_running(self) -> bool:
        return self.status == self.Status.RUNNING

    def day_number(self, day: date) -> int:
        """1 on the first day; never more than its length."""
        return min((day - self.start).days + 1, self.days)


class Phase(models.Model):
    programme = models.ForeignKey(Programme, models.CASCADE, related_name="phases")
    name = models.CharField(_lazy("name"), max_length=200)
    goal = models.CharField(_lazy("goal"), max_length=500, blank=True)
    start = models.DateField(_lazy("first day"))
    end = models.DateField(_lazy("last day"))

    objects = ForEverybodyQuerySet.as_manager()

    class Meta:
        ordering = ["start", "pk"]

    def __str__(self) -> str:
        return self.name


class ProgrammeWeek(models.Model):
    """What a week of the programme is about; the first has the number 1."""

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="weeks")
    number = models.PositiveSmallIntegerField()
    focus = models.CharField(max_length=300)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["programme", "number"], name="programme_week_once")]

    def __str__(self) -> str:
        return self.focus


class FigureCriterion(models.Model):
    """A figure and its limit: "kpi:commitment-coverage" >= 40; without a figure people decide.

    What the last night read stays with it, with the reason where it read nothing.
    """

    figure = models.CharField(_lazy("figure"), max_length=100, blank=True)
    comparison = models.CharField(
        _lazy("comparison"),
        max_length=2,
        choices=[(Comparison.AT_LEAST.value, _lazy("at least")), (Comparison.AT_MOST.value, _lazy("at most"))],
        default=Comparison.AT_LEAST.value,
    )
    limit = models.DecimalField(_lazy("value"), max_digits=38, decimal_places=6, null=True, blank=True)
    last_value = models.DecimalField(max_digits=38, decimal_places=6, null=True, blank=True)
    last_unit = models.CharField(max_length=10, blank=True)
    last_currency = models.CharField(max_length=10, blank=True)
    read_on = models.DateField(null=True, blank=True)
    why_unknown = models.CharField(max_length=300, blank=True)

    class Meta:
        abstract = True

    @property
    def is_live(self) -> bool:
        return bool(self.figure)


class Milestone(FigureCriterion):
    """Something to reach by a day, ticked by a figure or by its owner with a note."""

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="milestones")
    name = models.CharField(_lazy("name"), max_length=200)
    deliverable = models.CharField(_lazy("deliverable"), max_length=500, blank=True)
    due = models.DateField(_lazy("due"))
    is_required = models.BooleanField(
        _lazy("decisions depend on it"), default=True, help_text=_lazy("A decision counts those that were due.")
    )
    owner = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_lazy("owner")
    )
    owner_name = models.CharField(max_length=200, blank=True, help_text="stays where the person is deleted")
    owner_role = models.CharField(_lazy("role"), max_length=100, blank=True)
    team = models.ForeignKey(
        "finops_site.Team", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_lazy("team")
    )
    team_name = models.CharField(max_length=200, blank=True, help_text="stays where the team is deleted")
    met_on = models.DateField(null=True, blank=True)
    met_value = models.DecimalField(max_digits=38, decimal_places=6, null=True, blank=True)
    met_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
    note = models.CharField(_lazy("note"), max_length=500, blank=True)
    reminded_on = models.DateField(null=True, blank=True)

    objects = MilestoneQuerySet.as_manager()

    class Meta:
        ordering = ["due", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("programme:milestone", args=[self.pk])

    @property
    def week(self) -> int:
        return week_of(self.programme.start, self.due)

    @property
    def has_fallen_back(self) -> bool:
        """Its figure ticked it, and does not reach the limit any more."""
        reached = is_reached(self.last_value, self.comparison, self.limit)
        return self.is_live and self.met_on is not None and reached is False

    def is_late(self, day: date) -> bool:
        return self.met_on is None and self.due < day

    @property
    def owner_text(self) -> str:
        """Who does it: the person, or her name and what has become of her, or the role."""
        if self.owner_id:
            return str(self.owner)
        if self.owner_name:
            return str(_lazy("nobody any more (was {name})")).format(name=self.owner_name)
        return self.owner_role

    @property
    def team_text(self) -> str:
        return str(self.team) if self.team_id else self.team_name


class Risk(FigureCriterion):
    """What may go wrong: its trigger, what is done against it, and what is done when it happens."""

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="risks")
    name = models.CharField(_lazy("name"), max_length=200)
    trigger = models.CharField(_lazy("trigger"), max_length=500)
    mitigation = models.CharField(
        _lazy("mitigation"), max_length=500, help_text=_lazy("What is done so that it does not happen.")
    )
    contingency = models.CharField(
        _lazy("contingency"), max_length=500, help_text=_lazy("What is done when it happens.")
    )
    watched_from = models.DateField(
        _lazy("watched from"), null=True, blank=True, help_text=_lazy("Before it the figure triggers nothing.")
    )
    owner = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_lazy("owner")
    )
    owner_name = models.CharField(max_length=200, blank=True)
    owner_role = models.CharField(_lazy("role"), max_length=100, blank=True)
    happened_on = models.DateField(null=True, blank=True)
    happened_value = models.DecimalField(max_digits=38, decimal_places=6, null=True, blank=True)
    over_on = models.DateField(null=True, blank=True)
    note = models.CharField(_lazy("note"), max_length=500, blank=True)

    objects = ForEverybodyQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("programme:risk", args=[self.pk])

    @property
    def has_happened(self) -> bool:
        return self.happened_on is not None and self.over_on is None

    @property
    def owner_text(self) -> str:
        return str(self.owner) if self.owner_id else self.owner_name or self.owner_role


class DecisionIsRecorded(ValueError):
    """A recorded decision is never written again."""


class DecisionPoint(models.Model):
    """A day on which somebody decides how to go on. Once recorded it never changes."""

    VERDICTS = [
        (Verdict.GO.value, _lazy("go")),
        (Verdict.CONDITIONS.value, _lazy("go with conditions")),
        (Verdict.STOP.value, _lazy("stop")),
    ]

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="decisions")
    name = models.CharField(_lazy("name"), max_length=200)
    question = models.CharField(_lazy("question"), max_length=500, blank=True)
    due = models.DateField(_lazy("due"))
    by_targets = models.BooleanField(default=False, help_text="the targets of KPIs count: the decision at the end")
    verdict = models.CharField(_lazy("decision"), max_length=20, choices=VERDICTS, blank=True)
    why = models.TextField(_lazy("why"), blank=True)
    decided_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
    decided_by_name = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    # What it stood on, as of that moment: decision_rule.evidence_as_json.
    evidence = models.JSONField(null=True, blank=True)
    recommended = models.CharField(max_length=20, choices=VERDICTS, blank=True)
    reasons = models.JSONField(default=list, blank=True)
    reminded_on = models.DateField(null=True, blank=True)

    objects = DecisionPointQuerySet.as_manager()

    class Meta:
        ordering = ["due", "pk"]
        permissions = [
            ("decide_decisionpoint", "Can decide at a decision point"),
            ("sign_decisionpoint", "Can sign a decision point"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk and type(self).objects.filter(pk=self.pk, decided_at__isnull=False).exists():
            raise DecisionIsRecorded(f"{self.name} was decided; a recorded decision does not change.")
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("programme:decision", args=[self.pk])

    @property
    def is_decided(self) -> bool:
        return self.decided_at is not None


class SignOff(models.Model):
    """Somebody signs a decision in a role of the plan, once."""

    class Role(models.TextChoices):
        TECHNICAL_LEAD = "technical lead", _lazy("Technical lead")
        FINANCE_DIRECTOR = "finance director", _lazy("Finance director")
        ENGINEERING_VP = "engineering VP", _lazy("Engineering VP")
        CFO = "CFO", _lazy("CFO")

    decision = models.ForeignKey(DecisionPoint, models.CASCADE, related_name="signatures")
    role = models.CharField(max_length=20, choices=Role)
    by = models.ForeignKey(USER, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=200)
    at = models.DateTimeField()

    objects = ForEverybodyQuerySet.as_manager()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["decision", "role"], name="a_role_signs_once"),
            models.UniqueConstraint(fields=["decision", "by"], name="a_person_signs_once"),
        ]

    def __str__(self) -> str:
        return labelled(self.get_role_display(), f"{self.name}, {day_text(self.at)}")


class Communication(models.Model):
    """Who hears what, when and by what way; `schedule_name` names a report that is sent by itself."""

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="communications")
    audience = models.CharField(_lazy("who"), max_length=200)
    what = models.CharField(_lazy("what"), max_length=300)
    when = models.CharField(_lazy("when"), max_length=100)
    channel = models.CharField(_lazy("by"), max_length=100, blank=True)
    schedule_name = models.CharField(
        _lazy("scheduled report"),
        max_length=200,
        blank=True,
        help_text=_lazy("The name of a schedule of reports, where it is sent by itself."),
    )

    objects = ForEverybodyQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return labelled(self.audience, self.what)


class ProgrammeTemplate(models.Model):
    """A plan without dates, made from a programme: programme/roadmap/plans.py says what it holds."""

    name = models.CharField(_lazy("name"), max_length=200, unique=True)
    plan = models.JSONField()
    created_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = ForEverybodyQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
