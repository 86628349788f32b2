"""Estimates of eli and fay: priced at once, side by side, beside budgets, and compared with what came."""

from datetime import date
from decimal import Decimal

import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from reservations.models import Rate
from tests import bills
from tests.people import person, signed_in
from usage.estimates import estimate_changes, figures
from usage.models import Estimate, Scenario

pytestmark = pytest.mark.django_db

TODAY = date(2026, 5, 10)


@pytest.fixture
def priced():
    machine = {"region": "eu-west-1", "instance_type": "m5.large", "kind": "on_demand"}
    Rate.objects.create(**machine, hourly=Decimal("0.1"), source="a list", day="2026-01-01")


def make(who, text="10 x m5.large in eu-west-1", **fields):
    estimate = Estimate(**{"name": "Shop", "currency": "USD", **fields})
    return estimate_changes.make_estimate(who, estimate, "", text)


def test_eli_prices_ten_machines_on_the_page(priced):
    browser = signed_in(person("eli"))
    form = {"name": "Shop", "currency": "usd", "text": "10 x m5.large in eu-west-1\n1 x z9.huge in eu-west-1"}
    page = browser.post("/usage/estimates/add/", form, follow=True)
    text = page.content.decode()
    assert "730.00" in text
    assert "1 line has no price: it is in no sum" in text
    assert "no price list that is loaded has it" in text


def test_a_wrong_line_stands_on_the_form_with_what_was_typed(priced):
    form = {"name": "Shop", "currency": "USD", "text": "m5.large\n0 x m5.large"}
    page = signed_in(person("eli")).post("/usage/estimates/add/", form)
    assert "Line 2: none of it costs nothing" in page.content.decode()
    assert "0 x m5.large" in page.content.decode()
    assert not Estimate.objects.exists()


def test_ola_neither_sees_nor_changes_what_eli_estimates_and_max_changes_nothing(priced):
    estimate = make(person("eli"))
    address = f"/usage/estimates/{estimate.pk}/"
    assert signed_in(person("ola")).get(address).status_code == 404
    assert signed_in(person("fay")).get(address).status_code == 200
    reader = signed_in(person("max"))
    assert reader.get(address).status_code == 200
    assert reader.get(f"{address}edit/").status_code == 403
    assert reader.post(f"{address}act/archive/").status_code == 403
    api = "/api/v1/estimates/"
    body = {"name": "x", "text": "m5.large in eu-west-1", "currency": "USD"}
    assert reader.post(api, body, "application/json").status_code == 403
    assert signed_in(person("ola")).get(f"{api}{estimate.pk}/").status_code == 404


def test_the_api_refuses_what_the_page_refuses_and_answers_the_same_cost(priced):
    browser = signed_in(person("eli"))
    body = {"name": "Shop", "text": "0 x m5.large", "currency": "USD"}
    refused = browser.post("/api/v1/estimates/", body, "application/json")
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        "Line 1: none of it costs nothing: write how many.",
    )
    made = browser.post("/api/v1/estimates/", {**body, "text": "10 x m5.large in eu-west-1"}, "application/json")
    (scenario,) = made.json()["scenarios"]
    assert scenario["lines"][0]["cost"] == "730"
    assert "730.00" in browser.get(f"/usage/estimates/{made.json()['id']}/").content.decode()


def test_scenarios_stand_side_by_side_and_only_one_is_chosen(priced):
    fay = person("fay")
    estimate = make(fay)
    other = estimate_changes.add_scenario(fay, estimate, "Nights off", "10 x m5.large in eu-west-1, 12x5")
    first, second = figures.scenarios_of(estimate)
    assert (first.cost, second.cost) == (Decimal("730"), Decimal("260.7143"))
    assert second.difference == Decimal("-469.2857")
    for scenario in (first.scenario, other):
        estimate_changes.choose_scenario(fay, scenario)
    assert Scenario.objects.get(is_chosen=True) == other


def test_the_last_scenario_stays_and_an_archived_estimate_changes_no_more(priced):
    fay = person("fay")
    estimate = make(fay)
    with pytest.raises(estimate_changes.CannotEstimate, match="last scenario"):
        estimate_changes.delete_scenario(fay, estimate.scenarios.get())
    estimate_changes.archive_estimate(fay, estimate)
    with pytest.raises(estimate_changes.CannotEstimate, match="archived"):
        estimate_changes.add_scenario(fay, estimate, "x", "m5.large")


def test_what_came_counts_whole_months_of_the_tag_alone(priced, tmp_path):
    row = {"Tags": '{"App": "shop"}', "BillingPeriodStart": "2026-04-01", "BillingPeriodEnd": "2026-05-01"}
    row |= {"EffectiveCost": "20", "BilledCost": "20"}
    days = [{**row, "ChargePeriodStart": f"2026-04-{day:02}"} for day in range(1, 31)]
    path = bills.write(tmp_path, "april.csv", bills.focus_csv(days))
    (received,) = receive_bill("aws", [path])
    load_bill(received.delivery)
    fay = person("fay")
    estimate = make(fay, starts=date(2026, 3, 15), tag_key="App", tag_value="shop")
    assert figures.outcome(fay, estimate, TODAY) is None
    estimate_changes.choose_scenario(fay, estimate.scenarios.get())
    came = figures.outcome(fay, estimate, TODAY)
    assert [(str(row.month), row.cost) for row in came.months] == [("2026-04", Decimal("600"))]
    # 730 estimated, 600 came: 130 off, 17.8 %.
    assert round(came.accuracy, 1) == Decimal("82.2")
    # What no line carries as a tag is not known, and is no cost of zero.
    estimate.tag_value = "nobody's"
    assert [row.cost for row in figures.outcome(fay, estimate, TODAY).months] == [None]


def test_a_price_in_a_currency_without_an_exchange_rate_is_named_as_that(priced):
    estimate = make(person("eli"), currency="JPY")
    line = estimate.scenarios.get().lines.get()
    assert line.cost is None
    assert line.problem == "its price is in USD, and no exchange rate of USD into JPY is known"
