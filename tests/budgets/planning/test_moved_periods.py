"""A budget whose first day, end or currency moves: no day without an amount, nothing carried over from nowhere."""

from datetime import date
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from budgets.models import Budget, KnownCharge
from budgets.planning import budget_changes
from budgets.planning.automatic_amounts import create_automatic_periods
from tests.budgets.planning.test_period_changes import FORM, spans
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
D20 = date(2026, 3, 20)


@pytest.fixture
def edit(fay, client_of):
    """Fay edits a budget on its page and leaves the amounts as they are; returns the errors of the form."""

    def edit(budget, **changes):
        own = {"name": budget.name, "kind": budget.kind, "start": str(budget.start), "end": str(budget.end or "")}
        own |= {"currency": budget.currency, "rollover": "on" if budget.rollover else ""}
        own |= {"auto_months": budget.auto_months or "", "parent": budget.parent_id or ""}
        values = {**FORM, **own, "team": budget.team_id or "", "version": budget.version, **changes}
        answer = client_of(fay).post(reverse("budgets:edit", args=[budget.pk]), values)
        budget.refresh_from_db()
        return {} if answer.status_code == 302 else answer.context["form"].errors

    return edit


@shared
def make(fay):
    def make(name="Payments", amount="1000", *, start=date(2026, 1, 1), end=None, **fields):
        budget = Budget(name=name, start=start, end=end, **fields)
        return budget_changes.create_budget(budget, dict.fromkeys(budget.cut.periods(), Decimal(amount)), by=fay)

    return make


def test_an_end_that_was_set_and_taken_away_leaves_every_month_with_its_amount(people, make, edit):
    budget = make()
    december = budget.periods.get(start=date(2026, 12, 1))
    budget_changes.change_budget(budget, {december.period: Decimal(1300)}, version=1, by=None)
    before = spans(budget)
    assert edit(budget, end="2026-02-01") == {}
    assert len(spans(budget)) == 1
    assert edit(budget, end="") == {}
    assert spans(budget) == before
    assert budget.periods.last().pk == december.pk


def test_an_end_that_moves_on_gives_the_months_up_to_it_the_amount_of_the_nearest(people, make, edit):
    budget = make(end=date(2026, 3, 10))
    assert edit(budget, end="2026-07-16") == {}
    assert [start for start, _, _ in spans(budget)] == [f"2026-0{month}-01" for month in range(1, 8)]
    assert [amount for _, _, amount in spans(budget)] == [1000] * 6 + [483], "15 of 31 days of July"
    assert budget.periods.last().amount == Decimal("483.87")


def test_a_budget_whose_months_were_all_before_its_new_start_has_months_again(people, make, edit):
    budget = make(end=date(2026, 3, 1))
    budget_changes.change_budget(budget, None, version=1, by=None)
    assert edit(budget, start="2026-03-15", end="") == {}
    assert spans(budget)[:2] == [("2026-03-15", "2026-04-01", 548), ("2026-04-01", "2026-05-01", 1000)]
    assert len(spans(budget)) == 12
    assert edit(budget, start="2026-01-01") == {}
    assert spans(budget)[:3] == [
        *(("2026-01-01", "2026-02-01", 1000), ("2026-02-01", "2026-03-01", 1000), ("2026-03-01", "2026-04-01", 548)),
    ]


def test_a_budget_without_an_amount_for_today_is_flagged_on_its_page_the_list_and_the_api(people, fay, client_of):
    gap = Budget(name="Gap", start=date(2026, 1, 1))
    budget_changes.create_budget(gap, {gap.cut.periods()[0]: Decimal(1000)}, by=fay)
    over = Budget(name="Over", start=date(2026, 1, 1), end=date(2026, 2, 1))
    budget_changes.create_budget(over, {over.cut.periods()[0]: Decimal(1000)}, by=fay)
    client = client_of(fay)
    with time_machine.travel("2026-03-20T12:00:00Z", tick=False):
        assert "no night judges it" in client.get(gap.get_absolute_url()).content.decode()
        assert "no night judges it" not in client.get(over.get_absolute_url()).content.decode()
        listed = client.get(reverse("budgets:budgets")).content.decode()
        rows = client.get("/api/v1/budgets/").json()["results"]
    assert listed.count("No amount for today: it is not judged.") == 1
    assert {row["name"]: row["status"] for row in rows} == {"Gap": "no amount for today", "Over": "not evaluated"}


@shared
def carrying(a_quarter, payments, make, night):
    """3,000 for each month of which 3,100, 2,800 and 3,100 were spent: 200 of February are left for March."""
    budget = make(amount="3000", team=payments, rollover=True)
    night(date(2026, 2, 5))
    night(date(2026, 3, 5))
    night(D20)
    assert budget.periods.get(start=date(2026, 3, 1)).rolled_over == 200
    budget.refresh_from_db()
    return budget


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"start": "2026-03-01"}, 0),
        ({"start": "2026-02-10"}, 1100),
        ({"rollover": ""}, 0),
        ({"name": "Other"}, 200),
        ({"end": "2026-03-20"}, 200),
    ],
)
def test_what_was_carried_over_goes_with_the_period_that_left_it(carrying, edit, night, change, left):
    assert edit(carrying, **change) == {}
    march = carrying.periods.get(start=date(2026, 3, 1))
    assert march.rolled_over == left, "19 days from 10 February cost 1,900 of 3,000"
    night(D20)
    march.refresh_from_db()
    assert march.rolled_over == left


@pytest.mark.parametrize(
    ("fields", "day", "amount"),
    [
        # (3,100 + 2,800) / 2 = 2,950, of which March from the 15th on is 17 of 31 days.
        ({"start": date(2026, 3, 15), "auto_months": 2}, date(2026, 3, 16), "1617.74"),
        # February's 2,800, of which March until the 9th is 9 of 31 days.
        ({"start": date(2026, 3, 1), "end": date(2026, 3, 10), "auto_months": 1}, date(2026, 3, 5), "812.90"),
    ],
)
def test_an_automatic_amount_of_a_part_of_a_month_is_for_its_days(a_quarter, payments, fay, fields, day, amount):
    budget = budget_changes.create_budget(Budget(name="Auto", team=payments, **fields), {}, by=fay)
    assert create_automatic_periods(day) == 1
    assert budget.periods.get().amount == Decimal(amount)


def test_the_currency_of_a_budget_changes_with_all_that_is_in_it_or_not_at_all(payments, make, edit):
    above = make("Above", "9000")
    make("Below", "3000", team=payments, parent=above)
    assert "Below is below it and in USD" in edit(above, currency="JPY", way="flat", amount="9000")["currency"][0]
    alone = make("Alone", "9000")
    assert "Its amounts are in USD" in edit(alone, currency="JPY")["way"][0]
    assert "JPY" in edit(alone, currency="JPY", way="flat", amount="1000.55")["amount"][0]
    charge = KnownCharge.objects.create(budget=alone, day=date(2026, 3, 28), amount=500, description="invoice")
    assert "known invoices in USD" in edit(alone, currency="JPY", way="flat", amount="1000")["currency"][0]
    charge.delete()
    assert (alone.currency, {amount for _, _, amount in spans(alone)}) == ("USD", {9000})
    assert edit(alone, currency="jpy", way="flat", amount="1000") == {}
    assert (alone.currency, {amount for _, _, amount in spans(alone)}) == ("JPY", {1000})
    alone.currency = "USD"
    with pytest.raises(budget_changes.WrongState, match="are in JPY"):
        budget_changes.change_budget(alone, None, version=alone.version, by=None)


@pytest.mark.parametrize(
    ("days", "field", "reason"),
    [
        ({"start": "2026-03-01", "end": "2026-03-01"}, "end", "later than its start, 1 Mar 2026"),
        ({"start": "0001-01-01"}, "start", "from 2000-01-01 until 2100-12-31"),
        ({"start": "2026-03-01", "end": "9999-12-31"}, "end", "from 2000-01-01 until 2100-12-31"),
    ],
)
def test_days_that_no_budget_can_have_are_refused_with_the_reason(people, make, edit, days, field, reason):
    budget = make()
    for way in ({}, {"way": "shaped", "amount": "100"}):
        errors = edit(budget, **days, **way)
        assert reason in errors[field][0]
        assert "constraint" not in str(errors).lower()


def test_a_copy_of_a_part_of_a_month_is_asked_about_before_it_is_raised(people, make, fay, client_of):
    budget, client = make(start=date(2026, 1, 31)), client_of(fay)
    url, values = reverse("budgets:copy", args=[budget.pk]), {"version": 1, "percent": "0"}
    refused = client.post(url, values)
    assert "has 1,000.00 USD for 1 day" in refused.context["form"].errors["raise_parts"][0]
    assert "31,000.00" in client.get(url).content.decode()
    assert len(spans(budget)) == 12
    assert client.post(url, {**values, "raise_parts": "on"}).status_code == 302
    assert budget.periods.get(start=date(2027, 1, 1)).amount == 31000
