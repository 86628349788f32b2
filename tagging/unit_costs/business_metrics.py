"""Services of business metrics: counts are saved, and compared with the cost of the same days."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from costs.calc.dimensions import DIMENSIONS, GROUPABLE, Choices, named
from costs.calc.filters import is_tag
from costs.calc.known_until import Bill
from costs.models import DayRollup
from costs.query.currency_conversion import Exchange
from costs.query.filter_values import NAMED_BY_ID, FilterValues
from costs.query.known_until import bills_by_value, bills_of, undelivered_days
from costs.query.question import METRIC_LABELS, Question
from costs.query.spend import SpendRow, find_spend, find_unknown
from costs.query.stored_values import CLOSED
from finops_site.celery import task
from finops_site.lib.addresses import BadFilter
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, Period, day_text, last_months, short_day_text
from finops_site.lib.person import Person, WholeCompany
from finops_site.lib.words import in_sentence
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc import unit_costs
from tagging.calc.unit_costs import EntryKey, MetricEntry, UnitCostPoint
from tagging.models import Allocation, Metric, MetricValue

BASES = {"effective_cost": _lazy("Effective cost"), "billed_cost": _lazy("Billed cost")}
WRITTEN_AT_ONCE = 2000
WHOLE_COMPANY = _lazy("Whole company")
MOST_MONTHS = 37


@dataclass(frozen=True, slots=True)
class Difference:
    """What saving some values does: days that are new, that change, and that have the same value already."""

    new: int
    changed: int
    same: int


def team_ids() -> dict[str, int]:
    """{name, name in small letters, or id: id}, as files name teams."""
    return {written: int(pk) for written, pk in _ids(Team.objects.values_list("pk", "name")).items()}


def known_groups(counted_for: str) -> dict[str, str] | None:
    """{what people may write: what is stored for it} of what can be counted for; None where any value may come.

    Pools, sources and groups of accounts are stored by their ids, as cost has them, and written by name or id.
    """
    if counted_for in (unit_costs.TEAM, unit_costs.COMPANY) or is_tag(counted_for):
        return None
    choices = DIMENSIONS[counted_for].choices
    if choices in NAMED_BY_ID:
        return _ids(NAMED_BY_ID[choices].objects.values_list("pk", "name"))
    values: Iterable[str] | None = CLOSED.get(counted_for)
    if choices is Choices.COST_CENTERS:
        values = Team.objects.exclude(cost_center="").values_list("cost_center", flat=True).distinct()
    return None if values is None else {written: value for value in values for written in (value, value.lower())}


def group_names(counted_for: str) -> Mapping[str, str]:
    """{id: name} of what is stored by its id; empty where values are their own names."""
    if counted_for in (unit_costs.TEAM, unit_costs.COMPANY) or not named(counted_for).is_by_id:
        return {}
    return FilterValues().names(named(counted_for).choices)


def _ids(rows: Iterable[tuple[int, str]]) -> dict[str, str]:
    """{name, name in small letters where it is one row's alone, or id: id}."""
    rows = list(rows)
    small = Counter(name.lower() for _ignored, name in rows)
    alone = {name.lower(): str(pk) for pk, name in rows if small[name.lower()] == 1}
    return alone | {name: str(pk) for pk, name in rows} | {str(pk): str(pk) for pk, _ignored in rows}


def compare_values(metric: Metric | None, values: Sequence[MetricEntry]) -> Difference:
    """What saving would do; changes nothing."""
    return _difference(_stored(metric, values), values)


def _stored(metric: Metric | None, values: Sequence[MetricEntry]) -> dict[EntryKey, Decimal]:
    """{(team, product or tag, day): the value stored now} around the days of `values`."""
    if not (metric and metric.pk and values):
        return {}
    days = [entry.day for entry in values]
    rows = MetricValue.objects.filter(metric=metric, day__gte=min(days), day__lte=max(days))
    return {(team, of, day): value for team, of, day, value in rows.values_list("team", "of", "day", "value")}


def _difference(stored: dict[EntryKey, Decimal], values: Sequence[MetricEntry]) -> Difference:
    same = sum(stored.get(entry.key) == entry.value for entry in values)
    existing = sum(entry.key in stored for entry in values)
    return Difference(len(values) - existing, existing - same, same)


@transaction.atomic
def save_values(metric: Metric, values: Sequence[MetricEntry], *, user: Person, now: datetime) -> Difference:
    """Writes the values, each in the place of what was there for the same day; all of them or none."""
    # Two who upload at once: the second waits, then sees what the first has written.
    Metric.objects.select_for_update().get(pk=metric.pk)
    before = _stored(metric, values)
    MetricValue.objects.bulk_create(
        [
            MetricValue(
                metric=metric, team_id=entry.team, of=entry.of, day=entry.day, value=entry.value, changed_at=now
            )
            for entry in values
        ],
        batch_size=WRITTEN_AT_ONCE,
        update_conflicts=True,
        unique_fields=["metric", "team", "of", "day"],
        update_fields=["value", "changed_at"],
    )
    # A split may go by it: drafts follow, and differences to closed months are booked as corrections.
    task("tagging.tasks.refresh_chargeback").delay_on_commit()
    return _difference(before, values)


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """What one unit cost a team, a product or the company in one currency; `filters` lead to the cost's own lines."""

    name: str
    currency: str
    points: list[UnitCostPoint]
    filters: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def group(self) -> tuple[str, tuple[tuple[str, str | int], ...]]:
        """What the costs of one team, product or the company have in common, whatever their currency."""
        return self.name, tuple(self.filters.items())


@dataclass(frozen=True, slots=True)
class UnitCostAnswer:
    """The unit costs of a period, and what counted units in it and has no cost: a name that is misspelt, say."""

    series: list[UnitCosts] = field(default_factory=list)
    without_cost: list[str] = field(default_factory=list)


# {day, or first day of a month: cost}, and {the same: why the cost is not all of it}.
Costs = dict[date, Decimal]
Lacks = dict[date, str]


def find_unit_costs(
    user: Person,
    metric: Metric,
    teams: Iterable[Team],
    period: Period,
    basis: str,
    as_of: date,
    *,
    shared: bool = False,
) -> UnitCostAnswer:
    """Cost and units of each day, or month, of the period, for each team, product or tag that counted anything in it.

    A team's cost is its direct cost by charge day, and its share of pools of the same days where `shared` says so; that
    of a product or a tag is what its lines cost; that of the company is its whole bill. Whoever sees the whole company
    sees it also for what teams count, on the days on which every team counted. A day or month that is not delivered to
    its end, or of which a part of the cost is not known, has no cost per unit.
    """
    values = MetricValue.objects.visible_to(user).filter(metric=metric, day__gte=period.start, day__lt=period.end)
    by_group: dict[tuple[int | None, str], dict[date, Decimal]] = defaultdict(dict)
    for team, of, day, value in values.order_by().values_list("team", "of", "day", "value"):
        by_group[team, of][day] = value
    if not by_group:
        return UnitCostAnswer()
    scope = _Scope(user, metric, period, basis, as_of)
    if metric.counted_for == unit_costs.TEAM:
        teams = list(teams)
        series = _of_teams(scope, teams, by_group, shared)
        there = {one.filters["own_team"] for one in series}
        without = [team.name for team in teams if (team.pk, "") in by_group and team.pk not in there]
        if len(by_group) > 1 and user.sees_whole_company and len(teams) >= len(by_group):
            series = [*_of_company(scope, unit_costs.sum_of_units(list(by_group.values()))), *series]
        return UnitCostAnswer(series, without)
    if metric.counted_for == unit_costs.COMPANY:
        series = _of_company(scope, by_group.get((None, ""), {}))
        return UnitCostAnswer(series, [] if series else [str(WHOLE_COMPANY)])
    return _of_dimension(scope, metric.counted_for, by_group)


def _days(metric: Metric, period: Period) -> tuple[list[date], str]:
    """The days (or first days of months) of a period, and which of the two."""
    if metric.grain == Metric.Grain.MONTH:
        return [month.start for month in period.months()], "month"
    return list(period.each_day()), "day"


class _Scope:
    """Whose cost of which days is divided, and what the bills lack of them."""

    def __init__(self, user: Person, metric: Metric, period: Period, basis: str, as_of: date) -> None:
        self.user, self.period, self.basis, self.as_of = user, period, basis, as_of
        self.days, self.grain = _days(metric, period)
        self.unknown = _("{cost} not delivered").format(cost=in_sentence(METRIC_LABELS[basis]))
        self._lacks: dict[frozenset[int], Lacks] = {}

    def day_of(self, charged: date) -> date:
        return charged.replace(day=1) if self.grain == "month" else charged

    def bills_of(self, dimension: str) -> dict[str, list[Bill]] | None:
        return bills_by_value(self.user, self.period, dimension, self.as_of)

    @cached_property
    def all_bills(self) -> list[Bill]:
        return bills_of(self.user, self.period, {}, self.as_of)

    def lacks(self, bills: Sequence[Bill]) -> Lacks:
        """{day or month: until when these bills are delivered}, of those that they do not cover to the end."""
        key = frozenset(map(id, bills))
        if key not in self._lacks:
            until: dict[date, date | None] = {}
            for gap in undelivered_days(bills, self.period, self.as_of):
                for day in self.days:
                    last = Month.of(day).period.last_day if self.grain == "month" else day
                    if day <= gap.last and gap.first <= last:
                        until[day] = min(until.get(day, gap.until) or date.min, gap.until or date.min)
            self._lacks[key] = {day: self._lack(last) for day, last in until.items()}
        return self._lacks[key]

    def _lack(self, until: date | None) -> str:
        if not until or until == date.min:
            return _("not delivered")
        return _("delivered until {what}").format(
            what=short_day_text(until) if until.year == self.as_of.year else day_text(until)
        )

    def points(
        self, costs: Costs, units: Mapping[date, Decimal], bills: Sequence[Bill], unknown: Iterable[date]
    ) -> list[UnitCostPoint]:
        """`unknown`: the days of whose cost a part is not known; the rest of it is no cost to divide."""
        unknown = set(unknown)
        known = {day: cost for day, cost in costs.items() if day not in unknown}
        lacks = {**self.lacks(bills), **dict.fromkeys(unknown, self.unknown)}
        return unit_costs.unit_cost_points(known, units, self.days, lacks)


def _of_company(scope: _Scope, units: Mapping[date, Decimal]) -> list[UnitCosts]:
    question = Question(scope.period, (), scope.grain, scope.basis)
    costs, unknown = _by_currency(
        find_spend(scope.user, question), find_unknown(scope.user, question), lambda group: True
    )
    return [
        UnitCosts(str(WHOLE_COMPANY), code, scope.points(costs[code], units, scope.all_bills, unknown[code]))
        for code in sorted({*costs, *unknown})
    ]


def _by_currency(
    rows: Iterable[SpendRow],
    unknown: Iterable[tuple[tuple[str, ...], date | None, str]],
    accepts: Callable[[tuple[str, ...]], bool],
) -> tuple[dict[str, Costs], dict[str, set[date]]]:
    """{currency: cost of each day} of the rows whose group is accepted, and {currency: days with a part not known}."""
    costs: dict[str, Costs] = defaultdict(dict)
    for row in rows:
        if row.bucket is not None and row.amount is not None and accepts(row.group):
            by_day = costs[row.currency]
            by_day[row.bucket] = EXACT.add(by_day.get(row.bucket, Decimal(0)), row.amount)
    lacking: dict[str, set[date]] = defaultdict(set)
    for group, bucket, code in unknown:
        if bucket is not None and accepts(group):
            lacking[code].add(bucket)
    return costs, lacking


def _of_dimension(
    scope: _Scope, dimension: str, by_group: Mapping[tuple[int | None, str], Mapping[date, Decimal]]
) -> UnitCostAnswer:
    """Values are matched as filters match them: capitals, blanks and the tag policy's aliases are no difference."""
    question = Question(scope.period, (dimension,), scope.grain, scope.basis)
    rows, unknown = find_spend(scope.user, question), find_unknown(scope.user, question)
    present = {row.group[0] for row in rows}
    bills = scope.bills_of(dimension)
    known, values, series, without = known_groups(dimension) or {}, FilterValues(), list[UnitCosts](), list[str]()
    # What was counted for a name before names were stored by their ids.
    stored: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for (_ignored, of), counted in sorted(by_group.items(), key=lambda item: item[0][1] in known.values()):
        stored[known.get(of, known.get(of.lower(), of))] |= counted
    names = group_names(dimension)
    for of in sorted(stored, key=lambda of: names.get(of, of)):
        groups = _groups_of(of, dimension, present, values)
        costs, lacking = _by_currency(rows, unknown, lambda group: group[0] in groups)  # noqa: B023
        of_these = scope.all_bills if bills is None else _together(bills.get(group, ()) for group in groups)
        for code in sorted({*costs, *lacking}):
            points = scope.points(costs[code], stored[of], of_these, lacking[code])
            series.append(UnitCosts(names.get(of, of), code, points, {dimension: of}))
        if not costs and not lacking:
            without.append(names.get(of, of))
    return UnitCostAnswer(series, without)


def _groups_of(of: str, dimension: str, present: Iterable[str], values: FilterValues) -> set[str]:
    """The values of cost that a value means, those in other capitals where none has it in these."""
    chosen = values.resolve(dimension, [of])
    exactly = {value for value in present if chosen.accepts(value)}
    return exactly or {value for value in present if value.lower() == of.lower()}


def _together(many: Iterable[Iterable[Bill]]) -> list[Bill]:
    """Bills of several, each once."""
    return list({id(bill): bill for bills in many for bill in bills}.values())


def in_one_currency(
    series: Sequence[UnitCosts], target: str, metric: Metric, period: Period
) -> tuple[list[UnitCosts], list[str]]:
    """The same with all currencies of a team, product or tag added in `target`, by the rates of each day or month; and
    the currencies for which a rate is missing.

    A day for which one is missing has no cost: a sum without a currency would be too small.
    """
    _ignored, bucket = _days(metric, period)
    exchange = Exchange(target, bucket, period, {one.currency for one in series})
    groups: dict[object, list[UnitCosts]] = defaultdict(list)
    for one in series:
        groups[one.group].append(one)
    converted = []
    for parts in groups.values():
        codes = [one.currency for one in parts]
        columns = zip(*(one.points for one in parts), strict=True)
        points = [_converted(column, codes, exchange) for column in columns]
        converted.append(replace(parts[0], currency=target, points=points))
    return converted, sorted(exchange.missing)


def _converted(points: Sequence[UnitCostPoint], codes: Sequence[str], exchange: Exchange) -> UnitCostPoint:
    """The points of one day in several currencies as one."""
    cost: Decimal | None = None
    lack = next((point.lack for point in points if point.lack), "")
    for point, code in zip(points, codes, strict=True):
        if point.cost is None:
            continue
        if not exchange.knows(code, [point.day]):
            lack = lack or _("no rate from {code} to {target}").format(code=code, target=exchange.target)
            continue
        cost = EXACT.add(cost or Decimal(0), exchange.convert(point.cost, code, point.day) or Decimal(0))
    return UnitCostPoint(points[0].day, None if lack else cost, points[0].units, lack)


def beside(series: Sequence[UnitCosts], currency: str, metric: Metric, period: Period) -> list[UnitCosts | None]:
    """For each of `series` the whole cost of its team, product or tag in `currency`, if that stands beside it.

    It stands beside the one in the same currency, or the first where there is none: a target, or a margin of revenue,
    is judged by the cost in every currency, and once. None without a currency.
    """
    if not currency:
        return [None] * len(series)
    converted, _ignored = in_one_currency(series, currency, metric, period)
    totals = {total.group: total for total in converted}
    own = {one.group for one in series if one.currency == currency}
    placed = list[UnitCosts | None]()
    for one in series:
        is_place = one.currency == currency or one.group not in own
        placed.append(totals.pop(one.group, None) if is_place else None)
    return placed


def by_month(series: Sequence[UnitCosts]) -> list[UnitCosts]:
    """Days summed to months."""
    return [replace(one, points=unit_costs.points_by_month(one.points)) for one in series]


def _of_teams(
    scope: _Scope,
    teams: Sequence[Team],
    by_group: Mapping[tuple[int | None, str], Mapping[date, Decimal]],
    shared: bool,
) -> list[UnitCosts]:
    period, basis = scope.period, scope.basis
    missing = Q(**{f"{basis}__isnull": True})
    direct = DayRollup.objects.visible_to(scope.user).charged_in(period).filter(owner__in=teams).order_by()
    sums = direct.values_list("owner", "currency", "charge_date")
    rows = list(sums.annotate(cost=Sum(basis), lines=Count("pk", filter=missing)))
    own_bills = scope.bills_of("own_team") or {}
    bills = {team.pk: own_bills.get(str(team.pk), []) for team in teams}
    if shared:
        shares = Allocation.objects.filter(day__gte=period.start, day__lt=period.end, team__in=teams).order_by()
        of_pools = list(shares.values_list("team", "pool", "currency", "day").annotate(Sum(basis)))
        everybody = WholeCompany()
        pools = DayRollup.objects.visible_to(everybody).charged_in(period).filter(missing, pool__isnull=False)
        unknown = set(pools.order_by().values_list("pool", "currency", "charge_date").distinct())
        rows += [(team, code, day, cost, int((pool, code, day) in unknown)) for team, pool, code, day, cost in of_pools]
        pool_bills = bills_by_value(everybody, period, "pool", scope.as_of) or {}
        for team, pool in {(row[0], row[1]) for row in of_pools}:
            bills[team] = _together([bills[team], pool_bills.get(str(pool), [])])
    costs: dict[tuple[int, str], Costs] = defaultdict(dict)
    lacking: dict[tuple[int, str], set[date]] = defaultdict(set)
    for owner, code, charged, cost, unknown_lines in rows:
        day = scope.day_of(charged)
        by_day = costs[owner, code]
        if cost is not None:
            by_day[day] = EXACT.add(by_day.get(day, Decimal(0)), cost)
        if unknown_lines:
            lacking[owner, code].add(day)
    names = {team.pk: team.name for team in teams}
    series = []
    for pk, code in sorted(costs, key=lambda key: (key[1], names[key[0]])):
        if units := by_group.get((pk, "")):
            points = scope.points(costs[pk, code], units, bills[pk], lacking[pk, code])
            series.append(UnitCosts(names[pk], code, points, {"own_team": pk}))
    return series


def without_cost_words(metric: Metric, names: Iterable[str]) -> list[str]:
    """A sentence for each that was counted and has no cost."""
    if metric.counted_for == unit_costs.COMPANY:
        return [_("{metric} is counted, and no cost in these months.").format(metric=metric) for _ignored in names]
    return [
        _("No cost in these months has {counted_for} {name!r}.").format(counted_for=metric.counted_for, name=name)
        for name in names
    ]


def counted_for_problem(counted_for: str) -> str:
    """Why nothing can be counted for it; empty where it can."""
    if counted_for in (unit_costs.TEAM, unit_costs.COMPANY):
        return ""
    if is_tag(counted_for) or (counted_for in GROUPABLE and not DIMENSIONS[counted_for].is_team):
        return ""
    return _("{counted_for!r} is nothing to count for: use team, company, tag:<Key> or {names}.").format(
        counted_for=counted_for, names=", ".join(GROUPABLE)
    )


def chosen_period(metric: Metric | None, first: str, last: str, today: date) -> Period:
    """From the first month to the last; where none is named, the last three that have counts. Raises BadFilter."""
    if not first and not last:
        counted = months_counted(metric) if metric else []
        if not counted:
            return last_months(3, today)
        return Period(max(counted[0], counted[-1].plus(-2)).start, counted[-1].next.start)
    try:
        start, end = Month.parse(first or last), Month.parse(last or first)
    except ValueError as error:
        raise BadFilter(str(error)) from None
    if not start <= end < start.plus(MOST_MONTHS):
        raise BadFilter(_("At most {most_months} months, from the first to the last.").format(most_months=MOST_MONTHS))
    return Period(start.start, end.next.start)


def months_counted(metric: Metric) -> list[Month]:
    """The months in which anything was counted."""
    days = metric.values.order_by().values_list("day", flat=True).distinct()
    return sorted({Month.of(day) for day in days})
