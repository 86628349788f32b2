"""Cost controls: what a threshold or an anomaly may propose to do, and what became of it, step by step."""

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from budgets.calc.controls import actions as control_actions
from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.scripts import ScriptStep
from budgets.calc.controls.targets import NoTarget, Target, named_target, says_production
from budgets.models.alerts import Alert
from budgets.models.anomalies import Anomaly
from budgets.models.budgets import Budget, amount_field
from budgets.models.thresholds import Threshold
from budgets.querysets import ControlChangeSetQuerySet, ControlQuerySet
from costs.calc.filters import dimension_of
from costs.sources.storage import StorageProblem, allowed_endpoint
from finops_site.lib.periods import WEEKDAYS, day_text
from finops_site.lib.words import labelled, number_text
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy

USER = settings.AUTH_USER_MODEL


def dev_values() -> list[str]:
    return list(control_rules.DEV_VALUES)


class ControlPolicy(models.Model):
    """What holds for every control: one row. `is_stopped` is read at the last moment before every step."""

    is_stopped = models.BooleanField(
        _lazy("stop all controls"),
        default=False,
        help_text=_lazy("holds at once, also for what is on its way; undo is possible"),
    )
    by_role = models.BooleanField(
        _lazy("run by role"), default=False, help_text=_lazy("otherwise as scripts that a person runs by hand")
    )
    most_resources = models.PositiveSmallIntegerField(
        _lazy("most resources"),
        default=50,
        validators=[MinValueValidator(1)],
        help_text=_lazy("of any one change set, at most"),
    )

    class Meta:
        verbose_name_plural = _lazy("policy of controls")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="control_policy_is_one")]

    def __str__(self) -> str:
        return _("Policy of controls")

    @classmethod
    def get(cls, *, lock: bool = False) -> "ControlPolicy":
        """The one row; locked, steps of the same moment wait for each other."""
        cls.objects.get_or_create(pk=1)
        return (cls.objects.select_for_update() if lock else cls.objects).get(pk=1)


class ControlAccess(models.Model):
    """As whom controls act in an account, and which actions: the allow-list of what is run by role."""

    account = models.CharField(max_length=200, unique=True)
    credential = models.ForeignKey("costs.Credential", models.PROTECT, related_name="+")
    endpoint = models.URLField(blank=True, max_length=500, help_text=_lazy("Empty: AWS's own address."))
    actions = models.JSONField(
        default=list,
        help_text=format_lazy(
            "{} {}", _lazy("Which actions it may take: a list of"), ", ".join(control_actions.ACTIONS) + "."
        ),
    )

    class Meta:
        verbose_name_plural = _lazy("control access")
        ordering = ["account"]

    def __str__(self) -> str:
        return _("account {account} as {credential}").format(account=self.account, credential=self.credential)

    def clean(self) -> None:
        if self.endpoint:
            try:
                allowed_endpoint(self.endpoint)
            except StorageProblem as problem:
                raise ValidationError({"endpoint": str(problem)}) from None
        if not isinstance(self.actions, list) or not set(map(str, self.actions)) <= set(control_actions.ACTIONS):
            raise ValidationError(
                {"actions": _("Write a list of any of {names}.").format(names=", ".join(control_actions.ACTIONS))}
            )


class Control(models.Model):
    """What a threshold of a budget, or an anomaly of a scope, proposes to do.

    It runs by itself only while it is armed; whoever changes it disarms it.
    """

    class Trigger(models.TextChoices):
        THRESHOLD = "threshold", _lazy("a threshold of a budget")
        ANOMALY = "anomaly", _lazy("an anomaly")

    name = models.CharField(max_length=200, unique=True)
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.THRESHOLD)
    budget = models.ForeignKey(Budget, models.CASCADE, null=True, blank=True, related_name="controls")
    threshold = models.ForeignKey(
        Threshold, models.CASCADE, null=True, blank=True, related_name="controls", help_text=_lazy("that proposes it")
    )
    team = models.ForeignKey(
        "finops_site.Team",
        models.CASCADE,
        null=True,
        blank=True,
        help_text=_lazy("whose anomalies; empty for the company's"),
    )
    service = models.CharField(max_length=300, blank=True, help_text=_lazy("of the anomaly; empty for any"))
    account = models.CharField(max_length=200, blank=True, help_text=_lazy("of the anomaly; empty for any"))
    least_excess = amount_field(
        _lazy("that an anomaly costs more than expected, in its currency"), default=0, validators=[MinValueValidator(0)]
    )
    action = models.CharField(
        max_length=10, choices=[(name, _lazy(words)) for name, words in control_actions.ACTIONS.items()]
    )
    targets = models.TextField(
        blank=True,
        max_length=10_000,
        help_text=_lazy("What no bill shows, one a line: lambda 111122223333/eu-west-1/resize"),
    )
    wanted = models.PositiveIntegerField(
        _lazy("size or quota"), default=0, help_text=_lazy("to which a group is scaled down or a quota is lowered")
    )
    accounts = models.JSONField(
        _lazy("in these accounts"),
        default=list,
        help_text=_lazy("and in no others: accounts, subscriptions, projects or contexts"),
    )
    environment_tag = models.CharField(max_length=128, default="Environment", help_text=_lazy("that says dev or test"))
    dev_values = models.JSONField(_lazy("dev and test are"), default=dev_values)
    exempt_tags = models.JSONField(
        _lazy("exempt by tag"), default=list, blank=True, help_text=_lazy("Key or Key=value")
    )
    most_resources = models.PositiveSmallIntegerField(
        _lazy("at most so many at once"), default=20, validators=[MinValueValidator(1), MaxValueValidator(500)]
    )
    most_share = models.DecimalField(
        _lazy("at most this share of the scope's cost a day"),
        max_digits=4,
        decimal_places=3,
        default=Decimal("0.5"),
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_lazy("0.5 is half of it"),
    )
    box_hours = models.PositiveSmallIntegerField(
        _lazy("for so many hours"),
        null=True,
        blank=True,
        default=48,
        validators=[MinValueValidator(1), MaxValueValidator(control_rules.MOST_BOX_HOURS)],
    )
    box_weekday = models.PositiveSmallIntegerField(
        _lazy("or until"),
        null=True,
        blank=True,
        choices=[(number, _lazy(day)) for number, day in enumerate(WEEKDAYS)],
    )
    box_time = models.TimeField(_lazy("at"), null=True, blank=True)
    time_zone = models.CharField(max_length=50, default="UTC")
    quiet_from = models.TimeField(null=True, blank=True, help_text=_lazy("Between them nothing runs by itself."))
    quiet_until = models.TimeField(null=True, blank=True)
    is_active = models.BooleanField(_lazy("in force"), default=True)
    changed_by = models.ForeignKey(USER, models.PROTECT, editable=False, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    armed_by = models.ForeignKey(USER, models.SET_NULL, null=True, blank=True, editable=False, related_name="+")
    armed_at = models.DateTimeField(null=True, blank=True, editable=False)
    armed_until = models.DateTimeField(null=True, blank=True, editable=False)
    armed_for = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_lazy("mark of the scope it is armed for")
    )
    last_result = models.CharField(
        max_length=500, blank=True, editable=False, help_text=_lazy("what it proposed last, and why")
    )

    objects = ControlQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [("arm_control", _lazy("May arm controls, so that they run by themselves"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(trigger="threshold", budget__isnull=False, threshold__isnull=False, team__isnull=True)
                | Q(trigger="anomaly", budget__isnull=True, threshold__isnull=True),
                name="control_has_its_trigger",
                violation_error_message="Choose a threshold of a budget, or the scope of the anomalies.",
            ),
            models.CheckConstraint(
                condition=Q(box_hours__isnull=False, box_weekday__isnull=True)
                | Q(box_hours__isnull=True, box_weekday__isnull=False, box_time__isnull=False),
                name="control_has_a_time_box",
                violation_error_message="Give the hours, or a weekday and a time: every action ends.",
            ),
            models.CheckConstraint(
                condition=Q(armed_by__isnull=True) | ~Q(armed_by=F("changed_by")), name="control_is_armed_by_another"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("budgets:control", args=[self.pk])

    def is_armed(self, now: datetime) -> bool:
        """Whether it may run by itself: for the scope and the threshold that it was armed for, and no other, while
        whoever armed it is here and may still arm."""
        in_time = bool(self.armed_until and now < self.armed_until)
        if not (in_time and self.is_active and self.armed_by and self.armed_by.has_perm("budgets.arm_control")):
            return False
        return self.armed_for == self.scope_mark

    @property
    def scope_mark(self) -> str:
        """A mark of what it watches: another one as soon as its budget, an amount of it, its threshold or the teams
        below are changed. Amounts that follow by themselves (an average, what is carried over) leave it as it is."""
        scope: list[object] = [self.team_id, self.service, self.account, str(self.least_excess.normalize())]
        teams = {str(self.team_id)}
        if self.budget and self.threshold:
            budget, rule = self.budget, self.threshold
            scope = [budget.filters, budget.basis, budget.version, rule.kind]
            scope += [str(value and value.normalize()) for value in (rule.percent, rule.amount, rule.probability)]
            named = (values for name, values in budget.filters.items() if dimension_of(name) == "team")
            teams = {team for values in named for team in values}
        below = (Team.objects.below(Team(pk=int(team))) for team in sorted(teams) if team.isdecimal())
        scope += [sorted(branch.values_list("pk", flat=True)) for branch in below]
        return hashlib.sha256(json.dumps(scope, sort_keys=True).encode()).hexdigest()

    @property
    def box_words(self) -> str:
        return control_rules.box_words(self.box_hours, self.box_weekday, self.box_time, self.time_zone)

    @property
    def owner(self) -> Any:
        """The team whose control it is; None: the company's."""
        return self.budget.team if self.budget else self.team

    @property
    def what(self) -> str:
        """The action in words."""
        words = self.get_action_display()
        return (
            _("{words} to {wanted}").format(words=words, wanted=number_text(self.wanted))
            if self.action in (control_actions.SCALE, control_actions.QUOTA)
            else words
        )

    @property
    def when(self) -> str:
        """What proposes it, in words."""
        if self.budget:
            return labelled(self.budget, self.threshold)
        scope = ", ".join(part for part in (self.service, self.account) if part)
        return _("anomalies of {value}{what}").format(
            value=self.team or _("the company"), what=f" ({scope})" if scope else ""
        )

    def named_targets(self) -> list[Target]:
        """What its lines name; raises NoTarget."""
        return [named_target(line) for line in self.targets.splitlines() if line.strip()]

    def clean(self) -> None:
        if self.threshold and self.budget and self.threshold.budget_id != self.budget.pk:
            raise ValidationError(
                {
                    "threshold": _("{threshold} is no threshold of {budget}.").format(
                        threshold=self.threshold, budget=self.budget
                    )
                }
            )
        try:
            targets = self.named_targets()
        except NoTarget as problem:
            raise ValidationError({"targets": str(problem)}) from None
        if self.action not in control_actions.ACTIONS:
            return
        strange = [target.kind for target in targets if control_actions.KINDS[target.kind].action != self.action]
        if strange:
            words = _(control_actions.ACTIONS[self.action])
            raise ValidationError(
                {
                    "targets": _("{strange} is nothing to {words}: name others, or choose its action.").format(
                        strange=strange[0], words=words
                    )
                }
            )
        if not targets and self.action not in control_actions.FROM_BILLS:
            kinds = ", ".join(control_actions.kinds_of(self.action))
            raise ValidationError(
                {
                    "targets": _("No bill shows what to act on: name it, beginning with one of {kinds}.").format(
                        kinds=kinds
                    )
                }
            )
        if not self.accounts:
            raise ValidationError({"accounts": _("Name the accounts that it may touch: it touches no others.")})
        outside = sorted({target.account for target in targets} - set(self.accounts))
        if outside:
            raise ValidationError(
                {"targets": _("Account {outside} is not among those that it may touch.").format(outside=outside[0])}
            )
        production = next(filter(None, map(says_production, targets)), "")
        if production:
            raise ValidationError(
                {"targets": _("{production} says production: that is always exempt.").format(production=production)}
            )
        if not self.dev_values and self.action == control_actions.STOP:
            raise ValidationError({"dev_values": _("Name the values that mean dev or test.")})
        no_dev = [value for value in self.dev_values if control_rules.mentions_production(value)]
        if no_dev:
            raise ValidationError(
                {"dev_values": _("{no_dev} says production: that is always exempt.").format(no_dev=no_dev[0])}
            )
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValidationError({"quiet_until": _("Quiet times have a beginning and an end.")})


class ControlChangeSet(models.Model):
    """What one control proposes to do because of one alert or anomaly, and what became of it."""

    # mypy reads this way of making an enumeration as str(...).
    State = models.TextChoices(  # type: ignore[call-overload]
        "State", {name.upper().replace(" ", "_"): (name, _lazy(words)) for name, words in control_rules.STATES.items()}
    )

    control = models.ForeignKey(Control, models.PROTECT, related_name="change_sets")
    alert = models.ForeignKey(Alert, models.SET_NULL, null=True, blank=True, related_name="change_sets")
    anomaly = models.ForeignKey(Anomaly, models.SET_NULL, null=True, blank=True, related_name="change_sets")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=12, choices=State, default=control_rules.PROPOSED)
    why = models.CharField(max_length=500, help_text=_lazy("what made it propose this"))
    wanted = models.PositiveIntegerField(default=0, help_text=_lazy("size or quota, as the control had it"))
    left_out = models.JSONField(default=list, help_text=_lazy("[{resource, account, why}], a few of them"))
    left_out_count = models.PositiveIntegerField(default=0)
    is_beyond_limits = models.BooleanField(default=False, help_text=_lazy("some are left out for the limits"))
    proposed_by = models.ForeignKey(
        USER, models.PROTECT, related_name="+", help_text=_lazy("or for whom it was proposed")
    )
    is_automatic = models.BooleanField(default=False, help_text=_lazy("proposed by the alert or the anomaly itself"))
    proposed_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    known_until = models.DateField(null=True, help_text=_lazy("the last day of the bill that the costs are taken from"))
    approved_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    is_armed = models.BooleanField(default=False, help_text=_lazy("approved by whoever armed the control"))
    dry_run_at = models.DateTimeField(null=True, blank=True)
    by_role = models.BooleanField(default=False)
    is_undoing = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True, help_text=_lazy("when its time box ends and it is put back"))
    undo_mailed_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    saved = amount_field(_lazy("proved by the bill so far; empty while no bill shows it"), null=True, blank=True)
    saved_currency = models.CharField(max_length=10, blank=True)
    saved_days = models.PositiveIntegerField(
        default=0, help_text=_lazy("whole days that it was in force and a bill shows")
    )
    saved_until = models.DateField(null=True, blank=True)
    saved_note = models.CharField(max_length=300, blank=True)
    message = models.TextField(blank=True)

    objects = ControlChangeSetQuerySet.as_manager()

    class Meta:
        ordering = ["-proposed_at", "-pk"]
        permissions = [
            ("approve_controlchangeset", _lazy("Can approve what controls propose")),
            ("run_controlchangeset", _lazy("Can run and undo what is approved")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["control", "alert"], name="control_once_for_an_alert"),
            models.UniqueConstraint(fields=["control", "anomaly"], name="control_once_for_an_anomaly"),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("proposed_by")), name="control_has_four_eyes"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[control_rules.APPROVED, *control_rules.IN_FORCE])
                | Q(approved_by__isnull=False),
                name="control_was_approved",
            ),
        ]
        indexes = [models.Index(fields=["state", "ends_at"], name="control_in_force")]

    def __str__(self) -> str:
        return f"{self.control}, {day_text(self.proposed_at)}"

    def get_absolute_url(self) -> str:
        return reverse("budgets:control_change", args=[self.pk])

    @property
    def title(self) -> str:
        return labelled(self.control.name, self.control.what)

    @property
    def owner(self) -> Any:
        """Whose decision it is: the team of the budget, wherever that moved, or of the anomaly; else the company's."""
        return self.control.budget.team if self.control.budget else self.team


class ControlStep(models.Model):
    """One thing at a provider that a change set changes: its state before, and what became of it."""

    class Result(models.TextChoices):
        WAITING = "waiting", _lazy("waiting")
        READY = "ready", _lazy("ready")
        SAME = "same", _lazy("so already")
        GONE = "gone", _lazy("gone")
        CHANGED = "changed", _lazy("changed since")
        RUNNING = "running", _lazy("running")
        DONE = "done", _lazy("done")
        FAILED = "failed", _lazy("failed")
        UNKNOWN = "unknown", _lazy("outcome unknown")
        UNDOING = "undoing", _lazy("being undone")
        UNDONE = "undone", _lazy("undone")
        NOT_UNDONE = "not undone", _lazy("not undone")

    change_set = models.ForeignKey(ControlChangeSet, models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    cloud = models.CharField(max_length=20)
    account = models.CharField(max_length=255)
    region = models.CharField(max_length=100, blank=True)
    target = models.CharField(_lazy("name"), max_length=300, help_text=_lazy("as the provider calls it"))
    group = models.CharField(max_length=300, blank=True)
    extra = models.CharField(max_length=600, blank=True)
    resource = models.CharField(max_length=2000, blank=True, help_text=_lazy("its id in the bill"))
    resources = models.JSONField(default=list, help_text=_lazy("the ids in the bill whose cost it is"))
    name = models.CharField(_lazy("called"), max_length=1000, blank=True)
    service = models.CharField(max_length=300, blank=True)
    environment = models.CharField(max_length=200, blank=True)
    cost = amount_field(_lazy("a day, effective"), null=True)
    saving = amount_field(_lazy("a day, net of commitments; empty where it is not known"), null=True)
    currency = models.CharField(max_length=10, blank=True)
    saving_note = models.CharField(max_length=300, blank=True)
    before = models.CharField(max_length=100, blank=True, help_text=_lazy("the state that the undo restores"))
    result = models.CharField(max_length=12, choices=Result, default=Result.WAITING)
    message = models.CharField(max_length=500, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["change_set", "number"], name="control_step_once")]

    def __str__(self) -> str:
        return f"{self.label} {self.name or self.target}"

    @property
    def rules(self) -> control_actions.TargetKind:
        return control_actions.KINDS[self.kind]

    @property
    def label(self) -> str:
        return self.rules.label

    @property
    def place(self) -> Target:
        return Target(self.kind, self.cloud, self.account, self.region, self.target, self.group, self.extra)

    def for_script(self, wanted: int) -> ScriptStep:
        return ScriptStep(self.number, self.place, wanted, self.before)


class ControlEvent(models.Model):
    """What happened to a change set: written with it, never changed."""

    change_set = models.ForeignKey(ControlChangeSet, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    by = models.ForeignKey(USER, models.SET_NULL, null=True)
    verb = models.CharField(max_length=20)
    after = models.CharField(max_length=12)
    comment = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.verb} {day_text(self.at)}"
