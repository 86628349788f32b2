"""Pools are split so that every day sums to its bill, whatever the rules; circles and bad shares are refused."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_site.lib.money import EXACT
from tagging.calc import discount_spreading, pool_splits
from tagging.calc.pool_splits import BadSplit, CircleOfPools, DirectElsewhere, SplitRule, pool, split_pools, team

DAY = date(2026, 3, 1)
SUPPORT, TAX, CLUSTER = 1, 2, 3
PAYMENTS, DATA = 10, 20


def total(amounts):
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result


def shares(outcome):
    return {(number, who): amount for (number, who, _), amount in outcome.shares.items()}


def test_a_pool_is_split_evenly_by_shares_by_direct_cost_or_by_a_metric():
    held, direct = {(SUPPORT, DAY): Decimal(10)}, {PAYMENTS: Decimal(30), DATA: Decimal(10)}
    metrics = {"requests": {PAYMENTS: Decimal(1), DATA: Decimal(4)}}
    fixed = {team(PAYMENTS): Decimal("12.5"), team(DATA): Decimal("87.5")}
    results = [
        shares(split_pools(held, {SUPPORT: rule}, direct, metrics))
        for rule in (
            SplitRule(SUPPORT, "even"),
            SplitRule(SUPPORT, "fixed", fixed),
            SplitRule(SUPPORT, "direct"),
            SplitRule(SUPPORT, "metric", metric="requests"),
        )
    ]
    amounts = [(result[SUPPORT, PAYMENTS], result[SUPPORT, DATA]) for result in results]
    assert amounts == [(5, 5), (Decimal("1.25"), Decimal("8.75")), (Decimal("7.5"), Decimal("2.5")), (2, 8)]


def test_a_pool_feeds_a_pool_and_nothing_stays_behind():
    rules = {
        TAX: SplitRule(TAX, "direct", {pool(SUPPORT): None, team(DATA): None}),
        SUPPORT: SplitRule(SUPPORT, "even", {team(PAYMENTS): None}),
    }
    held = {(TAX, DAY): Decimal(8), (SUPPORT, DAY): Decimal(10)}
    result = split_pools(held, rules, {DATA: Decimal(30)}, {})
    assert result.fed == {(TAX, SUPPORT, DAY): 2}
    assert shares(result) == {(TAX, DATA): 6, (SUPPORT, PAYMENTS): 12}
    assert result.left == {}


def test_without_direct_cost_in_the_currency_that_in_others_decides():
    held, rules = {(SUPPORT, DAY): Decimal(9)}, {SUPPORT: SplitRule(SUPPORT, "direct")}
    elsewhere = DirectElsewhere({PAYMENTS: Decimal(100), DATA: Decimal(50)}, "USD", "1 GBP = 1.2500 USD of 31 Mar")
    result = split_pools(held, rules, {}, {}, lambda: elsewhere)
    assert shares(result) == {(SUPPORT, PAYMENTS): 6, (SUPPORT, DATA): 3}
    formula = pool_splits.share_formula(rules[SUPPORT], team(DATA), result.weights[SUPPORT], "EUR")
    assert formula == "no direct cost in EUR: direct cost 50.00 of 150.00 USD at 1 GBP = 1.2500 USD of 31 Mar: 33.3%"
    # A part of the pool, like the tax in it, is split as the pool was.
    of_tax = split_pools({(SUPPORT, DAY): Decimal(3)}, rules, {}, {}, weights=result.weights)
    assert shares(of_tax) == {(SUPPORT, PAYMENTS): 2, (SUPPORT, DATA): 1}
    # Where the currency has direct cost, nobody asks about others.
    own = split_pools(held, rules, {DATA: Decimal(1)}, {}, lambda: pytest.fail("asked"))
    assert shares(own) == {(SUPPORT, DATA): 9}


def test_a_circle_of_pools_is_refused_with_its_path():
    rules = {
        SUPPORT: SplitRule(SUPPORT, "even", {pool(TAX): None}),
        TAX: SplitRule(TAX, "even", {pool(CLUSTER): None}),
        CLUSTER: SplitRule(CLUSTER, "even", {pool(SUPPORT): None}),
    }
    with pytest.raises(CircleOfPools) as caught:
        pool_splits.order_pools(rules)
    assert caught.value.path == [SUPPORT, TAX, CLUSTER, SUPPORT]
    message = str(CircleOfPools(caught.value.path, {SUPPORT: "Support", TAX: "Tax", CLUSTER: "Cluster"}))
    assert "Support → Tax → Cluster → Support" in message


@pytest.mark.parametrize(
    ("method", "parts", "says"),
    [
        ("fixed", {team(1): Decimal(60), team(2): Decimal(30)}, "make 90%, not 100%: 10% are missing"),
        ("fixed", {team(1): Decimal(60), team(2): Decimal("40.5")}, "0.5% too much"),
        ("fixed", {team(1): Decimal(110), team(2): Decimal(-10)}, "less than nothing"),
        ("fixed", {}, "make 0%"),
        ("metric", {}, "Which usage metric"),
        ("even", {pool(SUPPORT): None}, "circle"),
        ("by weight", {}, "no way to split"),
    ],
)
def test_a_split_that_cannot_be_followed_is_refused_in_words(method, parts, says):
    with pytest.raises(BadSplit, match=says):
        SplitRule(SUPPORT, method, parts)


def test_a_pool_that_nobody_can_take_stays_visible():
    held = {(SUPPORT, DAY): Decimal(10), (TAX, DAY): Decimal(3)}
    result = split_pools(held, {SUPPORT: SplitRule(SUPPORT, "direct")}, {}, {})
    assert result.left == {(SUPPORT, DAY): 10, (TAX, DAY): 3}
    assert "has direct cost" in result.problems[SUPPORT]
    assert "add one" in result.problems[TAX]


def test_a_metric_below_zero_is_said_and_splits_nothing():
    rules = {SUPPORT: SplitRule(SUPPORT, "metric", metric="requests")}
    metrics = {"requests": {PAYMENTS: Decimal(-1), DATA: Decimal(4)}}
    result = split_pools({(SUPPORT, DAY): Decimal(10)}, rules, {}, metrics)
    assert result.left == {(SUPPORT, DAY): 10}
    assert "negative" in result.problems[SUPPORT]


def test_the_formula_says_in_words_how_a_share_came_about():
    direct = {PAYMENTS: Decimal(30), DATA: Decimal(10)}
    rule = SplitRule(SUPPORT, "direct")
    weights = pool_splits.pool_weights(rule, direct, {}, {})
    text = pool_splits.share_formula(rule, team(PAYMENTS), weights, "USD")
    assert text == "direct cost 30.00 of 40.00 USD: 75.0%"
    # Cents of a large sum would stand beside those of the document, which are rounded with all of its month.
    direct = {PAYMENTS: Decimal("18884.844"), DATA: Decimal("33295.321")}
    weights = pool_splits.pool_weights(rule, direct, {}, {})
    text = pool_splits.share_formula(rule, team(PAYMENTS), weights, "USD")
    assert text == "direct cost 18,885 of 52,180 USD: 36.2%"


def test_spread_discounts_move_money_from_who_had_the_luck_to_everybody():
    savings = {("EC2", PAYMENTS): Decimal(40)}
    eligible = {("EC2", PAYMENTS): Decimal(100), ("EC2", DATA): Decimal(300)}
    assert discount_spreading.spread_discounts(savings, eligible) == {PAYMENTS: Decimal(30), DATA: Decimal(-30)}


AMOUNT = st.decimals(min_value=-(10**9), max_value=10**9, places=18, allow_nan=False, allow_infinity=False)
WEIGHT = st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False, allow_infinity=False)
POOLS = st.integers(min_value=1, max_value=5)
TEAMS = st.integers(min_value=10, max_value=14)
DAYS = st.integers(min_value=0, max_value=3).map(lambda n: DAY + timedelta(days=n))


@st.composite
def rules_of_pools(draw):
    """Any rules without a circle: a pool feeds only pools with a higher number."""
    rules = {}
    for number in draw(st.sets(POOLS)):
        method = draw(st.sampled_from(pool_splits.METHODS))
        parts = dict.fromkeys(map(team, sorted(draw(st.sets(TEAMS)))))
        if method != "metric":
            parts |= dict.fromkeys(pool(other) for other in sorted(draw(st.sets(POOLS))) if other > number)
        if method == "fixed":
            if not parts:
                continue
            cut = sorted(draw(st.lists(st.integers(0, 100), min_size=len(parts) - 1, max_size=len(parts) - 1)))
            ends = [0, *cut, 100]
            parts = {party: Decimal(high - low) for party, low, high in zip(parts, ends[:-1], ends[1:], strict=True)}
        rules[number] = SplitRule(number, method, parts, "m" if method == "metric" else "")
    return rules


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.tuples(POOLS, DAYS), AMOUNT),
    rules_of_pools(),
    st.dictionaries(TEAMS, AMOUNT),
    st.dictionaries(TEAMS, WEIGHT),
)
def test_shares_and_what_is_left_are_the_pools_on_every_day_to_the_last_digit(held, rules, direct, metric):
    result = split_pools(held, rules, direct, {"m": metric})
    for day in {day for _, day in held}:
        taken = total(amount for (_, _, when), amount in result.shares.items() if when == day)
        left = total(amount for (_, when), amount in result.left.items() if when == day)
        assert EXACT.add(taken, left) == total(amount for (_, when), amount in held.items() if when == day)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.tuples(POOLS, DAYS), AMOUNT), rules_of_pools(), st.dictionaries(TEAMS, WEIGHT))
def test_each_pool_gives_away_exactly_what_it_got(held, rules, direct):
    result = split_pools(held, rules, direct, {})
    for number in range(1, 6):
        got = total(amount for (source, _), amount in held.items() if source == number)
        got = EXACT.add(got, total(amount for (_, into, _), amount in result.fed.items() if into == number))
        gave = total(
            amount
            for taken in (result.shares, result.fed)
            for (source, _, _), amount in taken.items()
            if source == number
        )
        left = total(amount for (source, _), amount in result.left.items() if source == number)
        assert got == EXACT.add(gave, left)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.tuples(st.sampled_from("ab"), TEAMS), AMOUNT),
    st.dictionaries(st.tuples(st.sampled_from("ab"), TEAMS), AMOUNT),
)
def test_spreading_discounts_changes_no_total(savings, eligible):
    assert total(discount_spreading.spread_discounts(savings, eligible).values()) == 0
