"""Charges that people enter before any bill shows them are in the forecast, on the page and in the API."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from budgets.calc import known_changes
from budgets.models import Forecast, KnownCharge
from finops_site.lib.periods import Month, Period
from finops_site.registry import KnownChange

pytestmark = pytest.mark.django_db
MARCH = Month.parse("2026-03").period


def likeliest(budget):
    return round(Forecast.objects.get(period__budget=budget, period__start=MARCH.start).p50)


def test_an_invoice_that_fay_enters_is_in_the_forecast_of_the_budget_and_of_the_one_above(
    a_quarter, payments, budget_of, night, client, fay
):
    company = budget_of("Company", "9000")
    budget = budget_of("Payments", "3500", team=payments, parent=company)
    client.force_login(fay)
    values = {"day": "2026-03-25", "amount": "800", "description": "licences", "repeats": "", "until": ""}
    response = client.post(reverse("budgets:charge_add", args=[budget.pk]), values)
    assert response.status_code == 302
    night(date(2026, 3, 10))
    assert (likeliest(budget), likeliest(company)) == (3900, 3900)
    page = client.get(f"{budget.get_absolute_url()}?part=forecast").content.decode()
    assert "licences" in page
    assert "800.00" in page


def test_a_credit_that_is_promised_lets_the_low_end_fall_below_what_is_spent(a_quarter, payments, budget_of, night):
    budget = budget_of("Payments", "3500", team=payments)
    KnownCharge.objects.create(budget=budget, day=date(2026, 3, 31), amount=Decimal(-2500), description="credit")
    night(date(2026, 3, 28))
    forecast = Forecast.objects.get(period__budget=budget, period__start=MARCH.start)
    assert forecast.spent == 2800
    assert round(forecast.p50) == 600
    assert forecast.p10 < forecast.spent


def test_what_is_entered_counts_until_its_day_is_complete(a_quarter, payments, budget_of, night):
    budget = budget_of("Payments", "3500", team=payments)
    KnownCharge.objects.create(budget=budget, day=date(2026, 3, 8), amount=Decimal(800), description="licences")
    night(date(2026, 3, 9))
    assert likeliest(budget) == 3900
    night(date(2026, 3, 12))
    assert round(Forecast.objects.get(period__budget=budget, as_of=date(2026, 3, 12)).p50) == 3100


@pytest.mark.parametrize(
    ("repeats", "until", "expected"),
    [
        ("", None, [date(2026, 1, 31)]),
        ("month", None, [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]),
        ("month", date(2026, 3, 31), [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]),
        ("quarter", None, [date(2026, 1, 31), date(2026, 4, 30)]),
        ("year", None, [date(2026, 1, 31)]),
    ],
)
def test_what_comes_again_falls_on_the_same_day_of_later_months(repeats, until, expected):
    charge = KnownCharge(day=date(2026, 1, 31), repeats=repeats, until=until)
    assert list(charge.days_in(Period(date(2026, 1, 1), date(2026, 5, 1)))) == expected


def test_a_fee_that_came_month_after_month_is_not_counted_twice():
    import numpy as np

    def once(day, amount):
        return KnownChange(day, {}, "billed_cost", Decimal(amount), "USD", "fee", day.replace(day=day.day + 1))

    learnt = np.zeros(31)
    learnt[14] = 600.0
    changes = [once(date(2026, 3, 15), 620), once(date(2026, 3, 15), 5000), once(date(2026, 3, 25), 600)]
    assert known_changes.not_yet_expected(changes, MARCH.start, learnt) == changes[1:]


@pytest.mark.parametrize(
    ("billed", "entered", "expected"),
    [({24: "910.00"}, [25], 3910), ({24: "910.00"}, [24, 25], 4710), ({24: "300.00"}, [25], 4100)],
)
def test_what_is_billed_a_day_before_it_was_entered_for_is_not_counted_again(
    a_quarter, payments, budget_of, night, deliver, billed, entered, expected
):
    """100 a day, and 810 more on the 24th: 3,910. Of two that are entered the other is still to come; 200 is no 800."""
    budget = budget_of("Payments", "3500", team=payments)
    for number in entered:
        KnownCharge.objects.create(budget=budget, day=date(2026, 3, number), amount=800, description=f"of {number}")
    deliver("2026-03", lambda day: billed.get(day.day, "100.00"), until=date(2026, 3, 26))
    night(date(2026, 3, 26))
    assert likeliest(budget) == pytest.approx(expected, abs=5)


def test_the_charge_of_an_archived_budget_counts_nowhere(a_quarter, payments, budget_of, night):
    company = budget_of("Company", "9000")
    budget = budget_of("Payments", "3500", team=payments, parent=company)
    type(budget).objects.filter(pk=budget.pk).update(state="archived")
    KnownCharge.objects.create(budget=budget, day=date(2026, 3, 25), amount=800, description="licences")
    night(date(2026, 3, 10))
    assert likeliest(company) == 3100


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"amount": "0"}, "An amount of zero changes nothing"),
        ({"repeats": "month", "until": "2026-01-01"}, "cannot be over before it comes first"),
        ({"until": "2026-06-01"}, "Only what comes again has a last day"),
    ],
)
def test_what_cannot_be_right_is_refused_by_page_and_api_alike(budget_of, payments, client, fay, values, message):
    budget = budget_of("Payments", "3500", team=payments)
    client.force_login(fay)
    typed = {"day": "2026-03-25", "amount": "800", "description": "licences", "repeats": "", "until": "", **values}
    page = client.post(reverse("budgets:charge_add", args=[budget.pk]), typed)
    assert page.status_code == 200
    assert message in page.content.decode()
    api = APIClient()
    api.force_authenticate(fay)
    sent = {name: text for name, text in typed.items() if text}
    answer = api.post(f"/api/v1/budgets/{budget.pk}/known-charges/", sent, format="json")
    assert answer.status_code == 400
    assert message in str(answer.json())
    assert not KnownCharge.objects.exists()


def test_the_api_enters_a_charge_for_fay_and_refuses_eli(budget_of, payments, fay, eli):
    budget = budget_of("Payments", "3500", team=payments)
    api, url = APIClient(), f"/api/v1/budgets/{budget.pk}/known-charges/"
    values = {"day": "2026-03-25", "amount": "-99.5", "description": "credit note", "repeats": "quarter"}
    api.force_authenticate(eli)
    assert api.post(url, values, format="json").status_code == 403
    api.force_authenticate(fay)
    assert api.post(url, values, format="json").json()["amount"] == "-99.5"
    assert api.post(url, {**values, "amount": "12.400", "currency": "USD"}, format="json").json()["amount"] == "12.4"
    shown = api.get(f"/api/v1/budgets/{budget.pk}/").json()["known_charges"][:1]
    assert [(charge["description"], charge["repeats"]) for charge in shown] == [("credit note", "quarter")]
    assert {charge.created_by for charge in budget.known_charges.all()} == {fay}


@pytest.mark.parametrize(
    "sent",
    [
        *([], [1], "x", 5),
        *({"amount": "12,400"}, {"amount": True}, {"currency": "EUR"}, {"description": {"a": 1}}, {"descriptoin": "x"}),
        *({"day": "2026-02-30"}, {"repeats": "week"}),
    ],
)
def test_what_no_program_can_mean_is_refused_by_the_api(budget_of, payments, fay, sent):
    budget, api = budget_of("Payments", "3500", team=payments), APIClient()
    api.force_authenticate(fay)
    values = {"day": "2026-03-25", "amount": "800", "description": "licences"}
    body = {**values, **sent} if isinstance(sent, dict) else sent
    assert api.post(f"/api/v1/budgets/{budget.pk}/known-charges/", body, format="json").status_code == 400
    assert not KnownCharge.objects.exists()


def test_fay_is_asked_what_she_means_by_a_number_that_reads_in_two_ways(budget_of, payments, client, fay):
    budget = budget_of("Payments", "3500", team=payments)
    client.force_login(fay)
    values = {"day": "2026-03-25", "amount": "12.400", "description": "licences", "repeats": "", "until": ""}
    page = client.post(reverse("budgets:charge_add", args=[budget.pk]), values).content.decode()
    assert "Did you mean 12,400 or 12.4?" in page
    assert not KnownCharge.objects.exists()


def test_fay_changes_a_charge_and_removes_it(budget_of, payments, client, fay):
    budget = budget_of("Payments", "3500", team=payments)
    charge = budget.known_charges.create(day=date(2026, 3, 25), amount=Decimal(800), description="licences")
    client.force_login(fay)
    values = {"day": "2026-03-26", "amount": "900", "description": "licences", "repeats": "month", "until": ""}
    client.post(reverse("budgets:charge", args=[budget.pk, charge.pk]), values)
    charge.refresh_from_db()
    assert (charge.day, charge.amount, charge.repeats) == (date(2026, 3, 26), 900, "month")
    client.post(reverse("budgets:charge_remove", args=[budget.pk, charge.pk]))
    assert not budget.known_charges.exists()


def test_fay_and_eli_find_the_known_charges_they_may_see_in_the_admin(payments, budget_of, fay, eli, ola, client_of):
    budget = budget_of("Payments", "3500", team=payments)
    KnownCharge.objects.create(budget=budget, day=date(2026, 3, 8), amount=Decimal(800), description="licences")
    url = reverse("admin:budgets_knowncharge_changelist")
    for person, sees in ((fay, True), (eli, True), (ola, False)):
        page = client_of(person).get(url)
        assert page.status_code == 200
        assert ("licences" in page.content.decode()) is sees, person
