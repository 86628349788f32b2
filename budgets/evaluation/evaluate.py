"""The night: every budget is judged as of a day, its alerts are opened, kept or closed, and messages are queued.

Budgets are judged in groups of the same shape. A group is one transaction that first takes the lock of each of its
budgets, so that two evaluators never judge a budget at once and the later one sees what the earlier one wrote. What a
night writes is unique in the database, so running it twice makes nothing twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q

from budgets.alerts import recipients
from budgets.calc.breaches import Crossing, Known, Line, Verdict, crossings, fell_back, judged, opening
from budgets.evaluation import spending
from budgets.forecast import outlook
from budgets.forecast.outlook import Judgement
from budgets.models import Alert, AlertDelivery, Budget, BudgetPeriod, Forecast, Night, Threshold
from budgets.planning import budget_changes
from finops_site.lib.money import exact_text, formatted
from finops_site.lib.periods import Month

GROUP = 1000
# A period that ended is judged so much longer: its last bills are still to come.
STILL_JUDGED_DAYS = 10
# No more nights than these are caught up: what happened before is in the state they end with.
MOST_NIGHTS = 31
# The class of our advisory locks, and the one of the whole night's.
LOCK_CLASS = 5_210


@dataclass(slots=True)
class Report:
    """What a night found and did, in the words of DESIGN section 7."""

    as_of: date
    dry_run: bool = False
    budgets: int = 0
    crossings: list[dict[str, Any]] = field(default_factory=list)
    alerts_made: int = 0
    mails_queued: int = 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "as_of": self.as_of.isoformat()}


class DryRun(Exception):
    """Ends a transaction whose work was only to be looked at."""


def evaluate_all(
    as_of: date,
    *,
    now: datetime,
    dry_run: bool = False,
    budgets: Sequence[int] | None = None,
    months: Sequence[Month] = (),
    catch_up: bool = True,
) -> list[Report]:
    """Judges every active budget (or those named) as of a day, the missed nights before it in order.

    `months`: periods of theirs that a new bill touched are judged too, however long ago they ended.
    """
    nights = _nights(as_of) if catch_up and not dry_run and budgets is None else [as_of]
    return [_night(day, now, dry_run=dry_run, wanted=budgets, months=months) for day in nights]


def _nights(as_of: date) -> list[date]:
    """The nights missed since the last one that was finished, and this one."""
    last = Night.objects.filter(finished_at__isnull=False).values_list("as_of", flat=True).first()
    if last is None or last >= as_of:
        return [as_of]
    first = max(spending.day_after(last), as_of - timedelta(days=MOST_NIGHTS - 1))
    return [first + timedelta(days=number) for number in range((as_of - first).days + 1)]


def _night(
    as_of: date, now: datetime, *, dry_run: bool, wanted: Sequence[int] | None, months: Sequence[Month]
) -> Report:
    report = Report(as_of, dry_run)
    if not dry_run:
        budget_changes.prepare_periods(as_of, wanted)
    for group in _groups(as_of, wanted):
        try:
            with transaction.atomic():
                _judge_group(group, report, now, months)
                if dry_run:
                    raise DryRun
        except DryRun:
            continue
    if not dry_run and wanted is None:
        made = {"budgets": report.budgets, "alerts_made": report.alerts_made, "mails_queued": report.mails_queued}
        Night.objects.update_or_create(
            as_of=as_of, defaults={"finished_at": now}, create_defaults={"finished_at": now, **made}
        )
    return report


def _groups(as_of: date, wanted: Sequence[int] | None) -> Iterator[list[int]]:
    """Ids of budgets, those of one shape together."""
    found = Budget.objects.active().filter(start__lte=as_of)
    if wanted is not None:
        found = found.filter(pk__in=wanted)
    alike: dict[spending.Shape, list[int]] = defaultdict(list)
    for budget in found.order_by("pk"):
        alike[spending.shape_of(budget)].append(budget.pk)
    for pks in alike.values():
        yield from (pks[start : start + GROUP] for start in range(0, len(pks), GROUP))


def lock(pks: Sequence[int]) -> None:
    """Takes the lock of each budget until the transaction ends; in order, so that nobody waits in a circle."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, id::int) FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted(id, place) "
            "ORDER BY place",
            [LOCK_CLASS, sorted(pks)],
        )


def _judge_group(pks: Sequence[int], report: Report, now: datetime, months: Sequence[Month]) -> None:
    lock(pks)
    # Who deletes or changes one of them meanwhile waits; one that is gone already is left out.
    pks = list(Budget.objects.filter(pk__in=pks).select_for_update(no_key=True).values_list("pk", flat=True))
    periods = list(_periods(pks, report.as_of, months))
    tested = _tested([period.budget_id for period in periods], report.as_of)
    delivered = spending.last_delivered(report.as_of)
    found = outlook.judge(periods, report.as_of, delivered=delivered, tested=tested)
    report.budgets += len({period.budget_id for period in periods})
    _write_forecasts(found, now)
    _carry_over(found)
    _judge_alerts(found, report, now)
    Budget.objects.filter(pk__in=pks).filter(Q(judged_as_of__lt=report.as_of) | Q(judged_as_of=None)).update(
        judged_as_of=report.as_of
    )


def _periods(pks: Sequence[int], as_of: date, months: Sequence[Month]) -> Iterable[BudgetPeriod]:
    """The periods that hold the day, ended lately or were touched; a budget deleted meanwhile has none."""
    wanted = Q(end__gt=as_of - timedelta(days=STILL_JUDGED_DAYS))
    for month in months:
        wanted |= Q(start__lt=month.next.start, end__gt=month.start)
    periods = BudgetPeriod.objects.of_active().filter(wanted, budget__in=pks, start__lte=as_of)
    return periods.select_related("budget").order_by("budget", "start")


def _tested(pks: Sequence[int], as_of: date) -> dict[int, dict[str, Any]]:
    """Backtests made this month already: a new one needs a month more of history."""
    month = as_of.strftime("%Y-%m")
    rows = Forecast.objects.filter(period__budget__in=pks, backtest__month=month, as_of__gte=Month.of(as_of).start)
    return dict(rows.order_by("as_of").values_list("period__budget", "backtest"))


def _write_forecasts(found: Sequence[Judgement], now: datetime) -> None:
    rows = [_forecast(each, now) for each in found]
    kept = [name.name for name in Forecast._meta.fields if name.name not in ("id", "period", "as_of")]
    Forecast.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["period", "as_of"], update_fields=kept, batch_size=2000
    )


def _forecast(each: Judgement, now: datetime) -> Forecast:
    return Forecast(
        period=each.period,
        as_of=each.as_of,
        spent=each.spent,
        complete_until=each.whole_until,
        p10=each.landing(0.1),
        p50=each.landing(0.5),
        p90=each.landing(0.9),
        chance_of_overrun=each.chance_above(each.period.whole),
        method=each.method,
        days_of_history=each.days_of_history,
        backtest=each.backtest,
        made_at=now,
    )


def _carry_over(found: Sequence[Judgement]) -> None:
    """What a period that is over left goes to the next one, where the budget says so."""
    over = {each.period.budget_id: each for each in found if each.period.budget.rollover and each.ahead is None}
    following = BudgetPeriod.objects.filter(budget__in=over, start__in=[each.period.end for each in over.values()])
    changed = []
    for period in following:
        before = over[period.budget_id]
        left = max(before.period.whole - before.spent, Decimal(0))
        if period.start == before.period.end and period.rolled_over != left:
            period.rolled_over = left
            changed.append(period)
    BudgetPeriod.objects.bulk_update(changed, ["rolled_over"])


def _judge_alerts(found: Sequence[Judgement], report: Report, now: datetime) -> None:
    lines = _lines([each.period.budget_id for each in found])
    alerts, late = _known([each.period.pk for each in found]), _late(found)
    new: list[tuple[Alert, str]] = []
    changed: list[tuple[Alert, Verdict]] = []
    for each in found:
        standing, mine = each.standing(), lines[each.period.budget_id]
        crossed = {crossing.line.id: crossing for crossing in crossings(standing, mine)}
        report.crossings += [_as_json(each, crossing) for crossing in crossed.values()]
        for line in mine:
            known, crossing = alerts.get((each.period.pk, line.id)), crossed.get(line.id)
            if known is None:
                if crossing and each.period.pk not in late and (verdict := opening(crossing, each.as_of)):
                    new.append((_alert(each, crossing, now), verdict.occasion))
            elif verdict := judged(known[1], crossing, each.as_of, over=fell_back(standing, line)):
                _apply(known[0], verdict, each, now)
                changed.append((known[0], verdict))
    _save(new, changed, report, now)


def _late(found: Sequence[Judgement]) -> set[int]:
    """Periods that open no alert any more; those they have are still judged.

    A period that is long over, or that was over before its budget was first judged: a new budget warns of what can
    still be avoided, not of last year.
    """
    over = {each.period.pk: each for each in found if each.period.end <= each.as_of}
    judged_in_time = Forecast.objects.filter(period__in=over, as_of__lt=F("period__end"))
    known = set(judged_in_time.values_list("period", flat=True))
    return {
        pk
        for pk, each in over.items()
        if pk not in known or each.period.end <= each.as_of - timedelta(days=STILL_JUDGED_DAYS)
    }


def _lines(pks: Sequence[int]) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = defaultdict(list)
    for row in Threshold.objects.filter(budget__in=pks, is_active=True):
        found[row.budget_id].append(Line(row.pk, row.kind, row.percent, row.amount, row.probability))
    return found


def _known(periods: Sequence[int]) -> dict[tuple[int, int], tuple[Alert, Known]]:
    """{(period, threshold): the alert, and how it stands}."""
    alerts = list(Alert.objects.filter(period__in=periods))
    told: dict[int, set[str]] = defaultdict(set)
    taken = Q(outcome__in=["sent", "unknown"]) | Q(occasion__startswith="taken back")
    for pk, occasion in AlertDelivery.objects.filter(taken, alert__in=alerts).values_list("alert", "occasion"):
        told[pk].add(occasion)
    return {(each.period_id, each.threshold_id): (each, _as_known(each, told[each.pk])) for each in alerts}


def _as_known(alert: Alert, told: set[str]) -> Known:
    return Known(
        kind=alert.kind,
        state=alert.state,
        judged_as_of=alert.judged_as_of,
        peak=alert.peak,
        snoozed_until=alert.snoozed_until,
        resolved_as_of=alert.resolved_as_of,
        reopened=alert.reopened,
        has_mailed=any(not occasion.startswith("taken back") for occasion in told),
        told_over=f"taken back:{alert.reopened}" in told,
    )


def _alert(each: Judgement, crossing: Crossing, now: datetime) -> Alert:
    return Alert(
        budget=each.period.budget,
        period=each.period,
        threshold_id=crossing.line.id,
        kind=crossing.line.kind,
        as_of=each.as_of,
        judged_as_of=each.as_of,
        said=_said(each),
        value=crossing.value,
        limit=crossing.limit,
        peak=crossing.value,
        opened_at=now,
        history=[{"at": now.isoformat(), "what": "opened", "by": ""}],
    )


def _said(each: Judgement) -> dict[str, Any]:
    """What stood when it opened, as exact text."""
    amounts = {
        "amount": each.period.whole,
        "spent": each.spent,
        "p10": each.landing(0.1),
        "p50": each.landing(0.5),
        "p90": each.landing(0.9),
        "chance_of_overrun": each.chance_above(each.period.whole),
    }
    return {name: exact_text(amount) for name, amount in amounts.items()} | {
        "currency": each.currency,
        "complete_until": each.whole_until.isoformat() if each.whole_until else "",
        "method": each.method,
        "foreseen": each.foreseen_words,
    }


def _as_json(each: Judgement, crossing: Crossing) -> dict[str, Any]:
    line = crossing.line
    return {
        "budget": each.period.budget.name,
        "budget_id": each.period.budget_id,
        "period": {"from": each.period.start.isoformat(), "to": each.period.period.last_day.isoformat()},
        "kind": line.kind,
        "threshold": exact_text(line.percent if line.percent is not None else line.amount),
        "unit": "percent" if line.percent is not None else each.currency,
        "value": exact_text(crossing.value),
        "limit": exact_text(crossing.limit),
        "currency": each.currency,
        "spent": exact_text(each.spent),
        "forecast": exact_text(each.landing(0.5)),
        "chance_of_overrun": exact_text(each.chance_above(each.period.whole)),
    }


def _apply(alert: Alert, verdict: Verdict, each: Judgement, now: datetime) -> None:
    """Writes the verdict into the alert; the caller saves it."""
    known, before = verdict.known, alert.state
    alert.judged_as_of, alert.peak = known.judged_as_of, known.peak
    alert.snoozed_until, alert.reopened, alert.resolved_as_of = (
        known.snoozed_until,
        known.reopened,
        known.resolved_as_of,
    )
    if known.state == before:
        return
    alert.state = known.state
    alert.resolved_at = now if known.state == Alert.State.RESOLVED else None
    words = _words(alert, each)
    alert.note = words if known.state == Alert.State.RESOLVED else ""
    alert.remember(words, now)


def _words(alert: Alert, each: Judgement) -> str:
    """What happened to the alert, for its history."""
    code = each.currency
    if alert.state != Alert.State.RESOLVED:
        return "open again: it is crossed once more"
    if alert.kind == Threshold.Kind.FORECAST:
        return f"resolved: the forecast fell back to {formatted(each.landing(0.5), code)} {code}"
    if each.period.whole > Decimal(alert.said.get("amount") or 0):
        return f"resolved: the amount was raised to {formatted(each.period.whole, code)} {code}"
    was, now = formatted(alert.value, code), formatted(each.spent, code)
    return f"taken back: a newer bill says {now} {code} are spent; it was {was} {code} when this opened"


def _save(
    new: Sequence[tuple[Alert, str]], changed: Sequence[tuple[Alert, Verdict]], report: Report, now: datetime
) -> None:
    Alert.objects.bulk_create([alert for alert, _ in new], batch_size=1000)
    report.alerts_made += len(new)
    fields = ["state", "judged_as_of", "peak", "snoozed_until", "reopened", "resolved_at", "resolved_as_of", "note"]
    Alert.objects.bulk_update([alert for alert, _ in changed], [*fields, "history"], batch_size=500)
    forgotten = [alert.pk for alert, verdict in changed if verdict.forgets_waiting]
    waiting = AlertDelivery.objects.waiting().filter(alert__in=forgotten, claimed_at__isnull=True)
    waiting.update(outcome=AlertDelivery.Outcome.CANCELLED)
    told = [*new, *((alert, verdict.occasion) for alert, verdict in changed if verdict.occasion)]
    report.mails_queued += recipients.queue(told, now)


def touched(months: Sequence[Month]) -> list[int]:
    """Active budgets that have a period with a day in any of the months, or hold today."""
    wanted = Q(pk__in=[])
    for month in months:
        wanted |= Q(start__lt=month.next.start, end__gt=month.start)
    return sorted(set(BudgetPeriod.objects.of_active().filter(wanted).values_list("budget", flat=True)))
