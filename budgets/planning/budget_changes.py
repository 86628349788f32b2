"""Creating, changing, proposing, approving and copying budgets. Every change of an amount has a version."""

from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from budgets.calc import amounts
from budgets.models import Budget, BudgetPeriod, BudgetVersion, Recipient, Threshold
from budgets.models.thresholds import DEFAULT_THRESHOLDS
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month, Period
from finops_site.models import User

Amounts = Mapping[Period, Decimal]


class StaleBudget(Exception):
    """Somebody else changed the budget since it was opened; nothing was written. The message names who and when."""


class WrongState(ValueError):
    """The action does not fit the budget's state; the message gives the reason."""


@transaction.atomic
def create_budget(
    budget: Budget, new: Amounts, *, by: User | None, why: str = "", state: str = Budget.State.ACTIVE
) -> Budget:
    """Saves a new budget with its amounts, the usual thresholds and its first version."""
    budget.state, budget.created_by = state, by
    if state == Budget.State.ACTIVE:
        budget.approved_by, budget.approved_at = by, timezone.now()
    budget.save()
    Threshold.objects.bulk_create(
        Threshold(budget=budget, kind=kind, percent=percent) for kind, percent in DEFAULT_THRESHOLDS
    )
    Recipient.objects.create(budget=budget, kind=Recipient.Kind.LEADS)
    _save_amounts(budget, new)
    _add_version(budget, {}, by=by, why=why, what="created")
    return budget


@transaction.atomic
def change_budget(
    budget: Budget, new: Amounts | None, *, version: int, by: User | None, why: str = "", what: str = ""
) -> Budget:
    """Saves a changed budget, and its amounts where they are given; raises StaleBudget unless `version` is the newest.

    The periods that are not in `new` stay as they are.
    """
    if not Budget.objects.filter(pk=budget.pk, version=version).update(version=F("version") + 1):
        raise StaleBudget(_who_was_first(budget))
    budget.version = version + 1
    before = _stored_amounts(budget)
    budget.save()
    if new is not None:
        _save_amounts(budget, new)
    _add_version(budget, before, by=by, why=why, what=what)
    return budget


def approve_budget(budget: Budget, *, version: int, by: User, why: str = "") -> Budget:
    """Finance accepts a proposal: it is in force from now on."""
    if budget.state not in (Budget.State.PROPOSED, Budget.State.DRAFT):
        raise WrongState(f"{budget} is {budget.get_state_display()}: there is nothing to approve.")
    budget.state, budget.approved_by, budget.approved_at = Budget.State.ACTIVE, by, timezone.now()
    return change_budget(budget, None, version=version, by=by, why=why, what="approved")


def send_back_budget(budget: Budget, *, version: int, by: User, why: str = "") -> Budget:
    """Finance returns a proposal as a draft, with the reason."""
    if budget.state != Budget.State.PROPOSED:
        raise WrongState(f"{budget} is {budget.get_state_display()}: only a proposal can be sent back.")
    budget.state = Budget.State.DRAFT
    return change_budget(budget, None, version=version, by=by, why=why, what="sent back")


def archive_budget(budget: Budget, *, version: int, by: User, why: str = "") -> Budget:
    """Ends a budget; its figures stay."""
    if budget.state == Budget.State.ARCHIVED:
        raise WrongState(f"{budget} is archived already.")
    budget.state = Budget.State.ARCHIVED
    return change_budget(budget, None, version=version, by=by, why=why, what="archived")


def copy_to_next_year(budget: Budget, *, percent: Decimal, version: int, by: User, why: str = "") -> Budget:
    """The last twelve months' amounts (or the last periods of a year) again, a year later and `percent` more.

    Raises WrongState where the periods exist already or the budget is a range of days.
    """
    if budget.kind not in amounts.MONTHS:
        raise WrongState("A range of days and a project have no next year: make a new budget.")
    last = list(budget.periods.all())[-12 // amounts.MONTHS[budget.kind] :]
    new = {}
    for row in last:
        amount = amounts.growing_amounts(row.amount, percent, 2, budget.currency)[1] if percent else row.amount
        new[Period(Month.of(row.start).plus(12).start, Month.of(row.end).plus(12).start)] = amount
    if not new or {period.start for period in new} & {row.start for row in last}:
        raise WrongState(f"{budget} has no complete year of amounts to copy.")
    what = f"copied to {max(new).start.year}" + (f", {percent:+f} %" if percent else "")
    return change_budget(budget, new, version=version, by=by, why=why, what=what)


def _who_was_first(budget: Budget) -> str:
    newest = BudgetVersion.objects.filter(budget=budget).select_related("by").first()
    if newest is None:
        return f"{budget} is gone: somebody deleted it. Nothing was written."
    return (
        f"{newest.by or 'somebody'} changed this budget at {newest.at:%H:%M} UTC, while you had it open, and none of "
        "your changes were written. Below is the budget as it is now beside what you entered: look, and save again."
    )


def _stored_amounts(budget: Budget) -> dict[str, str | None]:
    """{first day: exact amount}, for versions."""
    return {row.start.isoformat(): exact_text(row.amount) for row in BudgetPeriod.objects.filter(budget=budget)}


def _save_amounts(budget: Budget, new: Amounts) -> None:
    """One by one where they differ, so that each is in the audit log."""
    existing = {row.start: row for row in budget.periods.all()}
    for period, amount in new.items():
        row = existing.get(period.start)
        if row is None:
            BudgetPeriod.objects.create(budget=budget, start=period.start, end=period.end, amount=amount)
        elif (row.amount, row.end) != (amount, period.end):
            row.amount, row.end, row.is_automatic = amount, period.end, False
            row.save()


def _add_version(budget: Budget, before: dict[str, str | None], *, by: User | None, why: str, what: str) -> None:
    after = _stored_amounts(budget)
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
