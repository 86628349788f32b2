"""Counts read from a file, and what one unit costs: pure."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagging.calc import unit_costs
from tagging.calc.unit_costs import UnitCostPoint, read_metric_csv

TEAMS = {"payments": 1, "data": 2}
DAY = date(2026, 3, 1)


def test_a_file_is_read_with_every_digit_and_capitals_do_not_count():
    parsed = read_metric_csv("Team,Day,Value\nPAYMENTS,2026-03-01,1.000000000000000001\n", teams=TEAMS, grain="day")
    assert (parsed.values[0].value, parsed.is_good) == (Decimal("1.000000000000000001"), True)


def test_a_month_is_its_first_day():
    parsed = read_metric_csv("value,month,team\n7,2026-03,Data\n8,2026-04-01,Data\n", teams=TEAMS, grain="month")
    assert [(entry.team, entry.day) for entry in parsed.values] == [(2, DAY), (2, date(2026, 4, 1))]


@pytest.mark.parametrize("text", ["", "a,b\n", "team,day\n", "team,day,value\n", '"', "team,day,value\nData"])
def test_a_file_that_is_none_is_said(text):
    parsed = read_metric_csv(text, teams=TEAMS, grain="day")
    assert parsed.problems
    assert parsed.values == []


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * (unit_costs.MOST_BYTES + 1)])
def test_what_is_no_text_or_too_much_of_it_is_refused(content):
    with pytest.raises(ValueError, match=r"UTF-8|bytes"):
        unit_costs.decode_csv(content)


def test_gaps_are_named_and_are_not_zero():
    text = "team,day,value\nData,2026-03-01,1\nData,2026-03-05,1\nPayments,2026-03-09,1\n"
    (gap,) = read_metric_csv(text, teams=TEAMS, grain="day").gaps
    assert (gap.team, gap.first, gap.last, gap.count) == (2, date(2026, 3, 2), date(2026, 3, 4), 3)
    months = "team,month,value\nData,2025-11,1\nData,2026-02,1\n"
    (gap,) = read_metric_csv(months, teams=TEAMS, grain="month").gaps
    assert (gap.first, gap.last, gap.count) == (date(2025, 12, 1), date(2026, 1, 1), 2)


@pytest.mark.parametrize(
    ("cost", "units", "per_unit", "why"),
    [
        ("10", "4", "2.5", ""),
        ("10", "0", None, "nothing was counted"),
        ("10", None, None, "not counted"),
        (None, "4", None, "no cost in the bills"),
        ("-2", "4", "-0.5", ""),
    ],
)
def test_the_cost_of_one_unit_or_why_there_is_none(cost, units, per_unit, why):
    point = UnitCostPoint(DAY, cost and Decimal(cost), units and Decimal(units))
    assert (point.per_unit, point.why) == (per_unit and Decimal(per_unit), why)


def test_a_month_is_the_ratio_of_its_sums_over_days_that_have_both():
    days = [UnitCostPoint(DAY, Decimal(10), Decimal(1)), UnitCostPoint(DAY + timedelta(1), Decimal(2), Decimal(3))]
    (month,) = unit_costs.points_by_month([*days, UnitCostPoint(DAY + timedelta(2), Decimal(99), None)])
    assert (month.cost, month.units, month.per_unit) == (12, 4, 3)
    assert unit_costs.overall(days).per_unit == 3
    assert unit_costs.overall([]).per_unit is None


@settings(max_examples=50)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_never_raises(text):
    parsed = read_metric_csv(f"team,day,value\n{text}", teams=TEAMS, grain="day")
    assert all(entry.value >= 0 for entry in parsed.values)
