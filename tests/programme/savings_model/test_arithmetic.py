"""The arithmetic of the savings model: the plan's own figures, one realised sum, and the effect of statements."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from finops_site.lib.periods import Month
from finops_site.registry import SavingsEvidence
from programme.calc.double_counting import Claim, count_once
from programme.calc.savings_model import CASES, case_results, compare_stated, payback_months, return_on
from programme.calc.visibility_effect import measure_effect
from programme.savings_model.template import SEED_PLAN

PLAN = {row.key: dict(zip(CASES, row.values, strict=True)) for row in SEED_PLAN}
MARCH = Month(2026, 3)
amounts = st.decimals(-10_000, 10_000, places=2)
scopes = st.frozensets(st.sampled_from(["team:1", "team:2", "team:3", "resource:a", "resource:b"]), min_size=1)


def test_the_pillars_of_the_plan_sum_to_133_to_289_thousand_a_year():
    totals = [case.total for case in case_results(PLAN)]
    assert totals == [Decimal(132_600), Decimal(211_000), Decimal(289_400)]


def test_the_stated_total_return_and_payback_are_compared_with_what_follows():
    rows = {row.name: row for row in compare_stated(PLAN)}
    assert rows["total"].differences == (Decimal(-17_400), Decimal(-10_600))
    # 132,600 on 62,000 and 289,400 on 42,000 are not 193% and 257%.
    assert [round(value, 1) for value in rows["roi"].follows] == [Decimal("113.9"), Decimal("589.0")]
    assert [round(value, 1) for value in rows["roi-of-stated"].follows] == [Decimal("141.9"), Decimal("614.3")]
    assert [round(value, 1) for value in rows["payback"].follows] == [Decimal("5.6"), Decimal("1.7")]
    assert rows["tags"].differences == (Decimal(-400), Decimal(400))


def test_what_stands_on_an_unknown_assumption_is_unknown_and_no_other_is():
    case = case_results({**PLAN, "alerts-avoided": {}})[0]
    assert (case.total, case.roi, case.payback) == (None, None, None)
    assert case.savings["commitments"] == 27_000


@given(st.decimals(0, 10**9, places=2), st.decimals(0, 10**9, places=2))
def test_a_return_is_none_without_an_investment_and_a_payback_without_a_saving(saving, invested):
    assert (return_on(saving, invested) is None) == (invested == 0)
    assert (payback_months(saving, invested) is None) == (saving == 0)
    if invested and saving > invested:
        assert return_on(saving, invested) > 0
        assert payback_months(saving, invested) < 12


def claim(amount, scope, *, within=(), strength=10, what="one"):
    row = SavingsEvidence(MARCH, Decimal(amount), "USD", what, "", "", frozenset(scope), frozenset(within))
    return Claim(row, "alerts", f"source {strength}", strength)


def counted(*claims):
    return [(one.claim.row.what, one.counted) for one in count_once(claims)]


def test_what_a_bill_proves_is_not_counted_again_in_the_overrun_it_avoided():
    machines = claim(300, {"resource:a"}, within={"team:1"}, strength=20, what="machines stopped")
    team = claim(1000, {"team:1"}, strength=90, what="overrun of the team")
    company = claim(1200, {"company", "team:1", "team:2"}, strength=90, what="overrun of the company")
    assert counted(company, team, machines) == [
        ("machines stopped", 300),
        ("overrun of the team", 700),
        ("overrun of the company", 200),
    ]


def test_two_resources_of_one_team_are_two_savings():
    rows = [claim(5, {"resource:a"}, within={"team:1"}), claim(7, {"resource:b"}, within={"team:1"}, what="two")]
    assert sum(amount for _, amount in counted(*rows)) == 12


def test_a_loss_counts_in_full_and_hides_nothing_of_what_another_row_shows():
    rows = [claim(-50, {"team:1"}, strength=10), claim(80, {"team:1"}, strength=90, what="two")]
    assert counted(*rows) == [("one", -50), ("two", 80)]


@given(st.lists(st.tuples(amounts, scopes, st.integers(1, 3)), max_size=8))
def test_no_row_counts_for_more_than_it_shows_and_rows_of_the_same_money_for_the_largest_of_them(rows):
    result = count_once([claim(amount, scope, strength=strength) for amount, scope, strength in rows])
    assert len(result) == len(rows)
    for one in result:
        shown = one.claim.row.amount
        assert one.counted == shown if shown <= 0 else 0 <= one.counted <= shown
    same = count_once([claim(amount, {"team:1"}, strength=strength) for amount, _, strength in rows])
    gains = [amount for amount, _, _ in rows if amount > 0]
    assert sum(one.counted for one in same if one.counted > 0) == (max(gains) if gains else 0)


def course(before, after):
    months = [MARCH.plus(number) for number in range(-3, 4) if number]
    return {month: Decimal(before if month < MARCH else after) for month in months}


def test_teams_that_see_their_cost_spend_less_than_those_that_do_not():
    # Everybody's prices rise by 10%; who has a statement comes out 5% and 7% below that.
    courses = {1: course(1000, 1050), 2: course(2000, 2060), 3: course(500, 550), 4: course(100, 110)}
    effect = measure_effect(courses, {1: MARCH, 2: MARCH})
    assert (round(effect.reduction, 6), effect.teams_with, effect.teams_without) == (6, 2, 2)
    # Two teams with a spread of 2 points: Student's 12.706 x 1 point.
    assert round(effect.margin, 3) == Decimal("12.706")
    assert not effect.is_clear


def test_the_interval_is_narrow_where_teams_agree():
    courses = {team: course(1000, 960) for team in range(10)} | {team: course(1000, 1000) for team in range(10, 20)}
    effect = measure_effect(courses, dict.fromkeys(range(10), MARCH))
    assert (effect.reduction, effect.margin, effect.is_clear) == (4, 0, True)


def test_too_few_teams_or_months_say_nothing():
    both = {team: course(1000, 900) for team in (1, 2, 3, 4)}
    assert measure_effect(both, {1: MARCH}).reason == "teams-with"
    assert measure_effect(both, dict.fromkeys((1, 2, 3), MARCH)).reason == "teams-without"
    assert measure_effect(both, dict.fromkeys((1, 2), MARCH.plus(3))).reason == "months"
    assert measure_effect(both, dict.fromkeys((1, 2), MARCH.plus(3))).reduction is None
    assert measure_effect({}, {}).reduction is None
