"""Ownership rules, which allocate cost to teams and pools, and their application to the open months."""

from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.calc.allocation_rules import RULE_COLUMNS, OwnerRule, resource_pattern_problem
from costs.calc.dimensions import CATALOGUED
from costs.models import Dimension
from finops_site.lib.periods import day_text, moment_text
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc.rule_aliases import written_out
from tagging.models.policy import TagRequirement

CONDITIONS = (*RULE_COLUMNS, "resource_pattern", "tag_key", "tag_value")
# Conditions on what bills carry: a value that no bill has is probably misspelt.
CONDITION_LABELS = {
    "provider": _lazy("provider"),
    "billing_account": _lazy("billing account"),
    "sub_account": _lazy("account"),
    "service": _lazy("service"),
    "region": _lazy("region"),
    "charge_category": _lazy("charge category"),
    "commitment_status": _lazy("commitment status"),
    "resource_pattern": _lazy("resource pattern"),
    "tag_key": _lazy("tag key"),
    "tag_value": _lazy("tag value"),
}
BILLED_CONDITIONS = tuple(name for name in RULE_COLUMNS if name in CATALOGUED)


def rules_with_aliases(rules: "Iterable[OwnershipRule]") -> list[OwnerRule]:
    """Rules as the arithmetic of costs takes them, with every way in which the tag policy lets people write a tag."""
    policy = TagRequirement.objects.all().as_policy()
    return written_out([rule.as_rule() for rule in rules], policy.aliases(), policy.meanings())


class OwnershipRuleQuerySet(models.QuerySet["OwnershipRule"]):
    def visible_to(self, user: Person) -> "OwnershipRuleQuerySet":
        """Whoever may read rules reads all of them; the cost that they allocate is filtered elsewhere."""
        return self if user.has_perm("tagging.view_ownershiprule") else self.none()

    def listed(self) -> "OwnershipRuleQuerySet":
        """In the order in which they are tried, with their team or pool."""
        return self.select_related("team", "pool").order_by("order", "pk")

    def as_rules(self) -> list[OwnerRule]:
        """The rules in force, in order, as the arithmetic of costs takes them, with the policy's aliases of tags."""
        return rules_with_aliases(self.filter(is_active=True).order_by("order", "pk"))


class OwnershipRule(models.Model):
    """Cost that meets every condition given belongs to the team or is shared in the pool.

    Rules are tried in order and the first match wins. `start` and `end` are charge days: a rule holds from `start` up
    to, not including, `end`.
    """

    order = models.PositiveIntegerField(default=100, help_text=_lazy("Lower numbers are tried first."))
    name = models.CharField(max_length=200, help_text=_lazy("Shown beside every cost line this rule owns."))
    team = models.ForeignKey("finops_site.Team", models.PROTECT, related_name="ownership_rules", null=True, blank=True)
    pool = models.ForeignKey("costs.Pool", models.PROTECT, related_name="ownership_rules", null=True, blank=True)
    start = models.DateField(_lazy("from"), null=True, blank=True, help_text=_lazy("First charge day; empty: always."))
    end = models.DateField(
        _lazy("until"), null=True, blank=True, help_text=_lazy("First charge day it no longer holds.")
    )
    is_active = models.BooleanField(_lazy("in force"), default=True)
    provider = models.CharField(max_length=200, blank=True)
    billing_account = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField(_lazy("account"), max_length=200, blank=True)
    service = models.CharField(max_length=300, blank=True)
    region = models.CharField(max_length=200, blank=True)
    charge_category = models.CharField(max_length=40, blank=True)
    commitment_status = models.CharField(max_length=40, blank=True)
    resource_pattern = models.CharField(
        max_length=500, blank=True, help_text=_lazy("A regular expression found in the resource's id or name.")
    )
    tag_key = models.CharField(max_length=256, blank=True)
    tag_value = models.CharField(max_length=256, blank=True, help_text=_lazy("Empty: any value will do."))
    version = models.PositiveIntegerField(default=1, editable=False, help_text=_lazy("how often it was saved"))

    objects = OwnershipRuleQuerySet.as_manager()

    class Meta:
        ordering = ["order", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(team__isnull=True) ^ Q(pool__isnull=True),
                name="rule_names_team_or_pool",
                violation_error_message=_lazy("Name a team or a pool, one of them."),
            ),
            models.CheckConstraint(
                condition=Q(end__gt=models.F("start")),
                name="rule_ends_after_it_starts",
                violation_error_message=_lazy("A rule must hold for at least one day: until is after from."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.team_id and self.pool_id:
            raise ValidationError({"pool": _("Name a team or a pool, not both.")})
        if not self.team_id and not self.pool_id:
            raise ValidationError({"team": _("Whose is it? Name a team or a pool.")})
        if not any(getattr(self, name) for name in CONDITIONS):
            raise ValidationError(_("Give at least one condition: a rule without any would own the whole company."))
        if self.tag_value and not self.tag_key:
            raise ValidationError({"tag_key": _("Which tag must have this value?")})
        problem = resource_pattern_problem(self.resource_pattern)
        if problem:
            raise ValidationError({"resource_pattern": problem})
        if self.start and self.end and self.end <= self.start:
            raise ValidationError({"end": _("A rule must hold for at least one day: until is after from.")})
        if overlap := self._overlapping_rule():
            raise ValidationError(
                {
                    "name": _("There is a rule of this name for some of these days: {days_text}.").format(
                        days_text=overlap.days_text
                    )
                }
            )

    def _overlapping_rule(self) -> "OwnershipRule | None":
        """Another rule of this name in force on some of the same days: a cost line, which keeps the name of its rule,
        could not show which of the two it was.
        """
        others = OwnershipRule.objects.filter(name=self.name, is_active=True).exclude(pk=self.pk)
        if self.end:
            others = others.filter(Q(start__isnull=True) | Q(start__lt=self.end))
        if self.start:
            others = others.filter(Q(end__isnull=True) | Q(end__gt=self.start))
        return others.first() if self.is_active else None

    @property
    def days_text(self) -> str:
        """The charge days on which it holds: ``from 1 Jan 2026 until 1 Mar 2026``."""
        if self.start and self.end:
            return _("from {start} until {end}").format(start=day_text(self.start), end=day_text(self.end))
        if self.start:
            return _("from {start}").format(start=day_text(self.start))
        return _("until {end}").format(end=day_text(self.end)) if self.end else _("always")

    @property
    def condition_labels(self) -> list[tuple[str, str]]:
        """(label of the field, value) of every condition that is set, as pages show them."""
        labels = [
            (self._label(name), getattr(self, name))
            for name in CONDITIONS
            if name not in ("tag_key", "tag_value") and getattr(self, name)
        ]
        return (
            [*labels, (_("tag {tag_key}").format(tag_key=self.tag_key), self.tag_value or _("any value"))]
            if self.tag_key
            else labels
        )

    def _label(self, name: str) -> str:
        return str(CONDITION_LABELS[name])

    def warnings(self) -> list[str]:
        """Conditions on something that no bill has: not an error, for it may come, but probably misspelt."""
        conditions = [(name, self._label(name), getattr(self, name)) for name in BILLED_CONDITIONS]
        unknown = [
            _("No bill has the {label} “{value}”.").format(label=label, value=value)
            for name, label, value in conditions
            if value and not Dimension.objects.filter(name=name, value=value).exists()
        ]
        if self.tag_key and not Dimension.objects.filter(name="tag", value__iexact=self.tag_key).exists():
            unknown.append(_("No bill has the tag “{tag_key}”.").format(tag_key=self.tag_key))
        return unknown

    def as_rule(self) -> OwnerRule:
        conditions = {name: getattr(self, name) for name in CONDITIONS}
        return OwnerRule(
            team=self.team_id, pool=self.pool_id, label=self.name, start=self.start, end=self.end, **conditions
        )


class Application(models.Model):
    """One application of the rules and virtual tags in force to every open month: queued, running or done."""

    class State(models.TextChoices):
        QUEUED = "queued", _lazy("Queued")
        RUNNING = "running", _lazy("Running")
        DONE = "done", _lazy("Done")
        FAILED = "failed", _lazy("Failed")

    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=300, blank=True)
    requested_at = models.DateTimeField(default=timezone.now)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    heartbeat_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    progress = models.FloatField(default=0, help_text=_lazy("0 to 1"))
    stage = models.CharField(max_length=100, blank=True)
    message = models.CharField(max_length=1000, blank=True)
    lines = models.BigIntegerField(default=0, help_text=_lazy("cost lines that changed"))

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.reason or _('Rules applied')}, {moment_text(self.requested_at)}"

    @property
    def is_open(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)


class Fixer(models.Model):
    """The person who finds an owner for the unowned cost of an account."""

    sub_account = models.CharField(_lazy("account"), max_length=200, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return _("{user} for {sub_account}").format(user=self.user, sub_account=self.sub_account)
