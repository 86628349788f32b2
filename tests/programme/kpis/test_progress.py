"""How a KPI stands against its target, and which night stands for a month."""

from datetime import date
from decimal import Decimal

import pytest

from finops_site.lib.periods import Month
from finops_site.registry import Better
from programme.calc.kpi_progress import Goal, Progress, last_of_months, progress

START, END = date(2026, 1, 1), date(2026, 4, 1)
LINE = Goal(Decimal(90), END, Decimal(0), START)


@pytest.mark.parametrize(
    ("value", "day", "expected"),
    [
        (Decimal(90), date(2026, 2, 1), Progress.MET),
        (Decimal("31.1"), date(2026, 2, 1), Progress.ON_TRACK),
        (Decimal("30.9"), date(2026, 2, 1), Progress.BEHIND),
        (Decimal("89.9"), END, Progress.NOT_MET),
        (None, date(2026, 2, 1), Progress.UNKNOWN),
    ],
)
def test_a_value_is_on_track_where_a_straight_line_to_the_target_is(value, day, expected):
    assert LINE.due_by(date(2026, 2, 1)) == 31
    assert progress(value, LINE, Better.HIGHER, day) == expected


def test_without_a_line_a_target_is_met_or_not_and_without_a_target_neither():
    day = date(2026, 2, 1)
    assert progress(Decimal(25), Goal(Decimal(24)), Better.LOWER, day) == Progress.NOT_MET
    assert progress(Decimal(24), Goal(Decimal(24)), Better.LOWER, day) == Progress.MET
    assert progress(Decimal(0), Goal(None), Better.HIGHER, day) == Progress.NO_TARGET


def test_a_falling_figure_is_on_track_below_its_line():
    falling = Goal(Decimal(24), END, Decimal(96), START)
    assert falling.due_by(date(2026, 2, 1)) == Decimal(96) - Decimal(72) * 31 / 90
    assert progress(Decimal(70), falling, Better.LOWER, date(2026, 2, 1)) == Progress.ON_TRACK
    assert progress(Decimal(80), falling, Better.LOWER, date(2026, 2, 1)) == Progress.BEHIND


def test_a_month_is_its_last_stored_night_and_one_without_any_is_a_gap():
    nights = [date(2026, 1, 3), date(2026, 1, 30), date(2026, 3, 2)]
    assert last_of_months(nights) == {
        Month(2026, 1): date(2026, 1, 30),
        Month(2026, 2): None,
        Month(2026, 3): date(2026, 3, 2),
    }
    assert last_of_months([]) == {}
