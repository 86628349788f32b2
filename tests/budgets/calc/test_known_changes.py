"""What contracts say of the days ahead is in the forecast before any bill tells it."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.calc import known_changes
from budgets.calc.cost_history import CostHistory
from budgets.calc.forecast import STEPS, Distribution
from budgets.models import Alert, Forecast
from costs.calc.filters import read_filters
from finops_site.lib.periods import Month
from finops_site.registry import KnownChange, KnownChangeSource, Registry, registry

FIRST = date(2026, 3, 1)
MARCH = Month.parse("2026-03").period
EC2 = {"service": "Amazon Elastic Compute Cloud", "account": "1", "team": "7", "charge_category": "Usage"}


def change(first, amount="10", *, filters=EC2, basis="billed_cost", currency="USD", end=None):
    return KnownChange(first, filters, basis, Decimal(amount), currency, "RI db ends", end)


def touched(filters, **how):
    scope = {"basis": "billed_cost", "currency": "USD", **how}
    return bool(known_changes.changes_in_scope([change(FIRST)], read_filters(filters), **scope))


def test_a_scope_counts_a_change_that_names_all_it_filters_by():
    assert touched({})
    assert touched({"service": ["Amazon Elastic Compute Cloud", "x"], "team": ["7"]})
    assert not touched({"service": ["Amazon S3"]})
    assert not touched({"tag:Team": ["Payments"]}), "what nobody knows of it is not counted"
    assert not touched({}, basis="effective_cost")
    assert not touched({}, currency="EUR")
    assert not touched({"charge_category__not": ["Usage"]})
    assert touched({"charge_kind__not": ["Commitment purchase"]})
    assert touched({"service__prefix": ["amazon elastic"], "account__not": ["2"]})
    assert not touched({"region__not": ["eu-west-1"]}), "nobody knows the region of the change"


@settings(deadline=None)
@given(st.integers(-40, 70), st.integers(0, 40) | st.none(), st.integers(-5, 40))
def test_each_day_ahead_counts_once(first, lasts, known):
    start = FIRST + timedelta(days=first)
    end = None if lasts is None else start + timedelta(days=lasts)
    last_known = FIRST + timedelta(days=known)
    days = [day for day in MARCH.each_day() if day > last_known and start <= day and (end is None or day < end)]
    expected = 10 * len(days) if start > last_known else 0
    assert known_changes.amount_ahead([change(start, end=end)], last_known, MARCH) == expected


def test_what_has_begun_lifts_the_days_before_it_and_none_before_the_series_began():
    history = CostHistory(FIRST, np.array([[0.0, 0, 5, 5, 15, 15], [1.0, 1, 1, 1, 1, 1]]))
    lifted = known_changes.lift_history(history, [[change(date(2026, 3, 5))], []])
    assert lifted.daily.tolist() == [[0, 0, 15, 15, 15, 15], [1, 1, 1, 1, 1, 1]]
    assert history.daily[0, 2] == 5, "the days as they were stay"
    assert (
        known_changes.lift_history(history, [[change(date(2026, 3, 9))], []]).daily.tolist() == history.daily.tolist()
    )
    assert known_changes.lift_history(history, [[], []]) is history


def test_a_distribution_is_moved_as_a_whole():
    distribution = Distribution(np.linspace(80, 120, STEPS), "model")
    shifted = known_changes.shift(distribution, Decimal(50))
    assert (shifted.likeliest, shifted.quantile(0.5), shifted.method) == (150, 150, "model")
    assert shifted.chance_above(150) == distribution.chance_above(100)


@settings(deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=99), st.floats(0, 1))
def test_a_quantile_is_numpys(likely, share):
    quantile = Distribution(np.sort(np.array(likely)), "model").quantile(share)
    assert quantile == pytest.approx(float(np.quantile(likely, share)), rel=1e-6, abs=1e-3)


def test_changes_are_told_in_one_line_for_each_event():
    more = [change(date(2026, 3, 12), "20.4"), change(date(2026, 3, 12), "4.1"), change(date(2026, 3, 13), "-3")]
    once = KnownChange(FIRST, EC2, "billed_cost", Decimal(900), "USD", "Plan begins", date(2026, 3, 2))
    assert known_changes.describe_changes([*more, once], "USD") == [
        "Plan begins on 1 Mar 2026: 900.00 USD once",
        "RI db ends on 12 Mar 2026: 24.50 USD a day more",
        "RI db ends on 13 Mar 2026: 3.00 USD a day less",
    ]


def test_the_registry_asks_everybody_and_orders_by_day():
    house = Registry()
    house.add(
        KnownChangeSource("late", lambda period: [change(period.last_day)]),
        KnownChangeSource("early", lambda period: [change(period.start)]),
    )
    assert [known.first for known in house.known_changes(MARCH)] == [MARCH.start, MARCH.last_day]


@pytest.fixture
def knows(monkeypatch):
    """Has a pillar say what will change."""

    def knows(find):
        monkeypatch.setitem(registry.entries, KnownChangeSource, [KnownChangeSource("test", find)])

    return knows


def forecast_as_of(night, day):
    night(day)
    return Forecast.objects.get(as_of=day, period__start=FIRST)


@pytest.mark.django_db
def test_a_commitment_that_ends_on_the_20th_is_in_the_forecast_of_the_10th(
    a_quarter, payments, budget_of, night, knows, fay
):
    budget_of("Payments", "3500", team=payments)
    before = forecast_as_of(night, date(2026, 3, 10))
    assert round(before.p50) == 3100
    assert before.chance_of_overrun < Decimal("0.5")
    ends = change(date(2026, 3, 20), "50", filters={"team": str(payments.pk), "charge_category": "Usage"})
    knows(lambda period: [ends] if ends.first in period else [])
    after = forecast_as_of(night, date(2026, 3, 11))
    assert float(after.p50) == pytest.approx(3700, abs=1)
    assert after.chance_of_overrun > Decimal("0.5")
    alert = Alert.objects.get(kind="forecast")
    assert alert.figures["foreseen"] == ["RI db ends on 20 Mar 2026: 50.00 USD a day more"]


@pytest.mark.django_db
def test_the_forecast_does_not_fall_back_when_the_change_has_begun(payments, deliver, budget_of, night, knows):
    deliver("2026-01", "100.00", months=2)
    deliver("2026-03", lambda day: "150.00" if day.day >= 20 else "100.00")
    budget_of("Payments", "3500", team=payments)
    knows(lambda period: [change(date(2026, 3, 20), "50", filters={"team": str(payments.pk)})])
    for day in (18, 20, 22, 23, 25, 29):
        forecast = forecast_as_of(night, date(2026, 3, day))
        assert round(forecast.p50) == 3700, day
    assert Alert.objects.get(kind="forecast").reopened == 0


@pytest.mark.django_db
def test_a_pillar_that_fails_holds_up_no_night(a_quarter, payments, budget_of, night, knows):
    budget_of("Payments", "3500", team=payments)
    knows(lambda period: 1 / 0)
    assert round(forecast_as_of(night, date(2026, 3, 10)).p50) == 3100


@pytest.mark.django_db
def test_a_budget_above_the_team_counts_the_change_and_another_teams_does_not(
    a_quarter, payments, budget_of, night, knows
):
    data = type(payments).objects.get(name="Data")
    company, own, other = (budget_of(name, "9000", team=team) for name, team in
                           (("Company", None), ("Payments", payments), ("Data", data)))  # fmt: skip
    knows(lambda period: [change(date(2026, 3, 20), "50", filters={"team": str(payments.pk)})])
    night(date(2026, 3, 10))
    likely = dict(Forecast.objects.values_list("period__budget", "p50"))
    assert [round(likely[budget.pk]) for budget in (company, own, other)] == [3700, 3700, 0]
