"""Tickets: where a team keeps its work, and the tickets made there for findings."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from usage.models.findings import Finding, OfFindingQuerySet


class TrackerQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "TrackerQuerySet":
        """Those of the company, and those of her teams."""
        if user.sees_whole_company:
            return self
        return self.filter(models.Q(team=None) | models.Q(team__in=user.visible_team_ids))

    def for_team(self, team: int | None) -> "TrackerQuerySet":
        """Where tickets of a team go: its own trackers first, then those of the company."""
        own_first = models.F("team").asc(nulls_last=True)
        return self.filter(models.Q(team=None) | models.Q(team=team), is_active=True).order_by(own_first, "name")


class Tracker(models.Model):
    """A place for tickets, of one team or of the whole company. Its secret is kept encrypted and never shown."""

    class System(models.TextChoices):
        WEBHOOK = "webhook", _lazy("a webhook")
        JIRA = "jira", "Jira"
        GITHUB = "github", "GitHub"

    name = models.CharField(_lazy("name"), max_length=100, unique=True)
    system = models.CharField(_lazy("kind"), max_length=20, choices=System)
    url = models.URLField(
        _lazy("address"),
        max_length=500,
        help_text=_lazy("Of Jira its site, of GitHub https://api.github.com, of a webhook all of it."),
    )
    project = models.CharField(
        _lazy("project"),
        max_length=200,
        blank=True,
        help_text=_lazy("Of Jira the key of a project, of GitHub owner/repository."),
    )
    issue_type = models.CharField(_lazy("type of issue"), max_length=100, blank=True, default="Task")
    credential = models.ForeignKey(
        "costs.Credential",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_lazy("credential"),
        help_text=_lazy('Jira: {"email": …, "token": …}. GitHub: {"token": …}. A webhook is signed by {"hmac": …}.'),
    )
    team = models.ForeignKey(
        "finops_site.Team",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_lazy("team"),
        help_text=_lazy("Empty: for every team."),
    )
    is_active = models.BooleanField(_lazy("in use"), default=True)

    objects = TrackerQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("tracker")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.system != self.System.WEBHOOK and not self.project:
            raise ValidationError({"project": _("{system} needs a project.").format(system=self.get_system_display())})
        if self.system == self.System.GITHUB and len(list(filter(None, self.project.split("/")))) != 2:
            raise ValidationError({"project": _("Write it like owner/repository.")})
        if self.system != self.System.WEBHOOK and self.credential is None:
            raise ValidationError(
                {"credential": _("{system} needs a credential.").format(system=self.get_system_display())}
            )


class Ticket(models.Model):
    """A ticket in somebody's tracker for a finding: made once, and followed by its address."""

    class State(models.TextChoices):
        WAITING = "waiting", _lazy("being made")
        MADE = "made", _lazy("made")
        FAILED = "failed", _lazy("not made")

    finding = models.OneToOneField(Finding, models.CASCADE, related_name="ticket")
    tracker = models.ForeignKey(Tracker, models.SET_NULL, null=True, related_name="+")
    system = models.CharField(max_length=20)
    url = models.URLField(max_length=500, blank=True)
    reference = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.WAITING)
    message = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    send_after = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)

    objects = OfFindingQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("ticket")
        ordering = ["-made_at"]
        indexes = [models.Index(fields=["state", "send_after"], name="ticket_due")]

    def __str__(self) -> str:
        return self.reference or self.system
