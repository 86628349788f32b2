"""The rule of what is known: what a bill brought before says what is expected of it."""

from datetime import date, timedelta

from costs.calc.known_until import (
    Arrival,
    DeliveredMonth,
    Rules,
    gather_bills,
    knowledge_of,
    last_shared_day,
    usual_lag,
)
from finops_site.lib.periods import Month, Period

BOTH = frozenset({"billed_cost", "effective_cost"})
RULES = Rules()
NOVEMBER = Month(2026, 11).period
TODAY = date(2026, 11, 29)


def month(last_day, stream=1, *, source=1, accounts=("a",), metrics=BOTH, loose=False, view="", **more):
    return DeliveredMonth(
        stream, source, loose, view, Month.of(last_day), last_day, frozenset(accounts), frozenset(metrics), **more
    )


def days(text):
    return [date.fromisoformat(f"2026-{day}") for day in text.split()]


def judged(rows, period=NOVEMBER, as_of=TODAY, metric="billed_cost", **more):
    return knowledge_of(gather_bills(rows, **more), period, as_of, RULES, metric)


def gaps(knowledge):
    return [(str(gap.first), str(gap.last), gap.until and str(gap.until), gap.metric) for gap in knowledge.gaps]


def test_a_bill_that_is_as_far_as_usual_is_complete_and_one_that_is_not_is_late():
    fresh = [month(day) for day in days("10-31 11-27")]
    late = [month(day, 2, source=2) for day in days("10-31 11-20")]
    assert judged(fresh).is_complete
    knowledge = judged([*fresh, *late])
    assert knowledge.until == date(2026, 11, 20)
    assert gaps(knowledge) == [("2026-11-21", "2026-11-30", "2026-11-20", "")]


def test_a_month_that_a_bill_skipped_is_missing_and_so_is_all_after_its_last():
    rows = [month(day) for day in days("06-30 07-31 09-30")]
    knowledge = judged(rows, Period(date(2026, 6, 1), date(2026, 12, 1)), date(2026, 11, 15))
    assert gaps(knowledge) == [
        ("2026-08-01", "2026-08-31", None, ""),
        ("2026-10-01", "2026-11-30", "2026-09-30", ""),
    ]


def test_nobody_waits_for_a_bill_that_was_silent_for_two_full_months_or_was_switched_off():
    fresh = [month(day) for day in days("10-31 11-27")]
    old = [month(day, 2, source=2) for day in days("07-31 08-31")]
    assert judged([*fresh, *old]).is_complete
    october = Month(2026, 10).period
    assert judged([*fresh, *old], october, date(2026, 10, 31)).gaps, "two months are not over yet"
    late = [month(day, 3, source=3) for day in days("10-31 11-10")]
    assert judged([*fresh, *late]).gaps
    off = judged([*fresh, *late], off=[3])
    assert (off.is_complete, off.until) == (True, date(2026, 11, 27))


def test_where_every_bill_has_ended_nothing_is_known_of_what_comes_after():
    knowledge = judged([month(day) for day in days("02-28 03-31")])
    assert (knowledge.until, knowledge.is_over, list(knowledge.gaps)) == (date(2026, 3, 31), True, [])
    assert judged([]).until is None


def test_before_its_first_month_nothing_is_expected_of_a_bill():
    rows = [month(day) for day in days("10-31 11-28")]
    assert judged(rows, Period(date(2026, 1, 1), date(2026, 12, 1))).is_complete


def test_a_bill_that_never_has_cost_on_the_last_days_is_whole_without_them():
    monthly = [month(day) for day in days("07-01 08-01 09-01 10-01 11-01")]
    assert judged(monthly).is_complete
    assert judged([month(day) for day in days("02-01 03-01")], Month(2026, 3).period, date(2026, 4, 5)).is_complete
    assert judged(monthly, Month(2026, 10).period).is_complete


def test_how_late_a_stream_usually_is_is_learnt_from_when_it_came():
    weekly = [
        Arrival(1, date(2026, 9, 1) + timedelta(days=7 * n), date(2026, 8, 30) + timedelta(days=7 * n))
        for n in range(12)
    ]
    assert usual_lag(weekly) == 9
    all_today = [Arrival(1, TODAY, day) for day in days("09-30 10-31 11-20")]
    assert usual_lag(all_today) == 2, "bills that were all loaded today say nothing"
    rows = [month(day) for day in days("10-31 11-20")]
    assert judged(rows, arrivals=weekly).is_complete
    assert judged(rows, arrivals=all_today).gaps
    assert judged(rows, usual_waits={1: 7}).is_complete


def test_the_two_views_of_a_bill_are_one_and_each_has_its_own_days():
    actual = month(date(2026, 11, 27), 1, view="actual", metrics=["billed_cost"])
    amortized = month(date(2026, 10, 31), 2, view="amortized", metrics=["effective_cost"])
    october = month(date(2026, 10, 31), 1, view="actual", metrics=["billed_cost"])
    bills = gather_bills([actual, amortized, october])
    assert len(bills) == 1
    assert judged([actual, amortized, october]).is_complete
    effective = judged(
        [actual, amortized, october], Period(date(2026, 10, 1), date(2026, 12, 1)), metric="effective_cost"
    )
    assert gaps(effective) == [("2026-11-01", "2026-11-27", None, "effective_cost")]


def test_a_bill_that_is_late_and_states_one_cost_only_lacks_both_days_and_the_other_cost():
    actual = [month(day, view="actual", metrics=["billed_cost"]) for day in days("10-31 11-20")]
    late = ("2026-11-21", "2026-11-29", "2026-11-20", "")
    days_of_november = Period(date(2026, 11, 1), date(2026, 11, 30))
    assert gaps(judged(actual, days_of_november)) == [late]
    never = ("2026-11-01", "2026-11-20", None, "effective_cost")
    assert sorted(gaps(judged(actual, days_of_november, metric="effective_cost"))) == [never, late]
    halfway = [*actual, month(date(2026, 11, 10), 2, view="amortized", metrics=["effective_cost"])]
    assert sorted(gaps(judged(halfway, days_of_november, metric="effective_cost"))) == [
        ("2026-11-11", "2026-11-20", "2026-11-10", "effective_cost"),
        late,
    ]
    after = Period(date(2026, 11, 25), date(2026, 11, 30))
    assert gaps(judged(actual, after, metric="effective_cost")) == [("2026-11-25", "2026-11-29", "2026-11-20", "")]
    two_months = judged(actual, Period(date(2026, 10, 1), date(2026, 12, 1)), metric="effective_cost")
    assert sorted(gaps(two_months)) == [
        ("2026-10-01", "2026-11-20", None, "effective_cost"),
        ("2026-11-21", "2026-11-30", "2026-11-20", ""),
    ]


def test_loose_files_of_other_accounts_are_bills_of_their_own():
    aws = [month(day, accounts=["1", "2"], loose=True) for day in days("10-31 11-27")]
    azure = [month(day, accounts=["s"], loose=True) for day in days("10-31 11-20")]
    assert gaps(judged([*aws, *azure])) == [("2026-11-21", "2026-11-30", "2026-11-20", "")]
    one_export = [month(day, accounts=[name]) for day, name in zip(days("10-31 11-20 11-27"), "sst", strict=True)]
    assert judged(one_export).is_complete, "an account of an export that has no cost any more is no gap"


def test_a_month_is_final_by_its_age_or_by_the_providers_invoice():
    rows = [month(day) for day in days("09-30 10-31")]
    october = Month(2026, 10).period
    assert judged(rows, october, date(2026, 11, 5)).open_months == [Month(2026, 10)]
    assert judged(rows, october, date(2026, 11, 11)).open_months == []
    invoiced = [month(date(2026, 10, 31), has_invoice=True)]
    assert judged(invoiced, october, date(2026, 11, 3)).open_months == []
    short = [*rows[:1], month(date(2026, 10, 20))]
    assert judged(short, october, date(2026, 11, 20)).open_months == [Month(2026, 10)], "eleven days are missing"


def test_days_are_compared_up_to_the_last_that_every_bill_has():
    def shared(*bills, period=NOVEMBER):
        rows = [month(day, number, source=number) for number, text in enumerate(bills, 1) for day in days(text)]
        day = last_shared_day(gather_bills(rows), period, TODAY, RULES)
        return day and f"{day:%m-%d}"

    assert shared("10-31 11-27") == "11-27"
    assert shared("10-31 11-27", "10-31 11-10") == "11-10"
    # A fee of the 1st is whole with it, a bill that comes once a month leaves the others their days, one that has ended
    # holds nothing up.
    assert shared("10-31 11-27", "09-01 10-01 11-01") == "11-27"
    assert shared("10-31 11-27", "10-31") == "11-27"
    assert shared("10-31 11-27", "07-20 08-10") == "11-27"
    assert shared("10-31", period=NOVEMBER) == "10-31"
    assert shared() is None
    # Of months that are over, too.
    october = Month(2026, 10).period
    assert shared("09-30 10-31 11-27", "09-30 10-12", period=october) == "10-12"
    assert shared("09-30 10-31 11-27", "09-30 10-31 11-12", period=october) == "11-12"
