"""Reports that were made, and the schedules that make and send them."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.models import SavedView, Team
from finops_site.translation import gettext_lazy as _lazy
from programme.calc.due_moments import Every, Rhythm


class ReportKind(models.TextChoices):
    MONTHLY = "monthly", _lazy("Monthly report")
    QUARTERLY = "quarterly", _lazy("Quarterly business review")
    UPDATE = "update", _lazy("Update of two weeks")
    STATEMENTS = "statements", _lazy("Statements of teams")


class ReportScheduleQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> Self:
        """All of them for who sees the company and edits them; else those that send her something."""
        if user.has_perm("programme.view_reportschedule"):
            return self
        return self.filter(Q(owner=user.pk) | Q(recipients__user=user.pk)).distinct()


class ReportSchedule(models.Model):
    """A report that is made again and again and sent to people: each with what she may see at that moment."""

    class Rhythms(models.TextChoices):
        WEEK = Every.WEEK.value, _lazy("every week")
        TWO_WEEKS = Every.TWO_WEEKS.value, _lazy("every two weeks")
        MONTH = Every.MONTH.value, _lazy("every month")
        QUARTER = Every.QUARTER.value, _lazy("every quarter")

    class Channel(models.TextChoices):
        MAIL = "mail", _lazy("by mail")
        SLACK = "slack", _lazy("a Slack channel")
        TEAMS = "teams", _lazy("a Microsoft Teams channel")
        WEBHOOK = "webhook", _lazy("a webhook")

    name = models.CharField(_lazy("name"), max_length=100, unique=True)
    kind = models.CharField(_lazy("report"), max_length=20, choices=ReportKind)
    team = models.ForeignKey(
        Team,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_lazy("only of the team"),
        help_text=_lazy("With the teams below it. Empty: all that each recipient may see."),
    )
    # A team that is deleted must not widen the report to the whole company.
    had_team = models.BooleanField(default=False, editable=False)
    view = models.ForeignKey(
        SavedView,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_lazy("with the saved view"),
        help_text=_lazy("Its figures stand in the report, each recipient's own."),
    )
    every = models.CharField(_lazy("how often"), max_length=10, choices=Rhythms, default=Rhythms.MONTH)
    weekday = models.PositiveSmallIntegerField(_lazy("weekday"), default=0, validators=[MaxValueValidator(6)])
    day = models.PositiveSmallIntegerField(
        _lazy("day of the month"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text=_lazy("Of a quarter: of its first month. A day that a month does not have is its last."),
    )
    hour = models.PositiveSmallIntegerField(_lazy("hour"), default=8, validators=[MaxValueValidator(23)])
    time_zone = models.CharField(_lazy("time zone"), max_length=64, default="UTC")
    since = models.DateField(help_text="nothing is due before it")
    channel = models.CharField(_lazy("sent"), max_length=10, choices=Channel, default=Channel.MAIL)
    to_leads = models.BooleanField(
        _lazy("everybody who leads a team"), default=False, help_text=_lazy("Whoever leads one on the day it is sent.")
    )
    url = models.URLField(_lazy("address of the channel"), max_length=1000, blank=True)
    secret = models.ForeignKey(
        "costs.Credential",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_lazy("signed with"),
        help_text=_lazy('Of a webhook: a credential with {"hmac": …}, written by an administrator.'),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="report_schedules", verbose_name=_lazy("owner")
    )
    is_paused = models.BooleanField(_lazy("paused"), default=False)
    pause_reason = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    active_from = models.DateTimeField(
        default=timezone.now, editable=False, help_text="when it was made, changed or resumed: nothing before is due"
    )

    objects = ReportScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("programme:report_schedule", args=[self.pk])

    def clean(self) -> None:
        if self.channel != self.Channel.MAIL and not self.url:
            raise ValidationError({"url": _lazy("Give the address of the channel.")})
        if self.kind == ReportKind.STATEMENTS and self.channel != self.Channel.MAIL:
            raise ValidationError({"channel": _lazy("Statements are files of teams: they go by mail.")})

    @property
    def rhythm(self) -> Rhythm:
        return Rhythm(Every(self.every), self.weekday, self.day, self.hour, self.time_zone, self.since)

    @property
    def next_due(self) -> datetime | None:
        """When it is due next; None while it is paused."""
        return None if self.is_paused else self.rhythm.next_due(timezone.now())


class ReportRecipientQuerySet(models.QuerySet):
    def staying(self) -> Self:
        return self.filter(left_at=None)


class ReportRecipient(models.Model):
    """A person, or an address outside, that a schedule sends to."""

    schedule = models.ForeignKey(ReportSchedule, models.CASCADE, related_name="recipients")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    address = models.EmailField(blank=True, help_text="of somebody without a login, who gets what the owner sees")
    # The row stays, so that nobody puts her on it again by accident: as a lead, or with an unchanged list.
    left_at = models.DateTimeField(null=True, blank=True, help_text="when she took herself off")

    objects = ReportRecipientQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "user"], condition=Q(user__isnull=False), name="report_recipient_user_once"
            ),
            models.UniqueConstraint(
                fields=["schedule", "address"], condition=~Q(address=""), name="report_recipient_address_once"
            ),
            models.CheckConstraint(
                condition=Q(user=None, address__gt="") | Q(user__isnull=False, address=""),
                name="report_recipient_is_one",
            ),
        ]

    def __str__(self) -> str:
        return str(self.user) if self.user else self.address


class ReportRun(models.Model):
    """One occasion on which a report is made: a due moment of a schedule, or somebody who asked for it now."""

    class State(models.TextChoices):
        WAITING = "waiting", _lazy("waits")
        RUNNING = "running", _lazy("is being made")
        DONE = "done", _lazy("done")
        FAILED = "failed", _lazy("failed")

    # What was sent stays known when its schedule is deleted.
    schedule = models.ForeignKey(ReportSchedule, models.SET_NULL, null=True, blank=True, related_name="runs")
    kind = models.CharField(max_length=20, choices=ReportKind)
    due_at = models.DateTimeField()
    team = models.ForeignKey(
        Team, models.SET_NULL, null=True, blank=True, related_name="+", help_text="of one that a person asks for"
    )
    start = models.DateField(help_text="the first day that it is about")
    end = models.DateField(help_text="the day after the last")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", help_text="empty: on time"
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    is_late = models.BooleanField(default=False)
    missed = models.PositiveIntegerField(default=0, help_text="due moments before it that nobody made")
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True, help_text="a worker that is silent longer has died")
    stage = models.CharField(max_length=200, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    problem = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    # When the worker that holds it began, by its own clock.
    began: float

    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-due_at", "-pk"]
        constraints = [
            # However often the schedule is looked at: one run for each due moment, and one that a person asks for
            # stands beside it.
            models.UniqueConstraint(
                fields=["schedule", "due_at"],
                condition=Q(asked_by=None, schedule__isnull=False),
                name="one_report_run_per_due_moment",
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], name="report_runs_to_do", condition=Q(state="waiting") | Q(state="running"))
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.start.isoformat()}"

    @property
    def period(self) -> Period:
        return Period(self.start, self.end)

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED)


class MadeReportQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> Self:
        """Reports of nothing that she may not see today, and with no part that she has no permission for."""
        rows = (
            self
            if user.sees_whole_company
            else self.filter(is_company=False, teams__contained_by=list(user.visible_team_ids)).exclude(teams=[])
        )
        needed = {name for names in rows.order_by().values_list("needs", flat=True).distinct() for name in names}
        lacking = [name for name in needed if not user.has_perm(name)]
        return rows.exclude(needs__overlap=lacking) if lacking else rows


class MadeReport(models.Model):
    """A report as it was made: its PDF and its figures as of that moment. Never edited; removed by age alone."""

    kind = models.CharField(_lazy("report"), max_length=20, choices=ReportKind)
    title = models.CharField(_lazy("title"), max_length=300)
    scope = models.CharField(_lazy("of"), max_length=300)
    known = models.TextField(_lazy("known"), blank=True)
    start = models.DateField()
    end = models.DateField()
    as_of = models.DateField(_lazy("as of"))
    is_company = models.BooleanField(default=False, help_text="it has figures of the whole company")
    teams = ArrayField(models.IntegerField(), default=list, help_text="whose figures it has, where not all")
    needs = ArrayField(models.CharField(max_length=100), default=list, help_text="the permissions of its parts")
    run = models.ForeignKey(ReportRun, models.SET_NULL, null=True, blank=True, related_name="reports")
    scope_key = models.CharField(max_length=64, help_text="one report for all recipients of a run who see the same")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField(_lazy("made"), default=timezone.now)
    figures = models.JSONField(default=dict, encoder=DjangoJSONEncoder, help_text="what it says, as it was drawn")
    content = models.BinaryField(default=bytes, help_text="the PDF")
    sha256 = models.CharField(max_length=64)
    pages = models.PositiveIntegerField(default=0)
    is_archivable = models.BooleanField(default=True, help_text="PDF/A: every character has a font")

    objects = MadeReportQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-pk"]
        permissions = [("send_madereport", "May send reports again")]
        constraints = [models.UniqueConstraint(fields=["run", "scope_key"], name="one_report_per_run_and_scope")]
        indexes = [models.Index(fields=["-made_at", "-id"], name="made_reports_newest")]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("programme:made_report", args=[self.pk])

    @property
    def period(self) -> Period:
        return Period(self.start, self.end)

    @property
    def file_name(self) -> str:
        return f"{self.kind}-{self.start.isoformat()}-{self.pk}"


class ReportDelivery(models.Model):
    """A report to one recipient of a run: once, unless somebody sends it again."""

    class State(models.TextChoices):
        WAITING = "waiting", _lazy("waits")
        QUEUED = "queued", _lazy("handed to the mail server's queue")
        SENT = "sent", _lazy("sent")
        NOTHING = "nothing", _lazy("nothing to send")
        NO_ACCESS = "no access", _lazy("may not see it any more")
        FAILED = "failed", _lazy("failed")
        UNKNOWN = "unknown", _lazy("sent, or not")

    run = models.ForeignKey(ReportRun, models.CASCADE, related_name="deliveries")
    report = models.ForeignKey(MadeReport, models.SET_NULL, null=True, blank=True, related_name="deliveries")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    to = models.CharField(max_length=254, help_text="an address, or the name of the channel")
    number = models.PositiveSmallIntegerField(default=1, help_text="2 where it was sent a second time, and so on")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    message_id = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    handed_over_at = models.DateTimeField(null=True, blank=True, help_text="from here on the channel may have it")
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "to", "number"], name="one_delivery_per_run_and_recipient")
        ]

    def __str__(self) -> str:
        return f"{self.run} to {self.to}"


LEASE = timedelta(minutes=10)
