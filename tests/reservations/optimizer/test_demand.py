"""Demand out of bills of every grain, with what is wrong in them said."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from reservations.calc.terms import MachinePool
from reservations.optimizer.backtest import backtest
from reservations.optimizer.demand import DAILY, HOURLY, NONE, SNAPSHOT, MachineUse, build_demand
from reservations.optimizer.risk import demand_falls, migration
from tests.reservations.optimizer.test_linear_program import steady

LARGE = MachinePool("AWS", "us-east-1", "m5.large")
START = datetime(2026, 10, 25)


def use(hour, hours, span=1, machines=0):
    start = START + timedelta(hours=hour)
    return MachineUse(LARGE, start, start + timedelta(hours=span), Decimal(hours), machines)


def day(*uses, days=1):
    return build_demand(uses, START, START + timedelta(days=days))


def test_hourly_use_is_taken_as_it_is():
    result = day(use(0, 2), use(1, 3))
    assert result.machines[0, :3].tolist() == [2, 3, 0]
    assert (result.grain, result.notes) == (HOURLY, [])


def test_daily_use_is_the_share_of_the_day():
    result = day(use(0, 36, span=24))
    assert result.machines[0].tolist() == [1.5] * 24
    assert result.grain == DAILY


def test_a_month_in_one_line_is_a_snapshot_of_steady_machines():
    result = build_demand([use(0, 82 * 720, span=720)], START, START + timedelta(days=30))
    assert result.grain == SNAPSHOT
    assert result.steady() == {7: 82, 30: 82}


def test_an_hour_billed_twice_when_clocks_go_back_counts_once():
    result = day(use(0, 1, machines=1), use(1, 2, machines=1), use(2, 1, machines=1))
    assert result.machines[0, :4].tolist() == [1, 1, 1, 0]
    assert "clocks are set back" in result.notes[0]


def test_a_cluster_of_five_is_one_resource_and_five_machines():
    cluster = MachineUse(
        MachinePool("AWS", "us-east-1", "r6g.xlarge.search", service="OpenSearch"),
        START,
        START + timedelta(days=1),
        Decimal(120),
        1,
    )
    result = day(cluster)
    assert result.machines[0, 0] == 5
    assert result.notes == []


def test_corrections_below_zero_count_as_none_and_are_said():
    result = day(use(0, 2), use(1, -1))
    assert result.machines[0, :2].tolist() == [2, 0]
    assert "less than no use" in result.notes[0]


def test_zero_hours_are_no_demand():
    result = day(use(0, 0), use(1, 0))
    assert (result.pools, result.grain) == ([], NONE)


def test_a_time_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="ends before it starts"):
        build_demand([], START, START)


def test_a_machine_is_steady_that_ran_in_more_than_95_per_cent_of_the_hours():
    nights_off = [use(hour, 3 if hour % 24 < 12 else 2) for hour in range(24 * 7)]
    assert day(*nights_off, days=7).steady() == {7: 2}


def test_nothing_beats_hindsight_and_no_commitment_saves_nothing():
    demand = [10 + (hour // 24) % 7 for hour in range(24 * 200)]
    result = {
        outcome.strategy: outcome.saving for outcome in backtest(demand, ratio=0.5, lookback=720, term=1440, step=720)
    }
    assert result["none"] == 0
    assert result["hindsight"] >= max(result.values())
    assert result["cover the minimum"] == pytest.approx(10 * 0.5 / 13, rel=0.02)


def test_a_history_that_is_too_short_is_said():
    with pytest.raises(ValueError, match="too short"):
        backtest([1.0] * 100, ratio=0.5, lookback=720, term=720, step=24)


def test_a_fall_of_demand_is_paid_for_by_what_was_committed():
    problem = steady()
    import numpy as np

    rows = demand_falls(problem, np.array([0.0, 10.0]))
    # 24 hours x 10 machines at 0.5 whatever runs; on demand 240, 216, 192, 168.
    assert [round(outcome.saving) for outcome in rows] == [120, 96, 72, 48]
    gone = migration(problem, np.array([0.0, 10.0]), [0], "all of it moves")
    assert (gone.cost, gone.saving) == (360, -120)
