"""Verbs of budgets: make, change, propose, approve, copy, suggest. Every change of an amount has a version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from auditlog.models import LogEntry
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from budgets.calc import amounts
from budgets.evaluation import spending
from budgets.models import Alert, AlertDelivery, Budget, BudgetPeriod, BudgetVersion, Recipient, Threshold
from budgets.models.budgets import DEFAULT_THRESHOLDS
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.models import Membership, Team

Amounts = Mapping[Period, Decimal]
SUGGESTED_MONTHS = 6


class Stale(Exception):
    """Somebody else changed the budget since it was opened; nothing was written. The message says who and when."""


class NotNow(ValueError):
    """What was asked does not fit the budget's state; the message says why."""


@transaction.atomic
def create(budget: Budget, wanted: Amounts, *, by: Any, why: str = "", state: str = Budget.State.ACTIVE) -> Budget:
    """Saves a new budget with its amounts, the usual thresholds and its first version."""
    budget.state, budget.created_by = state, by
    if state == Budget.State.ACTIVE:
        budget.approved_by, budget.approved_at = by, timezone.now()
    budget.save()
    Threshold.objects.bulk_create(
        Threshold(budget=budget, kind=kind, percent=percent) for kind, percent in DEFAULT_THRESHOLDS
    )
    Recipient.objects.create(budget=budget, kind=Recipient.Kind.LEADS)
    _write_amounts(budget, wanted)
    _note(budget, {}, by=by, why=why, what="made")
    return budget


@transaction.atomic
def change(budget: Budget, wanted: Amounts | None, *, version: int, by: Any, why: str = "", what: str = "") -> Budget:
    """Saves a changed budget, and its amounts where they are given; raises Stale when `version` is not the newest.

    What `wanted` does not name keeps its amount.
    """
    taken = Budget.objects.filter(pk=budget.pk, version=version).update(version=F("version") + 1)
    if not taken:
        raise Stale(_who_was_first(budget))
    budget.version = version + 1
    before = amounts_of(budget)
    budget.save()
    if wanted is not None:
        _write_amounts(budget, wanted)
    _note(budget, before, by=by, why=why, what=what)
    return budget


def _who_was_first(budget: Budget) -> str:
    newest = BudgetVersion.objects.filter(budget=budget).select_related("by").first()
    if newest is None:
        return f"{budget} is gone: somebody deleted it. Nothing was written."
    who = newest.by or "somebody"
    return (
        f"{who} changed this budget at {newest.at:%H:%M} UTC, while you had it open, and nothing of yours was written. "
        f"Below is what it says now beside what you entered: look, and save again."
    )


def amounts_of(budget: Budget) -> dict[str, str | None]:
    """{first day: exact amount}, for versions."""
    return {row.start.isoformat(): exact_text(row.amount) for row in BudgetPeriod.objects.filter(budget=budget)}


def _write_amounts(budget: Budget, wanted: Amounts) -> None:
    """One by one where they differ, so that the audit log sees each."""
    known = {row.start: row for row in budget.periods.all()}
    for period, amount in wanted.items():
        row = known.get(period.start)
        if row is None:
            BudgetPeriod.objects.create(budget=budget, start=period.start, end=period.end, amount=amount)
        elif (row.amount, row.end) != (amount, period.end):
            row.amount, row.end, row.is_automatic = amount, period.end, False
            row.save()


def _note(budget: Budget, before: dict[str, str | None], *, by: Any, why: str, what: str = "") -> None:
    after = amounts_of(budget)
    changed = {start for start in {*before, *after} if before.get(start) != after.get(start)}
    BudgetVersion.objects.create(
        budget=budget,
        number=budget.version,
        before={start: before[start] for start in sorted(changed) if start in before},
        after={start: after[start] for start in sorted(changed) if start in after},
        what=what,
        why=why,
        by=by,
    )


def led_teams(user: Person) -> set[int]:
    """The teams she leads and every team below: those she may propose a budget for."""
    led = Team.objects.filter(memberships__user=user, memberships__role=Membership.Role.LEAD)
    return {pk for team in led for pk in Team.objects.below(team).values_list("pk", flat=True)}


def approve(budget: Budget, *, version: int, by: Any, why: str = "") -> Budget:
    """Finance takes a proposal: it counts from now on."""
    if budget.state not in (Budget.State.PROPOSED, Budget.State.DRAFT):
        raise NotNow(f"{budget} is {budget.get_state_display()}: there is nothing to approve.")
    budget.state, budget.approved_by, budget.approved_at = Budget.State.ACTIVE, by, timezone.now()
    return change(budget, None, version=version, by=by, why=why, what="approved")


def send_back(budget: Budget, *, version: int, by: Any, why: str = "") -> Budget:
    """Finance gives a proposal back as a draft, with the reason."""
    if budget.state != Budget.State.PROPOSED:
        raise NotNow(f"{budget} is {budget.get_state_display()}: only a proposal can be sent back.")
    budget.state = Budget.State.DRAFT
    return change(budget, None, version=version, by=by, why=why, what="sent back")


def archive(budget: Budget, *, version: int, by: Any, why: str = "") -> Budget:
    """Ends a budget; what it said stays."""
    if budget.state == Budget.State.ARCHIVED:
        raise NotNow(f"{budget} is archived already.")
    budget.state = Budget.State.ARCHIVED
    return change(budget, None, version=version, by=by, why=why, what="archived")


def copy_to_next_year(budget: Budget, *, percent: Decimal, version: int, by: Any, why: str = "") -> Budget:
    """The last twelve months' amounts (or the last periods of a year) again, a year later and `percent` more.

    Raises NotNow where the periods are there already or the budget is a range of days.
    """
    if budget.kind not in amounts.MONTHS:
        raise NotNow("A range of days and a project have no next year: make a new budget.")
    last = list(budget.periods.all())[-12 // amounts.MONTHS[budget.kind] :]
    wanted = {_a_year_later(row.period): _more(row.amount, percent, budget.currency) for row in last}
    if not wanted or {period.start for period in wanted} & {row.start for row in last}:
        raise NotNow(f"{budget} has no whole year of amounts to copy.")
    what = f"copied to {max(wanted).start.year}" + (f", {percent:+f} %" if percent else "")
    return change(budget, wanted, version=version, by=by, why=why, what=what)


def _a_year_later(period: Period) -> Period:
    return Period(Month.of(period.start).plus(12).start, Month.of(period.end).plus(12).start)


def _more(amount: Decimal, percent: Decimal, currency: str) -> Decimal:
    return amounts.growing(amount, percent, 2, currency)[1] if percent else amount


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the last months suggest for a month, and from which months."""

    amount: Decimal
    months: list[tuple[date, Decimal]]
    currency: str


def suggest(budget: Budget, today: date) -> Suggestion | None:
    """An amount for a month out of the last whole months that have any cost; None where there are none."""
    period = Period(Month.of(today).plus(-SUGGESTED_MONTHS).start, Month.of(today).start)
    found = spending.monthly([budget], period)[budget.pk]
    known = [(start, amount) for start, amount in sorted(found.items()) if amount]
    amount = amounts.suggestion([amount for _, amount in known], budget.currency)
    return Suggestion(amount, known, budget.currency) if amount else None


def last_year(budget: Budget, periods: Sequence[Period]) -> list[Decimal]:
    """What the scope cost in the same periods a year before, for the seasonal shape."""
    before = [Period(Month.of(p.start).plus(-12).start, Month.of(p.end).plus(-12).start) for p in periods]
    days = spending.daily([budget], Period(min(before).start, max(p.end for p in before)))[budget.pk]
    return [days.total(period) for period in before]


def prepare_periods(as_of: date, wanted: Sequence[int] | None = None) -> int:
    """Gives the budgets that follow the last months their amount of this month; returns how many were made.

    A month that has an amount keeps it, so that a budget never moves while it is judged.
    """
    month = Month.of(as_of)
    following = Budget.objects.active().filter(auto_months__isnull=False, start__lte=as_of)
    if wanted is not None:
        following = following.filter(pk__in=wanted)
    missing = list(following.exclude(periods__start=month.start))
    if not missing:
        return 0
    most = max(budget.auto_months or 0 for budget in missing)
    spent = spending.monthly(missing, Period(month.plus(-most).start, month.start))
    rows = [row for budget in missing if (row := _automatic(budget, month, spent[budget.pk]))]
    BudgetPeriod.objects.bulk_create(rows, ignore_conflicts=True)
    _log_made(rows)
    return len(rows)


def _automatic(budget: Budget, month: Month, spent: Mapping[date, Decimal]) -> BudgetPeriod | None:
    last = [spent[month.plus(-back).start] for back in range(1, (budget.auto_months or 0) + 1)]
    amount = amounts.automatic([each for each in last if each], budget.auto_factor, budget.currency)
    if amount is None or (budget.end and budget.end <= month.start):
        return None
    return BudgetPeriod(budget=budget, start=month.start, end=month.next.start, amount=amount, is_automatic=True)


def _log_made(rows: Iterable[BudgetPeriod]) -> None:
    """What is written in one go is not seen by the audit log: it is told."""
    made = BudgetPeriod.objects.filter(
        budget__in=[row.budget_id for row in rows], start__in={row.start for row in rows}, is_automatic=True
    )
    for row in made:
        changes = {"amount": ["None", str(exact_text(row.amount))]}
        LogEntry.objects.log_create(row, force_log=True, changes=changes, action=LogEntry.Action.CREATE)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of amounts: what it would change, or what is wrong with it."""

    number: int
    name: str
    budget: Budget | None
    changes: dict[Period, tuple[Decimal | None, Decimal]]
    problem: str = ""


def read_table(rows: Iterable[Mapping[str, str]], user: Person) -> list[Row]:
    """A table of budgets x months (column heads like 2026-03) against what there is; writes nothing.

    Empty cells keep their amount. Only budgets of each month that `user` may see are known.
    """
    known = {budget.name: budget for budget in Budget.objects.visible_to(user).exclude(state=Budget.State.ARCHIVED)}
    return [_read_row(number, row, known) for number, row in enumerate(rows, start=2)]


def _read_row(number: int, row: Mapping[str, str], known: Mapping[str, Budget]) -> Row:
    name = (row.get("budget") or "").strip()
    budget = known.get(name)
    if budget is None:
        return Row(number, name, None, {}, f"line {number}: there is no budget named {name!r}.")
    if budget.kind != Budget.Kind.MONTH:
        return Row(number, name, None, {}, f"line {number}: {name} is not a budget of each month.")
    try:
        return Row(number, name, budget, _changes(budget, row))
    except ValueError as error:
        return Row(number, name, None, {}, f"line {number}, {name}: {error}")


def _changes(budget: Budget, row: Mapping[str, str]) -> dict[Period, tuple[Decimal | None, Decimal]]:
    before = {each.start: each.amount for each in budget.periods.all()}
    found = {}
    for head, text in row.items():
        if head in ("budget", "team", "currency") or not (text or "").strip():
            continue
        period, amount = Month.parse(head.strip()).period, amounts.parse_amount(text)
        if before.get(period.start) != amount:
            found[period] = (before.get(period.start), amount)
    return found


@transaction.atomic
def write_table(rows: Sequence[Row], versions: Mapping[int, int], *, by: Any, why: str) -> int:
    """Writes what `read_table` found, all of it or nothing; raises Stale. Returns how many amounts changed."""
    count = 0
    for row in rows:
        if row.budget is None or not row.changes:
            continue
        wanted = {period: after for period, (_, after) in row.changes.items()}
        version = versions.get(row.budget.pk, row.budget.version)
        change(row.budget, wanted, version=version, by=by, why=why, what="amounts")
        count += len(wanted)
    return count


# What a threshold says; the rest of it is whose it is.
RULE = ("kind", "percent", "amount", "probability")


@transaction.atomic
def change_threshold(threshold: Threshold, said: Mapping[str, Any], now: datetime) -> Threshold:
    """Changes what a threshold says. One that has warned keeps its words: it is switched off, and a new one begins."""
    _hold(threshold.budget_id)
    wanted = {name: said.get(name, getattr(threshold, name)) for name in RULE}
    kept = Threshold.objects.get(pk=threshold.pk)
    if all(getattr(kept, name) == value for name, value in wanted.items()):
        return kept
    if kept.alerts.exists():
        switch_off(kept, now)
        return Threshold.objects.create(budget=kept.budget, **wanted)
    for name, value in wanted.items():
        setattr(kept, name, value)
    kept.save()
    return kept


@transaction.atomic
def switch_off(threshold: Threshold, now: datetime) -> None:
    """It warns no more: its alerts end with it, and what waits to be told of them is not needed any more."""
    _hold(threshold.budget_id)
    threshold.is_active = False
    threshold.save(update_fields=["is_active"])
    ended = list(threshold.alerts.unresolved().select_for_update())
    words = "resolved: the threshold was switched off"
    for alert in ended:
        alert.state, alert.resolved_at, alert.resolved_as_of, alert.note = "resolved", now, alert.judged_as_of, words
        alert.remember(words, now)
    Alert.objects.bulk_update(ended, ["state", "resolved_at", "resolved_as_of", "note", "history"])
    waiting = AlertDelivery.objects.waiting().filter(alert__in=ended, claimed_at__isnull=True)
    waiting.update(outcome=AlertDelivery.Outcome.CANCELLED)


def switch_on(threshold: Threshold) -> None:
    """It warns again, from the next night on."""
    threshold.is_active = True
    threshold.save(update_fields=["is_active"])


def _hold(budget: int) -> None:
    """Waits for a night that judges the budget, and has the next one wait."""
    Budget.objects.select_for_update(no_key=True).get(pk=budget)
