"""A billing month computed from today's books: what each team's statement says, day by day conserving the bill.

Nothing is written here. The books are asked three questions a month (direct, shared, unowned; pools by day; covered
usage where discounts are spread), whatever the number of teams.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Max, Sum
from django.db.models.functions import Coalesce, TruncMonth

from costs.models import CostLine, DayRollup, DeliveryMonth, Pool
from costs.querysets import SIDES
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.calc import pool_splits
from tagging.calc.pool_splits import BadSplit, SplitResult, SplitRule
from tagging.models import Allocation, ChargebackPeriod, Metric, MetricValue, Split

BILLED, EFFECTIVE = "billed_cost", "effective_cost"
VIEWS = (BILLED, EFFECTIVE)
ZERO = Decimal(0)
NOT_BY_SERVICE = "Other charges"


@dataclass(frozen=True, slots=True)
class AllocatedCost:
    """One amount of a team's statement, in both views of cost, with the formula of each in words."""

    team: int
    currency: str
    kind: str
    key: str
    label: str
    amounts: Mapping[str, Decimal]
    service: str = ""
    pool: int | None = None
    formulas: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MonthEquation:
    """bill = direct + shared + unallocated + unowned, in one currency and one view."""

    bill: Decimal = ZERO
    direct: Decimal = ZERO
    shared: Decimal = ZERO
    unallocated: Decimal = ZERO
    unowned: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class MonthAllocation:
    """A month as its statements would say it today. `totals` is {currency: {view: Equation}}."""

    lines: list[AllocatedCost]
    allocations: list[Allocation]
    totals: dict[str, dict[str, MonthEquation]]
    problems: list[str]


def allocate_month(month: Month, *, discounts: str = ChargebackPeriod.Discounts.USED) -> MonthAllocation:
    """Statements' lines, allocations by day and totals of a billing month, by today's books, splits and metrics."""
    owned, until = _owned(month)
    held = _held(month)
    rules, problems = split_rules_of(month)
    metrics, gaps = _metrics(rules.values(), month, until)
    outcomes: dict[tuple[str, str], SplitResult] = {}
    for code in sorted({currency for *_, currency in owned} | {currency for *_, currency in held}):
        for view in VIEWS:
            direct = _by_team(owned, code, view)
            pooled = {(pool, day): sums[view] for (pool, day, at), sums in held.items() if at == code}
            outcomes[code, view] = pool_splits.split_pools(pooled, rules, direct, metrics)
    moved = _spread(month) if discounts == ChargebackPeriod.Discounts.SPREAD else {}
    names = dict(Pool.objects.values_list("pk", "name"))
    lines = [*_direct_lines(owned), *_shared_lines(outcomes, rules, names), *_spread_lines(moved)]
    allocations = [*_allocations(month, outcomes), *_moved(month, moved)]
    said = [*problems, *gaps, *_left_words(outcomes, names)]
    return MonthAllocation(lines, allocations, _totals(owned, held, outcomes), list(dict.fromkeys(said)))


def current_rows_of_month(model: Any, month: Month) -> Any:
    """Current rows of a billing month, with the span of charge days that lets the database skip partitions."""
    rows = list(DeliveryMonth.objects.current().filter(billing_month=month.start).only("charge_months"))
    days = [date.fromisoformat(day) for row in rows for day in row.charge_months]
    found = model.objects.current().filter(billing_month=month.start).order_by()
    if days:
        found = found.filter(charge_date__gte=min(days), charge_date__lt=Month.of(max(days)).next.start)
    return found


Owned = dict[tuple[int | None, str, str], dict[str, Decimal]]
Held = dict[tuple[int, date, str], dict[str, Decimal]]


def _owned(month: Month) -> tuple[Owned, date | None]:
    """{(team or None, service, currency): {view: sum}} of what no pool holds, and the last charge day there is."""
    rows = current_rows_of_month(DayRollup, month).filter(pool=None).values("owner", "service", "currency")
    found: Owned = {}
    until = None
    for row in rows.annotate(until=Max("charge_date"), **{view: Sum(view) for view in VIEWS}):
        found[row["owner"], row["service"], row["currency"]] = {view: row[view] or ZERO for view in VIEWS}
        until = max(until or row["until"], row["until"])
    return found, until


def _held(month: Month) -> Held:
    """{(pool, charge day, currency): {view: sum}}."""
    rows = current_rows_of_month(DayRollup, month).filter(SIDES["shared"]).values("pool", "charge_date", "currency")
    return {
        (row["pool"], row["charge_date"], row["currency"]): {view: row[view] or ZERO for view in VIEWS}
        for row in rows.annotate(**{view: Sum(view) for view in VIEWS})
    }


def split_rules_of(month: Month) -> tuple[dict[int, SplitRule], list[str]]:
    """{pool: how it is split in the month}, and in words which splits cannot be followed."""
    rules: dict[int, SplitRule] = {}
    problems = []
    for split in Split.objects.in_month(month).with_parts():
        try:
            rules[split.pool_id] = split.as_rule()
        except BadSplit as error:
            problems.append(f"{split.pool}: {error}")
    try:
        pool_splits.order_pools(rules)
    except pool_splits.CircleOfPools as circle:
        names = dict(Pool.objects.values_list("pk", "name"))
        for pool in circle.path:
            rules.pop(pool, None)
        problems.append(str(pool_splits.CircleOfPools(circle.path, names)))
    return rules, problems


def _metrics(
    rules: Iterable[SplitRule], month: Month, until: date | None
) -> tuple[dict[str, dict[int, Decimal]], list[str]]:
    """{metric: {team: its sum of the month}}, and in words on which days a metric says nothing."""
    wanted = {rule.metric for rule in rules if rule.metric}
    if not wanted:
        return {}, []
    rows = MetricValue.objects.filter(metric__name__in=wanted).in_month(month)
    days: dict[str, set[date]] = defaultdict(set)
    sums: dict[str, dict[int, Decimal]] = {name: defaultdict(Decimal) for name in wanted}
    for name, team, day, value in rows.order_by("day").values_list("metric__name", "team", "day", "value"):
        sums[name][team] = EXACT.add(sums[name][team], value)
        days[name].add(day)
    by_day = Metric.objects.filter(name__in=wanted, grain=Metric.Grain.DAY)
    said = [_gap_words(metric.name, days[metric.name], month, until) for metric in by_day]
    return {name: dict(found) for name, found in sums.items()}, [each for each in said if each]


def _gap_words(name: str, known: set[date], month: Month, until: date | None) -> str:
    if not known or until is None:
        return ""
    told = [day for day in month.period.each_day() if day <= until]
    missing = pool_splits.missing_days(told, known)
    if not missing:
        return ""
    spans = [f"{first}" if first == last else f"{first} to {last}" for first, last in pool_splits.day_spans(missing)]
    shown = ", ".join(spans[:3]) + (f" and {len(spans) - 3} more" if len(spans) > 3 else "")
    return (
        f"The metric {name} has no value on {len(missing)} of {len(told)} days ({shown}): "
        "the pool is split by the days that have one."
    )


def _by_team(owned: Owned, code: str, view: str) -> dict[int, Decimal]:
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for (team, _, currency), amounts in owned.items():
        if team is not None and currency == code:
            sums[team] = EXACT.add(sums[team], amounts[view])
    return dict(sums)


def _direct_lines(owned: Owned) -> Iterator[AllocatedCost]:
    for (team, service, currency), amounts in sorted(owned.items(), key=lambda item: (item[0][0] or 0, item[0][1:])):
        if team is not None:
            label = service or NOT_BY_SERVICE
            yield AllocatedCost(team, currency, "direct", f"direct:{service}", label, amounts, service=service)


def _shared_lines(
    outcomes: Mapping[tuple[str, str], SplitResult], rules: Mapping[int, SplitRule], names: Mapping[int, str]
) -> Iterator[AllocatedCost]:
    sums: dict[tuple[int, int, str], dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(VIEWS, ZERO))
    for (code, view), outcome in outcomes.items():
        for (pool, team, _), amount in outcome.shares.items():
            mine = sums[pool, team, code]
            mine[view] = EXACT.add(mine[view], amount)
    for (pool, team, code), amounts in sorted(sums.items()):
        formulas = {view: _formula(rules[pool], team, outcomes[code, view], code) for view in VIEWS}
        yield AllocatedCost(team, code, "shared", f"shared:{pool}", names[pool], amounts, pool=pool, formulas=formulas)


def _formula(rule: SplitRule, team: int, outcome: SplitResult, code: str) -> str:
    weights = outcome.weights.get(rule.pool)
    party = pool_splits.team(team)
    if weights is None or weights.problem or not weights.of.get(party):
        return "no share in this view of cost"
    return pool_splits.share_formula(rule, party, weights, code)


def _spread(month: Month) -> dict[str, dict[int, Decimal]]:
    """{currency: {team: what spreading the discounts of commitments moves to it}}, in effective cost."""
    usage = current_rows_of_month(CostLine, month).filter(charge_category="Usage", owner__isnull=False)
    reference = Coalesce("contracted_cost", "list_cost", "effective_cost")
    covered = usage.filter(commitment_status="Used").values("owner", "service", "currency")
    savings: dict[str, dict[tuple[str, int], Decimal]] = defaultdict(dict)
    for row in covered.annotate(saved=Sum(reference - F(EFFECTIVE))):
        if row["saved"]:
            savings[row["currency"]][row["service"], row["owner"]] = row["saved"]
    services = {service for found in savings.values() for service, _ in found}
    eligible: dict[str, dict[tuple[str, int], Decimal]] = defaultdict(dict)
    every = usage.filter(service__in=services).values("owner", "service", "currency")
    for row in every.annotate(cost=Sum(reference)) if services else ():
        eligible[row["currency"]][row["service"], row["owner"]] = row["cost"]
    return {code: pool_splits.spread_discounts(found, eligible[code]) for code, found in savings.items()}


def _spread_lines(moved: Mapping[str, Mapping[int, Decimal]]) -> Iterator[AllocatedCost]:
    words = "discounts of commitments at the service's average: what you saved, less your share of all savings"
    for code, teams in sorted(moved.items()):
        for team, amount in sorted(teams.items()):
            amounts = {BILLED: ZERO, EFFECTIVE: amount}
            formulas = dict.fromkeys(VIEWS, words)
            yield AllocatedCost(team, code, "spread", "spread", "Spread discounts", amounts, formulas=formulas)


def _allocations(month: Month, outcomes: Mapping[tuple[str, str], SplitResult]) -> list[Allocation]:
    """Both views of the same share in one row."""
    rows: dict[tuple[Any, ...], Allocation] = {}
    for (code, view), outcome in outcomes.items():
        found: list[tuple[int, int | None, int | None, date, Decimal]] = [
            *((pool, team, None, day, amount) for (pool, team, day), amount in outcome.shares.items()),
            *((pool, None, into, day, amount) for (pool, into, day), amount in outcome.fed.items()),
            *((pool, None, None, day, amount) for (pool, day), amount in outcome.left.items()),
        ]
        for pool, team, into, day, amount in found:
            row = rows.setdefault((code, pool, team, into, day), _empty(month, code, pool, team, into, day))
            setattr(row, view, amount)
    return list(rows.values())


def _empty(month: Month, code: str, pool: int | None, team: int | None, into: int | None, day: date) -> Allocation:
    zero = dict.fromkeys(VIEWS, ZERO)
    return Allocation(
        billing_month=month.start, day=day, pool_id=pool, team_id=team, into_id=into, currency=code, **zero
    )


def _moved(month: Month, moved: Mapping[str, Mapping[int, Decimal]]) -> Iterator[Allocation]:
    for code, teams in moved.items():
        for team, amount in teams.items():
            row = _empty(month, code, None, team, None, month.start)
            row.effective_cost = amount
            yield row


def _totals(
    owned: Owned, held: Held, outcomes: Mapping[tuple[str, str], SplitResult]
) -> dict[str, dict[str, MonthEquation]]:
    """Each part summed from its own side: the bill is not their sum but what the books say."""
    found: dict[str, dict[str, MonthEquation]] = defaultdict(dict)
    for (code, view), outcome in outcomes.items():
        mine = {key: amounts[view] for key, amounts in owned.items() if key[2] == code}
        pooled = [amounts[view] for key, amounts in held.items() if key[2] == code]
        found[code][view] = MonthEquation(
            bill=exact_sum([*mine.values(), *pooled]),
            direct=exact_sum(amount for key, amount in mine.items() if key[0] is not None),
            shared=exact_sum(outcome.shares.values()),
            unallocated=exact_sum(outcome.left.values()),
            unowned=exact_sum(amount for key, amount in mine.items() if key[0] is None),
        )
    return dict(found)


def _left_words(outcomes: Mapping[tuple[str, str], SplitResult], names: Mapping[int, str]) -> list[str]:
    return [
        f"{names[pool]} ({code}): {problem}"
        for (code, _), outcome in sorted(outcomes.items())
        for pool, problem in sorted(outcome.problems.items())
    ]


def month_fingerprints() -> dict[Month, str]:
    """For every billing month in the books a mark of all that its statements are made of: bills, splits, metrics."""
    parts: dict[Month, list[str]] = defaultdict(list)
    current = DeliveryMonth.objects.current().order_by("billing_month", "pk")
    for day, pk, revision in current.values_list("billing_month", "pk", "revision"):
        parts[Month.of(day)].append(f"bill {pk} {revision}")
    splits = list(Split.objects.order_by("pk").values_list("pk", "version", "start", "end", "metric"))
    counted = _metric_marks({metric for *_, metric in splits if metric})
    for month, found in parts.items():
        for pk, version, start, end, metric in splits:
            if (start is None or start <= month.start) and (end is None or month.start < end):
                found.append(f"split {pk} {version} {counted.get((metric, month), '')}")
    return {month: hashlib.sha256("\n".join(found).encode()).hexdigest() for month, found in parts.items()}


def _metric_marks(metrics: set[int]) -> dict[tuple[int, Month], str]:
    if not metrics:
        return {}
    by_month = MetricValue.objects.filter(metric__in=metrics).order_by().annotate(month=TruncMonth("day"))
    rows = by_month.values("metric", "month").annotate(n=Count("pk"), total=Sum("value"), last=Max("changed_at"))
    return {(row["metric"], Month.of(row["month"])): f"{row['n']} {row['total']} {row['last']}" for row in rows}


def team_names(teams: Iterable[int]) -> dict[int, Team]:
    return Team.objects.in_bulk(set(teams))


def charge_days_of(month: Month) -> tuple[date, date]:
    """First and last charge day that the bills of a billing month may hold, for links to their lines."""
    rows = DeliveryMonth.objects.current().filter(billing_month=month.start).values_list("charge_months", flat=True)
    days = [date.fromisoformat(day) for row in rows for day in row] or [month.start]
    return min(days), Month.of(max(days)).next.start - timedelta(days=1)
