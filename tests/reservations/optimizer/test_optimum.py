"""One pool, exactly: the published example, brute force, and what nobody may pass in."""

import csv
import gzip
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reservations.optimizer.optimum import Tariff, cost, layers, optimum, steady_units

DATA = Path(__file__).resolve().parents[4] / "shared/data/shavedice/hourly_normalized.csv.gz"
hours = st.lists(st.floats(0, 100), min_size=1, max_size=40)


@pytest.mark.skipif(not DATA.exists(), reason="the Shaved Ice data set is not beside this checkout")
def test_the_published_example_is_solved_to_the_last_digit():
    """Stokely et al., ICPE 2025: all regions and types per hour over two weeks, scaled to a peak of 100, 2.1 to 1."""
    sums = Counter()
    with gzip.open(DATA, "rt") as file:
        for row in csv.DictReader(file):
            if "2024-01-07" <= row["USAGE_HOUR"][:10] <= "2024-01-20":
                sums[row["USAGE_HOUR"]] += float(row["NORM_USAGE"])
    values = [value for _, value in sorted(sums.items())][:-1]
    demand = [value / max(values) * 100 for value in values]
    result = optimum(demand, on_demand=2.1, committed=1.0)
    assert len(demand) == 335
    assert result.level == pytest.approx(77.45372966909703, abs=1e-11)
    assert result.cost == pytest.approx(29326.43297812675, abs=1e-8)
    assert result.on_demand == pytest.approx(53792.86, abs=0.005)
    assert cost(demand, 100, on_demand=2.1, committed=1.0) == pytest.approx(33500)
    # The paper's grid of 100 levels comes close, and never below.
    grid = min(cost(demand, level, on_demand=2.1, committed=1.0) for level in range(101))
    assert result.cost <= grid


def test_a_unit_is_worth_it_that_runs_in_more_than_the_rates_ratio_of_the_hours():
    # Four hours at 1, 2, 3, 4 machines; half price: the second machine runs in 3 of 4, the third in 2 of 4.
    result = optimum([1, 2, 3, 4], on_demand=1.0, committed=0.5)
    assert (result.level, result.cost, result.on_demand) == (2, 2 * 0.5 * 4 + 1 + 2, 10)


@settings(max_examples=50, deadline=None)
@given(hours, st.floats(0.05, 1.2))
def test_no_other_level_is_cheaper(demand, committed):
    result = optimum(demand, on_demand=1.0, committed=committed)
    levels = [0.0, *demand]
    best = min(cost(demand, level, on_demand=1.0, committed=committed) for level in levels)
    assert result.cost == pytest.approx(best, rel=1e-9, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(hours, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2)), min_size=1, max_size=4))
def test_the_lower_envelope_costs_what_the_cheapest_tariff_of_every_unit_costs(demand, prices):
    tariffs = [Tariff(str(number), *price) for number, price in enumerate(prices)]
    result = layers(demand, tariffs)
    edges = sorted({0.0, *demand})
    best = 0.0
    for low, high in pairwise(edges):
        share = sum(1 for value in demand if value >= high) / len(demand)
        best += (high - low) * len(demand) * min(tariff.fixed + tariff.used * share for tariff in tariffs)
    assert sum(layer.cost for layer in result) == pytest.approx(best, rel=1e-9, abs=1e-9)


def test_with_one_commitment_the_envelope_is_the_quantile():
    result = layers([1, 2, 3, 4], [Tariff("on demand", 0, 1.0), Tariff("reserved", 0.5, 0)])
    # The third machine runs in half of the hours: it costs the same either way, and the first tariff named has it.
    named = [(layer.tariff, layer.low, layer.high) for layer in result]
    assert named == [("reserved", 0, 2), ("on demand", 2, 4)]


def test_a_commitment_that_costs_as_much_as_on_demand_is_not_bought():
    assert optimum([5, 5], on_demand=1.0, committed=1.0).level == 0


def test_demand_of_zero_costs_nothing():
    result = optimum([0, 0], on_demand=1.0, committed=0.5)
    assert (result.level, result.cost) == (0, 0)
    assert optimum([], on_demand=1.0, committed=0.5).cost == 0


@pytest.mark.parametrize("demand", [[-1], [float("nan")], [float("inf"), 1]])
def test_negative_hours_are_refused(demand):
    with pytest.raises(ValueError, match="not negative"):
        optimum(demand, on_demand=1.0, committed=0.5)


def test_a_rate_of_zero_on_demand_is_refused():
    with pytest.raises(ValueError, match="above zero"):
        optimum([1], on_demand=0.0, committed=0.5)


@pytest.mark.parametrize(
    ("demand", "share", "steady"),
    [([3, 3, 2, 1], 0.6, 2), ([3, 3, 2, 1], 0.75, 1), ([82] * 24, 0.95, 82), ([0, 0], 0.5, 0), ([], 0.5, 0)],
)
def test_steady_machines_are_those_that_ran_in_more_than_a_share_of_the_hours(demand, share, steady):
    assert steady_units(demand, share) == steady
