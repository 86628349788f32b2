"""How pools of shared cost are split among teams. Pure: no Django.

Every function is about one currency and one view of cost (billed or effective). A pool is split by the weights of its
billing month, and with them each charge day by itself, so that every day sums to its bill exactly: shares come from
`finops_site.lib.money.split`, in stored units by the largest remainder.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from finops_site.lib.language import gettext as _
from finops_site.lib.locale_format import percent_figure
from finops_site.lib.money import EXACT, exact_sum, exact_text, formatted, split
from finops_site.lib.words import number_text

EVEN, FIXED, DIRECT, METRIC = "even", "fixed", "direct", "metric"
METHODS = (EVEN, FIXED, DIRECT, METRIC)
HUNDRED = Decimal(100)
ZERO = Decimal(0)


class BadSplit(ValueError):
    """A way of splitting that cannot be followed; the message says what to change."""


class CircleOfPools(BadSplit):
    """Pools that feed one another for ever; `path` begins and ends with the same pool."""

    def __init__(self, path: list[int], names: Mapping[int, str] | None = None) -> None:
        self.path = path
        shown = " → ".join((names or {}).get(pool, _("pool {pool}").format(pool=pool)) for pool in path)
        super().__init__(_("Pools may not feed one another in a circle: {shown}.").format(shown=shown))


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
    """How one pool is split. `parts` are the teams and pools that take part, with percentages where these are fixed.

    Without parts every team with direct cost takes part (by metric: every team that has a value). Raises BadSplit when
    fixed shares do not make 100, a share is negative, or the method does not fit its parts.
    """

    pool: int
    method: str
    parts: Mapping[Party, Decimal | None] = field(default_factory=dict)
    metric: str = ""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadSplit(
                _("{method!r} is no way to split: use {names}.").format(method=self.method, names=", ".join(METHODS))
            )
        if Party("pool", self.pool) in self.parts:
            raise CircleOfPools([self.pool, self.pool])
        if self.method == FIXED:
            self._check_shares()
        if self.method == METRIC and not self.metric:
            raise BadSplit(_("Which usage metric? Choose one."))
        if self.method == METRIC and any(party.kind == "pool" for party in self.parts):
            raise BadSplit(_("A usage metric has values of teams only: a pool cannot take a share by it."))

    def _check_shares(self) -> None:
        shares = [share or ZERO for share in self.parts.values()]
        if any(share < 0 for share in shares):
            raise BadSplit(_("A share cannot be less than nothing."))
        total = exact_sum(shares)
        if total != HUNDRED:
            gap = EXACT.subtract(HUNDRED, total)
            difference = (
                _("The shares make {total}%, not 100%: {gap}% are missing.")
                if gap > 0
                else _("The shares make {total}%, not 100%: {gap}% too much.")
            )
            raise BadSplit(difference.format(total=exact_text(total), gap=exact_text(abs(gap))))


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
class DirectElsewhere:
    """The teams' direct cost in other currencies than a pool's, in one of them: what to split by where it has none.

    `rates` says how several currencies were made one, in words: empty where there is one. `problem` is the reason why
    they could not be.
    """

    of: Mapping[int, Decimal]
    currency: str
    rates: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """Who takes how much of a pool, and why nobody does where nobody can.

    `elsewhere` is set where the weights are direct cost in another currency than the pool's.
    """

    of: Mapping[Party, Decimal]
    problem: str = ""
    elsewhere: DirectElsewhere | None = None

    @property
    def total(self) -> Decimal:
        return exact_sum(self.of.values())


@dataclass(frozen=True, slots=True)
class SplitResult:
    """Where the cost of pools went: to teams, into other pools, and what is left because nobody can take it.

    `shares` and `fed` are {(pool, team or pool it fed, charge day): amount}, `left` is {(pool, charge day): amount};
    for each day shares + left = what the bills put into pools.
    """

    shares: dict[tuple[int, int, date], Decimal] = field(default_factory=dict)
    fed: dict[tuple[int, int, date], Decimal] = field(default_factory=dict)
    left: dict[tuple[int, date], Decimal] = field(default_factory=dict)
    weights: dict[int, Weights] = field(default_factory=dict)

    @property
    def problems(self) -> dict[int, str]:
        """Pools that nobody can take, and what to do about it."""
        with_cost = {number for number, _ignored in self.left}
        return {number: weights.problem for number, weights in self.weights.items() if number in with_cost}


def split_pools(
    held: Mapping[tuple[int, date], Decimal],
    rules: Mapping[int, SplitRule],
    direct: Mapping[int, Decimal],
    metrics: Mapping[str, Mapping[int, Decimal]],
    elsewhere: Callable[[], DirectElsewhere | None] | None = None,
    weights: Mapping[int, Weights] | None = None,
) -> SplitResult:
    """Splits what the bills put into pools.

    `held` is {(pool, charge day): amount}, `direct` each team's direct cost of the month, `metrics` {metric: {team:
    its sum of the month}}. `elsewhere` gives the direct cost in other currencies, asked for where this one has none. A
    pool without a rule, or whose weights are all zero or not usable, stays in `left`. `weights` are those of another
    split to do again, for a part of what was split then. Raises CircleOfPools.
    """
    amounts: dict[int, dict[date, Decimal]] = defaultdict(dict)
    own: dict[int, Decimal] = defaultdict(Decimal)
    for (number, day), amount in held.items():
        amounts[number][day] = EXACT.add(amounts[number].get(day, ZERO), amount)
        own[number] = EXACT.add(own[number], amount)
    result = SplitResult()
    ordered = order_pools(rules)

    def split_one(number: int) -> None:
        known = (weights or {}).get(number)
        result.weights[number] = known or pool_weights(rules.get(number), direct, own, metrics, elsewhere)
        _split_pool(number, amounts, result)

    for number in ordered:
        split_one(number)
    # Pools without a rule come last: by then they hold what others fed into them.
    for number in sorted({*amounts} - {*ordered}):
        split_one(number)
    return result


def _split_pool(number: int, amounts: dict[int, dict[date, Decimal]], result: SplitResult) -> None:
    """Splits each day of a pool by its weights; a share of another pool is added to that pool's `amounts`."""
    weights = result.weights[number]
    parties = [party for party in sorted(weights.of) if weights.of[party] > 0]
    for day, amount in sorted(amounts[number].items()):
        if not amount:
            continue
        if weights.problem:
            result.left[number, day] = amount
            continue
        for party, part in zip(parties, split(amount, [weights.of[party] for party in parties]), strict=True):
            if party.kind == "team":
                result.shares[number, party.id, day] = part
            else:
                result.fed[number, party.id, day] = part
                amounts[party.id][day] = EXACT.add(amounts[party.id].get(day, ZERO), part)


def pool_weights(
    rule: SplitRule | None,
    direct: Mapping[int, Decimal],
    pools: Mapping[int, Decimal],
    metrics: Mapping[str, Mapping[int, Decimal]],
    elsewhere: Callable[[], DirectElsewhere | None] | None = None,
) -> Weights:
    """The weights of all that take part; `problem` is the reason where nobody can.

    Where none of them has direct cost in the pool's currency, what they cost in others decides.
    """
    if rule is None:
        return Weights({}, _("No split says who shares this pool: add one."))
    values = metrics.get(rule.metric, {})
    if rule.method == METRIC and any(value < 0 for value in values.values()):
        return Weights(
            {},
            _("The metric {metric} has a team whose sum of the month is negative: mend it.").format(metric=rule.metric),
        )
    everybody = values if rule.method == METRIC else {number: cost for number, cost in direct.items() if cost}
    parts = list(rule.parts) or [team(number) for number in sorted(everybody)]
    weights = {party: _weight(rule, party, direct, pools, values) for party in parts}
    if any(weights.values()):
        return Weights(weights)
    others = elsewhere() if elsewhere and rule.method in (DIRECT, EVEN) else None
    if others:
        return _weights_elsewhere(rule, others)
    reasons = {
        METRIC: _("The metric {metric} has no value for any team in this month: load it.").format(metric=rule.metric),
        DIRECT: _("No team that shares this pool has direct cost in this currency and month."),
    }
    nobody = _("No team has direct cost in this currency and month: name those who share this pool.")
    return Weights(weights, reasons.get(rule.method, nobody))


def _weights_elsewhere(rule: SplitRule, others: DirectElsewhere) -> Weights:
    """The weights by direct cost in other currencies. Pools take none: what they hold is in the pool's currency."""
    if others.problem and rule.method == DIRECT:
        return Weights({}, others.problem)
    parts = list(rule.parts) or [team(number) for number, cost in sorted(others.of.items()) if cost]
    weights = {party: _weight(rule, party, others.of, {}, {}) for party in parts}
    if not any(weights.values()):
        return Weights(weights, _("No team that shares this pool has direct cost in this month, in any currency."))
    return Weights(weights, elsewhere=others if rule.method == DIRECT else DirectElsewhere(others.of, ""))


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


def _all_digits(value: Decimal) -> str:
    shortest = value.normalize()
    return number_text(shortest, max(0, -int(shortest.as_tuple().exponent)))


def share_formula(rule: SplitRule, party: Party, weights: Weights, currency: str) -> str:
    """How the share of a party was computed, for the statement: ``direct cost 100.00 of 400.00 USD, 25.0 %``."""
    weight, total = weights.of[party], weights.total
    elsewhere = weights.elsewhere
    percent = percent_figure(f"{EXACT.divide(EXACT.multiply(weight, HUNDRED), total):.1f}")
    if rule.method == EVEN:
        return _("evenly among {of_count}: {percent}").format(of_count=len(weights.of), percent=percent)
    if elsewhere:
        cost = _cost_of(weight, total, elsewhere.currency)
        if elsewhere.rates:
            return _("no direct cost in {currency}: direct cost {cost} at {rates}: {percent}").format(
                currency=currency, cost=cost, rates=elsewhere.rates, percent=percent
            )
        return _("no direct cost in {currency}: direct cost {cost}: {percent}").format(
            currency=currency, cost=cost, percent=percent
        )
    if rule.method == FIXED:
        return _("fixed share: {weight}%").format(weight=exact_text(weight))
    if rule.method == METRIC:
        return _("{metric} {weight} of {total}: {percent}").format(
            metric=rule.metric, weight=_all_digits(weight), total=_all_digits(total), percent=percent
        )
    return _("direct cost {cost_of}: {percent}").format(cost_of=_cost_of(weight, total, currency), percent=percent)


def _cost_of(weight: Decimal, total: Decimal, currency: str) -> str:
    """``100.00 of 400.00 USD``; in whole units where the total has thousands of them.

    The documents' cents are rounded so that all of a month add up: a cent beside them would contradict them.
    """
    if total >= 1000:
        return _("{weight} of {total} {currency}").format(
            weight=number_text(weight, 0), total=number_text(total, 0), currency=currency
        )
    return _("{weight} of {total} {currency}").format(
        weight=formatted(weight, currency), total=formatted(total, currency), currency=currency
    )
