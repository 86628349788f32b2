"""Verbs of business metrics: what was counted is saved, and what it cost is asked of the books."""

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
from tagging.calc.unit_costs import Point, Value
from tagging.models import Allocation, Metric, MetricValue

BASES = {"effective_cost": "Effective cost", "billed_cost": "Billed cost"}
WRITTEN_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """What saving some values does: days that are new, that change, and that say the same already."""

    new: int
    changed: int
    same: int


def team_names() -> dict[str, int]:
    """{name in small letters: id}, as files name teams."""
    return {name.lower(): pk for pk, name in Team.objects.values_list("pk", "name")}


def compared(metric: Metric | None, values: Sequence[Value]) -> Difference:
    """What saving would do; changes nothing."""
    known = _known(metric, values)
    same = sum(known.get((each.team, each.day)) == each.value for each in values)
    there = sum((each.team, each.day) in known for each in values)
    return Difference(len(values) - there, there - same, same)


def _known(metric: Metric | None, values: Sequence[Value]) -> dict[tuple[int, date], Decimal]:
    """{(team, day): what is there now} around the days of `values`."""
    if not (metric and metric.pk and values):
        return {}
    days = [each.day for each in values]
    rows = MetricValue.objects.filter(metric=metric, day__gte=min(days), day__lte=max(days))
    return {(team, day): value for team, day, value in rows.values_list("team", "day", "value")}


@transaction.atomic
def save(metric: Metric, values: Sequence[Value], *, user: Person, now: datetime) -> Difference:
    """Writes the values, each in the place of what was there for its team and day; all of them or none."""
    # Two who upload at once: the second waits, then sees what the first has written.
    Metric.objects.select_for_update().get(pk=metric.pk)
    found, before = compared(metric, values), _known(metric, values)
    MetricValue.objects.bulk_create(
        [MetricValue(metric=metric, team_id=v.team, day=v.day, value=v.value, changed_at=now) for v in values],
        batch_size=WRITTEN_AT_ONCE,
        update_conflicts=True,
        unique_fields=["metric", "team", "day"],
        update_fields=["value", "changed_at"],
    )
    _log(metric, values, before, user)
    # A split may go by it: drafts say so, and what closed months would say is booked as corrections.
    task("tagging.tasks.refresh_chargeback").delay_on_commit()
    return found


def _log(metric: Metric, values: Sequence[Value], before: dict[tuple[int, date], Decimal], user: Person) -> None:
    """An entry for each value that is new or another one than before."""
    told = {(each.team, each.day): each.value for each in values if before.get((each.team, each.day)) != each.value}
    days = [day for _, day in told] or [date.min]
    rows = metric.values.filter(day__gte=min(days), day__lte=max(days)).select_related("team", "metric")
    mine = [(row, (row.team_id, row.day)) for row in rows if (row.team_id, row.day) in told]
    for action, is_new in ((LogEntry.Action.CREATE, True), (LogEntry.Action.UPDATE, False)):
        said = (
            (row, {"value": (exact_text(before[key]) if key in before else "", exact_text(told[key]))})
            for row, key in mine
            if (key not in before) is is_new
        )
        audit.record(said, action, user)


def points(
    user: Person, metric: Metric, teams: Iterable[Team], period: Period, basis: str, *, shared: bool = False
) -> dict[tuple[Team, str], list[Point]]:
    """{(team, currency): a point for each day, or month, of the period}: the team's cost and what it counted.

    Its direct cost by charge day, and its share of pools of the same days where `shared` says so.
    """
    teams = list(teams)
    by_month = metric.grain == Metric.Grain.MONTH
    days = [month.start for month in period.months()] if by_month else list(period.each_day())
    units = _units(user, metric, teams, period)
    found = {}
    for key, costs in _costs(user, teams, period, basis, by_month, shared).items():
        found[key] = unit_costs.points(costs, units.get(key[0].pk, {}), days)
    return found


def _units(user: Person, metric: Metric, teams: list[Team], period: Period) -> dict[int, dict[date, Decimal]]:
    rows = MetricValue.objects.visible_to(user).filter(
        metric=metric, team__in=teams, day__gte=period.start, day__lt=period.end
    )
    found: dict[int, dict[date, Decimal]] = {}
    for team, day, value in rows.values_list("team", "day", "value"):
        found.setdefault(team, {})[day] = value
    return found


def _costs(
    user: Person, teams: list[Team], period: Period, basis: str, by_month: bool, shared: bool
) -> dict[tuple[Team, str], dict[date, Decimal]]:
    direct = DayRollup.objects.visible_to(user).charged_in(period).filter(owner__in=teams).order_by()
    rows = list(direct.values_list("owner", "currency", "charge_date").annotate(Sum(basis)))
    if shared:
        taken = Allocation.objects.filter(day__gte=period.start, day__lt=period.end, team__in=teams).order_by()
        rows += taken.values_list("team", "currency", "day").annotate(Sum(basis))
    known = {team.pk: team for team in teams}
    found: dict[tuple[Team, str], dict[date, Decimal]] = {}
    for owner, currency, charged, cost in rows:
        if cost is not None:
            day = charged.replace(day=1) if by_month else charged
            costs = found.setdefault((known[owner], currency), {})
            costs[day] = EXACT.add(costs.get(day, Decimal(0)), cost)
    return dict(sorted(found.items(), key=lambda item: (item[0][1], item[0][0].name)))


def months_counted(metric: Metric) -> list[Month]:
    """The months in which anything was counted."""
    days = metric.values.order_by().values_list("day", flat=True).distinct()
    return sorted({Month.of(day) for day in days})
