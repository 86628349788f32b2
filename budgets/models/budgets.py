"""Budgets: what they count, the amount of each period, and who changed it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from budgets.calc.headlines import full_span_text
from budgets.querysets import BudgetQuerySet, PeriodQuerySet
from costs.query.question import BadQuestion, Question
from finops_site.lib.periods import Period
from finops_site.models import Team

# Each flag of a budget -> the FOCUS charge category that it leaves out when it is off; of purchases those of
# commitments alone (spending.py), for a year of support or of a product of the Marketplace is bought too.
CATEGORIES = {
    "with_credits": "Credit",
    "with_refunds": "Adjustment",
    "with_tax": "Tax",
    "with_purchases": "Purchase",
}


def amount_field(help_text: str = "", **options: Any) -> models.DecimalField:
    """An amount in the budget's currency, stored as exactly as cost is."""
    return models.DecimalField(max_digits=38, decimal_places=18, help_text=help_text, **options)


class Budget(models.Model):
    """How much a scope of cost may be, period by period.

    The budget of a team counts the cost of that team and of the teams below it, whatever else its scope filters by, so
    that nobody who sees the budget sees another team's money. A budget without a team is the company's.
    """

    class Basis(models.TextChoices):
        BILLED = "billed_cost", "billed cost (the invoice)"
        EFFECTIVE = "effective_cost", "effective cost (amortised)"

    class Kind(models.TextChoices):
        MONTH = "month", "each month"
        QUARTER = "quarter", "each quarter"
        YEAR = "year", "each year"
        CUSTOM = "custom", "a range of days"
        PROJECT = "project", "a project's total"

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        PROPOSED = "proposed", "proposed"
        ACTIVE = "active", "active"
        ARCHIVED = "archived", "archived"

    name = models.CharField(max_length=200)
    scope = models.JSONField(default=dict, blank=True, help_text="The explorer's filters: {dimension: [values]}.")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, blank=True, related_name="budgets")
    basis = models.CharField(max_length=20, choices=Basis, default=Basis.BILLED)
    with_credits = models.BooleanField("credits", default=True, help_text="charge category Credit")
    with_refunds = models.BooleanField(
        "refunds and adjustments", default=True, help_text="charge category Adjustment, discounts of a contract too"
    )
    with_tax = models.BooleanField("tax", default=True, help_text="charge category Tax")
    with_purchases = models.BooleanField(
        "commitment purchases", default=True, help_text="purchases with a commitment id: fees of reservations and plans"
    )
    currency = models.CharField(max_length=10, default="USD")
    kind = models.CharField("period", max_length=10, choices=Kind, default=Kind.MONTH)
    start = models.DateField(help_text="The first day it counts.")
    end = models.DateField(null=True, blank=True, help_text="The first day after it; empty where it goes on.")
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")
    rollover = models.BooleanField(
        "carry over what was not spent", default=False, help_text="Once a period has ended, to the next one."
    )
    auto_months = models.PositiveSmallIntegerField(
        "follow the average of the last months",
        null=True,
        blank=True,
        help_text="How many whole months; the amount of a new month is their average x the factor.",
    )
    auto_factor = models.DecimalField("x factor", max_digits=6, decimal_places=3, default=Decimal(1))
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    approved_at = models.DateTimeField(null=True, blank=True, editable=False)
    evaluated_as_of = models.DateField(
        null=True, blank=True, editable=False, help_text="the last night that evaluated it"
    )

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [
            ("propose_budget", "May propose a budget for a team she leads"),
            ("approve_budget", "May approve what was proposed"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=~Q(state="archived"),
                name="budget_name_once",
                violation_error_message=(
                    "There is a budget of that name already: change that one, or choose another name."
                ),
            ),
            models.CheckConstraint(
                condition=Q(end__isnull=True) | Q(end__gt=F("start")), name="budget_ends_after_it_starts"
            ),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="budget_not_its_own_parent"),
        ]
        indexes = [models.Index(fields=["state", "evaluated_as_of"], name="budget_to_evaluate")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("budgets:budget", args=[self.pk])

    @property
    def filters(self) -> dict[str, list[str]]:
        """What it counts, as the explorer's filters, its team among them."""
        scope = {name: [str(value) for value in values] for name, values in self.scope.items()}
        return scope if self.team_id is None or "team" in scope else {**scope, "team": [str(self.team_id)]}

    @property
    def left_out(self) -> list[str]:
        """The charge categories it does not count."""
        return [category for flag, category in CATEGORIES.items() if not getattr(self, flag)]

    @property
    def left_out_lines(self) -> Q:
        """The cost lines it does not count."""
        categories = [category for category in self.left_out if category != "Purchase"]
        purchases = Q() if self.with_purchases else Q(charge_category="Purchase") & ~Q(commitment="")
        return Q(charge_category__in=categories) | purchases

    def question(self, period: Period, group_by: Sequence[str] = (), grain: str = "") -> Question:
        """The spend question of its scope; the caller leaves out the categories that it does not count."""
        filters = {**self.filters, "currency": [self.currency]}
        return Question(period, tuple(group_by), grain, self.basis, filters)

    def clean(self) -> None:
        self._clean_scope()
        if self.end is None and self.kind in (self.Kind.CUSTOM, self.Kind.PROJECT):
            raise ValidationError({"end": "Give its end: a range and a project have a last day."})
        if self.auto_months is not None and not (0 < self.auto_months <= 36):
            raise ValidationError({"auto_months": "Between 1 and 36 months."})
        if self.auto_months and self.kind != self.Kind.MONTH:
            raise ValidationError({"auto_months": "Only the budget of each month can follow the last months."})
        if self.parent and self.parent.currency != self.currency:
            raise ValidationError({"parent": f"{self.parent} is in {self.parent.currency}: amounts cannot be added."})
        above, visited = self.parent, set()
        while above is not None and above.pk not in visited:
            if above.pk == self.pk:
                raise ValidationError({"parent": f"{self.parent} is below {self}: a budget cannot be above itself."})
            visited.add(above.pk)
            above = above.parent

    def _clean_scope(self) -> None:
        """The scope is a valid filter, and its teams lie in the budget's own team; raises ValidationError."""
        if not isinstance(self.scope, Mapping) or not all(
            isinstance(values, list) and values and all(isinstance(value, str) for value in values)
            for values in self.scope.values()
        ):
            raise ValidationError({"scope": 'Write {"service": ["Amazon S3"]}: a list of texts for each filter.'})
        try:
            Question(Period(self.start, self.start), filters=self.filters)
        except BadQuestion as error:
            raise ValidationError({"scope": str(error)}) from None
        teams = set(self.scope.get("team", []))
        if not teams or self.team is None:
            return
        inside = {str(pk) for pk in Team.objects.below(self.team).values_list("pk", flat=True)}
        if teams - inside:
            raise ValidationError({"scope": f"A budget of {self.team} counts {self.team} and the teams below it only."})


class BudgetPeriod(models.Model):
    """The amount of a budget from `start` up to, not including, `end`."""

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="periods")
    start = models.DateField()
    end = models.DateField()
    amount = amount_field("as planned, without what was carried over")
    rolled_over = amount_field("what the period before left unspent", default=Decimal(0))
    is_automatic = models.BooleanField(default=False, help_text="follows the average of the last months")

    objects = PeriodQuerySet.as_manager()

    class Meta:
        ordering = ["start"]
        constraints = [
            models.UniqueConstraint(fields=["budget", "start"], name="budget_period_once"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="budget_period_has_days"),
        ]
        indexes = [models.Index(fields=["start", "end"], name="budget_period_days")]

    def __str__(self) -> str:
        return f"{self.budget}, {self.start} to {self.period.last_day}"

    @property
    def period(self) -> Period:
        return Period(self.start, self.end)

    @property
    def words(self) -> str:
        """``November 2026``, ``Q4 2026``, ``2026``, or its first and last day."""
        return full_span_text(self.period)

    @property
    def budgeted(self) -> Decimal:
        """What may be spent: the amount and what was carried over."""
        return self.amount + self.rolled_over


class BudgetVersion(models.Model):
    """A change of a budget: the amounts before and after, who, why and when."""

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    before = models.JSONField(default=dict, help_text="{first day of the period: exact amount}")
    after = models.JSONField(default=dict)
    what = models.CharField(max_length=300, blank=True, help_text="what else changed, in words")
    why = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["budget", "number"], name="budget_version_once")]

    def __str__(self) -> str:
        return f"{self.budget}, version {self.number}"
