"""People, their teams and roles, the mail they were sent, and the views and dashboards that they keep."""

from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.contrib.postgres.indexes import BrinIndex
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models.functions import Lower, Now
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from finops_site.lib.money import ISO_4217
from finops_site.lib.periods import day_text, moment_text, time_zones
from finops_site.managers import (
    TEAMS_OF_USER,
    AuditQuerySet,
    ExportQuerySet,
    NotificationQuerySet,
    OfAdministratorsQuerySet,
    SharedQuerySet,
    TeamQuerySet,
    UserManager,
)
from finops_site.translation import gettext_lazy as _lazy


def check_time_zone(name: str) -> None:
    """Raises ValidationError where there is no such time zone; empty is none that anybody chose."""
    if name and name not in time_zones():
        problem = _("{name} is not a time zone: write it like Europe/Berlin.").format(name=repr(name))
        raise ValidationError({"time_zone": problem})


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address; the groups in roles.py say what she may do."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=150, blank=True)
    language = models.CharField(
        max_length=10, blank=True, choices=settings.LANGUAGES, help_text=_lazy("Empty: as the browser says.")
    )
    time_zone = models.CharField(
        max_length=64, blank=True, help_text=_lazy("Like Europe/Berlin, for times of day. Empty: the company's.")
    )
    is_active = models.BooleanField(
        _lazy("active"), default=True, help_text=_lazy("Who leaves is switched off, not deleted.")
    )
    date_joined = models.DateTimeField(default=timezone.now)
    hides_setup = models.BooleanField(
        default=False, editable=False, help_text=_lazy("Home does not show her the checklist.")
    )
    second_step_asked_on = models.DateField(
        null=True, blank=True, editable=False, help_text=_lazy("when her role first asked for a second step at sign-in")
    )
    sessions_ended = models.PositiveIntegerField(
        default=0, editable=False, help_text=_lazy("how often all her sessions were ended at once")
    )

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []  # type: ignore[misc]

    class Meta:
        ordering = ["email"]
        constraints = [models.UniqueConstraint(Lower("email"), name="one_user_per_email")]
        permissions = [("open_admin", _lazy("May open the admin"))]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        self.email = self.email.lower()
        check_time_zone(self.time_zone)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must know to stay hers: with the count, so that all of them can be ended at once."""
        usual: str = super()._get_session_auth_hash(secret)  # type: ignore[misc]
        return f"{usual}.{self.sessions_ended}" if self.sessions_ended else usual

    @property
    def is_staff(self) -> bool:
        """Whether the admin opens for her: her role says so, no second switch."""
        return self.has_perm("finops_site.open_admin")

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return (self.name or self.email).split(" ")[0].split("@")[0]

    @cached_property
    def sees_whole_company(self) -> bool:
        """Whether every cost line is hers to see, unowned ones included."""
        return self.has_perm("costs.view_company")

    @cached_property
    def cost_scope(self) -> dict[str, list[str]]:
        """{filter: values} of the cost that her role lets her see beside that of her teams (own_roles/cost_scopes.py).

        Of the person of a request it is known already (RoleBackend).
        """
        known = getattr(self, "own_roles", None)
        if known is not None:
            scopes = [row["cost_scope"] for row in known]
        else:
            scopes = list(OwnRole.objects.filter(group__user=self.pk).values_list("cost_scope", flat=True))
        return next((scope for scope in scopes if scope), {})

    @cached_property
    def visible_team_ids(self) -> list[int]:
        """Her teams and every team below them; one query for each request."""
        with connection.cursor() as cursor:
            cursor.execute(TEAMS_OF_USER, [self.pk])
            return sorted(row[0] for row in cursor.fetchall())


class Team(models.Model):
    """Whom a cost belongs to: a node in the company's tree, with the cost centre finance books it on."""

    name = models.CharField(max_length=100, unique=True)
    cost_center = models.CharField(max_length=50, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    email = models.EmailField(blank=True, help_text=_lazy("Where mail for the whole team goes."))
    members = models.ManyToManyField(User, through="Membership", related_name="teams")

    objects = TeamQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~models.Q(parent=models.F("id")), name="team_not_above_itself")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        alike = Team.objects.filter(name__iexact=self.name).exclude(pk=self.pk).exclude(name=self.name).first()
        if alike:
            raise ValidationError(
                {"name": _("There is a team {team} already: capitals make no other team.").format(team=alike)}
            )
        if self.pk and self.parent_id and Team.objects.below(self).filter(pk=self.parent_id).exists():
            raise ValidationError(
                {
                    "parent": _("{parent} stands below {team}: a team cannot be above itself.").format(
                        parent=self.parent, team=self
                    )
                }
            )


class Membership(models.Model):
    """A person's place in a team."""

    class Role(models.TextChoices):
        LEAD = "lead", _lazy("lead")
        MEMBER = "member", _lazy("member")

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)

    class Meta:
        ordering = ["team__name", "user__email"]
        constraints = [models.UniqueConstraint(fields=["user", "team"], name="one_membership_per_team")]

    def __str__(self) -> str:
        return _("{user}, {role} of {team}").format(user=self.user, role=self.get_role_display(), team=self.team)


class OwnRole(models.Model):
    """A role that an administrator made: the permissions of its group, and what home and sidebar its people have.

    `base` is the built-in role that it is made of. `cost_scope` are {kind: values} of the cost lines that its people
    see beside those of their teams (own_roles/cost_scopes.py); empty where it says nothing of them.
    """

    group = models.OneToOneField("auth.Group", models.CASCADE, related_name="own_role")
    base = models.CharField(max_length=20)
    description = models.CharField(max_length=300, blank=True)
    cost_scope = models.JSONField(default=dict, blank=True)

    objects = OfAdministratorsQuerySet.as_manager()

    class Meta:
        ordering = ["group__name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(base__in=["administrator", "finance", "engineering", "executive"]),
                name="own_role_has_a_base",
            )
        ]

    def __str__(self) -> str:
        return self.group.name

    def get_absolute_url(self) -> str:
        return reverse("role", args=[self.pk])


class GroupMapping(models.Model):
    """What a group of an identity provider gives its people here: a role, a place in a team, or both."""

    provider = models.CharField(max_length=50, blank=True, help_text=_lazy("Empty: every provider."))
    group = models.CharField(max_length=200, help_text=_lazy("As the provider writes it, capitals too."))
    role = models.CharField(max_length=80, blank=True)
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="+")
    team_role = models.CharField(
        _lazy("Lead or member"), max_length=10, choices=Membership.Role, default=Membership.Role.MEMBER
    )

    objects = OfAdministratorsQuerySet.as_manager()

    class Meta:
        ordering = ["group", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "group", "role", "team"], name="one_mapping_of_a_group", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=~models.Q(role="") | models.Q(team__isnull=False), name="group_mapping_gives_something"
            ),
        ]

    def __str__(self) -> str:
        return self.group


class GroupGrant(models.Model):
    """A role, or a place in a team, that somebody has from her groups at a provider: it goes when they go."""

    user = models.ForeignKey(User, models.CASCADE, related_name="group_grants")
    provider = models.CharField(max_length=50)
    role = models.CharField(max_length=80, blank=True)
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "provider", "role", "team"], name="one_grant_of_each", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(role="", team__isnull=False) | (~models.Q(role="") & models.Q(team=None)),
                name="group_grant_is_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return str(self.team or self.role)


class ApiToken(models.Model):
    """What a person's program signs in with: as she, and with no more than its scope lets it (people/tokens.py)."""

    class Scope(models.TextChoices):
        READ = "read", _lazy("reads")
        WRITE = "write", _lazy("reads and writes")

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=5, choices=Scope, default=Scope.READ)
    pillars = models.JSONField(default=list, blank=True, help_text=_lazy("only these; none: all"))
    key_hash = models.CharField(max_length=64, unique=True)
    key_start = models.CharField(max_length=8, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_lazy("none: one of before tokens ended"))
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "id"]
        verbose_name = _lazy("API token")
        constraints = [models.UniqueConstraint("user", Lower("name"), name="one_token_of_a_name")]

    def __str__(self) -> str:
        return self.name

    def has_ended(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class ScimToken(models.Model):
    """What an identity provider sends people and groups by (scim/tokens.py): it is nobody's, and opens nothing else."""

    name = models.CharField(max_length=100)
    key_hash = models.CharField(max_length=64, unique=True)
    key_start = models.CharField(max_length=8)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class ScimPerson(models.Model):
    """What an identity provider calls somebody; one whom it took away is kept, and it knows her no more."""

    user = models.OneToOneField(User, models.CASCADE, related_name="scim")
    user_name = models.CharField(max_length=254, null=True)
    external_id = models.CharField(max_length=254, blank=True)
    is_deleted = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.user_name or str(self.user)


class ScimGroup(models.Model):
    """A group that an identity provider sent, and who is in it; `GroupMapping` says what it gives."""

    display_name = models.CharField(max_length=200, unique=True)
    external_id = models.CharField(max_length=254, blank=True)
    members = models.ManyToManyField(User, related_name="scim_groups")

    class Meta:
        ordering = ["display_name"]

    def __str__(self) -> str:
        return self.display_name


class OutgoingEmail(models.Model):
    """An e-mail to one address that goes out once: `key` names its occasion and its reader (see outbox.py)."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", _lazy("waiting")
        SENT = "sent", _lazy("sent")
        REFUSED = "refused", _lazy("refused")
        UNKNOWN = "unknown", _lazy("sent, or not")
        # Taken back before it was handed over: the reason is in `server_reply`.
        CANCELLED = "cancelled", _lazy("not needed any more")

    key = models.CharField(max_length=300, unique=True)
    to = models.CharField(max_length=320)
    reader = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text=_lazy("who had this address when it was written: asked again before it is sent"),
    )
    kind = models.CharField(max_length=50, blank=True, help_text=_lazy("the reader may have switched mail of it off"))
    about = models.CharField(
        max_length=1000, blank=True, help_text=_lazy("the page it is about: who may not open it any more gets no mail")
    )
    teams_seen = models.JSONField(
        null=True, blank=True, help_text=_lazy("the teams its reader saw when it was written; empty for the company")
    )
    subject = models.TextField(blank=True)
    content = models.BinaryField(help_text=_lazy("the whole message as it goes over the line"))
    message_id = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    send_after = models.DateTimeField(default=timezone.now, help_text=_lazy("quiet hours and failures move it"))
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True, help_text=_lazy("who sends it holds it until then"))
    handed_over_at = models.DateTimeField(null=True, blank=True, help_text=_lazy("from then on the server may have it"))
    may_be_duplicate = models.BooleanField(
        default=False, help_text=_lazy("it may have arrived twice, under one Message-ID")
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    server_reply = models.TextField(blank=True, help_text=_lazy("what the server answered, or why it was not sent"))

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["send_after", "id"], name="outgoing_email_waiting", condition=models.Q(outcome="waiting")
            ),
        ]

    def __str__(self) -> str:
        return _("{subject} to {to}").format(subject=self.subject, to=self.to)


class Notification(models.Model):
    """What a person with a login is told on the site: the subject of a mail to her, and where it leads."""

    user = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=50)
    text = models.TextField()
    url = models.CharField(max_length=1000, help_text=_lazy("the page it leads to, in this site"))
    about = models.CharField(
        max_length=1000, help_text=_lazy("the page of what the text names: who may not open it sees none")
    )
    occasion = models.CharField(
        max_length=300, help_text=_lazy("one notification, however often its mail is written anew")
    )
    email = models.ForeignKey(OutgoingEmail, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    # Set by notifications.check_rights: whether the person may open what it is about, and what she reads of it.
    may_open: bool
    words: str

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["user", "occasion"], name="one_notification_per_occasion")]
        indexes = [
            models.Index(fields=["user", "-created_at", "-id"], name="notifications_of_a_person"),
            # The count in the top bar of every page.
            models.Index(fields=["user"], name="unread_notifications", condition=models.Q(read_at=None)),
        ]

    def __str__(self) -> str:
        return self.text


class NotificationPreference(models.Model):
    """Where a person gets one kind of notification; without a row she gets it on the site and by mail."""

    user = models.ForeignKey(User, models.CASCADE, related_name="notification_preferences")
    kind = models.CharField(max_length=50)
    on_site = models.BooleanField(default=True)
    by_mail = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="one_preference_per_kind")]

    def __str__(self) -> str:
        return _("{kind} for {user}").format(kind=self.kind, user=self.user)


class Export(models.Model):
    """A file of a page that is too large to wait for: a worker makes it, and it is kept for some days."""

    class State(models.TextChoices):
        WAITING = "waiting", _lazy("in line")
        WRITING = "writing", _lazy("being written")
        READY = "ready", _lazy("ready")
        FAILED = "failed", _lazy("failed")
        CANCELLED = "cancelled", _lazy("cancelled")

    person = models.ForeignKey(User, models.CASCADE, related_name="exports")
    address = models.TextField(help_text=_lazy("the page with its filters, as it was asked for"))
    address_hash = models.CharField(max_length=64, editable=False)
    title = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    rows = models.PositiveBigIntegerField(default=0, help_text=_lazy("written so far"))
    rows_expected = models.PositiveBigIntegerField(null=True, blank=True, help_text=_lazy("empty: not known"))
    bytes = models.PositiveBigIntegerField(default=0)
    file_name = models.CharField(max_length=300, blank=True)
    content_type = models.CharField(max_length=200, blank=True)
    problem = models.TextField(blank=True, help_text=_lazy("why there is no file"))
    sight = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_lazy("of what she might see when it was made")
    )
    attempt = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField(default=timezone.now)
    heard_at = models.DateTimeField(null=True, blank=True, help_text=_lazy("the last sign of life of its worker"))
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ExportQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "address_hash"],
                name="one_open_export_of_a_file",
                condition=models.Q(state__in=["waiting", "writing"]),
            ),
            models.UniqueConstraint(
                fields=["person"], name="one_export_of_a_person_at_a_time", condition=models.Q(state="writing")
            ),
        ]

    def __str__(self) -> str:
        return self.file_name or self.title

    def get_absolute_url(self) -> str:
        return reverse("my_export", args=[self.pk])

    @property
    def is_open(self) -> bool:
        """Whether it still waits or is written, so that a page keeps asking."""
        return self.state in (self.State.WAITING, self.State.WRITING)

    @property
    def percent(self) -> int | None:
        """How much is written; None while nobody knows how many rows there will be, and 100 for a file alone."""
        if self.state == self.State.READY:
            return 100
        return min(99, 100 * self.rows // self.rows_expected) if self.rows_expected else None


class NightlyRun(models.Model):
    """What one nightly check did for one day (see ops/nightly.py): once done it is not done again."""

    class Outcome(models.TextChoices):
        RUNNING = "running", _lazy("running")
        DONE = "done", _lazy("done")
        FAILED = "failed", _lazy("failed")

    as_of = models.DateField()
    check_name = models.CharField(_lazy("check"), max_length=100)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    summary = models.TextField(blank=True, help_text=_lazy("what was done, or why it was not"))

    class Meta:
        ordering = ["-as_of", "check_name"]
        constraints = [models.UniqueConstraint(fields=["as_of", "check_name"], name="one_run_per_check_and_day")]

    def __str__(self) -> str:
        return _("{check_name} on {as_of}").format(check_name=self.check_name, as_of=day_text(self.as_of))


class Backup(models.Model):
    """A backup, as the page Health shows it; the file itself lies elsewhere (ops/scheduled_backups.py)."""

    class State(models.TextChoices):
        RUNNING = "running", _lazy("running")
        DONE = "done", _lazy("done")
        FAILED = "failed", _lazy("failed")
        # It was made, and went when newer ones took its place.
        REMOVED = "removed", _lazy("no longer kept")

    made_at = models.DateTimeField(default=timezone.now)
    path = models.CharField(max_length=1000)
    bytes = models.PositiveBigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.DONE, db_default=State.DONE.value)
    is_scheduled = models.BooleanField(
        default=False, db_default=False, help_text=_lazy("made by itself, and removed by itself")
    )
    is_encrypted = models.BooleanField(default=False, db_default=False)
    percent = models.PositiveSmallIntegerField(default=100, db_default=100)
    heard_at = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text=_lazy("its last sign of life while it ran")
    )
    problem = models.TextField(blank=True, default="", db_default="", help_text=_lazy("why there is none"))

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            models.UniqueConstraint("state", name="one_backup_at_a_time", condition=models.Q(state="running"))
        ]

    def __str__(self) -> str:
        return f"{self.path}, {moment_text(self.made_at)}"


class RestoreDrill(models.Model):
    """A backup that was brought back beside the running site, to see that it can be (ops/restore_drill.py)."""

    class Outcome(models.TextChoices):
        RUNNING = "running", _lazy("running")
        DONE = "done", _lazy("done")
        FAILED = "failed", _lazy("failed")

    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(default=timezone.now, help_text=_lazy("its last sign of life while it ran"))
    path = models.CharField(max_length=1000, help_text=_lazy("the backup that was tried"))
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RUNNING)
    summary = models.TextField(blank=True, help_text=_lazy("what came back, or why it did not"))

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint("outcome", name="one_drill_at_a_time", condition=models.Q(outcome="running"))
        ]

    def __str__(self) -> str:
        return f"{self.path}, {moment_text(self.started_at)}"


class Company(models.Model):
    """Whose site this is: one row. What the environment names stands before it (people/company.py)."""

    name = models.CharField(max_length=100, blank=True, help_text=_lazy("At the head of reports and statements."))
    currency = models.CharField(
        max_length=3,
        blank=True,
        help_text=_lazy("Home and teams show costs in it, and the explorer offers it first: a code like EUR."),
    )
    language = models.CharField(
        max_length=10,
        blank=True,
        choices=settings.LANGUAGES,
        help_text=_lazy(
            "Of statements, of the work of the night, and of mail to somebody who chose none. Empty: English."
        ),
    )
    time_zone = models.CharField(
        max_length=64, blank=True, help_text=_lazy("Of people who chose none, for times of day. Empty: UTC.")
    )

    class Meta:
        verbose_name_plural = _lazy("company")
        permissions = [("follow_setup", _lazy("May follow the checklist of the first day"))]

    def __str__(self) -> str:
        return self.name or _("the company")

    def clean(self) -> None:
        self.currency = self.currency.upper()
        if self.currency and self.currency not in ISO_4217:
            raise ValidationError(
                {"currency": _("{currency!r} is no currency: write its code, like EUR.").format(currency=self.currency)}
            )
        check_time_zone(self.time_zone)


class DemoCompany(models.Model):
    """The demo company: one row while it is here, and after it was removed, so that nobody makes it again by accident.

    `rows` names what it made, by the ids that each table grew by: {"tagging.ownershiprule": [[1, 27]]}, both ends in.
    `ids_before` is there from the first row until all is made: the newest id of each table before.
    """

    made_at = models.DateTimeField(default=timezone.now)
    rows = models.JSONField(default=dict)
    ids_before = models.JSONField(default=dict)
    making_step = models.CharField(
        max_length=200, blank=True, help_text=_lazy("what was made last, while it is being made")
    )
    removal_asked_at = models.DateTimeField(null=True, blank=True)
    removal_asked_by = models.CharField(max_length=254, blank=True)
    removal_step = models.CharField(max_length=200, blank=True, help_text=_lazy("what is being removed"))
    removal_percent = models.PositiveSmallIntegerField(default=0)
    problem = models.TextField(blank=True, help_text=_lazy("why its removal stopped"))
    removed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return _("the demo company")

    @property
    def is_being_made(self) -> bool:
        """Whether it is not whole: it is being made now, or whoever made it was killed."""
        return bool(self.ids_before)


class AuditEntry(models.Model):
    """One line of the audit log: written by triggers of the database and by audit/events.py, and by nothing else.

    The database refuses to change or delete one (audit/upkeep.py says who may). `number`, `digest` and `hash` are set
    when it is sealed: the hash is that of the one before and of this one's content (audit/chain.py).
    """

    class Door(models.TextChoices):
        PAGE = "page", _lazy("a page")
        API = "api", _lazy("the API")
        ADMIN = "admin", _lazy("the admin")
        TASK = "task", _lazy("a task")
        COMMAND = "command", _lazy("a command")
        DATABASE = "database", _lazy("the database itself")

    class Action(models.TextChoices):
        INSERT = "insert", _lazy("made")
        UPDATE = "update", _lazy("changed")
        DELETE = "delete", _lazy("deleted")
        TRUNCATE = "truncate", _lazy("all rows deleted")
        SIGN_IN = "sign-in", _lazy("signed in")
        SIGN_IN_FAILED = "sign-in failed", _lazy("sign-in failed")
        LOCKED_OUT = "locked out", _lazy("locked out after failures")
        SIGN_OUT = "sign-out", _lazy("signed out")
        TOKEN_USED = "token used", _lazy("token used")
        DOWNLOAD = "download", _lazy("downloaded")
        EXPORT = "export", _lazy("exported")
        RETRY = "retry", _lazy("tried again")
        COMMAND_RUN = "command", _lazy("command run")
        ERASE = "erase", _lazy("a person erased from the log")
        CLEAR = "clear", _lazy("old entries cleared")

    at = models.DateTimeField()
    action = models.CharField(max_length=20, choices=Action)
    model = models.CharField(max_length=100, blank=True, help_text=_lazy("of what kind of row, like budgets.budget"))
    object_pk = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=300, blank=True)
    changes = models.JSONField(default=dict, help_text=_lazy("{field: [before, after]}; secrets are hidden"))
    # No constraint: the log outlives a person, and the database lets nobody write "nobody" into it.
    actor = models.ForeignKey(
        User, models.DO_NOTHING, null=True, blank=True, db_constraint=False, db_index=False, related_name="+"
    )
    who = models.CharField(max_length=254, blank=True, help_text=_lazy("the address of the person at that time"))
    door = models.CharField(max_length=10, choices=Door)
    through = models.CharField(max_length=300, blank=True, help_text=_lazy("which page, token, task or command"))
    address = models.GenericIPAddressField(null=True, blank=True)
    request = models.CharField(max_length=64, blank=True, help_text=_lazy("what one request or one task wrote has one"))
    number = models.BigIntegerField(null=True, blank=True, unique=True)
    digest = models.BinaryField(null=True, blank=True)
    hash = models.BinaryField(null=True, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("entry of the audit log")
        verbose_name_plural = _lazy("entries of the audit log")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["model", "object_pk", "-id"], name="audit_of_a_row"),
            models.Index(fields=["actor", "-id"], name="audit_of_a_person", condition=models.Q(actor__isnull=False)),
            BrinIndex(fields=["at"], name="audit_by_time"),
            models.Index(fields=["id"], name="audit_not_sealed", condition=models.Q(number=None)),
        ]

    def __str__(self) -> str:
        about = " ".join(filter(None, (self.model, self.name or self.object_pk)))
        return f"{self.get_action_display()} {about}".strip()


class AuditStream(models.Model):
    """How far the audit log was sent on (audit/stream.py): one row for each place it is sent to."""

    target = models.CharField(max_length=300, unique=True)
    number = models.BigIntegerField(default=0, help_text=_lazy("the last entry that was sent"))
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, help_text=_lazy("why the next ones were not sent"))

    def __str__(self) -> str:
        return self.target


class Shareable(models.Model):
    """What somebody keeps under a name for herself, and shares with a team or with the company as she likes."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="%(class)ss")
    name = models.CharField(max_length=100)
    team = models.ForeignKey(
        Team,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_lazy("Share with the team"),
        help_text=_lazy("Its people and those of the teams below it find it; each sees her own rows in it."),
    )
    with_company = models.BooleanField(
        _lazy("Share with the whole company"),
        default=False,
        help_text=_lazy("Everybody finds it; each sees her own rows in it."),
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = SharedQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint("owner", Lower("name"), name="%(class)s_name_once"),
            models.CheckConstraint(
                condition=models.Q(team=None) | models.Q(with_company=False), name="%(class)s_shared_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_shared(self) -> bool:
        return self.with_company or self.team_id is not None

    @property
    def shared_text(self) -> str:
        """With whom it is shared, in words."""
        return _("the whole company") if self.with_company else str(self.team or _("nobody"))


class SavedView(Shareable):
    """A page of ours with its filters, order and grouping, as its address has them (saved_views/)."""

    path = models.CharField(max_length=300, help_text=_lazy("the page, like /costs/"))
    query = models.TextField(
        blank=True, help_text=_lazy("what stands behind the question mark, periods as they are named")
    )

    class Meta(Shareable.Meta):
        permissions = [("share_savedview", _lazy("May share views and dashboards with the whole company"))]
        indexes = [models.Index(fields=["path"], name="saved_view_of_page")]

    def get_absolute_url(self) -> str:
        return reverse("saved_view", args=[self.pk])

    @property
    def address(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def open_url(self) -> str:
        """Its page, which knows that it was opened as this view."""
        return f"{self.path}?{self.query}{'&' if self.query else ''}view={self.pk}"


class ViewPin(models.Model):
    """A saved view that somebody has on her home page."""

    user = models.ForeignKey(User, models.CASCADE, related_name="view_pins")
    view = models.ForeignKey(SavedView, models.CASCADE, related_name="pins")
    pinned_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pinned_at", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "view"], name="one_pin_per_view")]

    def __str__(self) -> str:
        return _("{view}, pinned by {user}").format(view=self.view, user=self.user)


class ViewMail(models.Model):
    """A saved view that is mailed to somebody every week or month, with what she may see of it."""

    class Every(models.TextChoices):
        WEEK = "week", _lazy("every week")
        MONTH = "month", _lazy("every month")

    user = models.ForeignKey(User, models.CASCADE, related_name="view_mails")
    view = models.ForeignKey(SavedView, models.CASCADE, related_name="mails")
    every = models.CharField(max_length=5, choices=Every)
    weekday = models.PositiveSmallIntegerField(default=0, help_text=_lazy("of a week: 0 is Monday"))
    day = models.PositiveSmallIntegerField(default=1, help_text=_lazy("of a month: 1 to 28"))
    since = models.DateField(help_text=_lazy("nothing is sent for days before it"))
    queued_for = models.DateField(null=True, blank=True, help_text=_lazy("the day that it was queued for last"))

    class Meta:
        ordering = ["user", "view"]
        constraints = [models.UniqueConstraint(fields=["user", "view"], name="one_mail_per_view")]

    def __str__(self) -> str:
        return _("{view} to {user}, {every}").format(view=self.view, user=self.user, every=self.get_every_display())


class Dashboard(Shareable):
    """Saved views and panels of the home page on one page, in an order that its owner sets."""

    class Meta(Shareable.Meta):
        pass

    def get_absolute_url(self) -> str:
        return reverse("dashboard", args=[self.pk])


class DashboardItem(models.Model):
    """A place on a dashboard: a saved view, or a panel by its name in the registry."""

    dashboard = models.ForeignKey(Dashboard, models.CASCADE, related_name="items")
    position = models.PositiveSmallIntegerField()
    view = models.ForeignKey(SavedView, models.CASCADE, null=True, blank=True, related_name="dashboard_items")
    panel = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(view=None, panel__gt="") | models.Q(view__isnull=False, panel=""),
                name="dashboard_item_is_one_thing",
            )
        ]

    def __str__(self) -> str:
        return str(self.view or self.panel)
