"""The address of a cost line when another bill counts: the same line, what stands in its place, or why none does."""

import re

import pytest
from django.urls import reverse

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.ingest.republish import republish_month
from costs.ingest.withdraw import decide, withdraw_delivery
from costs.models import CostLine
from costs.query.line_addresses import NoSuchLine, find_line, keys_of
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills

pytestmark = pytest.mark.django_db

TAGGED = {"Tags": '{"Team": "Payments", "Stage": "prod"}'}


@pytest.fixture
def deliver(tmp_path):
    numbers = iter(range(100))

    def deliver(*rows, source="northwind", accepted=True):
        path = bills.write(tmp_path, f"bill-{next(numbers)}.csv", bills.focus_csv(rows))
        (received,) = receive_bill(source, [path], is_accepted=accepted)
        delivery = load_bill(received.delivery)
        assert delivery.status == "current", delivery.message
        return delivery

    return deliver


def address(line):
    return reverse("costs:line", args=[keys_of([line])[line.pk]])


def links(page):
    return re.findall(r'href="(/costs/lines/20[^"]+)"', page.content.decode())


def test_the_list_links_to_an_address_that_the_next_version_of_the_bill_keeps(deliver, fay, client_of):
    deliver({}, {"ResourceId": "i-2"})
    browser = client_of(fay)
    (url,) = set(links(browser.get("/costs/lines/?from=2026-03&to=2026-03&resource=i-1")))
    old = CostLine.objects.get(resource="i-1").pk
    deliver({"BilledCost": "7"}, {"ResourceId": "i-2"}, {"ResourceId": "i-3"})
    page = browser.get(url)
    assert page.status_code == 200
    assert page.context["object"].pk != old
    assert page.context["object"].billed_cost == 7


def test_making_the_lines_again_and_owning_them_anew_keep_their_addresses(deliver, fay, client_of):
    delivery = deliver({}, {"ResourceId": "i-2", "Tags": ""})
    before = {line.resource: address(line) for line in CostLine.objects.all()}
    OwnershipRule.objects.create(
        name="Tag", team=Team.objects.get(name="Payments"), tag_key="Team", tag_value="Payments"
    )
    republish_month(delivery.months.get())
    assert {line.resource: address(line) for line in CostLine.objects.all()} == before
    assert len(set(before.values())) == 2


def test_a_line_with_other_tags_leads_on_to_the_one_in_its_place_and_says_so(deliver, fay, client_of):
    deliver({})
    url = address(CostLine.objects.get())
    deliver(TAGGED)
    page = client_of(fay).get(url, follow=True)
    assert [status for _, status in page.redirect_chain] == [302]
    assert page.context["object"].tag_set.tags == {"Team": "Payments", "Stage": "prod"}
    assert "This line stands in the place of the one you opened." in page.content.decode()


def test_a_line_that_became_several_leads_to_a_list_of_them(deliver, fay, client_of):
    deliver({})
    url = address(CostLine.objects.get())
    deliver(TAGGED, {"Tags": '{"Stage": "dev"}'})
    page = client_of(fay).get(url)
    assert page.status_code == 200
    assert set(links(page)) == {address(line) for line in CostLine.objects.all()}
    assert "with other tags" in page.content.decode()


def test_a_resource_under_another_service_is_shown_and_not_taken_for_the_same(deliver, fay, client_of):
    deliver({})
    url = address(CostLine.objects.get())
    deliver({"ServiceName": "Amazon EC2"})
    page = client_of(fay).get(url)
    assert page.status_code == 200
    assert "under another service" in page.content.decode()
    assert set(links(page)) == {address(CostLine.objects.get())}


def test_a_line_that_no_bill_has_any_more_says_what_became_of_it(deliver, fay, lea, client_of):
    deliver({}, {"ResourceId": "i-2", "ServiceName": "Amazon S3"})
    url = address(CostLine.objects.get(resource="i-1"))
    newer = deliver({"ResourceId": "i-2", "ServiceName": "Amazon S3"})
    texts = {}
    for user in (fay, lea):
        page = client_of(user).get(url)
        assert page.status_code == 404
        texts[user] = page.content.decode()
        assert "mistyped" not in texts[user]
    assert f"none of the bills that count now has a charge like it on that day ({newer})" in texts[fay]
    assert "belongs to another team now" in texts[lea]
    assert str(newer) not in texts[lea]


def test_a_line_of_a_withdrawn_bill_says_that_no_bill_counts(deliver, fay, client_of):
    delivery = deliver({})
    url = address(CostLine.objects.get())
    withdraw_delivery(delivery, fay)
    assert "no bill that counts has charges of 2026-03" in client_of(fay).get(url).content.decode()


def test_the_number_that_a_line_had_leads_to_its_address_and_later_says_why_it_does_not(deliver, fay, client_of):
    deliver({})
    line, browser = CostLine.objects.get(), client_of(fay)
    assert browser.get(f"/costs/lines/{line.pk}/").url == address(line)
    deliver({"BilledCost": "2"})
    page = browser.get(f"/costs/lines/{line.pk}/")
    assert (page.status_code, "mistyped" in page.content.decode()) == (404, False)
    assert "made anew with each version of a bill" in page.content.decode()


@pytest.mark.parametrize(
    "never", ["0", "999999999", "9" * 30, "2026-03-05", f"2026-13-45-{0:016}-{0:012}-{0:012}", "9" * 5000, "x"]
)
def test_what_was_never_an_address_is_mistyped(deliver, fay, client_of, never):
    deliver({})
    page = client_of(fay).get(f"/costs/lines/{never}/")
    assert page.status_code == 404
    assert "mistyped" in page.content.decode()
    with pytest.raises(NoSuchLine):
        find_line(fay, never)


def test_the_address_of_another_teams_line_tells_nothing_about_it(deliver, lea, client_of):
    deliver({"Tags": '{"Team": "Data"}', "ResourceId": "i-secret"})
    page = client_of(lea).get(address(CostLine.objects.get()))
    assert page.status_code == 404
    assert "i-secret" not in page.content.decode()


def test_the_same_line_of_two_sources_has_two_addresses(deliver, fay, client_of):
    deliver({})
    deliver({}, source="contoso")
    urls = {address(line): line.pk for line in CostLine.objects.all()}
    assert len(urls) == 2
    for url, pk in urls.items():
        assert client_of(fay).get(url).context["object"].pk == pk


def test_the_api_finds_a_line_by_its_key_and_names_what_stands_in_its_place(deliver, fay, client_of):
    deliver({})
    browser = client_of(fay)
    (line,) = browser.get("/api/v1/cost-lines/?from=2026-03&to=2026-03").json()["results"]
    assert browser.get(f"/api/v1/cost-lines/{line['key']}/").json() == line
    deliver(TAGGED)
    answer = browser.get(f"/api/v1/cost-lines/{line['key']}/")
    assert answer.status_code == 404
    assert keys_of(CostLine.objects.all()).popitem()[1] in answer.json()["detail"]


@pytest.fixture
def beside(tmp_path, fay):
    """Two bills that stand beside one another, each with one line of the same key: of 10 and of 4."""
    for number, (hour, cost) in enumerate((("03", "10"), ("04", "4"))):
        row = {"BilledCost": cost, "EffectiveCost": cost, "ChargePeriodStart": f"2026-03-05T{hour}:00:00Z"}
        path = bills.write(
            tmp_path, f"part-{number}.csv", bills.focus_csv([row, row | {"ResourceId": f"own-{number}"}])
        )
        (received,) = receive_bill("northwind", [path])
        delivery = load_bill(received.delivery)
    assert decide(delivery, "beside", fay)
    load_bill(delivery)
    lines = list(CostLine.objects.filter(resource="i-1").order_by("pk"))
    assert len(set(keys_of(lines).values())) == 1 < len(lines)
    return lines


def test_lines_of_bills_beside_one_another_are_opened_from_the_list_and_down_to_their_charge(beside, fay, client_of):
    browser, amounts = client_of(fay), []
    urls = set(links(browser.get("/costs/lines/?from=2026-03&to=2026-03")))
    assert len([url for url in urls if "delivery=" in url]) == 2, "those that stand alone need no more than their key"
    assert len(urls) == 4
    for url in urls:
        page = browser.get(url)
        assert page.status_code == 200
        (charge,) = [link for link in links(page) if "/charges/" in link]
        opened = browser.get(charge)
        assert opened.context["charge"]["BilledCost"] == page.context["object"].billed_cost
        assert url in opened.content.decode(), "the way back"
        amounts.append(page.context["object"].billed_cost)
    assert sorted(amounts) == [4, 4, 10, 10]
    assert {browser.get(f"/costs/lines/{line.pk}/").url for line in beside} == {url for url in urls if "?" in url}


def test_the_key_alone_of_lines_beside_one_another_lists_them_and_says_that_none_was_replaced(beside, fay, client_of):
    key = keys_of(beside)[beside[0].pk]
    page = client_of(fay).get(f"/costs/lines/{key}/")
    assert len(set(links(page))) == 2
    assert "Several bills have this cost line" in page.content.decode()
    assert "replaced" not in page.content.decode()


def test_the_api_reaches_the_lines_of_bills_beside_one_another_and_their_charges(beside, fay, client_of):
    api, key = client_of(fay), keys_of(beside)[beside[0].pk]
    for line in beside:
        bill = line.delivery_month.delivery_id
        assert api.get(f"/api/v1/cost-lines/{key}/?delivery={bill}").json()["id"] == line.pk
        for query in (f"line={key}&delivery={bill}", f"line={line.pk}"):
            (charge,) = api.get(f"/api/v1/charges/?{query}").json()["results"]
            opened = api.get(f"/api/v1/charges/{charge['id']}/").json()
            assert (opened["id"], opened["delivery"]) == (charge["id"], bill)
            assert opened["columns"]["BilledCost"] == charge["columns"]["BilledCost"]
    several = api.get(f"/api/v1/cost-lines/{key}/")
    assert several.status_code == 404
    numbers = ", ".join(str(line.delivery_month.delivery_id) for line in beside)
    assert several.json()["detail"].endswith(f"Name the one that is meant by `delivery`: {numbers}.")
    assert api.get(f"/api/v1/cost-lines/{key}/?delivery=x").status_code == 400
    (alone,) = CostLine.objects.filter(resource="own-0")
    (charge,) = api.get(f"/api/v1/charges/?line={alone.pk}").json()["results"]
    assert charge["id"].count("_") == 1, "an id of a line that stands alone is as it was"
