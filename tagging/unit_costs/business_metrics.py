"""Services of business metrics: counts are saved, and compared with the cost of the same days."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from auditlog.models import LogEntry
from django.db import transaction
from django.db.models import Sum

from costs.models import DayRollup
from finops_site.celery import task
from finops_site.lib.money import EXACT, exact_text
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.people import audit
from tagging.calc import unit_costs
from tagging.calc.unit_costs import MetricEntry, UnitCostPoint
from tagging.models import Allocation, Metric, MetricValue

BASES = {"effective_cost": "Effective cost", "billed_cost": "Billed cost"}
WRITTEN_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """What saving some values does: days that are new, that change, and that have the same value already."""

    new: int
    changed: int
    same: int


def team_ids_by_name() -> dict[str, int]:
    """{name in lower case: id}, as files name teams."""
    return {name.lower(): pk for pk, name in Team.objects.values_list("pk", "name")}


def compare_values(metric: Metric | None, values: Sequence[MetricEntry]) -> Difference:
    """What saving would do; changes nothing."""
    return _difference(_stored(metric, values), values)


def _stored(metric: Metric | None, values: Sequence[MetricEntry]) -> dict[tuple[int, date], Decimal]:
    """{(team, day): the value stored now} around the days of `values`."""
    if not (metric and metric.pk and values):
        return {}
    days = [entry.day for entry in values]
    rows = MetricValue.objects.filter(metric=metric, day__gte=min(days), day__lte=max(days))
    return {(team, day): value for team, day, value in rows.values_list("team", "day", "value")}


def _difference(stored: dict[tuple[int, date], Decimal], values: Sequence[MetricEntry]) -> Difference:
    same = sum(stored.get((entry.team, entry.day)) == entry.value for entry in values)
    existing = sum((entry.team, entry.day) in stored for entry in values)
    return Difference(len(values) - existing, existing - same, same)


@transaction.atomic
def save_values(metric: Metric, values: Sequence[MetricEntry], *, user: Person, now: datetime) -> Difference:
    """Writes the values, each in the place of what was there for its team and day; all of them or none."""
    # Two who upload at once: the second waits, then sees what the first has written.
    Metric.objects.select_for_update().get(pk=metric.pk)
    before = _stored(metric, values)
    MetricValue.objects.bulk_create(
        [
            MetricValue(metric=metric, team_id=entry.team, day=entry.day, value=entry.value, changed_at=now)
            for entry in values
        ],
        batch_size=WRITTEN_AT_ONCE,
        update_conflicts=True,
        unique_fields=["metric", "team", "day"],
        update_fields=["value", "changed_at"],
    )
    _log(metric, values, before, user)
    # A split may go by it: drafts follow, and differences to closed months are booked as corrections.
    task("tagging.tasks.refresh_chargeback").delay_on_commit()
    return _difference(before, values)


def _log(metric: Metric, values: Sequence[MetricEntry], before: dict[tuple[int, date], Decimal], user: Person) -> None:
    """An entry for each value that is new or another one than before."""
    new_values = {(entry.team, entry.day): entry.value for entry in values}
    changed = {key: value for key, value in new_values.items() if before.get(key) != value}
    days = [day for _, day in changed] or [date.min]
    rows = metric.values.filter(day__gte=min(days), day__lte=max(days)).select_related("team", "metric")
    by_key = {(row.team_id, row.day): row for row in rows if (row.team_id, row.day) in changed}
    for action, is_new in ((LogEntry.Action.CREATE, True), (LogEntry.Action.UPDATE, False)):
        entries = (
            (row, {"value": (exact_text(before.get(key)) or "", exact_text(changed[key]) or "")})
            for key, row in by_key.items()
            if (key not in before) is is_new
        )
        audit.record_changes(entries, action, user)


def points_by_team(
    user: Person, metric: Metric, teams: Iterable[Team], period: Period, basis: str, *, shared: bool = False
) -> dict[tuple[Team, str], list[UnitCostPoint]]:
    """{(team, currency): a point for each day, or month, of the period}: the team's cost and what it counted.

    Its direct cost by charge day, and its share of pools of the same days where `shared` says so.
    """
    teams = list(teams)
    by_month = metric.grain == Metric.Grain.MONTH
    days = [month.start for month in period.months()] if by_month else list(period.each_day())
    values = MetricValue.objects.visible_to(user).filter(metric=metric, team__in=teams)
    units: dict[int, dict[date, Decimal]] = defaultdict(dict)
    counted = values.filter(day__gte=period.start, day__lt=period.end)
    for team, day, value in counted.values_list("team", "day", "value"):
        units[team][day] = value
    costs = _costs(user, teams, period, basis, by_month, shared)
    return {key: unit_costs.unit_cost_points(by_day, units[key[0].pk], days) for key, by_day in costs.items()}


def _costs(
    user: Person, teams: list[Team], period: Period, basis: str, by_month: bool, shared: bool
) -> dict[tuple[Team, str], dict[date, Decimal]]:
    direct = DayRollup.objects.visible_to(user).charged_in(period).filter(owner__in=teams).order_by()
    rows = list(direct.values_list("owner", "currency", "charge_date").annotate(Sum(basis)))
    if shared:
        shares = Allocation.objects.filter(day__gte=period.start, day__lt=period.end, team__in=teams).order_by()
        rows += shares.values_list("team", "currency", "day").annotate(Sum(basis))
    by_id = {team.pk: team for team in teams}
    costs: dict[tuple[Team, str], dict[date, Decimal]] = defaultdict(dict)
    for owner, currency, charged, cost in rows:
        if cost is not None:
            day = charged.replace(day=1) if by_month else charged
            by_day = costs[by_id[owner], currency]
            by_day[day] = EXACT.add(by_day.get(day, Decimal(0)), cost)
    return dict(sorted(costs.items(), key=lambda item: (item[0][1], item[0][0].name)))


def months_counted(metric: Metric) -> list[Month]:
    """The months in which anything was counted."""
    days = metric.values.order_by().values_list("day", flat=True).distinct()
    return sorted({Month.of(day) for day in days})
