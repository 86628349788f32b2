"""The rules of a programme, without a database: dates, the recommendation, maturity."""

from datetime import date
from decimal import Decimal

import pytest

from programme.calc.criteria import is_reached
from programme.calc.decision_rule import (
    Evidence,
    FigureEvidence,
    MilestoneEvidence,
    RiskEvidence,
    State,
    evidence_as_json,
    evidence_of_json,
    figure_changes,
    recommend,
)
from programme.calc.maturity import Level, Rule, maturity_of
from programme.calc.programme_dates import BadDates, Item, date_problems, moves_with, week_of

DAY = date(2026, 3, 2)


def milestone(name, met, *, required=True):
    return MilestoneEvidence(name, DAY, met, required)


def figure(name, value, target=Decimal(70)):
    return FigureEvidence(name, name, value, target, "%", "higher", State.of(is_reached(value, ">=", target)))


@pytest.mark.parametrize(
    ("value", "comparison", "answer"),
    [("40", ">=", True), ("39.99", ">=", False), ("24", "<=", True), ("24.1", "<=", False), (None, ">=", None)],
)
def test_a_figure_reaches_its_limit_where_it_equals_it_and_unknown_is_neither(value, comparison, answer):
    limit = Decimal(40) if comparison == ">=" else Decimal(24)
    assert is_reached(value and Decimal(value), comparison, limit) is answer
    assert is_reached(Decimal(1), comparison, None) is None


def test_all_met_and_no_risk_is_go():
    evidence = Evidence(DAY, [milestone("tags", State.YES)], [figure("coverage", None)], [RiskEvidence("r", State.NO)])
    assert recommend(evidence).verdict == "go"
    # At the end the targets count, and a figure without a value is no target that was reached.
    assert recommend(evidence, by_targets=True).verdict == "go with conditions"


@pytest.mark.parametrize(
    "why", ["a milestone is open", "a milestone is unknown", "a risk has happened", "none was due"]
)
def test_what_is_missing_is_a_condition_and_is_named(why):
    rows = [milestone("a", State.YES), milestone("b", State.YES)]
    rows += (
        [milestone("tags", State.UNKNOWN if "unknown" in why else State.NO)] if why.startswith("a milestone") else []
    )
    risks = [RiskEvidence("nobody tags", State.YES)] if "risk" in why else []
    answer = recommend(Evidence(DAY, [] if why == "none was due" else rows, [], risks))
    assert answer.verdict == "go with conditions"
    name = {"a risk has happened": "nobody tags", "none was due": "nothing to judge by"}.get(why, "tags")
    assert any(name in reason for reason in answer.reasons)


def test_less_than_half_is_stop_and_what_is_not_required_does_not_count():
    rows = [milestone("a", State.YES), milestone("b", State.NO), milestone("c", State.UNKNOWN)]
    assert recommend(Evidence(DAY, rows)).verdict == "stop"
    rows = [milestone("a", State.YES), *(milestone(name, State.NO, required=False) for name in "bcd")]
    assert recommend(Evidence(DAY, rows)).verdict == "go"


def test_stored_evidence_is_the_same_evidence():
    evidence = Evidence(
        DAY,
        [MilestoneEvidence("tags", DAY, State.YES, True, DAY, "52%")],
        [figure("coverage", Decimal("41.250000000000000001")), figure("unknown", None)],
        [RiskEvidence("nobody tags", State.UNKNOWN, "no bill")],
    )
    assert evidence_of_json(evidence_as_json(evidence)) == evidence


def test_a_restated_figure_and_one_that_is_gone_are_changes():
    before = Evidence(DAY, figures=[figure("a", Decimal(1)), figure("b", Decimal(2)), figure("c", Decimal(3))])
    after = Evidence(DAY, figures=[figure("a", Decimal("1.0")), figure("b", Decimal(5))])
    assert [(old.name, new and new.value) for old, new in figure_changes(before, after)] == [("b", 5), ("c", None)]


def item(kind, key, first, last=None, *, fixed=False):
    days = (date(2026, 3, first), date(2026, 3, last or first))
    return Item((kind, key), f"{kind} {key}", *days, fixed)


PHASES = [item("phase", 1, 1, 10), item("phase", 2, 11, 20)]


@pytest.mark.parametrize(
    ("days", "phases", "others", "word"),
    [
        (0, PHASES, [], "1 to 730 days, not 0"),
        (20, [item("phase", 1, 1, 12), item("phase", 2, 11, 20)], [], "The dates cross"),
        (20, [item("phase", 1, 9, 2)], [], "before it begins"),
        (20, PHASES, [item("milestone", 1, 25)], "milestone 1 lies outside of the programme"),
        (15, PHASES, [], "phase 2 lies outside"),
    ],
)
def test_dates_that_cannot_be_are_named(days, phases, others, word):
    assert any(word in problem for problem in date_problems(date(2026, 3, 1), days, phases, others))
    assert date_problems(date(2026, 3, 1), 20, PHASES, [item("milestone", 1, 20)]) == []


def test_a_move_takes_the_rest_with_it_and_leaves_what_is_over():
    items = [*PHASES, item("milestone", 1, 5, fixed=True), item("milestone", 2, 8), item("milestone", 3, 15)]
    alone = moves_with(items, ("milestone", 2), date(2026, 3, 10), rest=False)
    assert [move.words for move in alone] == ["milestone 2: from 8 Mar 2026 to 10 Mar 2026"]
    moved = {
        move.before.key: (move.after.first.day, move.after.last.day)
        for move in moves_with(items, ("milestone", 2), date(2026, 3, 10), rest=True)
    }
    assert moved == {
        ("phase", 1): (1, 12),
        ("phase", 2): (13, 22),
        ("milestone", 2): (10, 10),
        ("milestone", 3): (17, 17),
    }
    with pytest.raises(BadDates, match="is over"):
        moves_with(items, ("milestone", 1), date(2026, 3, 10), rest=True)


def test_weeks_are_counted_from_the_first_day():
    assert [week_of(date(2026, 3, 1), date(2026, 3, day)) for day in (1, 7, 8)] == [1, 1, 2]


def test_a_capability_is_as_mature_as_its_weakest_figure_and_unknown_is_unknown():
    rules = [Rule("a", Decimal(40), Decimal(70)), Rule("b", Decimal(48), Decimal(24), "<=")]
    levels = [({"a": 80, "b": 30}, Level.WALK), ({"a": 80, "b": 24}, Level.RUN), ({"a": 80}, Level.UNKNOWN)]
    levels += [({"a": 10}, Level.CRAWL), ({}, Level.UNKNOWN)]
    for values, level in levels:
        assert maturity_of(rules, {name: Decimal(value) for name, value in values.items()}) == level
    assert maturity_of([], {}) == Level.UNKNOWN
