"""How pools of shared cost are split among teams. Pure: no Django.

Every function is about one currency and one view of cost (billed or effective). A pool is split by the weights of its
billing month, and with them each charge day by itself, so that every day sums to its bill exactly: shares are
`finops_site.money.split`, in stored units by the largest remainder.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from finops_site.lib.money import EXACT, exact_sum, exact_text, formatted, split

EVEN, FIXED, DIRECT, METRIC = "even", "fixed", "direct", "metric"
METHODS = (EVEN, FIXED, DIRECT, METRIC)
HUNDRED = Decimal(100)
ZERO = Decimal(0)
Amounts = dict[tuple[int, date], Decimal]


class BadSplit(ValueError):
    """A way of splitting that cannot be followed; the message says what to change."""


class CircleOfPools(BadSplit):
    """Pools that feed one another for ever; `path` begins and ends with the same pool."""

    def __init__(self, path: list[int], names: Mapping[int, str] | None = None) -> None:
        self.path = path
        shown = " → ".join((names or {}).get(pool, f"pool {pool}") for pool in path)
        super().__init__(f"Pools may not feed one another in a circle: {shown}.")


class Party(NamedTuple):
    """Who takes a share: a team, or another pool that is then split itself."""

    kind: str
    id: int


def team(number: int) -> Party:
    return Party("team", number)


def pool(number: int) -> Party:
    return Party("pool", number)


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How one pool is split. `parts` are who takes part, with a percentage each where shares are fixed.

    Without parts every team with direct cost takes part (by metric: every team that has a value). Raises BadSplit when
    fixed shares do not make 100, a share is negative, or the method does not fit its parts.
    """

    pool: int
    method: str
    parts: Mapping[Party, Decimal | None] = field(default_factory=dict)
    metric: str = ""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadSplit(f"{self.method!r} is no way to split: use {', '.join(METHODS)}.")
        if Party("pool", self.pool) in self.parts:
            raise CircleOfPools([self.pool, self.pool])
        if self.method == FIXED:
            _need_hundred(self.parts)
        if self.method == METRIC:
            _need_metric(self)


def _need_hundred(parts: Mapping[Party, Decimal | None]) -> None:
    shares = [share or ZERO for share in parts.values()]
    if any(share < 0 for share in shares):
        raise BadSplit("A share cannot be less than nothing.")
    whole = exact_sum(shares)
    if whole != HUNDRED:
        gap = EXACT.subtract(HUNDRED, whole)
        said = f"{exact_text(gap)} % are missing" if gap > 0 else f"{exact_text(-gap)} % too much"
        raise BadSplit(f"The shares make {exact_text(whole)} %, not 100 %: {said}.")


def _need_metric(rule: SplitRule) -> None:
    if not rule.metric:
        raise BadSplit("Which usage metric? Choose one.")
    if any(party.kind == "pool" for party in rule.parts):
        raise BadSplit("A usage metric has values of teams only: a pool cannot take a share by it.")


def order_pools(rules: Mapping[int, SplitRule]) -> list[int]:
    """The pools, each after all those that feed it. Raises CircleOfPools with the path."""
    done: list[int] = []
    trail: list[int] = []

    def visit(number: int) -> None:
        if number in trail:
            raise CircleOfPools([*trail[trail.index(number) :], number])
        if number in done:
            return
        trail.append(number)
        for fed in sorted(party.id for party in rules[number].parts if party.kind == "pool"):
            if fed in rules:
                visit(fed)
        done.append(trail.pop())

    for number in sorted(rules):
        visit(number)
    # A pool is done after those it feeds: turned round, each comes after those that feed it.
    return done[::-1]


@dataclass(frozen=True, slots=True)
class Weights:
    """Who takes how much of a pool, and why nobody does where nobody can."""

    of: Mapping[Party, Decimal]
    problem: str = ""

    @property
    def whole(self) -> Decimal:
        return exact_sum(self.of.values())


@dataclass(frozen=True, slots=True)
class SplitResult:
    """Where the cost of pools went: to teams, into other pools, and what is left with nobody to take it.

    `shares` and `fed` are {(pool, team or pool it fed, charge day): amount}, `left` is {(pool, charge day): amount};
    for each day shares + left = what the bills put into pools.
    """

    shares: Mapping[tuple[int, int, date], Decimal]
    fed: Mapping[tuple[int, int, date], Decimal]
    left: Amounts
    weights: Mapping[int, Weights]

    @property
    def problems(self) -> dict[int, str]:
        """Pools that nobody can take, and what to do about it."""
        with_cost = {number for number, _ in self.left}
        return {number: found.problem for number, found in self.weights.items() if number in with_cost}


def split_pools(
    held: Mapping[tuple[int, date], Decimal],
    rules: Mapping[int, SplitRule],
    direct: Mapping[int, Decimal],
    metrics: Mapping[str, Mapping[int, Decimal]],
) -> SplitResult:
    """Splits what the bills put into pools.

    `held` is {(pool, charge day): amount}, `direct` each team's direct cost of the month, `metrics` {metric: {team:
    its sum of the month}}. A pool without a rule, or whose weights are all zero or not usable, stays in `left`.
    Raises CircleOfPools.
    """
    waiting: dict[int, dict[date, Decimal]] = defaultdict(dict)
    own: dict[int, Decimal] = defaultdict(Decimal)
    for (number, day), amount in held.items():
        waiting[number][day] = EXACT.add(waiting[number].get(day, ZERO), amount)
        own[number] = EXACT.add(own[number], amount)
    in_order = order_pools(rules)
    shares: dict[tuple[int, int, date], Decimal] = {}
    fed: dict[tuple[int, int, date], Decimal] = {}
    weights: dict[int, Weights] = {}
    left: Amounts = {}
    for number in [*in_order, *sorted({*waiting} - {*in_order})]:
        _split_one(number, rules, direct, own, metrics, waiting, shares, fed, weights, left)
    # What was fed into a pool without a rule waits there, after those that have one.
    for number in sorted(set(waiting) - set(in_order)):
        weights.setdefault(number, pool_weights(None, direct, own, metrics))
        left.update({(number, day): amount for day, amount in waiting[number].items() if amount})
    return SplitResult(shares, fed, left, weights)


def _split_one(
    number: int,
    rules: Mapping[int, SplitRule],
    direct: Mapping[int, Decimal],
    own: Mapping[int, Decimal],
    metrics: Mapping[str, Mapping[int, Decimal]],
    waiting: dict[int, dict[date, Decimal]],
    shares: dict[tuple[int, int, date], Decimal],
    fed: dict[tuple[int, int, date], Decimal],
    weights: dict[int, Weights],
    left: Amounts,
) -> None:
    found = weights[number] = pool_weights(rules.get(number), direct, own, metrics)
    parties = [party for party in sorted(found.of) if found.of[party] > 0]
    for day, amount in sorted(waiting[number].items()):
        if not amount:
            continue
        if found.problem:
            left[number, day] = amount
            continue
        for party, part in zip(parties, split(amount, [found.of[each] for each in parties]), strict=True):
            if party.kind == "team":
                shares[number, party.id, day] = part
            else:
                fed[number, party.id, day] = part
                waiting[party.id][day] = EXACT.add(waiting[party.id].get(day, ZERO), part)


def pool_weights(
    rule: SplitRule | None,
    direct: Mapping[int, Decimal],
    pools: Mapping[int, Decimal],
    metrics: Mapping[str, Mapping[int, Decimal]],
) -> Weights:
    """The weights of everybody who takes part; `problem` says why nobody can."""
    if rule is None:
        return Weights({}, "No split says who shares this pool: add one.")
    values = metrics.get(rule.metric, {})
    if rule.method == METRIC and any(value < 0 for value in values.values()):
        return Weights({}, f"The metric {rule.metric} has a team whose sum of the month is negative: mend it.")
    everybody = values if rule.method == METRIC else {number: cost for number, cost in direct.items() if cost}
    parts = list(rule.parts) or [team(number) for number in sorted(everybody)]
    found = {party: _weight(rule, party, direct, pools, values) for party in parts}
    return Weights(found, "" if any(found.values()) else _why_nobody(rule))


def _weight(
    rule: SplitRule,
    party: Party,
    direct: Mapping[int, Decimal],
    pools: Mapping[int, Decimal],
    values: Mapping[int, Decimal],
) -> Decimal:
    if rule.method == EVEN:
        return Decimal(1)
    if rule.method == FIXED:
        return rule.parts[party] or ZERO
    if rule.method == METRIC:
        return values.get(party.id, ZERO)
    # Who got more back than she spent takes no share, rather than one below zero.
    return max(ZERO, (direct if party.kind == "team" else pools).get(party.id, ZERO))


def _why_nobody(rule: SplitRule) -> str:
    if rule.method == METRIC:
        return f"The metric {rule.metric} has no value for any team in this month: load it."
    if rule.method == DIRECT:
        return "No team that shares this pool has direct cost in this currency and month."
    return "No team has direct cost in this currency and month: name those who share this pool."


def share_formula(rule: SplitRule, party: Party, weights: Weights, currency: str) -> str:
    """In words how the share of a party came about: ``direct cost 100.00 of 400.00 USD, 25.0 %``."""
    mine, whole = weights.of[party], weights.whole
    percent = f"{EXACT.divide(EXACT.multiply(mine, HUNDRED), whole):.1f} %"
    if rule.method == EVEN:
        return f"evenly among {len(weights.of)}: {percent}"
    if rule.method == FIXED:
        return f"fixed share: {exact_text(mine)} %"
    if rule.method == METRIC:
        return f"{rule.metric} {mine.normalize():,f} of {whole.normalize():,f}: {percent}"
    return f"direct cost {formatted(mine, currency)} of {formatted(whole, currency)} {currency}: {percent}"


def spread_discounts(
    savings: Mapping[tuple[str, int], Decimal], eligible: Mapping[tuple[str, int], Decimal]
) -> dict[int, Decimal]:
    """What each team pays more (or less) when the discounts of commitments are spread; the sum is exactly zero.

    `savings` is what commitments saved each team, by service: contracted cost less effective cost of its covered
    usage. `eligible` is the contracted cost of all its usage of the service, covered or not. A team gives back what it
    saved and gets of the service's savings the share that its eligible usage has: everybody then pays the service's
    average rate of the month.
    """
    found: dict[int, Decimal] = defaultdict(Decimal)
    for service in sorted({service for service, _ in savings}):
        mine = {number: saved for (name, number), saved in savings.items() if name == service}
        weights = {number: cost for (name, number), cost in eligible.items() if name == service and cost > 0}
        if not weights:
            continue
        shares = split(exact_sum(mine.values()), list(weights.values()))
        for number, saved in mine.items():
            found[number] = EXACT.add(found[number], saved)
        for number, share in zip(weights, shares, strict=True):
            found[number] = EXACT.subtract(found[number], share)
    return {number: amount for number, amount in found.items() if amount}


def missing_days(days: Iterable[date], known: Iterable[date]) -> list[date]:
    """The days of a month for which a metric says nothing."""
    return sorted(set(days) - set(known))


def day_spans(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Consecutive days as (first, last), for a message that stays short."""
    first = last = None
    for day in sorted(days):
        if last is not None and (day - last).days == 1:
            last = day
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = day
    if first is not None and last is not None:
        yield first, last
