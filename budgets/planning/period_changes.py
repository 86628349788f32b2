"""What becomes of a budget's periods when it is saved: which go, come, change and stay."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile

from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.alerts.cancellation import cancel_queued
from budgets.calc.amounts import MOST_PERIODS, AmountChange
from budgets.calc.fiscal_calendar import MONTHS
from budgets.models import Alert, Budget, BudgetPeriod
from budgets.planning.carry_over import carry_over_again
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import EXACT, rounded
from finops_site.lib.periods import Period, day_text, days_text
from finops_site.lib.words import counted

Amounts = Mapping[Period, Decimal]
CLOSED = ("state", "note", "resolved_at", "resolved_as_of", "snoozed_until", "history")


class WrongState(ValueError):
    """The action does not fit the budget as it is; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class PeriodChange:
    """A period of a budget and its amount before and after saving: none before is new, none after gone."""

    period: Period
    amount: AmountChange
    words: str
    row: BudgetPeriod | None = None
    is_part: bool = False

    @property
    def verb(self) -> str:
        if self.amount.after is None:
            return gettext_noop("goes")
        if self.row is None:
            return gettext_noop("new")
        return gettext_noop("stays") if self.amount.before == self.amount.after else gettext_noop("changes")


@dataclass(slots=True)
class PeriodPlan:
    """All periods of a budget as they are and as they will be, by first day."""

    budget: Budget
    changes: list[PeriodChange] = field(default_factory=list)
    # Whether what is not spent is carried over from now on, or no more.
    has_other_rollover: bool = False

    def those_that(self, verb: str) -> list[PeriodChange]:
        return [change for change in self.changes if change.verb == verb]

    @property
    def words(self) -> str:
        """``12 periods removed, 4 new``; empty where no period goes or comes in the place of one that goes."""
        gone, new = self.those_that("goes"), self.those_that("new")
        return (
            _("{periods} removed, {new} new").format(periods=counted(len(gone), "period"), new=len(new)) if gone else ""
        )

    @property
    def open_alerts(self) -> int:
        """How many alerts saving would close."""
        rows = [change.row.pk for change in self.those_that("goes") if change.row]
        return Alert.objects.filter(period__in=rows).unresolved().count()

    @property
    def is_much(self) -> bool:
        return any(change.amount.is_much for change in self.changes)


def plan_periods(budget: Budget, new: Amounts | None) -> PeriodPlan:
    """What saving `budget` as it is now with these amounts does to its periods; nothing is written.

    Where its start or end moves, a removed period comes back with its amount; else a period of which only the budget's
    own first or last day has moved hands its amount to the one in its place, and days that are new to the budget get
    the amount of the nearest period. Raises WrongState for an amount of days that are no period of the budget, and
    where nothing says what new periods get.
    """
    cut, wanted = budget.cut, dict(new or {})
    if wrong := next((period for period in sorted(wanted) if not cut.has(period)), None):
        raise WrongState(_why_no_period(budget, wrong))
    stored = Budget.objects.filter(pk=budget.pk).first() if budget.pk else None
    rows = list(BudgetPeriod.objects.filter(budget=budget)) if stored else []
    has_other_currency = stored is not None and stored.currency != budget.currency
    if stored and has_other_currency and new is None and rows:
        raise WrongState(
            _("Its amounts are in {currency}: give them anew in {currency_2}.").format(
                currency=stored.currency, currency_2=budget.currency
            )
        )
    # An amount in another currency is no amount of it: what gets none in the new one goes.
    staying = {row.period: row for row in rows if cut.has(row.period)}
    if has_other_currency:
        staying = {period: row for period, row in staying.items() if period in wanted}
    going = [row for row in rows if row.period not in staying]
    if stored and (stored.kind, stored.calendar) != (budget.kind, budget.calendar):
        if going and new is None:
            raise WrongState(_("Its periods are cut anew, and the amounts do not fit them: give the amounts."))
    elif stored and not has_other_currency:
        moved = (stored.start, stored.end) != (budget.start, budget.end)
        if moved:
            _bring_back(budget, stored, staying, wanted)
        amounts = {row.period: row.amount for row in rows} | wanted
        for row in going:
            # Of a range of days there is one period; of the others the one that has some of the same days.
            day = max(row.start, budget.start) if budget.kind in MONTHS else budget.start
            period = cut.period(day) if budget.kind not in MONTHS or day < row.end else None
            if period is not None and period not in staying:
                wanted.setdefault(period, row.amount)
        if moved and amounts and budget.kind in MONTHS and not budget.auto_months:
            for period in _without_amount(budget, stored, {*staying, *wanted}):
                wanted[period] = _nearest_amount(budget, period, amounts)
    plan = PeriodPlan(budget, has_other_rollover=stored is not None and stored.rollover != budget.rollover)
    for row in rows:
        after = None if row.period not in staying else wanted.pop(row.period, row.amount)
        words, is_part = budget.words_of(row.period), _is_part(budget, row.period)
        plan.changes.append(PeriodChange(row.period, AmountChange(row.amount, after), words, row, is_part))
    for period, amount in wanted.items():
        words, is_part = budget.words_of(period), _is_part(budget, period)
        plan.changes.append(PeriodChange(period, AmountChange(None, amount), words, is_part=is_part))
    plan.changes.sort(key=lambda change: (change.period.start, change.amount.after is not None, change.period.end))
    return plan


def _is_part(budget: Budget, period: Period) -> bool:
    return budget.cut.has(period) and not budget.cut.covers_all_of_its_period(period)


def _bring_back(budget: Budget, stored: Budget, staying: Collection[Period], wanted: dict[Period, Decimal]) -> None:
    """Adds the periods that were removed with the days that the budget counts again, with their amounts."""
    removed = BudgetPeriod.with_removed.filter(budget=budget, removed_at__isnull=False)
    for row in removed.order_by("-removed_at"):
        if budget.cut.has(row.period) and not stored.cut.has(row.period) and row.period not in staying:
            wanted.setdefault(row.period, row.amount)


def _without_amount(budget: Budget, stored: Budget, taken: Collection[Period]) -> list[Period]:
    """The periods of days that the budget counts anew and that have no amount; all of them where it has none at all.

    They reach to its end; of a budget that goes on as far as its amounts do, or twelve from where it ended before.
    """
    periods = budget.cut.periods()
    if budget.end is None and taken:
        last = max(period.end for period in taken)
        if stored.end is not None and last <= stored.end:
            periods = budget.cut.periods_from(max(stored.end, budget.start), 12)
        else:
            periods = [*takewhile(lambda period: period.start < last, budget.cut.periods(count=MOST_PERIODS))]
    counted_before = Period(stored.start, max(stored.end or date.max, stored.start))
    return [
        period
        for period in periods
        if period not in taken
        and not (taken and counted_before.start <= period.start and period.end <= counted_before.end)
    ]


def _nearest_amount(budget: Budget, period: Period, amounts: Mapping[Period, Decimal]) -> Decimal:
    """The amount of the nearest period, of a whole one where there is any; for a part of one by its days."""
    calendar = budget.cut.calendar

    def share(days: Period) -> Decimal:
        return EXACT.divide(Decimal(days.days), Decimal(calendar.holding(budget.kind, days.start).days))

    full = [other for other in amounts if share(other) == 1]
    nearest = min(full or amounts, key=lambda other: abs((other.start - period.start).days))
    if share(period) == share(nearest):
        return amounts[nearest]
    return rounded(EXACT.divide(EXACT.multiply(amounts[nearest], share(period)), share(nearest)), budget.currency)


def _why_no_period(budget: Budget, period: Period) -> str:
    name = budget.words_of(period)
    if period.end <= budget.start:
        return _("{name} is before {budget} starts ({start}).").format(
            name=name, budget=budget, start=day_text(budget.start)
        )
    if budget.end is not None and period.start >= budget.end:
        return _("{name} is after {budget} ends ({end}).").format(name=name, budget=budget, end=day_text(budget.end))
    return _("{start} is no period of {budget}.").format(start=days_text(period.start, period.last_day), budget=budget)


def apply_periods(plan: PeriodPlan, *, why: str = "") -> None:
    """Saves what was planned, row by row, so that each is in the audit log; the caller holds a transaction."""
    now = timezone.now()
    gone = [change.row for change in plan.those_that("goes") if change.row]
    for row in gone:
        row.removed_at = now
        row.save(update_fields=["removed_at"])
    close_alerts(gone, _why_closed(plan.budget, why), now)
    other = set[int]()
    for change in plan.those_that("changes"):
        if change.row is not None and change.amount.after is not None:
            change.row.amount, change.row.is_automatic = change.amount.after, False
            change.row.save()
            other.add(change.row.pk)
    for change in plan.those_that("new"):
        if change.amount.after is not None:
            other.add(_add_period(plan.budget, change.period, change.amount.after, gone))
    if gone or other or plan.has_other_rollover:
        carry_over_again(plan.budget, other, all_of_them=plan.has_other_rollover)


def _add_period(budget: Budget, period: Period, amount: Decimal, gone: Sequence[BudgetPeriod]) -> int:
    """A period that was removed before comes back with its forecasts and alerts. Returns its id."""
    before = next((row for row in gone if row.start == period.start), None)
    row = BudgetPeriod.with_removed.filter(
        budget=budget, start=period.start, end=period.end, removed_at__isnull=False
    ).last() or BudgetPeriod(budget=budget, start=period.start, end=period.end)
    row.is_automatic = row.is_automatic and row.amount == amount
    row.removed_at, row.amount = None, amount
    # What the period before left is the same for whatever begins on that day.
    row.rolled_over = before.rolled_over if before else Decimal(0)
    row.save()
    return row.pk


def _why_closed(budget: Budget, why: str) -> str:
    text = _("closed: the budget was changed and has this period no more")
    if budget.end is not None:
        text += _("; it ends on {end}").format(end=day_text(budget.end))
    return f"{text}. {why}" if why else text


def close_alerts(periods: Sequence[BudgetPeriod], why: str, now: datetime) -> None:
    """Closes what is open of periods that a budget has no more, and cancels what waits to be sent of them."""
    alerts = list(Alert.objects.filter(period__in=periods))
    closed = [alert for alert in alerts if alert.state != Alert.State.RESOLVED]
    for alert in closed:
        alert.state, alert.note, alert.snoozed_until = Alert.State.RESOLVED, why, None
        alert.resolved_at, alert.resolved_as_of = now, alert.evaluated_as_of
        alert.add_history(why, now)
    Alert.objects.bulk_update(closed, CLOSED)
    cancel_queued(alerts, why)
