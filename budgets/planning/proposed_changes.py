"""Other amounts for a budget that is in force: proposed by a lead, approved or rejected by finance."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from budgets.models import Budget, BudgetPeriod, ProposedChange
from budgets.planning.budget_changes import StaleBudget, change_budget
from budgets.planning.period_changes import Amounts, WrongState, plan_periods
from finops_site.lib.money import EXACT, exact_sum, exact_text, formatted
from finops_site.lib.periods import Period, day_text
from finops_site.lib.words import counted
from finops_site.mail.emails import absolute_url, make_message
from finops_site.mail.outbox import queue_email
from finops_site.models import User


def waiting_change(budget: Budget) -> ProposedChange | None:
    """What waits for finance to decide about this budget."""
    waiting = budget.proposed_changes.filter(state=ProposedChange.State.WAITING)
    return waiting.select_related("budget", "proposed_by").first()


def amounts_by_period(budget: Budget, by_day: Mapping[date, Decimal]) -> dict[Period, Decimal]:
    """Amounts by the periods that begin on these days; raises WrongState for a day on which none begins."""
    new = {}
    for day, amount in by_day.items():
        period = budget.cut.period(day)
        if period is None or period.start != day:
            raise WrongState(_("No period of {budget} begins on {day}.").format(budget=budget, day=day_text(day)))
        new[period] = amount
    return new


@transaction.atomic
def propose_change(
    budget: Budget, new: Amounts, *, version: int, by: User, why: str = "", now: datetime
) -> ProposedChange:
    """Proposes amounts for periods of a budget that is in force; nothing of it changes before finance approves them.

    Raises StaleBudget unless `version` is the newest, and WrongState where another change waits, where no amount would
    be another, and for a budget that is not in force.
    """
    stored = Budget.objects.select_for_update().get(pk=budget.pk)
    if stored.state != Budget.State.ACTIVE:
        raise WrongState(
            _("{budget} is {state}: a change is proposed for what is in force.").format(
                budget=budget, state=stored.get_state_display()
            )
        )
    if stored.version != version:
        raise StaleBudget(
            _("{budget} was changed since you opened it. Look at its amounts as they are now.").format(budget=budget)
        )
    if other := waiting_change(stored):
        raise WrongState(
            _("{value} proposed another change on {date}, which waits: withdraw that one first.").format(
                value=other.proposed_by or _("Somebody"), date=day_text(other.proposed_at.date())
            )
        )
    changed = [change for change in plan_periods(stored, new).changes if change.verb in ("changes", "new")]
    if not changed:
        raise WrongState(_("These are the amounts that it has already."))
    before = {change.period.start.isoformat(): exact_text(change.amount.before) for change in changed}
    after = {change.period.start.isoformat(): exact_text(change.amount.after) for change in changed}
    return ProposedChange.objects.create(
        budget=stored, before=before, after=after, why=why, proposed_by=by, proposed_at=now
    )


def approve_change(change: ProposedChange, *, by: User, why: str = "", now: datetime) -> ProposedChange:
    """The budget has the proposed amounts from now on. Raises StaleBudget where one of them was changed meanwhile."""
    with transaction.atomic():
        change = _decide(change, ProposedChange.State.APPROVED, by, why, now)
        budget = Budget.objects.select_for_update().get(pk=change.budget_id)
        if budget.state != Budget.State.ACTIVE:
            raise WrongState(
                _("{budget} is {state}: bring it back into force first.").format(
                    budget=budget, state=budget.get_state_display()
                )
            )
        rows = {row.start.isoformat(): row for row in BudgetPeriod.objects.filter(budget=budget)}
        new: dict[Period, Decimal] = {}
        for day, text in change.after.items():
            row = rows.get(day)
            period = row.period if row else budget.cut.period(date.fromisoformat(day))
            if (exact_text(row.amount) if row else None) != change.before.get(day) or period is None:
                raise StaleBudget(
                    _(
                        "{budget}: the amount from {day} was changed since it was proposed: reject it, so "
                        "that it is proposed anew."
                    ).format(budget=budget, day=day_text(date.fromisoformat(day)))
                )
            new[period] = Decimal(text)
        what = _("change proposed by {person} approved").format(person=change.proposed_by or _("somebody"))
        change_budget(budget, new, version=budget.version, by=by, why=why or change.why, what=what)
        _tell_proposer(change, by, now)
    return change


def reject_change(change: ProposedChange, *, by: User, why: str = "", now: datetime) -> ProposedChange:
    """The budget stays as it is. Raises WrongState without a reason."""
    if not why.strip():
        raise WrongState(_("Give the reason, so that whoever proposed it can do better."))
    with transaction.atomic():
        change = _decide(change, ProposedChange.State.REJECTED, by, why, now)
        _tell_proposer(change, by, now)
    return change


def withdraw_change(change: ProposedChange, *, by: User, why: str = "", now: datetime) -> ProposedChange:
    """Taken away by those who may propose it."""
    with transaction.atomic():
        return _decide(change, ProposedChange.State.WITHDRAWN, by, why, now)


# What finance decides about a change, and what whoever may propose one does with it.
VERBS: dict[str, Callable[..., ProposedChange]] = {
    "approve": approve_change,
    "reject": reject_change,
    "withdraw": withdraw_change,
}


def _decide(change: ProposedChange, state: str, by: User, why: str, now: datetime) -> ProposedChange:
    """Writes a decision about what still waits; raises WrongState where it waits no more."""
    row = ProposedChange.objects.select_for_update(of=("self",)).select_related("proposed_by").get(pk=change.pk)
    if row.state != ProposedChange.State.WAITING:
        raise WrongState(_("It is {state} already.").format(state=row.get_state_display()))
    row.state, row.decided_by, row.decided_at, row.decision_why = state, by, now, why
    row.save()
    return row


def _tell_proposer(change: ProposedChange, by: User, now: datetime) -> None:
    """A letter and a notification to who proposed it, once; not to who decided herself or sees the budget no more."""
    reader = change.proposed_by
    if reader is None or reader == by or not reader.is_active:
        return
    if not Budget.objects.visible_to(reader).filter(pk=change.budget_id).exists():
        return

    def context() -> dict[str, Any]:
        url = absolute_url(change.get_absolute_url())
        return {"change": change, "budget": change.budget, "what": change_text(change), "person": by, "url": url}

    message = make_message("budget-change-decided", reader.email, context)
    queue_email(f"budget change {change.pk} decided", message, now=now)


def amounts_text(budget: Budget) -> str:
    """``12 periods from 1 Dec 2026 to 30 Nov 2027: 96,000.00 USD in all, 8,000.00 USD each``; empty without any."""
    rows, code = list(budget.periods.all()), budget.currency
    if not rows:
        return ""
    amounts = {row.amount for row in rows}
    of_one = (
        _(", {amount} {code} each").format(amount=formatted(rows[0].amount, code), code=code)
        if len(rows) > 1 and len(amounts) == 1
        else ""
    )
    return _("{periods} from {start} to {last_day}: {sum} {code} in all{of_one}").format(
        periods=counted(len(rows), "period"),
        start=day_text(rows[0].start),
        last_day=day_text(rows[-1].period.last_day),
        sum=formatted(exact_sum(row.amount for row in rows), code),
        code=code,
        of_one=of_one,
    )


def change_text(change: ProposedChange) -> str:
    """``12 periods from 1 Dec 2026: 106,800.00 USD in all instead of 94,800.00 USD, 12,000.00 USD more``."""
    code, amounts = change.budget.currency, change.amounts
    before, after = (exact_sum(pair[place] for pair in amounts) for place in (0, 1))
    more = EXACT.subtract(after, before)
    days = sorted(date.fromisoformat(day) for day in change.after)
    gap = ""
    if more:
        gap = _(", {amount} {code} more") if more > 0 else _(", {amount} {code} less")
        gap = gap.format(amount=formatted(abs(more), code), code=code)
    return _("{periods} from {days}: {after} {code} in all instead of {before} {code}{gap}").format(
        periods=counted(len(days), "period"),
        days=day_text(days[0]),
        after=formatted(after, code),
        code=code,
        before=formatted(before, code),
        gap=gap,
    )
