"""The night: every budget is evaluated as of a day, its alerts are opened, updated or resolved, messages are queued.

Budgets are evaluated in groups of the same shape of scope. A group is one transaction that first takes the lock of each
of its budgets, so that two workers never evaluate a budget at once and the later one sees what the earlier one wrote.
What a night writes is unique in the database, so running it twice makes nothing twice.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from budgets.calc import amounts
from budgets.evaluation.alert_updates import update_alerts
from budgets.forecast.period_forecasts import Backtest, PeriodForecast, forecast_periods
from budgets.forecast.spending import ScopeShape, day_after, last_delivered_day, scope_shape
from budgets.models import Budget, BudgetPeriod, Forecast, Night
from budgets.planning.automatic_amounts import create_automatic_periods
from finops_site.lib.periods import Month

logger = logging.getLogger(__name__)

GROUP = 1000
# A period that ended is evaluated so much longer: its last bills are still to come.
STILL_EVALUATED_DAYS = 10
# No more nights than these are caught up: what happened before is in the state they end with.
MOST_NIGHTS = 31
# The class of our advisory locks.
LOCK_CLASS = 5_210


@dataclass(slots=True)
class NightReport:
    """What a night found and did; `crossings` are the breaches, under the name that the command has always printed."""

    as_of: date
    dry_run: bool = False
    budgets: int = 0
    crossings: list[dict[str, Any]] = field(default_factory=list)
    alerts_made: int = 0
    mails_queued: int = 0
    not_evaluated: list[str] = field(default_factory=list)
    # The first that went wrong: where no budget at all could be evaluated, that is no odd budget's fault.
    error: Exception | None = None

    def add(self, part: "NightReport") -> None:
        """Adds what a group of budgets came to."""
        self.budgets += part.budgets
        self.crossings += part.crossings
        self.alerts_made += part.alerts_made
        self.mails_queued += part.mails_queued
        self.not_evaluated += part.not_evaluated

    def as_json(self) -> dict[str, Any]:
        figures = {**asdict(self), "as_of": self.as_of.isoformat()}
        figures.pop("error")
        return figures


class DryRun(Exception):
    """Ends a transaction whose work was only to be looked at."""


def evaluate_nights(
    as_of: date,
    *,
    now: datetime,
    dry_run: bool = False,
    budgets: Sequence[int] | None = None,
    months: Sequence[Month] = (),
    catch_up: bool = True,
) -> list[NightReport]:
    """Evaluates every active budget (or those named) as of a day, the missed nights before it in order.

    `months`: periods that a new bill touched are evaluated too, however long ago they ended.
    """
    first = as_of
    if catch_up and not dry_run and budgets is None:
        last = Night.objects.filter(finished_at__isnull=False).values_list("as_of", flat=True).first()
        if last is not None and last < as_of:
            first = max(day_after(last), as_of - timedelta(days=MOST_NIGHTS - 1))
    nights = [first + timedelta(days=number) for number in range((as_of - first).days + 1)]
    return [_evaluate_night(night, now, dry_run=dry_run, budgets=budgets, months=months) for night in nights]


def _evaluate_night(
    as_of: date, now: datetime, *, dry_run: bool, budgets: Sequence[int] | None, months: Sequence[Month]
) -> NightReport:
    report = NightReport(as_of, dry_run)
    if not dry_run:
        _create_automatic_periods(as_of, budgets, report)
    for group in groups_of_one_shape(as_of, budgets, report):
        _evaluate_apart(group, report, now, months)
    if report.error and not report.budgets:
        raise report.error
    if not dry_run and budgets is None:
        counts = {"budgets": report.budgets, "alerts_made": report.alerts_made, "mails_queued": report.mails_queued}
        Night.objects.update_or_create(
            as_of=as_of, defaults={"finished_at": now}, create_defaults={"finished_at": now, **counts}
        )
    return report


def _evaluate_apart(pks: Sequence[int], report: NightReport, now: datetime, months: Sequence[Month]) -> None:
    """Evaluates a group; where an odd budget fails it, its halves, until that budget stands alone and is noted."""
    part = NightReport(report.as_of, report.dry_run)
    try:
        with transaction.atomic():
            evaluate_group(pks, part, now, months)
            if report.dry_run:
                raise DryRun
    except DryRun:
        pass
    except Exception as error:
        if not connection.is_usable():
            raise
        if len(pks) == 1:
            _note_not_evaluated(pks[0], error, report)
            return
        middle = len(pks) // 2
        for half in (pks[:middle], pks[middle:]):
            _evaluate_apart(half, report, now, months)
        return
    report.add(part)


def _create_automatic_periods(as_of: date, budgets: Sequence[int] | None, report: NightReport) -> None:
    """All together; where an odd budget fails them, one by one."""
    try:
        with transaction.atomic():
            create_automatic_periods(as_of, budgets)
    except Exception as error:
        if not connection.is_usable():
            raise
        if budgets is not None and len(budgets) == 1:
            _note_not_evaluated(budgets[0], error, report)
            return
        following = Budget.objects.active().filter(auto_months__isnull=False, start__lte=as_of)
        chosen = following if budgets is None else following.filter(pk__in=budgets)
        for pk in chosen.order_by("pk").values_list("pk", flat=True):
            _create_automatic_periods(as_of, [pk], report)


def _note_not_evaluated(pk: int, error: Exception, report: NightReport) -> None:
    """Health names the budget and the reason until a night evaluates it."""
    report.error = report.error or error
    logger.error("budget %s cannot be evaluated", pk, exc_info=error)
    budget = Budget.objects.filter(pk=pk)
    report.not_evaluated += [name for name in budget.values_list("name", flat=True) if name not in report.not_evaluated]
    if not report.dry_run:
        budget.update(not_evaluated=f"{type(error).__name__}: {error}"[:500])


def groups_of_one_shape(
    as_of: date, budgets: Sequence[int] | None, report: NightReport | None = None
) -> Iterator[list[int]]:
    """Ids of active budgets, those whose scopes have the same shape together; one without any is noted in `report`."""
    active = Budget.objects.active().filter(start__lte=as_of)
    if budgets is not None:
        active = active.filter(pk__in=budgets)
    alike: dict[ScopeShape, list[int]] = defaultdict(list)
    for budget in active.order_by("pk"):
        try:
            alike[scope_shape(budget)].append(budget.pk)
        except Exception as error:
            if report is None:
                raise
            _note_not_evaluated(budget.pk, error, report)
    for pks in alike.values():
        yield from (pks[start : start + GROUP] for start in range(0, len(pks), GROUP))


def lock_budgets(pks: Sequence[int]) -> None:
    """Takes the lock of each budget until the transaction ends; in order, so that no two workers deadlock."""
    with connection.cursor() as cursor:
        cursor.execute(
            # Locks are named by numbers of 32 bits: beyond them two budgets share one.
            "SELECT pg_advisory_xact_lock(%s, (id %% 2147483647)::int) "
            "FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted(id, place) ORDER BY place",
            [LOCK_CLASS, sorted(pks)],
        )


def evaluate_group(pks: Sequence[int], report: NightReport, now: datetime, months: Sequence[Month]) -> None:
    """Evaluates budgets of one shape in the transaction of the caller."""
    as_of = report.as_of
    lock_budgets(pks)
    # Whoever deletes or changes one of them meanwhile waits; one that is gone already is left out.
    pks = list(Budget.objects.filter(pk__in=pks).select_for_update(no_key=True).values_list("pk", flat=True))
    # The periods that hold the day, ended lately or were touched.
    relevant = Q(end__gt=as_of - timedelta(days=STILL_EVALUATED_DAYS)) | periods_in(months)
    rows = BudgetPeriod.objects.of_active().filter(relevant, budget__in=pks, start__lte=as_of)
    periods = list(rows.select_related("budget").order_by("budget", "start"))
    forecasts = forecast_periods(
        periods,
        as_of,
        delivered=last_delivered_day(as_of),
        backtests=_backtests_of_this_month([period.budget_id for period in periods], as_of),
    )
    report.budgets += len({period.budget_id for period in periods})
    _save_forecasts(forecasts, now)
    _carry_over(forecasts)
    changes = update_alerts(forecasts, now, still_evaluated=timedelta(days=STILL_EVALUATED_DAYS))
    report.crossings += changes.breaches
    report.alerts_made += changes.alerts_made
    report.mails_queued += changes.mails_queued
    Budget.objects.filter(pk__in=pks).exclude(not_evaluated="").update(not_evaluated="")
    Budget.objects.filter(pk__in=pks).filter(Q(evaluated_as_of__lt=as_of) | Q(evaluated_as_of=None)).update(
        evaluated_as_of=as_of
    )


def periods_in(months: Sequence[Month]) -> Q:
    """Periods with a day in any of the months."""
    condition = Q(pk__in=[])
    for month in months:
        condition |= Q(start__lt=month.next.start, end__gt=month.start)
    return condition


def budgets_in(months: Sequence[Month]) -> list[int]:
    """Active budgets that have a period with a day in any of the months."""
    periods = BudgetPeriod.objects.of_active().filter(periods_in(months))
    return sorted(set(periods.values_list("budget", flat=True)))


def _backtests_of_this_month(pks: Sequence[int], as_of: date) -> dict[int, Backtest]:
    """Backtests that were run this month already: a new one needs a month more of history."""
    month = as_of.strftime("%Y-%m")
    rows = Forecast.objects.filter(period__budget__in=pks, backtest__month=month, as_of__gte=Month.of(as_of).start)
    return dict(rows.order_by("as_of").values_list("period__budget", "backtest"))


def _save_forecasts(forecasts: Sequence[PeriodForecast], now: datetime) -> None:
    rows = [
        Forecast(
            period=forecast.period,
            as_of=forecast.as_of,
            spent=forecast.spent,
            complete_until=forecast.complete_until,
            quiet_since=forecast.quiet_since,
            p10=forecast.at_period_end(0.1),
            p50=forecast.at_period_end(0.5),
            p90=forecast.at_period_end(0.9),
            chance_of_overrun=forecast.chance_above(forecast.period.budgeted),
            method=forecast.method,
            days_of_history=forecast.days_of_history,
            backtest=forecast.backtest,
            made_at=now,
        )
        for forecast in forecasts
    ]
    updated = [field.name for field in Forecast._meta.fields if field.name not in ("id", "period", "as_of")]
    Forecast.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["period", "as_of"], update_fields=updated, batch_size=2000
    )


def _carry_over(forecasts: Sequence[PeriodForecast]) -> None:
    """What a period that is over left goes to the next one, where the budget is set so."""
    over = {
        forecast.period.budget_id: forecast
        for forecast in forecasts
        if forecast.period.budget.rollover and forecast.ahead is None
    }
    ends = [forecast.period.end for forecast in over.values()]
    changed = []
    for period in BudgetPeriod.objects.filter(budget__in=over, start__in=ends):
        before = over[period.budget_id]
        left = amounts.carried_over(before.period.budgeted, before.spent)
        if period.start == before.period.end and period.rolled_over != left:
            period.rolled_over = left
            changed.append(period)
    BudgetPeriod.objects.bulk_update(changed, ["rolled_over"])
