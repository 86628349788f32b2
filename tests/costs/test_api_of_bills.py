"""Sources, deliveries, rates and changes by the API: the same services and refusals as on their pages."""

from decimal import Decimal

import pytest

from costs import tasks
from costs.models import Delivery, ExchangeRate, Source
from costs.sources import sync
from tests.costs.test_api import DATA, PAYMENTS, deliver

pytestmark = pytest.mark.django_db
APRIL = {
    "BillingPeriodStart": "2026-04-01T00:00:00Z",
    "BillingPeriodEnd": "2026-05-01T00:00:00Z",
    "ChargePeriodStart": "2026-04-05T00:00:00Z",
    "ChargePeriodEnd": "2026-04-06T00:00:00Z",
}


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    monkeypatch.setattr(tasks.load_delivery, "delay", lambda *args: None)
    monkeypatch.setattr(sync, "queue_sync", lambda source: source.kind != Source.Kind.UPLOAD)


def post(client, path, body=None):
    return client.post(f"/api/v1/{path}", body or {}, content_type="application/json")


def test_a_bill_is_withdrawn_and_one_that_counts_no_more_is_not(people, tmp_path, fay, max_, client_of):
    delivery = deliver(tmp_path, [PAYMENTS])
    assert post(client_of(max_), f"deliveries/{delivery.pk}/withdraw/").status_code == 403
    answer = post(client_of(fay), f"deliveries/{delivery.pk}/withdraw/")
    assert (answer.status_code, answer.json()["status"]) == (200, "withdrawn")
    again = post(client_of(fay), f"deliveries/{delivery.pk}/withdraw/")
    assert again.status_code == 409
    assert "nothing to withdraw" in again.json()["detail"]


def test_a_failed_bill_is_tried_again_and_no_other(people, tmp_path, fay, client_of):
    delivery = deliver(tmp_path, [PAYMENTS])
    assert post(client_of(fay), f"deliveries/{delivery.pk}/retry/").status_code == 409
    Delivery.objects.filter(pk=delivery.pk).update(status=Delivery.Status.FAILED)
    answer = post(client_of(fay), f"deliveries/{delivery.pk}/retry/")
    assert (answer.status_code, answer.json()["status"]) == (200, "received")


def test_a_source_is_described_and_changed_as_on_its_page(people, ada, max_, client_of):
    browser = client_of(ada)
    made = post(browser, "sources/", {"name": "payer", "kind": "s3", "bucket": "bills", "region": "eu-central-1"})
    assert made.status_code == 201, made.content
    assert made.json()["expected_every_hours"] == 24
    address = f"/api/v1/sources/{made.json()['id']}/"
    changed = browser.patch(address, {"prefix": "cur/"}, content_type="application/json")
    assert changed.status_code == 200, changed.content
    assert (changed.json()["bucket"], changed.json()["prefix"]) == ("bills", "cur/")
    for body, name in (
        ({"endpoint": "http://169.254.169.254/"}, "endpoint"),
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
        ({"kind": "ftp"}, "kind"),
    ):
        refused = browser.patch(address, body, content_type="application/json")
        assert (refused.status_code, name in refused.json()) == (400, True), refused.content
    assert Source.objects.get().prefix == "cur/"
    assert post(client_of(max_), "sources/", {"name": "mine"}).status_code == 403


def test_what_changed_sums_to_the_difference_of_the_totals(people, tmp_path, fay, lea, client_of):
    deliver(tmp_path, [PAYMENTS, DATA])
    deliver(tmp_path, [PAYMENTS | APRIL | {"BilledCost": "4.60", "ServiceName": "New"}], name="april.csv")
    answer = client_of(fay).get("/api/v1/changes/", {"from": "2026-04", "to": "2026-04", "group_by": "service"}).json()
    assert (answer["against_from"], answer["against_to"]) == ("2026-03-01", "2026-03-05")
    assert {row["service"]: list(row["parts"]) for row in answer["results"]} == {
        "New": ["taken"],
        "Amazon Elastic Compute Cloud": ["gone", "given"],
    }
    (total,) = answer["totals"]
    assert sum(Decimal(row["difference"]) for row in answer["results"]) == Decimal(total["difference"])
    assert sum(map(Decimal, total["parts"].values())) == Decimal(total["difference"]) == Decimal("3.25")
    two = {"from": "2026-04", "to": "2026-04", "group_by": "tag:Team,account", "against_from": "2026-03"}
    by_tag = client_of(fay).get("/api/v1/changes/", two).json()
    assert {row["tag:Team"] for row in by_tag["results"]} == {"Payments", "Data"}
    assert by_tag["totals"] == [total]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"group_by": "month"}, "as a whole"),
        ({"in": "EUR"}, ""),
        ({"before_from": "2026-01"}, "before_from"),
        ({"colour": "red"}, "colour"),
        ({"from": "2026-04", "to": "2026-03"}, ""),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(people, fay, client_of, query, words):
    refused = client_of(fay).get("/api/v1/changes/", query)
    assert refused.status_code == 400
    assert words in refused.content.decode()


def test_an_account_that_arrives_twice_is_named(people, tmp_path, fay, client_of):
    deliver(tmp_path, [PAYMENTS])
    deliver(tmp_path, [PAYMENTS | {"BilledCost": "2"}], name="other.csv", source="southwind")
    assert client_of(fay).get("/api/v1/overlaps/").json() == [
        {"billing_month": "2026-03", "account": "000000000042", "sources": ["northwind", "southwind"]}
    ]


def test_rates_are_read_exactly(people, lea, client_of):
    ExchangeRate.objects.create(base="EUR", quote="USD", day="2026-03-31", rate=Decimal("1.0815"))
    (rate,) = client_of(lea).get("/api/v1/exchange-rates/", {"base": "EUR"}).json()["results"]
    assert (rate["quote"], rate["rate"]) == ("USD", "1.0815")
