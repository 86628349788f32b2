"""An alert's rules: one for a crossing, whatever is run again, restated or delivered again."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.calc.breaches import (
    FACTS,
    OPENED,
    RESOLVED,
    RESTED,
    TAKEN_BACK,
    Crossing,
    Line,
    Standing,
    crossings,
    fell_back,
    judged,
    opening,
)

START = date(2026, 3, 1)
ACTUAL = Line(1, "actual", Decimal(80))
FORECAST = Line(2, "forecast", Decimal(100), probability=Decimal("0.5"))


def standing(spent, *, whole=1000, landing=None, chance=0):
    return Standing(
        Decimal(whole), Decimal(spent), Decimal(landing or spent), 31, chance_above=lambda limit: Decimal(str(chance))
    )


def found(*args, lines=(ACTUAL, FORECAST), **kwargs):
    return [crossing.line.id for crossing in crossings(standing(*args, **kwargs), lines)]


def test_what_is_spent_crosses_at_the_limit_and_not_below():
    assert found(Decimal("799.99")) == []
    assert found(800) == [1]


def test_a_forecast_crosses_at_its_probability():
    assert found(100, landing=1100, chance=0.49) == []
    assert found(100, landing=1100, chance=0.5) == [2]


def test_what_is_spent_already_is_no_news_as_a_forecast():
    assert [each.is_news for each in crossings(standing(1200, chance=1), [FORECAST])] == [False]


def test_of_nothing_only_the_whole_is_crossed():
    assert found(1, whole=0) == [2]


def test_a_forecast_just_below_its_threshold_has_not_fallen_back():
    assert not fell_back(standing(100, landing=985, chance=0.4), FORECAST)
    assert fell_back(standing(100, landing=979, chance=0.4), FORECAST)


night = st.tuples(st.integers(0, 20), st.booleans(), st.booleans())


@settings(max_examples=200)
@given(st.lists(night, max_size=40), st.sampled_from(["actual", "forecast", "rate", "day", "anomaly"]))
def test_nobody_is_told_twice_of_the_same_crossing(nights, kind):
    """Nights in any order, repeated, with bills that take it back and bring it again; mails that go out or wait."""
    line, known, mails, told_since = Line(1, kind, Decimal(80)), None, [], None
    for offset, crossed, mail_goes_out in nights:
        as_of = START + timedelta(days=offset)
        crossing = Crossing(line, Decimal(900), Decimal(800)) if crossed else None
        if known is None:
            verdict = opening(crossing, as_of) if crossing else None
        else:
            verdict = judged(known, crossing, as_of, over=not crossed)
        if verdict is None:
            continue
        known = verdict.known
        if verdict.occasion:
            mails.append(verdict.occasion)
            if mail_goes_out and not verdict.occasion.startswith(TAKEN_BACK):
                known = replace(known, has_mailed=True)
        if verdict.occasion.startswith(TAKEN_BACK):
            assert kind in FACTS
            assert told_since is not None, "nobody is told that something is over of which nobody was told"
        told_since = as_of if known.has_mailed else told_since
    assert len(mails) == len(set(mails)), "an occasion is told once, which the database holds us to"
    assert mails.count(OPENED) <= 1


@given(st.booleans(), st.integers(0, 30))
def test_a_night_run_again_changes_nothing(crossed, offset):
    first = opening(Crossing(ACTUAL, Decimal(900), Decimal(800)), START).known
    as_of = START + timedelta(days=offset)
    crossing = Crossing(ACTUAL, Decimal(900), Decimal(800)) if crossed else None
    once = judged(first, crossing, as_of, over=not crossed)
    known = once.known if once else first
    assert judged(known, crossing, as_of, over=not crossed) is None
    assert judged(known, None, known.judged_as_of - timedelta(days=1), over=True) is None


def test_what_comes_back_soon_is_told_to_nobody_who_was_told_before():
    crossing = Crossing(FORECAST, Decimal(1100), Decimal(1000))
    known = replace(opening(crossing, START).known, has_mailed=True)
    gone = judged(known, None, START + timedelta(days=1), over=True)
    assert (gone.known.state, gone.occasion) == (RESOLVED, "")
    soon = judged(gone.known, crossing, START + timedelta(days=2), over=False)
    assert (soon.known.state, soon.occasion) == ("reopened", "")
    late = judged(gone.known, crossing, START + timedelta(days=1 + RESTED), over=False)
    assert late.occasion == "reopened:1"
