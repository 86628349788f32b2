"""The shapes that forecasts and anomalies are measured on are what they are called."""

import numpy as np
import pytest

from benchmarks.cost_shapes import CREDIT, FEE, FIRST, SHAPES, dates, history_of
from finops_site.lib.periods import Month

DAYS = 1096


def test_every_shape_gives_as_many_days_as_wanted_and_the_same_for_the_same_seed():
    for shape in SHAPES.values():
        history = history_of(shape, 2, DAYS, seed=5)
        assert (history.first, history.daily.shape) == (FIRST, (2, DAYS))
        assert np.isfinite(history.daily).all()
        assert np.array_equal(history.daily, history_of(shape, 2, DAYS, seed=5).daily)


@pytest.mark.parametrize(
    ("name", "day_of", "amount"),
    [
        ("fee on the 15th", lambda month: 15, FEE),
        ("fee on the last day", lambda month: month.days, FEE),
        ("fee on the 31st", lambda month: month.days, FEE),
        ("fee on the last day but four", lambda month: month.days - 4, FEE),
        ("credit on the 3rd", lambda month: 3, CREDIT),
    ],
)
def test_a_fee_falls_on_its_day_of_every_month(name, day_of, amount):
    daily = history_of(SHAPES[name], 1, DAYS).daily[0]
    due = [number for number, day in enumerate(dates(DAYS)) if day.day == day_of(Month.of(day))]
    assert len(due) == 36
    assert daily[due].mean() == pytest.approx(100 + amount, abs=5)
    assert np.delete(daily, due).mean() == pytest.approx(100, abs=1)


def test_a_ramp_rises_by_two_per_cent_a_day_to_the_end():
    daily = history_of(SHAPES["ramp +2 % a day"], 50, DAYS).daily.mean(axis=0)
    assert daily[-1] / daily[-31] == pytest.approx(1.02**30, rel=0.03)
