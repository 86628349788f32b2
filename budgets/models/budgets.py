"""Budgets: what they count, the amount of each period, and who changed it."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, DateRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q, Value
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import MONTHS
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from budgets.calc.amounts import BudgetCut
from budgets.calc.fiscal_calendar import WEEKS, FiscalCalendar
from budgets.calc.headlines import words_by_calendar
from budgets.querysets import BudgetQuerySet, PeriodManager, PeriodQuerySet
from costs.calc.charge_kinds import ADJUSTMENT, COMMITMENT, CREDIT, MARKETPLACE, SUPPORT, TAX
from costs.calc.filters import BadFilter, Operator, filter_name
from costs.query.question import BadQuestion, Question
from costs.query.stored_values import with_stored_values
from finops_site.lib.money import ISO_4217
from finops_site.lib.periods import WEEKDAYS, Period, day_text, days_text
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy

# Each flag of a budget -> the charge category that it leaves out when it is off.
CATEGORIES = {"with_credits": CREDIT, "with_tax": TAX}
# The same of kinds of charges that are no category (costs/query/charge_kinds.py): of purchases those of commitments
# alone, for a product of the Marketplace is bought too.
KINDS = {
    "with_refunds": ADJUSTMENT,
    "with_purchases": COMMITMENT,
    "with_support": SUPPORT,
    "with_marketplace": MARKETPLACE,
}


# The parts of its page by what stands in them.
PART_OF = {"thresholds": "alerts", "recipients": "alerts", "controls": "alerts", "known-charges": "forecast"}
# What can be a day of a budget: its months, and those of the years around it, are months of a calendar.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)


def amount_field(help_text: str = "", **options: Any) -> models.DecimalField:
    """An amount in the budget's currency, stored as exactly as cost is."""
    return models.DecimalField(max_digits=38, decimal_places=18, help_text=help_text, **options)


class Budget(models.Model):
    """How much a scope of cost may be, period by period.

    The budget of a team counts the cost of that team and of the teams below it, whatever else its scope filters by, so
    that nobody who sees the budget sees another team's money. A budget without a team is the company's.
    """

    class Basis(models.TextChoices):
        BILLED = "billed_cost", _lazy("billed cost (the invoice)")
        EFFECTIVE = "effective_cost", _lazy("effective cost (amortised)")

    class Kind(models.TextChoices):
        MONTH = "month", _lazy("each month")
        QUARTER = "quarter", _lazy("each quarter")
        YEAR = "year", _lazy("each year")
        CUSTOM = "custom", _lazy("a range of days")
        PROJECT = "project", _lazy("a project's total")

    class State(models.TextChoices):
        DRAFT = "draft", _lazy("draft")
        PROPOSED = "proposed", _lazy("proposed")
        ACTIVE = "active", _lazy("active")
        ARCHIVED = "archived", _lazy("archived")

    name = models.CharField(max_length=200)
    scope = models.JSONField(
        default=dict, blank=True, help_text=_lazy("The explorer's filters: {dimension: [values]}.")
    )
    team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, blank=True, related_name="budgets")
    basis = models.CharField(max_length=20, choices=Basis, default=Basis.BILLED)
    with_credits = models.BooleanField(_lazy("credits"), default=True, help_text=_lazy("charge category Credit"))
    with_refunds = models.BooleanField(
        _lazy("refunds and adjustments"),
        default=True,
        help_text=_lazy("charge category Adjustment, discounts of a contract and corrections of earlier invoices too"),
    )
    with_tax = models.BooleanField(_lazy("tax"), default=True, help_text=_lazy("charge category Tax"))
    with_purchases = models.BooleanField(
        _lazy("commitment purchases"),
        default=True,
        help_text=_lazy("purchases with a commitment id: fees of reservations and plans"),
    )
    with_support = models.BooleanField(
        _lazy("support"), default=True, help_text=_lazy("what the bill's service names as support")
    )
    with_marketplace = models.BooleanField(
        _lazy("Marketplace"),
        default=True,
        help_text=_lazy("what the bill's service, or service category, names as the Marketplace"),
    )
    currency = models.CharField(max_length=10, default="USD")
    kind = models.CharField(_lazy("period"), max_length=10, choices=Kind, default=Kind.MONTH)
    calendar = models.CharField(
        _lazy("cut by"),
        max_length=30,
        blank=True,
        default="",
        help_text=_lazy("What its months, quarters and years are: empty from January, else a code of FiscalCalendar."),
    )
    start = models.DateField(help_text=_lazy("The first day it counts. Days before it are in no period of it."))
    end = models.DateField(null=True, blank=True, help_text=_lazy("The first day after it; empty where it goes on."))
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")
    rollover = models.BooleanField(
        _lazy("carry over what was not spent"),
        default=False,
        help_text=_lazy("Once a period has ended, to the next one."),
    )
    auto_months = models.PositiveSmallIntegerField(
        _lazy("follow the average of the last months"),
        null=True,
        blank=True,
        help_text=_lazy("How many whole months; the amount of a new month is their average x the factor."),
    )
    auto_factor = models.DecimalField(_lazy("x factor"), max_digits=6, decimal_places=3, default=Decimal(1))
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
        null=True, blank=True, editable=False, help_text=_lazy("the last night that evaluated it")
    )
    not_evaluated = models.CharField(
        max_length=500, blank=True, editable=False, help_text=_lazy("why the last night could not evaluate it")
    )

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [
            ("propose_budget", _lazy("May propose a budget for a team she leads")),
            ("approve_budget", _lazy("May approve what was proposed")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=~Q(state="archived"),
                name="budget_name_once",
                violation_error_message=_lazy(
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

    def part_url(self, anchor: str) -> str:
        """The part of its page that has `anchor`, like ``thresholds``."""
        return f"{self.get_absolute_url()}?part={PART_OF[anchor]}#{anchor}"

    @property
    def scope_filters(self) -> dict[str, list[str]]:
        """Where it counts: its scope, and its team among it."""
        scope = {name: [str(value) for value in values] for name, values in self.scope.items()}
        return scope if self.team_id is None or "team" in scope else {**scope, "team": [str(self.team_id)]}

    @property
    def filters(self) -> dict[str, list[str]]:
        """All that it counts and nothing else, as filters of the explorer: scope, currency, and what it leaves out."""
        filters = {**self.scope_filters, "currency": [self.currency]}
        for dimension, flags in (("charge_category", CATEGORIES), ("charge_kind", KINDS)):
            left_out = [value for flag, value in flags.items() if not getattr(self, flag)]
            if left_out:
                name = filter_name(dimension, Operator.NOT)
                filters[name] = [*dict.fromkeys([*filters.get(name, []), *left_out])]
        return filters

    @property
    def left_out(self) -> list[str]:
        """What it does not count, in words."""
        flags = (flag for flag in (*CATEGORIES, *KINDS) if not getattr(self, flag))
        return [str(self._meta.get_field(flag).verbose_name) for flag in flags]  # type: ignore[union-attr]

    def question(self, period: Period, group_by: Sequence[str] = (), grain: str = "") -> Question:
        """The spend question of all that it counts and nothing else."""
        return Question(period, tuple(group_by), grain, self.basis, self.filters)

    def words_of(self, period: Period) -> str:
        """What it calls a period of its own: ``November 2026``, ``Q4 2026``, ``Q1 2026/27`` in a year from April."""
        return words_by_calendar(period, FiscalCalendar.parse(self.calendar))

    @property
    def cut(self) -> BudgetCut:
        """How it is cut into periods."""
        return BudgetCut(self.kind, self.start, self.end, FiscalCalendar.parse(self.calendar))

    def clean(self) -> None:
        self._clean_scope()
        self.currency = self.currency.strip().upper()
        if self.currency not in ISO_4217:
            raise ValidationError(
                {
                    "currency": _("{currency!r} is no currency: write its code, like USD or EUR.").format(
                        currency=self.currency
                    )
                }
            )
        try:
            FiscalCalendar.parse(self.calendar)
        except ValueError as error:
            raise ValidationError({"calendar": str(error)}) from None
        self._clean_days()
        if self.end is None and self.kind in (self.Kind.CUSTOM, self.Kind.PROJECT):
            raise ValidationError({"end": _("Give its end: a range and a project have a last day.")})
        if self.auto_months is not None and not (0 < self.auto_months <= 36):
            raise ValidationError({"auto_months": "Between 1 and 36 months."})
        if self.auto_months and self.kind != self.Kind.MONTH:
            raise ValidationError({"auto_months": _("Only the budget of each month can follow the last months.")})
        if self.parent and self.parent.currency != self.currency:
            raise ValidationError(
                {
                    "parent": _("{parent} is in {currency}: amounts cannot be added.").format(
                        parent=self.parent, currency=self.parent.currency
                    )
                }
            )
        self._clean_other_currency()
        above, visited = self.parent, set()
        while above is not None and above.pk not in visited:
            if above.pk == self.pk:
                raise ValidationError(
                    {
                        "parent": _("{parent} is below {value}: a budget cannot be above itself.").format(
                            parent=self.parent, value=self
                        )
                    }
                )
            visited.add(above.pk)
            above = above.parent

    def _clean_days(self) -> None:
        """They are in years that a calendar can be read of, the end after the start; raises ValidationError."""
        for name, day in (("start", self.start), ("end", self.end)):
            if day is not None and not FIRST_DAY <= day <= LAST_DAY:
                raise ValidationError(
                    {
                        name: _("{day} is no day of a budget: from {first_day} until {last_day}.").format(
                            day=day, first_day=FIRST_DAY, last_day=LAST_DAY
                        )
                    }
                )
        if self.start and self.end and self.end <= self.start:
            raise ValidationError(
                {
                    "end": _("It is the first day after the budget: later than its start, {start}.").format(
                        start=day_text(self.start)
                    )
                }
            )

    def _clean_other_currency(self) -> None:
        """Its currency stays while other amounts are in it; raises ValidationError."""
        if self.pk is None:
            return
        children = self.children.exclude(state=self.State.ARCHIVED).exclude(currency=self.currency)
        if child := children.first():
            text = _("{child} is below it and in {currency}: amounts of two currencies cannot be added.").format(
                child=child, currency=child.currency
            )
            raise ValidationError({"currency": text})
        before = Budget.objects.filter(pk=self.pk).exclude(currency=self.currency).values_list("currency", flat=True)
        if not before:
            return
        rows = {
            "known invoices": self.known_charges.exists(),
            "thresholds of an amount": self.thresholds.filter(amount__isnull=False).exists(),
        }
        if those := [words for words, there_are in rows.items() if there_are]:
            text = _("It has {names} in {before}: delete them first, or make a new budget.").format(
                names=_(" and ").join(those), before=before[0]
            )
            raise ValidationError({"currency": text})

    def _clean_scope(self) -> None:
        """The scope is a valid filter, and its teams lie in the budget's own team; raises ValidationError."""
        if not isinstance(self.scope, Mapping) or not all(
            isinstance(values, list) and values and all(isinstance(value, str) for value in values)
            for values in self.scope.values()
        ):
            raise ValidationError({"scope": _('Write {"service": ["Amazon S3"]}: a list of texts for each filter.')})
        if self.scope.get("currency", [self.currency]) != [self.currency]:
            raise ValidationError(
                {"scope": _("The budget is in {currency}: it counts no other currency.").format(currency=self.currency)}
            )
        try:
            # Any day does; a form that was sent without a start says so at its own field.
            day = self.start or date(2000, 1, 1)
            Question(Period(day, day), filters=self.filters)
        except BadQuestion as error:
            raise ValidationError({"scope": str(error)}) from None
        try:
            self.scope = with_stored_values(self.scope)
        except BadFilter as error:
            raise ValidationError({"scope": str(error)}) from None
        teams = set(self.scope.get("team", []))
        if not teams or self.team is None:
            return
        inside = {str(pk) for pk in Team.objects.below(self.team).values_list("pk", flat=True)}
        if teams - inside:
            raise ValidationError(
                {"scope": _("A budget of {team} counts {team} and the teams below it only.").format(team=self.team)}
            )


class BudgetPeriod(models.Model):
    """The amount of a budget from `start` up to, not including, `end`.

    A period that the budget has no more, after its kind, start or end has changed, stays with its forecasts and closed
    alerts for whoever asks what happened; it counts nowhere, and `objects` and `budget.periods` leave it out.
    """

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="periods")
    start = models.DateField()
    end = models.DateField()
    amount = amount_field(_lazy("as planned, without what was carried over"))
    rolled_over = amount_field(_lazy("what the period before left unspent"), default=Decimal(0))
    is_automatic = models.BooleanField(default=False, help_text=_lazy("follows the average of the last months"))
    removed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_lazy("since when it counts no more")
    )

    objects = PeriodManager()
    with_removed = PeriodQuerySet.as_manager()

    class Meta:
        ordering = ["start"]
        constraints = [
            # By range types alone, so that the database needs no extension.
            ExclusionConstraint(
                name="budget_periods_apart",
                expressions=[
                    (
                        Func(
                            F("budget"),
                            F("budget"),
                            Value("[]"),
                            function="int8range",
                            output_field=BigIntegerRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func(F("start"), F("end"), function="daterange", output_field=DateRangeField()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(removed_at__isnull=True),
                violation_error_message=_lazy("Another period of this budget has some of its days."),
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="budget_period_has_days"),
        ]
        indexes = [models.Index(fields=["start", "end"], name="budget_period_days")]

    def __str__(self) -> str:
        return f"{self.budget}, {days_text(self.start, self.period.last_day)}"

    @property
    def period(self) -> Period:
        return Period(self.start, self.end)

    @property
    def words(self) -> str:
        """``November 2026``, ``Q4 2026``, ``2026``, or its first and last day."""
        return self.budget.words_of(self.period)

    @property
    def budgeted(self) -> Decimal:
        """What may be spent: the amount and what was carried over."""
        return self.amount + self.rolled_over


class BudgetVersion(models.Model):
    """A change of a budget: the amounts before and after, who, why and when."""

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    before = models.JSONField(default=dict, help_text=_lazy("{first day of the period: exact amount}"))
    after = models.JSONField(default=dict)
    what = models.CharField(max_length=300, blank=True, help_text=_lazy("what else changed, in words"))
    why = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["budget", "number"], name="budget_version_once")]

    def __str__(self) -> str:
        return _("{budget}, version {number}").format(budget=self.budget, number=self.number)


class CompanyYear(models.Model):
    """When the company's year begins and how it is cut: what new budgets are offered. There is one row at most.

    A budget keeps the calendar that it was made with: changing this one moves no period of any budget.
    """

    class Rule(models.TextChoices):
        NEAREST = "nearest", _lazy("the one nearest to the first of that month")
        LAST = "last", _lazy("the last one up to the first of that month")

    first_month = models.PositiveSmallIntegerField(
        _lazy("the year begins in"),
        choices=[(number, MONTHS[number]) for number in range(1, 13)],
        default=1,
    )
    weeks = models.CharField(
        _lazy("months are"),
        max_length=5,
        blank=True,
        default="",
        choices=[("", _lazy("calendar months")), *((w, format_lazy(_lazy("{weeks} weeks"), weeks=w)) for w in WEEKS)],
    )
    first_weekday = models.PositiveSmallIntegerField(
        _lazy("weeks begin on"),
        choices=[(number, _lazy(day)) for number, day in enumerate(WEEKDAYS)],
        default=0,
        help_text=_lazy("Only for a year of weeks."),
    )
    rule = models.CharField(
        _lazy("a year of weeks begins on"),
        max_length=10,
        choices=Rule,
        default=Rule.NEAREST,
        help_text=_lazy("Only for a year of weeks."),
    )

    class Meta:
        verbose_name = _lazy("company year")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_company_year")]

    def __str__(self) -> str:
        return str(self.calendar)

    @classmethod
    def load(cls) -> "CompanyYear":
        """The company's year; from January where nobody has set it."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)

    @property
    def calendar(self) -> FiscalCalendar:
        return FiscalCalendar(self.first_month, self.weeks, self.first_weekday, self.rule)
