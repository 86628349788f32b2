"""What a change set saved by the bill: a day of its resources before, against the days that it was in force.

Whole days alone, because a bill counts by day, and only as far as the bills are known: until then it is not known.
What is paid for all the same (disks, commitments) is in both, and cancels out.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from budgets.calc.controls import rules as control_rules
from budgets.controls.targets import DAYS
from budgets.models import ControlChangeSet, ControlStep
from costs.models import CostLine
from costs.query.known_until import known_in
from finops_site.lib.money import EXACT, STORED_UNIT
from finops_site.lib.periods import Period, day_text
from finops_site.lib.person import WholeCompany

MEASURED_FOR = timedelta(days=62)
METRIC = "effective_cost"
Result = ControlStep.Result
ACTED = (Result.DONE, Result.UNDONE, Result.NOT_UNDONE, Result.UNDOING)


def measure_all(now: datetime) -> int:
    """Measures again what is in force or ended lately; returns how many change sets a bill shows."""
    rows = ControlChangeSet.objects.filter(started_at__isnull=False).filter(
        Q(state__in=control_rules.IN_FORCE) | Q(undone_at__gt=now - MEASURED_FOR)
    )
    return sum(measure(row, now).saved is not None for row in rows)


def measure(row: ControlChangeSet, now: datetime) -> ControlChangeSet:
    """Fills in and saves what it saved so far, exact; None, with the reason in words, where that is not known."""
    row.saved, row.saved_days, row.saved_until, row.saved_note = None, 0, None, ""
    steps = list(row.steps.filter(result__in=ACTED))
    resources = [resource for step in steps for resource in step.resources]
    days = _days_in_force(row, steps, now)
    if not resources or row.known_until is None:
        row.saved_note = _("no line of the bill is its own: nothing proves what it saved")
    elif not days.days:
        row.saved_note = _("it was not in force for a whole day, and a bill counts by day")
    else:
        _measure_days(row, resources, [step.account for step in steps], days, now.date())
    row.save(update_fields=["saved", "saved_currency", "saved_days", "saved_until", "saved_note"])
    return row


def _days_in_force(row: ControlChangeSet, steps: Sequence[ControlStep], now: datetime) -> Period:
    """The whole days between the last step that was done and the first that was put back."""
    begun = max((step.done_at for step in steps if step.done_at), default=now)
    ended = min((step.undone_at for step in steps if step.undone_at), default=now)
    first = begun.astimezone(UTC).date() + timedelta(days=1)
    return Period(first, max(first, ended.astimezone(UTC).date()))


def _measure_days(
    row: ControlChangeSet, resources: Sequence[str], accounts: Sequence[str], days: Period, today: date
) -> None:
    known = known_in(WholeCompany(), days, today, filters={"account": sorted(set(accounts))}, metric=METRIC)
    until = min(days.last_day, known.until) if known.until else None
    if until is None or until < days.start:
        row.saved_note = _("no bill shows these days yet")
        return
    assert row.known_until is not None
    during = Period(days.start, until + timedelta(days=1))
    before = Period(row.known_until - timedelta(days=DAYS - 1), row.known_until + timedelta(days=1))
    then, now = _costs(resources, before), _costs(resources, during)
    if len(then) != 1 or None in then.values() or None in now.values():
        row.saved_note = _("the bill does not show its effective cost in one currency")
        return
    ((currency, (cost, counted)),) = ((code, pair) for code, pair in then.items() if pair)
    a_day = EXACT.divide(cost, Decimal(counted))
    spent = (now.get(currency) or (Decimal(0), 0))[0]
    expected = EXACT.multiply(a_day, Decimal(during.days))
    row.saved = EXACT.subtract(expected, spent).quantize(STORED_UNIT, context=EXACT)
    row.saved_currency, row.saved_days, row.saved_until = currency, during.days, until
    row.saved_note = (
        ""
        if until >= days.last_day
        else _("known until {until}: the rest when its bill arrives").format(until=day_text(until))
    )


def _costs(resources: Sequence[str], period: Period) -> dict[str, tuple[Decimal, int] | None]:
    """{currency: the cost of all of them, and on how many days; None where a line has no effective cost}."""
    rows = CostLine.objects.current().of_resources(resources).charged_in(period).order_by().values("currency")
    sums = rows.annotate(cost=Sum(METRIC), unknown=Count("pk", filter=Q(**{METRIC: None})))
    days = dict(rows.annotate(n=Count("charge_date", distinct=True)).values_list("currency", "n"))
    return {sum_["currency"]: None if sum_["unknown"] else (sum_["cost"], days[sum_["currency"]]) for sum_ in sums}


def saved_by_currency(rows: Sequence[ControlChangeSet]) -> dict[str, Decimal]:
    """{currency: what is proved}, of the change sets of which it is known."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.saved is not None:
            sums[row.saved_currency] = EXACT.add(sums[row.saved_currency], row.saved)
    return dict(sums)
