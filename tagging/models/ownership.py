"""Whose a cost is: the rules that name owners."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from costs.owners import OwnerRule, pattern_problem

CONDITIONS = (
    "provider",
    "billing_account",
    "sub_account",
    "service",
    "region",
    "charge_category",
    "commitment_status",
    "resource_pattern",
    "tag_key",
    "tag_value",
)


class OwnershipRuleQuerySet(models.QuerySet):
    def as_rules(self) -> list[OwnerRule]:
        """The rules in force, in order, as costs asks for them."""
        return [rule.as_rule() for rule in self.filter(is_active=True).order_by("order", "pk")]


class OwnershipRule(models.Model):
    """Cost that meets every condition given belongs to the team or is shared in the pool.

    Rules are asked in order and the first match wins. `start` and `end` are charge days: a rule holds from `start` up
    to, not including, `end`.
    """

    order = models.PositiveIntegerField(default=100, help_text="Lower numbers are asked first.")
    name = models.CharField(max_length=200, help_text="Shown beside every cost line this rule owns.")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, related_name="ownership_rules", null=True, blank=True)
    pool = models.ForeignKey("costs.Pool", models.PROTECT, related_name="ownership_rules", null=True, blank=True)
    start = models.DateField("from", null=True, blank=True, help_text="First charge day; empty: always.")
    end = models.DateField("until", null=True, blank=True, help_text="First charge day it no longer holds.")
    is_active = models.BooleanField("in force", default=True)
    provider = models.CharField(max_length=200, blank=True)
    billing_account = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField("account", max_length=200, blank=True)
    service = models.CharField(max_length=300, blank=True)
    region = models.CharField(max_length=200, blank=True)
    charge_category = models.CharField(max_length=40, blank=True)
    commitment_status = models.CharField(max_length=40, blank=True)
    resource_pattern = models.CharField(
        max_length=500, blank=True, help_text="A regular expression found in the resource's id or name."
    )
    tag_key = models.CharField(max_length=256, blank=True)
    tag_value = models.CharField(max_length=256, blank=True, help_text="Empty: any value will do.")
    version = models.PositiveIntegerField(default=1, editable=False, help_text="how often it was saved")

    objects = OwnershipRuleQuerySet.as_manager()

    class Meta:
        ordering = ["order", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(team__isnull=True) ^ Q(pool__isnull=True),
                name="rule_names_team_or_pool",
                violation_error_message="Name a team or a pool, one of them.",
            ),
            models.CheckConstraint(
                condition=Q(end__gt=models.F("start")),
                name="rule_ends_after_it_starts",
                violation_error_message="A rule must hold for at least one day: until is after from.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not any(getattr(self, name) for name in CONDITIONS):
            raise ValidationError("Give at least one condition: a rule without any would own the whole company.")
        if self.tag_value and not self.tag_key:
            raise ValidationError({"tag_key": "Which tag must have this value?"})
        problem = pattern_problem(self.resource_pattern)
        if problem:
            raise ValidationError({"resource_pattern": problem})

    def as_rule(self) -> OwnerRule:
        conditions = {name: getattr(self, name) for name in CONDITIONS}
        return OwnerRule(
            team=self.team_id, pool=self.pool_id, label=self.name, start=self.start, end=self.end, **conditions
        )
