"""Thresholds and alerts: one alert for a breach, whatever is run again, restated or delivered again."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.calc.alert_lifecycle import FACTS, OPENED, QUIET_DAYS, RESOLVED, TAKEN_BACK, open_alert, update_alert
from budgets.calc.breaches import Breach, PeriodStatus, ThresholdRule, breach_has_ended, find_breaches

START = date(2026, 3, 1)
ACTUAL = ThresholdRule(1, "actual", Decimal(80))
FORECAST = ThresholdRule(2, "forecast", Decimal(100), probability=Decimal("0.5"))


def status(spent, *, budgeted=1000, forecast=None, chance=0):
    return PeriodStatus(
        Decimal(budgeted),
        Decimal(spent),
        Decimal(forecast or spent),
        31,
        chance_above=lambda limit: Decimal(str(chance)),
    )


def breached_rules(*args, rules=(ACTUAL, FORECAST), **kwargs):
    return [breach.rule.id for breach in find_breaches(status(*args, **kwargs), rules)]


def test_what_is_spent_crosses_at_the_limit_and_not_below():
    assert breached_rules(Decimal("799.99")) == []
    assert breached_rules(800) == [1]


def test_a_forecast_crosses_at_its_probability():
    assert breached_rules(100, forecast=1100, chance=0.49) == []
    assert breached_rules(100, forecast=1100, chance=0.5) == [2]


def test_what_is_spent_already_is_no_news_as_a_forecast():
    assert [breach.is_news for breach in find_breaches(status(1200, chance=1), [FORECAST])] == [False]


def test_of_nothing_only_the_whole_is_crossed():
    assert breached_rules(1, budgeted=0) == [2]


def test_a_forecast_just_below_its_threshold_has_not_fallen_back():
    assert not breach_has_ended(status(100, forecast=985, chance=0.4), FORECAST)
    assert breach_has_ended(status(100, forecast=979, chance=0.4), FORECAST)


night = st.tuples(st.integers(0, 20), st.booleans(), st.booleans())


@settings(max_examples=200)
@given(st.lists(night, max_size=40), st.sampled_from(["actual", "forecast", "rate", "day", "anomaly"]))
def test_nobody_is_told_twice_of_the_same_crossing(nights, kind):
    """Nights in any order, repeated, with bills that take it back and bring it again; mails that go out or wait."""
    rule, state, mails, notified_since = ThresholdRule(1, kind, Decimal(80)), None, [], None
    for offset, breached, mail_goes_out in nights:
        as_of = START + timedelta(days=offset)
        breach = Breach(rule, Decimal(900), Decimal(800)) if breached else None
        if state is None:
            update = open_alert(breach, as_of) if breach else None
        else:
            update = update_alert(state, breach, as_of, over=not breached)
        if update is None:
            continue
        state = update.status
        if update.occasion:
            mails.append(update.occasion)
            if mail_goes_out and not update.occasion.startswith(TAKEN_BACK):
                state = replace(state, was_notified=True)
        if update.occasion.startswith(TAKEN_BACK):
            assert kind in FACTS
            assert notified_since is not None, "nobody is notified that something is over of which nobody was notified"
        notified_since = as_of if state.was_notified else notified_since
    assert len(mails) == len(set(mails)), "an occasion is notified once, which the database holds us to"
    assert mails.count(OPENED) <= 1


@given(st.booleans(), st.integers(0, 30))
def test_a_night_run_again_changes_nothing(breached, offset):
    first = open_alert(Breach(ACTUAL, Decimal(900), Decimal(800)), START).status
    as_of = START + timedelta(days=offset)
    breach = Breach(ACTUAL, Decimal(900), Decimal(800)) if breached else None
    once = update_alert(first, breach, as_of, over=not breached)
    state = once.status if once else first
    assert update_alert(state, breach, as_of, over=not breached) is None
    assert update_alert(state, None, state.evaluated_as_of - timedelta(days=1), over=True) is None


def test_what_comes_back_soon_is_told_to_nobody_who_was_told_before():
    breach = Breach(FORECAST, Decimal(1100), Decimal(1000))
    state = replace(open_alert(breach, START).status, was_notified=True)
    gone = update_alert(state, None, START + timedelta(days=1), over=True)
    assert (gone.status.state, gone.occasion) == (RESOLVED, "")
    soon = update_alert(gone.status, breach, START + timedelta(days=2), over=False)
    assert (soon.status.state, soon.occasion) == ("reopened", "")
    late = update_alert(gone.status, breach, START + timedelta(days=1 + QUIET_DAYS), over=False)
    assert late.occasion == "reopened:1"
