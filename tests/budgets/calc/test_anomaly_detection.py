"""Jumps in cost: what stands out and what does not, what makes it up, who is told, and what is learnt."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets.anomalies import detection
from budgets.calc import anomaly_detection
from budgets.calc.cost_history import CostHistory
from budgets.models import Anomaly
from finops_site.models import OutgoingEmail, User
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

FIRST = date(2026, 1, 1)
amounts = st.decimals("-1000", "1000", places=2)


def history(*series):
    return CostHistory(FIRST, np.array(series, dtype=float))


def jumps_in(*series, since=84, running=None, sensitivity="normal"):
    past = history(*series)
    rows = len(series)
    return anomaly_detection.find_changes(
        past,
        np.full(rows, 10.0),
        [since] * rows,
        [past.days - 1] * rows,
        running,
        sensitivities=[sensitivity] * rows,
    )


def known(first, last, pattern="jump"):
    """A change that an earlier night has reported."""
    return {0: [anomaly_detection.CostChange(0, first, last, 0.0, 0.0, pattern, first, is_known=True)]}


def weekdays(days, base=100.0, noise=3.0, seed=1):
    """Weekends cost a third; the first of a month has a fee of its own."""
    random = np.random.default_rng(seed)
    dates = [FIRST + timedelta(days=number) for number in range(days)]
    shape = [(base if day.weekday() < 5 else base / 3) + (500 if day.day == 1 else 0) for day in dates]
    return np.array(shape) + random.normal(0, noise, days)


def test_a_job_that_runs_away_for_five_days_is_one_jump_of_five_days():
    series = weekdays(120)
    series[100:105] += 400
    (jump,) = jumps_in(series)
    assert (jump.first, jump.last) == (100, 104)
    assert jump.excess == pytest.approx(2000, abs=100)


def test_weekends_firsts_and_noise_are_no_jumps():
    assert jumps_in(*(weekdays(151, seed=seed) for seed in range(20)), since=84) == []


def test_something_new_that_costs_much_at_once_stands_out():
    series = np.zeros(120)
    series[110:112] = 900
    (jump,) = jumps_in(series)
    assert (jump.first, jump.last, jump.excess) == (110, 111, pytest.approx(1800))


def test_a_jump_goes_on_in_the_next_night_and_counts_only_the_new_days():
    series = weekdays(120)
    series[100:105] += 400
    (jump,) = jumps_in(series, since=103, running=known(100, 102))
    assert (jump.first, jump.last) == (100, 104)
    assert jump.excess == pytest.approx(800, abs=60)


def test_a_step_that_stays_is_what_things_cost_after_two_weeks():
    series = weekdays(130)
    series[100:] += 400
    assert [(jump.first, jump.last) for jump in jumps_in(series)] == [(100, 113)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(90, 118), st.floats(400, 5000))
def test_what_stands_far_out_is_found_wherever_it_falls(seed, column, size):
    series = weekdays(120, seed=seed)
    series[column] += size
    assert column in [jump.first for jump in jumps_in(series)]


@given(amounts, st.dictionaries(st.tuples(st.text("ab", min_size=1, max_size=3)), amounts, max_size=12))
def test_the_parts_sum_to_the_jump_and_the_largest_comes_first(excess, differences):
    parts = anomaly_detection.explain_jump(excess, differences)
    assert sum((amount for _, amount in parts), Decimal(0)) == excess
    named = [amount for key, amount in parts if key]
    assert named == sorted(named, reverse=True)
    assert all(amount > 0 for amount in named)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_undisturbed_day_is_the_same_weekday_just_before_the_jump(first, later):
    column = anomaly_detection.column_before_jump(first + later, first)
    assert first - 7 <= column < first
    assert (first + later - column) % 7 == 0


# In the database, with bills.

JUMP_DAYS = (date(2026, 3, 17), date(2026, 3, 18))


@shared
def jumped(payments, deliver):
    """100 USD a day from January on; 600 on two days of March."""
    deliver("2026-01", "100.00", months=2)
    deliver("2026-03", lambda day: "600.00" if day in JUMP_DAYS else "100.00", until=date(2026, 3, 20))


def look(day=date(2026, 3, 21)):
    return detection.detect_anomalies(day, now=at(day))


@pytest.mark.django_db
def test_the_jump_is_found_once_with_its_cause_and_told_once_to_lead_and_finance(jumped, fay, lea):
    assert look() == 1
    assert look() == look(date(2026, 3, 22)) == 0
    (anomaly,) = Anomaly.objects.all()
    assert (anomaly.kind, anomaly.team.name, anomaly.day, anomaly.last_day) == ("service", "Payments", *JUMP_DAYS)
    assert (anomaly.actual, anomaly.excess) == (1200, 1000)
    assert sum(Decimal(part["amount"]) for part in anomaly.contributors) == anomaly.excess
    assert anomaly.contributors[0]["service"] == anomaly.service
    assert sorted(OutgoingEmail.objects.values_list("to", flat=True)) == ["fay@demo.example", "lea@demo.example"]
    assert "cost 1,000.00 USD more than expected" in OutgoingEmail.objects.first().subject


@pytest.mark.django_db
def test_a_day_is_looked_at_when_its_bill_is_whole(payments, deliver, fay, lea):
    deliver("2026-01", "100.00", months=2)
    deliver("2026-03", lambda day: "600.00" if day in JUMP_DAYS else "100.00", until=date(2026, 3, 19))
    assert look(date(2026, 3, 19)) == 1
    assert Anomaly.objects.get().last_day == JUMP_DAYS[0], "the 18th is not whole"
    deliver("2026-03", lambda day: "600.00" if day in JUMP_DAYS else "100.00", until=date(2026, 3, 21))
    assert look(date(2026, 3, 21)) == 0
    anomaly = Anomaly.objects.get()
    assert (anomaly.last_day, anomaly.excess) == (JUMP_DAYS[1], 1000)
    assert OutgoingEmail.objects.count() == 2


@pytest.mark.django_db
def test_a_bill_that_is_restated_opens_nothing_and_takes_back(jumped, deliver, fay):
    look()
    deliver("2026-03", lambda day: "600.00" if day.day == 10 else "100.00", until=date(2026, 3, 23))
    assert look(date(2026, 3, 24)) == 0, "the tenth was looked at before it was restated"
    assert Anomaly.objects.get().state == "taken back"


@pytest.mark.django_db
def test_an_answer_is_learnt_for_jumps_of_its_kind(jumped, deliver, fay, lea):
    look()
    detection.answer_anomaly(Anomaly.objects.get(), expected=True, by=lea, why="a load test", now=at(date(2026, 3, 22)))
    letters = OutgoingEmail.objects.count()
    costs = {**dict.fromkeys(JUMP_DAYS, "600.00"), date(2026, 3, 26): "700.00"}
    deliver("2026-03", lambda day: costs.get(day, "100.00"), until=date(2026, 3, 29))
    assert look(date(2026, 3, 30)) == 1
    newest = Anomaly.objects.first()
    assert (newest.day, newest.state, newest.is_learnt) == (date(2026, 3, 26), "expected", True)
    assert OutgoingEmail.objects.count() == letters


@pytest.mark.django_db
def test_lea_reads_answers_and_ola_sees_nothing(jumped, lea, ola, max_, client_of):
    look()
    anomaly = Anomaly.objects.get()
    page = client_of(lea).get(anomaly.get_absolute_url())
    assert page.context["object"].excess == sum(part["amount"] for part in page.context["parts"])
    assert "/costs/lines/?" in page.content.decode()
    client_of(lea).post(reverse("budgets:answer", args=[anomaly.pk, "expected"]), {"why": "ours"})
    anomaly.refresh_from_db()
    assert (anomaly.state, anomaly.answered_by, anomaly.why) == ("expected", lea, "ours")
    assert client_of(ola).get(anomaly.get_absolute_url()).status_code == 404
    assert client_of(max_).post(reverse("budgets:answer", args=[anomaly.pk, "expected"])).status_code == 403
    assert client_of(lea).post(reverse("budgets:answer", args=[anomaly.pk, "maybe"])).status_code == 404
    shown = client_of(lea).get("/api/v1/anomalies/").json()["results"][0]
    assert Decimal(shown["actual"]) == 1200


@pytest.mark.django_db
def test_one_address_that_cannot_be_written_undoes_neither_the_other_mails_nor_the_anomalies(jumped, fay, lea):
    User.objects.filter(pk=fay.pk).update(email="fay\n@demo.example")
    assert look() == 1
    assert Anomaly.objects.get().state == "open"
    assert [email.to for email in OutgoingEmail.objects.all()] == ["lea@demo.example"]


@pytest.mark.django_db
def test_a_night_asks_for_all_series_together(jumped, fay, lea, django_assert_max_num_queries):
    # Two letters go out, each in its reader's language, with what she may see when it is written and a notification on
    # the site: who she is for each of the three, her role, her teams, and the row.
    letters = 2
    with django_assert_max_num_queries(30 + 6 * letters):
        look()
