"""The forecast is judged where it can be wrong: against the rivals, on the demo and on somebody else's demand."""

import csv
import gzip
import json
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from budgets.calc import backtest, forecast
from budgets.calc.cost_history import CostHistory
from budgets.calc.forecast_methods import fit
from costs.demo.bills import COLUMNS, MONTHS, bill_rows
from costs.demo.services import resources
from finops_site.lib.periods import Month

SHAVEDICE = Path(__file__).resolve().parents[4] / "shared" / "data" / "shavedice" / "hourly_normalized.csv.gz"


def series(cost):
    """{key: {day: amount}} as a CostHistory."""
    days = sorted({day for by_day in cost.values() for day in by_day})
    first = date.fromisoformat(days[0])
    daily = np.zeros((len(cost), (date.fromisoformat(days[-1]) - first).days + 1))
    for row, key in enumerate(sorted(cost)):
        for day, amount in cost[key].items():
            daily[row, (date.fromisoformat(day) - first).days] = amount
    return CostHistory(first, daily)


def demo():
    """The demo company's days by service and by team."""
    as_of, costs = date(2026, 11, 25), defaultdict(lambda: defaultdict(float))
    place, running, last = {name: n for n, name in enumerate(COLUMNS)}, resources(as_of), Month.of(as_of)
    for back in range(MONTHS):
        for row in bill_rows(last.plus(-back), running, last, as_of):
            day, amount = row[place["ChargePeriodStart"]][:10], float(row[place["BilledCost"]])
            team = json.loads(row[place["Tags"]] or "{}").get("Team", "")
            for key in ("whole", f"service {row[place['ServiceName']]}", f"team {team}"):
                costs[key][day] += amount
    return series(costs)


def shavedice():
    """Three years of real demand for machines, by deployment and type (Snowflake, CC BY 4.0)."""
    if not SHAVEDICE.exists():
        pytest.skip(f"{SHAVEDICE} is not here")
    demand = defaultdict(lambda: defaultdict(float))
    with gzip.open(SHAVEDICE, "rt") as lines:
        for row in csv.DictReader(lines):
            demand[f"{row['REGION_NUM']} {row['INSTANCE_TYPE']}"][row["USAGE_HOUR"][:10]] += float(row["NORM_USAGE"])
    return series(demand)


@pytest.mark.parametrize(("make", "months"), [(demo, 12), (shavedice, 36)])
def test_it_beats_the_straight_line_and_last_week_and_its_interval_holds(make, months):
    result = backtest.run_backtest(make(), months=months)
    ours, line, naive = (result.pooled_wape(rival) for rival in backtest.RIVALS)
    print(make.__name__, {rival: [f"{ratio:.2%}" for ratio in result.pooled_wape(rival)] for rival in backtest.RIVALS})
    print("coverage", f"{result.pooled_coverage():.1%}", int(result.tested.sum()), "outcomes")
    assert all(error < theirs for error, theirs in zip(ours, line, strict=True))
    assert all(error < theirs for error, theirs in zip(ours, naive, strict=True))
    assert 0.75 <= result.pooled_coverage() <= 0.85


def weekly(days, first=date(2026, 1, 1)):
    level = [70.0 if (first + timedelta(days=n)).weekday() >= 5 else 100.0 for n in range(days)]
    return CostHistory(first, np.array([level]))


def test_weekends_are_cheaper_ahead_too():
    states = fit(weekly(90))
    (distribution,) = forecast.forecast_days(states, 7)
    assert distribution.likeliest == pytest.approx(5 * 100 + 2 * 70, rel=0.001)


def test_what_falls_on_the_first_is_expected_on_the_next_first_only():
    history = weekly(140)
    for column in range(140):
        if history.day(column).day == 1:
            history.daily[0, column] += 1000
    states = fit(history)
    ahead = (Month.of(history.end).next.start - history.end).days
    before, with_first = (forecast.forecast_days(states, days)[0].likeliest for days in (ahead, ahead + 1))
    assert before < ahead * 100
    assert with_first - before > 1000


def test_a_young_budget_has_a_run_rate_and_says_so():
    history = CostHistory(date(2026, 1, 1), np.array([[0.0] * 50 + [10.0] * 10]))
    (distribution,) = forecast.forecast_days(fit(history), 20)
    assert (distribution.method, distribution.likeliest) == ("run rate", 200.0)
    assert distribution.quantile(0.1) < 200 < distribution.quantile(0.9)


def test_of_nothing_nothing_is_said():
    history = CostHistory(date(2026, 1, 1), np.zeros((1, 100)))
    assert forecast.forecast_days(fit(history), 20)[0].method in ("none", "run rate")


def test_a_forecast_knows_only_what_was_before_it():
    one, other = weekly(120), weekly(120)
    other.daily[0, 80:] = 5000
    early = [fit(history).forecast_sums(80, 14) for history in (one, other)]
    assert np.allclose(*early)
