"""Allocates a billing month to teams from today's cost data, so that every charge day adds up to its bill.

Nothing is written here. The database is asked three questions a month (direct and unowned cost; pools by day; covered
usage where discounts are spread), whatever the number of teams, and for rates where a currency has no direct cost.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial

from django.db.models import F, Max, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from costs.calc.exchange_rates import ConversionRate
from costs.models import CostLine, DayRollup, Pool
from costs.query.currency_conversion import rate_book
from costs.querysets import SIDES
from finops_site.lib.money import EXACT, exact_sum
from finops_site.lib.periods import Month, day_text
from finops_site.lib.words import number_text
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc import pool_splits
from tagging.calc.discount_spreading import spread_discounts
from tagging.calc.metric_gaps import describe_gaps
from tagging.calc.pool_splits import BadSplit, DirectElsewhere, SplitResult, SplitRule
from tagging.chargeback.cost_queries import current_rows_of_month
from tagging.models import Allocation, ChargebackPeriod, Metric, MetricValue, Split

BILLED, EFFECTIVE = "billed_cost", "effective_cost"
VIEWS = (BILLED, EFFECTIVE)
ZERO = Decimal(0)
NOT_BY_SERVICE = _lazy("Other charges")
SPREAD_FORMULA = _lazy(
    "discounts of commitments at the service's average: what you saved, less your share of all savings"
)
# Sums in both views of cost: {view: sum}.
Amounts = Mapping[str, Decimal]
Results = Mapping[tuple[str, str], SplitResult]


@dataclass(frozen=True, slots=True)
class AllocatedCost:
    """One amount of a team's statement, in both views of cost, with the formula of each in words.

    `taxes` is how much of it is tax.
    """

    team: int
    currency: str
    kind: str
    key: str
    label: str
    amounts: Amounts
    service: str = ""
    pool: int | None = None
    formulas: Mapping[str, str] = field(default_factory=dict)
    taxes: Amounts = field(default_factory=dict)


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
    charge day, currency): sums}; `until` is the last charge day. The taxes are the part of each that is tax.
    """

    by_owner: dict[tuple[int | None, str, str], Amounts]
    pooled: dict[tuple[int, date, str], Amounts]
    until: date | None
    taxes_by_owner: dict[tuple[int | None, str, str], Amounts] = field(default_factory=dict)
    taxes_pooled: dict[tuple[int, date, str], Amounts] = field(default_factory=dict)

    @classmethod
    def read(cls, month: Month) -> "MonthCost":
        # Tax first: after it the name of a view means its sum.
        views = {f"tax_{view}": Sum(view, filter=Q(charge_category="Tax")) for view in VIEWS}
        views |= {view: Sum(view) for view in VIEWS}
        owned = current_rows_of_month(DayRollup, month).filter(pool=None).values("owner", "service", "currency")
        owned_rows = list(owned.annotate(until=Max("charge_date"), **views))
        held = current_rows_of_month(DayRollup, month).filter(SIDES["shared"])
        held_rows = list(held.values("pool", "charge_date", "currency").annotate(**views))
        return cls(
            {(row["owner"], row["service"], row["currency"]): cls._amounts(row) for row in owned_rows},
            {(row["pool"], row["charge_date"], row["currency"]): cls._amounts(row) for row in held_rows},
            max((row["until"] for row in owned_rows), default=None),
            {(row["owner"], row["service"], row["currency"]): cls._amounts(row, "tax_") for row in owned_rows},
            {(row["pool"], row["charge_date"], row["currency"]): cls._amounts(row, "tax_") for row in held_rows},
        )

    @staticmethod
    def _amounts(row: Mapping[str, Decimal | None], prefix: str = "") -> Amounts:
        return {view: row[prefix + view] or ZERO for view in VIEWS}

    @property
    def currencies(self) -> list[str]:
        return sorted({key[-1] for key in (*self.by_owner, *self.pooled)})

    def direct(self, code: str, view: str) -> dict[int, Decimal]:
        """{team: its direct cost} in one currency and view."""
        sums: dict[int, Decimal] = defaultdict(Decimal)
        for (team, _ignored, currency), amounts in self.by_owner.items():
            if team is not None and currency == code:
                sums[team] = EXACT.add(sums[team], amounts[view])
        return dict(sums)

    def pools(self, code: str, view: str) -> dict[tuple[int, date], Decimal]:
        """{(pool, charge day): what the bills put into it} in one currency and view."""
        return {(pool, day): sums[view] for (pool, day, currency), sums in self.pooled.items() if currency == code}

    def taxes_of_pools(self, code: str, view: str) -> dict[tuple[int, date], Decimal]:
        """The same of tax alone, where there is any."""
        rows = self.taxes_pooled.items()
        return {(pool, day): sums[view] for (pool, day, currency), sums in rows if currency == code and sums[view]}

    def unowned(self, code: str, view: str) -> Decimal:
        rows = self.by_owner.items()
        return exact_sum(sums[view] for (team, _ignored, currency), sums in rows if team is None and currency == code)


def allocate_month(month: Month, *, discounts: str = ChargebackPeriod.Discounts.USED) -> MonthAllocation:
    """Statement lines, allocations by day and totals of a billing month, by today's cost data, splits and metrics."""
    cost = MonthCost.read(month)
    rules, problems = split_rules_of(month)
    metrics, gaps = _metric_sums(rules.values(), month, cost.until)
    results: dict[tuple[str, str], SplitResult] = {}
    taxes: dict[tuple[str, str], SplitResult] = {}
    for code in cost.currencies:
        for view in VIEWS:
            direct, elsewhere = cost.direct(code, view), partial(direct_elsewhere, cost, month, code, view)
            result = pool_splits.split_pools(cost.pools(code, view), rules, direct, metrics, elsewhere)
            results[code, view] = result
            if taxed := cost.taxes_of_pools(code, view):
                taxes[code, view] = pool_splits.split_pools(taxed, rules, direct, metrics, weights=result.weights)
    moved = _spread_discounts(month) if discounts == ChargebackPeriod.Discounts.SPREAD else {}
    names = dict(Pool.objects.values_list("pk", "name"))
    left = [
        f"{names[pool]} ({code}): {problem}"
        for (code, _ignored), result in sorted(results.items())
        for pool, problem in sorted(result.problems.items())
    ]
    return MonthAllocation(
        [*_direct_lines(cost), *_shared_lines(results, taxes, rules, names), *_spread_lines(moved)],
        _allocation_rows(month, results, moved),
        _equations(cost, results),
        list(dict.fromkeys([*problems, *gaps, *left, *_splits_elsewhere(results, names)])),
    )


def direct_elsewhere(cost: MonthCost, month: Month, code: str, view: str) -> DirectElsewhere | None:
    """The teams' direct cost in the currencies other than `code`, in one of them or in `code`; None without any.

    In one other currency shares need no rate. Several are made one at the rates of the month; where these are missing,
    `problem` names what to load.
    """
    others = {other: cost.direct(other, view) for other in cost.currencies if other != code}
    others = {other: sums for other, sums in others.items() if any(sums.values())}
    if not others:
        return None
    if len(others) == 1:
        ((other, sums),) = others.items()
        return DirectElsewhere(sums, other)
    rates = rate_book(month.period, {*others, code})
    for target in (code, *others):
        to_target = {other: rates.for_month(other, target, month) for other in others if other != target}
        if all(to_target.values()):
            return _in_one_currency(others, target, to_target)
    names = ", ".join(others)
    problem = _(
        "No team has direct cost in {code}, and no rates of {month} are loaded to add that in {names}: load them."
    ).format(code=code, month=month, names=names)
    return DirectElsewhere({team: Decimal(1) for sums in others.values() for team in sums}, "", problem=problem)


def _in_one_currency(
    others: Mapping[str, Mapping[int, Decimal]], target: str, rates: Mapping[str, ConversionRate | None]
) -> DirectElsewhere:
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for other, by_team in others.items():
        rate = rates.get(other)
        for team, amount in by_team.items():
            sums[team] = EXACT.add(sums[team], EXACT.multiply(amount, rate.value) if rate else amount)
    words = [
        _("1 {other} = {rate} {target} of {day}").format(
            other=other, rate=number_text(rate.value, 4), target=target, day=day_text(rate.day)
        )
        for other, rate in rates.items()
        if rate
    ]
    return DirectElsewhere(dict(sums), target, ", ".join(words))


def _splits_elsewhere(results: Results, names: Mapping[int, str]) -> Iterator[str]:
    """A sentence for each pool that was split by direct cost in another currency than its own."""
    for (code, _ignored), result in sorted(results.items()):
        with_cost = {pool for pool, *_ignored in (*result.shares, *result.fed)}
        for pool, weights in sorted(result.weights.items()):
            if weights.elsewhere and pool in with_cost:
                elsewhere = weights.elsewhere
                by = (
                    _("by direct cost in {currency}").format(currency=elsewhere.currency)
                    if elsewhere.currency
                    else _("evenly")
                )
                at_rates = f", {elsewhere.rates}" if elsewhere.rates else ""
                yield _("{names} ({code}): no team has direct cost in {code}, so it is split {by}{at_rates}.").format(
                    names=names[pool], code=code, by=by, at_rates=at_rates
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
    rows = MetricValue.objects.filter(metric__name__in=wanted, team__isnull=False).in_month(month)
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
            label = service or str(NOT_BY_SERVICE)
            yield AllocatedCost(
                team,
                currency,
                "direct",
                f"direct:{service}",
                label,
                amounts,
                service=service,
                taxes=cost.taxes_by_owner.get((team, service, currency), {}),
            )


def _shared_lines(
    results: Results, taxes: Results, rules: Mapping[int, SplitRule], names: Mapping[int, str]
) -> Iterator[AllocatedCost]:
    taxes_of = _sum_shares(taxes)
    for (pool, team, code), amounts in sorted(_sum_shares(results).items()):
        formulas = {view: _formula(rules[pool], team, results[code, view], code) for view in VIEWS}
        yield AllocatedCost(
            team,
            code,
            "shared",
            f"shared:{pool}",
            names[pool],
            amounts,
            pool=pool,
            formulas=formulas,
            taxes=taxes_of.get((pool, team, code), {}),
        )


def _sum_shares(results: Results) -> dict[tuple[int, int, str], dict[str, Decimal]]:
    """{(pool, team, currency): its share of all days, in both views}."""
    sums: dict[tuple[int, int, str], dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(VIEWS, ZERO))
    for (code, view), result in results.items():
        for (pool, team, _ignored), amount in result.shares.items():
            amounts = sums[pool, team, code]
            amounts[view] = EXACT.add(amounts[view], amount)
    return sums


def _formula(rule: SplitRule, team: int, result: SplitResult, code: str) -> str:
    weights = result.weights.get(rule.pool)
    party = pool_splits.team(team)
    if weights is None or weights.problem or not weights.of.get(party):
        return _("no share in this view of cost")
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
    services = {service for by_service in savings.values() for service, _ignored in by_service}
    eligible: dict[str, dict[tuple[str, int], Decimal]] = defaultdict(dict)
    usage_of_services = usage.filter(service__in=services).values("owner", "service", "currency")
    for row in usage_of_services.annotate(cost=Sum(reference)) if services else ():
        eligible[row["currency"]][row["service"], row["owner"]] = row["cost"]
    return {code: spread_discounts(saved, eligible[code]) for code, saved in savings.items()}


def _spread_lines(moved: Mapping[str, Mapping[int, Decimal]]) -> Iterator[AllocatedCost]:
    formulas = dict.fromkeys(VIEWS, str(SPREAD_FORMULA))
    for code, teams in sorted(moved.items()):
        for team, amount in sorted(teams.items()):
            amounts = {BILLED: ZERO, EFFECTIVE: amount}
            yield AllocatedCost(team, code, "spread", "spread", _("Spread discounts"), amounts, formulas=formulas)


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
