"""Things are found by name, by everybody as far as she may see them."""

from datetime import date

import pytest

from budgets.models import Budget
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from finops_site.registry import SearchHit, SearchSource, registry
from finops_site.ui.search import MOST
from tagging.models import OwnershipRule
from tagging.policy import compliance
from tests import bills
from tests.people import person, signed_in
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db


@shared
def company(people, tmp_path):
    """Payments and Data each have a machine; Payments has a budget."""
    rows = [
        {"ResourceId": "i-pay", "ResourceName": "pay-web-1", "Tags": '{"Team": "Payments"}'},
        {
            "ResourceId": "i-data",
            "ResourceName": "data-web-1",
            "ServiceName": "Amazon Redshift",
            "Tags": '{"Team": "Data"}',
        },
    ]
    for number, name in enumerate(["Payments", "Data"]):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag Team {name}", team=team, tag_key="Team", tag_value=name, order=number)
    load_bill(receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])[0].delivery)
    compliance.refresh_compliance()
    team = Team.objects.get(name="Payments")
    Budget.objects.create(name="Payments in total", team=team, currency="USD", start=date(2026, 3, 1))


def searched(name: str, text: str) -> dict[str, list[str]]:
    """{kind: labels} of what somebody finds."""
    groups = signed_in(person(name)).get("/search/", {"q": text}).context["groups"]
    return {group.label: [hit.label for hit in group.hits] for group in groups}


def test_fay_finds_a_team_its_budget_a_machine_a_service_and_a_bill(company):
    assert searched("fay", "paym") == {"Teams": ["Payments"], "Budgets": ["Payments in total"]}
    assert searched("fay", "WEB pay") == {"Resources": ["pay-web-1"]}
    assert searched("fay", "redshift") == {"Services": ["Amazon Redshift"]}
    assert searched("fay", "march.csv") == {"Bills": ["march.csv"]}


def test_a_text_that_no_name_has_is_refused_in_words(company):
    answer = signed_in(person("fay")).get("/search/", {"q": "paym" + "x" * 5000})
    assert answer.status_code == 400
    assert "A search has 200 characters at most" in answer.content.decode()
    assert "Payments in total" not in answer.content.decode()


def test_lea_finds_nothing_of_another_team(company):
    assert searched("lea", "web") == {"Resources": ["pay-web-1"]}
    assert searched("lea", "redshift") == searched("lea", "march.csv") == searched("lea", "i-data") == {}
    assert "Data" not in searched("lea", "dat").get("Teams", [])


def test_pages_are_found_by_whom_may_open_them(people):
    assert "Invoices" in searched("fay", "invoice")["Pages"]
    assert "Invoices" not in searched("eli", "invoice").get("Pages", [])


def test_every_hit_opens(company):
    client = signed_in(person("fay"))
    hits = [
        hit
        for text in ("pay", "amazon", "march", "cost")
        for group in client.get("/search/", {"q": text}).context["groups"]
        for hit in group.hits
    ]
    assert len(hits) > 5
    assert {hit.url: client.get(hit.url).status_code for hit in hits} == {hit.url: 200 for hit in hits}


def test_a_long_list_says_that_there_is_more(people):
    many = SearchSource(
        "many", "Many", "box", lambda user, words, most: [SearchHit(f"thing {n}", "/") for n in range(most)]
    )
    registry.add(many)
    try:
        client = signed_in(person("fay"))
        answer = client.get("/search/", {"q": "thing"})
    finally:
        registry.remove(many)
    (group,) = answer.context["groups"]
    assert (len(group.hits), group.more) == (MOST, True)
    assert "one more word narrows it" in answer.content.decode()


@pytest.mark.parametrize("text", ["", "   ", "\x00", "%", "_", "' OR 1=1", "<script>", "x" * 5000])
def test_odd_texts_find_nothing_and_break_nothing(company, text):
    assert searched("fay", text) == {}


def test_the_window_asks_for_the_hits_alone(company):
    client = signed_in(person("fay"))
    part = client.get("/search/", {"q": "paym"}, headers={"HX-Request": "true"}).content.decode()
    assert "Payments in total" in part
    assert "<html" not in part
    assert (
        "Nothing that you may see is called"
        in client.get("/search/", {"q": "zzz"}, headers={"HX-Request": "true"}).content.decode()
    )
