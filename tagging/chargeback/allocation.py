"""Allocates a billing month to teams from today's cost data, so that every charge day adds up to its bill.

Nothing is written here. The database is asked three questions a month (direct and unowned cost; pools by day; covered
usage where discounts are spread), whatever the number of teams.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce

from costs.models import CostLine, DayRollup, Pool
from costs.querysets import SIDES
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month
from tagging.calc import pool_splits
from tagging.calc.discount_spreading import spread_discounts
from tagging.calc.metric_gaps import describe_gaps
from tagging.calc.pool_splits import BadSplit, SplitResult, SplitRule
from tagging.chargeback.cost_queries import current_rows_of_month
from tagging.models import Allocation, ChargebackPeriod, Metric, MetricValue, Split

BILLED, EFFECTIVE = "billed_cost", "effective_cost"
VIEWS = (BILLED, EFFECTIVE)
ZERO = Decimal(0)
NOT_BY_SERVICE = "Other charges"
SPREAD_FORMULA = "discounts of commitments at the service's average: what you saved, less your share of all savings"
# Sums in both views of cost: {view: sum}.
Amounts = Mapping[str, Decimal]
Results = Mapping[tuple[str, str], SplitResult]


@dataclass(frozen=True, slots=True)
class AllocatedCost:
    """One amount of a team's statement, in both views of cost, with the formula of each in words."""

    team: int
    currency: str
    kind: str
    key: str
    label: str
    amounts: Amounts
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
    """A month as its statements would be today. `totals` is {currency: {view: MonthEquation}}."""

    lines: list[AllocatedCost]
    allocations: list[Allocation]
    totals: dict[str, dict[str, MonthEquation]]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class MonthCost:
    """The cost of a billing month before pools are split.

    `by_owner` is {(team, or None where it is unowned; service; currency): sums} of what no pool holds, `pooled` {(pool,
    charge day, currency): sums}; `until` is the last charge day.
    """

    by_owner: dict[tuple[int | None, str, str], Amounts]
    pooled: dict[tuple[int, date, str], Amounts]
    until: date | None

    @classmethod
    def read(cls, month: Month) -> "MonthCost":
        views = {view: Sum(view) for view in VIEWS}
        owned = current_rows_of_month(DayRollup, month).filter(pool=None).values("owner", "service", "currency")
        owned_rows = list(owned.annotate(until=Max("charge_date"), **views))
        held = current_rows_of_month(DayRollup, month).filter(SIDES["shared"])
        held = held.values("pool", "charge_date", "currency").annotate(**views)
        return cls(
            {(row["owner"], row["service"], row["currency"]): cls._amounts(row) for row in owned_rows},
            {(row["pool"], row["charge_date"], row["currency"]): cls._amounts(row) for row in held},
            max((row["until"] for row in owned_rows), default=None),
        )

    @staticmethod
    def _amounts(row: Mapping[str, Decimal | None]) -> Amounts:
        return {view: row[view] or ZERO for view in VIEWS}

    @property
    def currencies(self) -> list[str]:
        return sorted({key[-1] for key in (*self.by_owner, *self.pooled)})

    def direct(self, code: str, view: str) -> dict[int, Decimal]:
        """{team: its direct cost} in one currency and view."""
        sums: dict[int, Decimal] = defaultdict(Decimal)
        for (team, _, currency), amounts in self.by_owner.items():
            if team is not None and currency == code:
                sums[team] = EXACT.add(sums[team], amounts[view])
        return dict(sums)

    def pools(self, code: str, view: str) -> dict[tuple[int, date], Decimal]:
        """{(pool, charge day): what the bills put into it} in one currency and view."""
        return {(pool, day): sums[view] for (pool, day, currency), sums in self.pooled.items() if currency == code}

    def unowned(self, code: str, view: str) -> Decimal:
        rows = self.by_owner.items()
        return exact_sum(sums[view] for (team, _, currency), sums in rows if team is None and currency == code)


def allocate_month(month: Month, *, discounts: str = ChargebackPeriod.Discounts.USED) -> MonthAllocation:
    """Statement lines, allocations by day and totals of a billing month, by today's cost data, splits and metrics."""
    cost = MonthCost.read(month)
    rules, problems = split_rules_of(month)
    metrics, gaps = _metric_sums(rules.values(), month, cost.until)
    results: dict[tuple[str, str], SplitResult] = {}
    for code in cost.currencies:
        for view in VIEWS:
            pooled, direct = cost.pools(code, view), cost.direct(code, view)
            results[code, view] = pool_splits.split_pools(pooled, rules, direct, metrics)
    moved = _spread_discounts(month) if discounts == ChargebackPeriod.Discounts.SPREAD else {}
    names = dict(Pool.objects.values_list("pk", "name"))
    left = [
        f"{names[pool]} ({code}): {problem}"
        for (code, _), result in sorted(results.items())
        for pool, problem in sorted(result.problems.items())
    ]
    return MonthAllocation(
        [*_direct_lines(cost), *_shared_lines(results, rules, names), *_spread_lines(moved)],
        _allocation_rows(month, results, moved),
        _equations(cost, results),
        list(dict.fromkeys([*problems, *gaps, *left])),
    )


def split_rules_of(month: Month) -> tuple[dict[int, SplitRule], list[str]]:
    """{pool: how it is split in the month}, and for each split that cannot be followed a sentence that says why."""
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


def _metric_sums(
    rules: Iterable[SplitRule], month: Month, until: date | None
) -> tuple[dict[str, dict[int, Decimal]], list[str]]:
    """{metric: {team: its sum of the month}}, and a sentence for each daily metric that has no value on some days."""
    wanted = {rule.metric for rule in rules if rule.metric}
    if not wanted:
        return {}, []
    rows = MetricValue.objects.filter(metric__name__in=wanted).in_month(month)
    days_with_value: dict[str, set[date]] = defaultdict(set)
    sums: dict[str, dict[int, Decimal]] = {name: defaultdict(Decimal) for name in wanted}
    for name, team, day, value in rows.order_by("day").values_list("metric__name", "team", "day", "value"):
        sums[name][team] = EXACT.add(sums[name][team], value)
        days_with_value[name].add(day)
    days = [day for day in month.period.each_day() if until and day <= until]
    daily = Metric.objects.filter(name__in=days_with_value, grain=Metric.Grain.DAY)
    gaps = [describe_gaps(metric.name, days, days_with_value[metric.name]) for metric in daily]
    return {name: dict(by_team) for name, by_team in sums.items()}, [gap for gap in gaps if gap]


def _direct_lines(cost: MonthCost) -> Iterator[AllocatedCost]:
    for (team, service, currency), amounts in sorted(
        cost.by_owner.items(), key=lambda row: (row[0][0] or 0, row[0][1:])
    ):
        if team is not None:
            label = service or NOT_BY_SERVICE
            yield AllocatedCost(team, currency, "direct", f"direct:{service}", label, amounts, service=service)


def _shared_lines(
    results: Results, rules: Mapping[int, SplitRule], names: Mapping[int, str]
) -> Iterator[AllocatedCost]:
    sums: dict[tuple[int, int, str], dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(VIEWS, ZERO))
    for (code, view), result in results.items():
        for (pool, team, _), amount in result.shares.items():
            amounts = sums[pool, team, code]
            amounts[view] = EXACT.add(amounts[view], amount)
    for (pool, team, code), amounts in sorted(sums.items()):
        formulas = {view: _formula(rules[pool], team, results[code, view], code) for view in VIEWS}
        yield AllocatedCost(team, code, "shared", f"shared:{pool}", names[pool], amounts, pool=pool, formulas=formulas)


def _formula(rule: SplitRule, team: int, result: SplitResult, code: str) -> str:
    weights = result.weights.get(rule.pool)
    party = pool_splits.team(team)
    if weights is None or weights.problem or not weights.of.get(party):
        return "no share in this view of cost"
    return pool_splits.share_formula(rule, party, weights, code)


def _spread_discounts(month: Month) -> dict[str, dict[int, Decimal]]:
    """{currency: {team: what spreading the discounts of commitments moves to it}}, in effective cost."""
    usage = current_rows_of_month(CostLine, month).filter(charge_category="Usage", owner__isnull=False)
    reference = Coalesce("contracted_cost", "list_cost", "effective_cost")
    covered = usage.filter(commitment_status="Used").values("owner", "service", "currency")
    savings: dict[str, dict[tuple[str, int], Decimal]] = defaultdict(dict)
    for row in covered.annotate(saved=Sum(reference - F(EFFECTIVE))):
        if row["saved"]:
            savings[row["currency"]][row["service"], row["owner"]] = row["saved"]
    services = {service for by_service in savings.values() for service, _ in by_service}
    eligible: dict[str, dict[tuple[str, int], Decimal]] = defaultdict(dict)
    usage_of_services = usage.filter(service__in=services).values("owner", "service", "currency")
    for row in usage_of_services.annotate(cost=Sum(reference)) if services else ():
        eligible[row["currency"]][row["service"], row["owner"]] = row["cost"]
    return {code: spread_discounts(saved, eligible[code]) for code, saved in savings.items()}


def _spread_lines(moved: Mapping[str, Mapping[int, Decimal]]) -> Iterator[AllocatedCost]:
    formulas = dict.fromkeys(VIEWS, SPREAD_FORMULA)
    for code, teams in sorted(moved.items()):
        for team, amount in sorted(teams.items()):
            amounts = {BILLED: ZERO, EFFECTIVE: amount}
            yield AllocatedCost(team, code, "spread", "spread", "Spread discounts", amounts, formulas=formulas)


def _allocation_rows(month: Month, results: Results, moved: Mapping[str, Mapping[int, Decimal]]) -> list[Allocation]:
    """Both views of the same share in one row; what spreading discounts moves in rows without a pool."""
    rows: dict[tuple[str, int | None, int | None, int | None, date], Allocation] = {}

    def write(key: tuple[str, int | None, int | None, int | None, date], view: str, amount: Decimal) -> None:
        code, pool, team, into, day = key
        if key not in rows:
            place = {"billing_month": month.start, "day": day, "currency": code}
            zero = dict.fromkeys(VIEWS, ZERO)
            rows[key] = Allocation(pool_id=pool, team_id=team, into_id=into, **place, **zero)
        setattr(rows[key], view, amount)

    for (code, view), result in results.items():
        for (pool, team, day), amount in result.shares.items():
            write((code, pool, team, None, day), view, amount)
        for (pool, into, day), amount in result.fed.items():
            write((code, pool, None, into, day), view, amount)
        for (pool, day), amount in result.left.items():
            write((code, pool, None, None, day), view, amount)
    for code, teams in moved.items():
        for team, amount in teams.items():
            write((code, None, team, None, month.start), EFFECTIVE, amount)
    return list(rows.values())


def _equations(cost: MonthCost, results: Results) -> dict[str, dict[str, MonthEquation]]:
    """Each part summed from its own side: the bill is not their sum but that of the cost data."""
    equations: dict[str, dict[str, MonthEquation]] = defaultdict(dict)
    for (code, view), result in results.items():
        direct, unowned = exact_sum(cost.direct(code, view).values()), cost.unowned(code, view)
        equations[code][view] = MonthEquation(
            bill=exact_sum([direct, unowned, *cost.pools(code, view).values()]),
            direct=direct,
            shared=exact_sum(result.shares.values()),
            unallocated=exact_sum(result.left.values()),
            unowned=unowned,
        )
    return dict(equations)
