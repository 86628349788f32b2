"""Creating, changing, proposing, approving and copying budgets. Every change of an amount has a version."""

from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.alerts.cancellation import cancel_of_archived, queue_of_restored
from budgets.calc import amounts
from budgets.calc.fiscal_calendar import MONTHS
from budgets.models import Budget, BudgetPeriod, BudgetVersion, Recipient, Threshold
from budgets.models.thresholds import DEFAULT_THRESHOLDS
from budgets.planning.period_changes import Amounts, WrongState, apply_periods, plan_periods
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import EXACT, exact_text, formatted, rounded
from finops_site.lib.periods import Period, days_text
from finops_site.lib.words import counted
from finops_site.models import User


class StaleBudget(Exception):
    """Somebody else changed the budget since it was opened; nothing was written. The message names who and when."""


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
    apply_periods(plan_periods(budget, new), why=why)
    _add_version(budget, {}, by=by, why=why, what=gettext_noop("created"))
    return budget


@transaction.atomic
def change_budget(
    budget: Budget, new: Amounts | None, *, version: int, by: User | None, why: str = "", what: str = ""
) -> Budget:
    """Saves a changed budget, and its amounts where they are given; raises StaleBudget unless `version` is the newest.

    Periods that the budget has no more, by its kind, calendar, start or end, are removed; those that stay and are not
    in `new` stay as they are. Raises WrongState where its periods are cut anew and no amounts are given, and for an
    archived budget, which is brought back first.
    """
    stored = Budget.objects.filter(pk=budget.pk).values_list("state", flat=True).first()
    if Budget.State.ARCHIVED == stored == budget.state:
        raise WrongState(_("{budget} is archived: bring it back before you change it.").format(budget=budget))
    if not Budget.objects.filter(pk=budget.pk, version=version).update(version=F("version") + 1):
        raise StaleBudget(_who_was_first(budget))
    plan = plan_periods(budget, new)
    budget.version = version + 1
    before = _stored_amounts(budget)
    budget.save()
    apply_periods(plan, why=why)
    _add_version(budget, before, by=by, why=why, what=", ".join(filter(None, [what, plan.words])))
    return budget


def approve_budget(budget: Budget, *, version: int, by: User, why: str = "") -> Budget:
    """Finance accepts a proposal: it is in force from now on."""
    if budget.state not in (Budget.State.PROPOSED, Budget.State.DRAFT):
        raise WrongState(
            _("{budget} is {state}: there is nothing to approve.").format(
                budget=budget, state=budget.get_state_display()
            )
        )
    budget.state, budget.approved_by, budget.approved_at = Budget.State.ACTIVE, by, timezone.now()
    return change_budget(budget, None, version=version, by=by, why=why, what=gettext_noop("approved"))


def send_back_budget(budget: Budget, *, version: int, by: User, why: str = "") -> Budget:
    """Finance returns a proposal as a draft, with the reason."""
    if budget.state != Budget.State.PROPOSED:
        raise WrongState(
            _("{budget} is {state}: only a proposal can be sent back.").format(
                budget=budget, state=budget.get_state_display()
            )
        )
    budget.state = Budget.State.DRAFT
    return change_budget(budget, None, version=version, by=by, why=why, what=gettext_noop("sent back"))


@transaction.atomic
def archive_budget(budget: Budget, *, version: int, by: User, why: str = "") -> Budget:
    """Ends a budget: its figures stay, and what its alerts have queued is cancelled."""
    if budget.state == Budget.State.ARCHIVED:
        raise WrongState(_("{budget} is archived already.").format(budget=budget))
    budget.state = Budget.State.ARCHIVED
    archived = change_budget(budget, None, version=version, by=by, why=why, what=gettext_noop("archived"))
    cancel_of_archived(archived)
    return archived


@transaction.atomic
def restore_budget(budget: Budget, *, version: int, by: User, why: str = "") -> Budget:
    """Brings an archived budget back into force, and queues what its alerts had queued; raises WrongState where another
    one has its name meanwhile. What was never approved comes back as the proposal that it was.
    """
    if budget.state != Budget.State.ARCHIVED:
        raise WrongState(
            _("{budget} is {state}: it is not archived.").format(budget=budget, state=budget.get_state_display())
        )
    if Budget.objects.exclude(state=Budget.State.ARCHIVED).filter(name=budget.name).exists():
        raise WrongState(
            _("There is another budget named {budget} now: rename or archive that one first.").format(budget=budget)
        )
    now = timezone.now()
    if budget.approved_at is None:
        budget.state = Budget.State.PROPOSED
    else:
        budget.state, budget.approved_by, budget.approved_at = Budget.State.ACTIVE, by, now
    restored = change_budget(budget, None, version=version, by=by, why=why, what=gettext_noop("brought back"))
    queue_of_restored(restored, now)
    return restored


# What finance decides about a budget as a whole.
DECISIONS = {
    "approve": approve_budget,
    "send-back": send_back_budget,
    "archive": archive_budget,
    "restore": restore_budget,
}


def copy_to_next_year(budget: Budget, *, percent: Decimal, version: int, by: User, why: str = "") -> Budget:
    """The last twelve months' amounts (or the last periods of a year) again, a year later and `percent` more.

    What was the amount of a part of a month, where the budget began amid it, is raised to that of all its days. Raises
    WrongState where the periods exist already, the budget ends before them or is a range of days.
    """
    if budget.kind not in MONTHS:
        raise WrongState(_("A range of days and a project have no next year: make a new budget."))
    cut, last, new = budget.cut, _last_year(budget), dict[Period, Decimal]()
    for row in last:
        later = cut.calendar.a_year_later(budget.kind, row.start)
        period = cut.period(later.start)
        if period is None:
            raise WrongState(
                _("{budget} ends before {period}: change its end first.").format(
                    budget=budget, period=budget.words_of(later)
                )
            )
        amount = _for_all_days(budget, row)
        new[period] = amounts.growing_amounts(amount, percent, 2, budget.currency)[1] if percent else amount
    if not new or {period.start for period in new} & {row.start for row in last}:
        raise WrongState(_("{budget} has no complete year of amounts to copy.").format(budget=budget))
    what = _("copied to {year}").format(year=max(new).start.year) + (f", {percent:+f}%" if percent else "")
    return change_budget(budget, new, version=version, by=by, why=why, what=what)


def raised_parts(budget: Budget) -> list[str]:
    """What a copy to next year makes of amounts of a part of a month, in sentences."""
    texts = []
    for row in _last_year(budget) if budget.kind in MONTHS else []:
        if not budget.cut.covers_all_of_its_period(row.period):
            days = counted(row.period.days, "day")
            before, after = (formatted(value, budget.currency) for value in (row.amount, _for_all_days(budget, row)))
            texts.append(
                _("{start} has {before} {currency} for {days}: a year later the amount of all days is {after}.").format(
                    start=days_text(row.period.start, row.period.last_day),
                    before=before,
                    currency=budget.currency,
                    days=days,
                    after=after,
                )
            )
    return texts


def _last_year(budget: Budget) -> list[BudgetPeriod]:
    """The periods that a copy to next year copies."""
    return list(budget.periods.all())[-12 // MONTHS[budget.kind] :]


def _for_all_days(budget: Budget, row: BudgetPeriod) -> Decimal:
    """The amount of a period, that of a part of a month raised to all of its days."""
    if budget.cut.covers_all_of_its_period(row.period):
        return row.amount
    all_days = budget.cut.calendar.holding(budget.kind, row.start).days
    return rounded(EXACT.divide(EXACT.multiply(row.amount, all_days), Decimal(row.period.days)), budget.currency)


def _who_was_first(budget: Budget) -> str:
    newest = BudgetVersion.objects.filter(budget=budget).select_related("by").first()
    if newest is None:
        return _("{budget} is gone: somebody deleted it. Nothing was written.").format(budget=budget)
    return _(
        "{person} changed this budget at {at} UTC, while you had it open, and none of your changes "
        "were written. Below is the budget as it is now beside what you entered: look, and save "
        "again."
    ).format(person=newest.by or _("somebody"), at=f"{newest.at:%H:%M}")


def _stored_amounts(budget: Budget) -> dict[str, str | None]:
    """{first day: exact amount}, for versions."""
    return {row.start.isoformat(): exact_text(row.amount) for row in BudgetPeriod.objects.filter(budget=budget)}


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
