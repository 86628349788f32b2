"""First budgets come from what teams have cost: fay ticks them, and changes an amount where she knows better."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from budgets.first_budgets import CannotCreate, create_proposed, propose_budgets
from budgets.models import Budget
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
TODAY = date(2026, 4, 3)


@shared
def two_months(people, tmp_path):
    """Payments cost 95 and 105, nobody 10 each month; Data cost something in the running month alone."""
    for name in ("Payments", "Data"):
        OwnershipRule.objects.create(name=name, team=Team.objects.get(name=name), tag_key="Team", tag_value=name)
    for number, cost, team in ((2, "95", "Payments"), (3, "105", "Payments"), (4, "1", "Data")):
        month = f"2026-{number:02}"
        days = {
            "BillingPeriodStart": f"{month}-01T00:00:00Z",
            "BillingPeriodEnd": f"2026-{number + 1:02}-01T00:00:00Z",
            "ChargePeriodStart": f"{month}-01T00:00:00Z",
            "ChargePeriodEnd": f"{month}-02T00:00:00Z",
        }
        rows = [{"BilledCost": cost, "Tags": f'{{"Team": "{team}"}}'}, {"BilledCost": "10", "Tags": ""}]
        path = bills.write(tmp_path, f"{month}.csv", bills.focus_csv(rows, **days))
        (received,) = receive_bill("northwind", [path])
        load_bill(received.delivery)


@pytest.fixture
def third_of_april(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 4, 3, 9, tzinfo=UTC))


def test_the_company_and_each_team_with_cost_have_one_and_what_is_not_known_is_said(two_months):
    proposed = {one.budget.name: one for one in propose_budgets(TODAY)}
    assert list(proposed) == ["The company", "Data", "Payments"]
    assert proposed["Payments"].suggestion.amount == Decimal(100)
    assert (proposed["Payments"].is_sure, proposed["Payments"].words) == (True, "From the last 2 whole months.")
    assert proposed["The company"].suggestion.amount == Decimal(110)
    assert (proposed["Data"].suggestion, proposed["Data"].is_sure) == (None, False)
    assert proposed["Data"].words == "Too little is known: no whole month has any cost."


def test_one_month_says_little(two_months):
    proposed = {one.budget.name: one for one in propose_budgets(date(2026, 3, 3))}
    assert (proposed["Payments"].is_sure, proposed["Payments"].words) == (False, "From one whole month alone.")


def test_fay_makes_one_with_an_amount_of_her_own_and_it_is_proposed_no_more(two_months, fay, client_of, third_of_april):
    page, client = reverse("budgets:proposals"), client_of(fay)
    assert [row["amount"] for row in client.get(page).context["rows"]] == ["110", "", "100"]
    key = f"{Team.objects.get(name='Payments').pk}:USD"
    answer = client.post(page, {"pick": [key], f"amount {key}": "a lot"})
    assert (answer.status_code, Budget.objects.count()) == (200, 0)
    assert client.post(page, {"pick": [key], f"amount {key}": "1200.50"}).url == reverse("budgets:budgets")
    budget = Budget.objects.get()
    assert (budget.name, budget.state, str(budget.start)) == ("Payments", "active", "2026-04-01")
    assert {row.amount for row in budget.periods.all()} == {Decimal("1200.50")}
    assert [one.budget.name for one in propose_budgets(TODAY)] == ["The company", "Data"]


def test_all_or_none_are_made(two_months, fay):
    Budget.objects.create(name="The company", start="2026-01-01", currency="EUR", state="active")
    keys = {one.budget.name: one.key for one in propose_budgets(TODAY)}
    with pytest.raises(CannotCreate, match="There is a budget of that name already"):
        create_proposed(fay, {keys["Payments"]: Decimal(1), keys["The company"]: Decimal(1)}, TODAY)
    with pytest.raises(CannotCreate, match="not proposed any more"):
        create_proposed(fay, {"0:USD": Decimal(1)}, TODAY)
    assert Budget.objects.count() == 1


def test_the_api_proposes_and_makes_the_same(two_months, fay, lea, client_of, third_of_april):
    address, send = "/api/v1/budgets/proposals/", {"content_type": "application/json"}
    rows = {row["name"]: row for row in client_of(fay).get(address).json()}
    assert (rows["Payments"]["amount"], rows["Data"]["amount"]) == ("100", None)
    assert rows["Payments"]["months"][0] == {"month": "2026-02", "billed_cost": "95"}
    body = {"create": [{"key": rows["Payments"]["key"], "amount": "90"}]}
    assert client_of(lea).post(address, body, **send).status_code == 403
    assert client_of(fay).post(address, body, **send).status_code == 201
    assert str(Budget.objects.get()) == "Payments"
    assert client_of(fay).post(address, body, **send).status_code == 400
