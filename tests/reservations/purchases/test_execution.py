"""Buying through AWS's API: once or not at all, at the approved price, and what happens when nobody knows."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from costs.models import Credential
from finops_site.celery import app
from finops_site.models import OutgoingEmail
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import BuyingPolicy, PurchaseRequest, Rate
from reservations.purchases import approvals, buying, buying_policy, execution
from tests import aws_counters
from tests.reservations.purchases.test_purchase_requests import NOW, RATE, item, make_item, requested  # noqa: F401

pytestmark = pytest.mark.django_db
SOON = NOW + timedelta(minutes=20)


@pytest.fixture
def aws(settings):
    """An AWS that sells m5.large for a year without upfront at 0.05, as approved, and other things beside it."""
    counters, address, stop = aws_counters.serve()
    counters.reserved_offers = [
        aws_counters.reserved_offer("off-1", 0.05),
        aws_counters.reserved_offer("off-zonal", 0.05, Scope="Availability Zone", AvailabilityZone="us-east-1a"),
        aws_counters.reserved_offer("off-convertible", 0.06, OfferingClass="convertible"),
    ]
    counters.plan_offers = [
        aws_counters.plan_offer("compute-1"),
        aws_counters.plan_offer("compute-3", seconds=3 * aws_counters.YEAR),
        aws_counters.plan_offer("m5-1", "EC2Instance", region="us-east-1", instanceFamily="m5"),
        aws_counters.plan_offer("c5-1", "EC2Instance", region="us-east-1", instanceFamily="c5"),
    ]
    counters.rates = [
        aws_counters.rate("m5-1", "m5.large", "0.06"),
        aws_counters.rate("m5-1", "m5.large", "0.99", usage="UnusedBox"),
        aws_counters.rate("m5-1", "m5.large", "0.99", productDescription="Windows"),
        aws_counters.rate("m5-1", "m5.large", "0.99", tenancy="dedicated"),
    ]
    settings.FINOPS_STORAGE_ENDPOINTS = [address]
    counters.address = address
    yield counters
    stop()


@pytest.fixture
def at_once():
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def policy(aws, people):
    credential = Credential(name="buyer")
    credential.seal({"access_key_id": "testing", "secret_access_key": "testing"})
    credential.save()
    fields = {"by_api": True, "monthly_ceiling": 1000, "credential": credential, "endpoint": aws.address}
    BuyingPolicy.objects.update_or_create(pk=1, defaults=fields)
    return BuyingPolicy.get()


def approved(item, eli, fay, **changes):  # noqa: F811
    row = requested(item, eli, **changes)
    return approvals.approve_purchase(row.pk, user=fay, comment="Go", now=NOW)


@pytest.fixture
def row(item, eli, fay, policy):  # noqa: F811
    return approved(item, eli, fay)


@pytest.fixture
def plan_row(item, eli, fay, policy):  # noqa: F811
    """An EC2 Instance savings plan of 0.06 an hour for m5 in us-east-1."""
    Rate.objects.create(kind="sp_ec2", hourly=Decimal("0.06"), term_months=12, payment="none", **RATE)
    item.kind, item.instance_type, item.system, item.unit = "sp_ec2", "m5", "", "USD an hour"
    item.hourly, item.quantity = Decimal("0.06"), Decimal("0.06")
    item.working["ladder"] = [{"buy_on": "2026-03-21", "quantity": "0.06"}]
    item.save()
    item.refresh_from_db()
    return approved(item, eli, fay, batch=0)


def started(row, fay):
    execution.dry_run_purchase(row.pk, user=fay, now=NOW)
    return buying.start_purchase(row.pk, user=fay, now=NOW)


def clock():
    return NOW


def verbs(row):
    return [event.verb for event in row.events.all()]


def test_a_dry_run_looks_and_buys_nothing(row, fay, aws):
    seen = execution.dry_run_purchase(row.pk, user=fay, now=NOW)
    assert seen.state == purchase_rules.APPROVED
    assert seen.message == (
        "AWS sells it as off-1 at the approved price (m5.large Linux in us-east-1 0.05, USD an hour)."
    )
    assert aws.reserved == []


def test_before_the_dry_run_nothing_is_bought(row, fay):
    with pytest.raises(CannotBuy, match="First the dry run"):
        buying.start_purchase(row.pk, user=fay, now=NOW)


def test_reserved_instances_are_bought_once_and_recorded(row, fay, aws):
    started(row, fay)
    assert execution.execute_purchase(row.pk, clock=clock)
    assert not execution.execute_purchase(row.pk, clock=clock), "the task came twice"
    row.refresh_from_db()
    assert (row.state, row.reference) == (purchase_rules.BOUGHT, "ri-0001")
    assert [bought["InstanceCount"] for bought in aws.reserved] == [1]
    assert verbs(row) == ["ask", "approve", "dry_run", "buy", "record"]


def test_a_savings_plan_is_bought_under_its_token_and_tag(plan_row, fay, aws):
    started(plan_row, fay)
    assert execution.execute_purchase(plan_row.pk, clock=clock)
    plan_row.refresh_from_db()
    (sold,) = aws.plans.values()
    assert list(aws.plans) == [str(plan_row.token)]
    assert (sold["offeringId"], sold["commitment"]) == ("m5-1", "0.060")
    assert plan_row.reference == sold["savingsPlanId"]


def test_a_price_that_moved_between_approval_and_dry_run_lets_it_expire(row, fay, aws):
    aws.reserved_offers[0]["RecurringCharges"][0]["Amount"] = 0.052
    seen = execution.dry_run_purchase(row.pk, user=fay, now=NOW)
    assert seen.state == purchase_rules.EXPIRED
    assert "The price of m5.large Linux in us-east-1 was 0.05 an hour and is 0.052 now" in seen.message


def test_a_price_within_a_hundredth_is_the_price(row, fay, aws):
    aws.reserved_offers[0]["RecurringCharges"][0]["Amount"] = 0.0505
    assert execution.dry_run_purchase(row.pk, user=fay, now=NOW).state == purchase_rules.APPROVED


def test_upfront_is_part_of_the_price(row, fay, aws):
    aws.reserved_offers[0] |= {"FixedPrice": 8.76}
    assert execution.dry_run_purchase(row.pk, user=fay, now=NOW).state == purchase_rules.EXPIRED


def test_a_price_that_moved_between_dry_run_and_purchase_buys_nothing(plan_row, fay, aws):
    started(plan_row, fay)
    aws.rates[0]["rate"] = "0.07"
    assert not execution.execute_purchase(plan_row.pk, clock=clock)
    plan_row.refresh_from_db()
    assert (plan_row.state, aws.plans) == (purchase_rules.EXPIRED, {})
    assert "0.06 an hour and is 0.07 now" in plan_row.message


def test_what_aws_does_not_sell_is_said(row, fay, aws):
    aws.reserved_offers = aws.reserved_offers[1:]
    with pytest.raises(CannotBuy, match="AWS sells no such offering now"):
        execution.dry_run_purchase(row.pk, user=fay, now=NOW)


def test_an_address_that_is_not_allowed_is_never_spoken_to(row, fay, aws, settings):
    settings.FINOPS_STORAGE_ENDPOINTS = []
    with pytest.raises(CannotBuy, match="FINOPS_STORAGE_ENDPOINTS"):
        execution.dry_run_purchase(row.pk, user=fay, now=NOW)
    assert aws.operations == []


@pytest.mark.parametrize(
    ("gate", "fields"),
    [
        (lambda: buying_policy.set_buying_switch(stop=True), "stopped by finance"),
        (lambda: BuyingPolicy.objects.update(monthly_ceiling=437), "ceiling of 437.00"),
        (lambda: BuyingPolicy.objects.update(by_api=False), "not switched on"),
    ],
)
def test_the_gates_hold_for_what_is_on_its_way(gate, fields, row, fay, aws):
    started(row, fay)
    gate()
    assert not execution.execute_purchase(row.pk, clock=clock)
    row.refresh_from_db()
    assert (row.state, aws.reserved) == (purchase_rules.APPROVED, [])
    assert fields in row.message


def test_two_purchases_share_the_ceiling(row, item, eli, fay, aws):  # noqa: F811
    BuyingPolicy.objects.update(monthly_ceiling=500)
    started(row, fay)
    assert execution.execute_purchase(row.pk, clock=clock)
    other = approved(item, eli, fay, batch=2)
    with pytest.raises(CannotBuy, match=r"438.00 of this month's ceiling of 500.00"):
        execution.dry_run_purchase(other.pk, user=fay, now=NOW)


def test_a_refusal_gives_it_back_under_a_new_token(row, fay, aws):
    started(row, fay)
    aws.refuses = "UnauthorizedOperation"
    assert not execution.execute_purchase(row.pk, clock=clock)
    again = PurchaseRequest.objects.get(pk=row.pk)
    assert (again.state, again.token == row.token) == (purchase_rules.APPROVED, False)
    assert "the role may not buy" in again.message


@pytest.mark.parametrize("loses", ["answer", "request", "mind"])
def test_a_lost_answer_is_doubtful_and_never_bought_twice(loses, row, fay, aws):
    started(row, fay)
    aws.loses = loses
    assert not execution.execute_purchase(row.pk, clock=clock)
    row.refresh_from_db()
    assert row.state == purchase_rules.DOUBTFUL
    assert aws.operations.count("PurchaseReservedInstancesOffering") == 2, "the dry run, and one purchase: no retry"
    assert OutgoingEmail.objects.filter(to="fay@demo.example", subject__contains="outcome unknown").exists()
    aws.loses = ""
    assert execution.sweep_purchases(SOON) == []
    row.refresh_from_db()
    if loses == "answer":
        assert (row.state, row.reference) == (purchase_rules.BOUGHT, "ri-0001")
    else:
        assert (row.state, aws.reserved) == (purchase_rules.DOUBTFUL, [])
        assert "AWS showed nothing that was bought by it" in row.message


def test_a_lost_answer_of_a_savings_plan_is_found_by_its_tag(plan_row, fay, aws):
    started(plan_row, fay)
    aws.loses = "answer"
    execution.execute_purchase(plan_row.pk, clock=clock)
    aws.loses = ""
    aws.plans["another"] = {**next(iter(aws.plans.values())), "savingsPlanId": "9" * 36, "tags": {}}
    execution.sweep_purchases(SOON)
    plan_row.refresh_from_db()
    assert (plan_row.state, plan_row.reference) == (
        purchase_rules.BOUGHT,
        aws.plans[str(plan_row.token)]["savingsPlanId"],
    )


def test_what_was_owned_before_is_not_taken_for_the_purchase(row, fay, aws):
    owned = aws_counters.reserved_offer("x", 0.05) | {"ReservedInstancesId": "ri-old", "InstanceCount": 1}
    for name in ("ReservedInstancesOfferingId", "Marketplace"):
        owned.pop(name)
    aws.reserved.append(owned | {"State": "active"})
    started(row, fay)
    aws.loses = "request"
    execution.execute_purchase(row.pk, clock=clock)
    execution.sweep_purchases(SOON)
    row.refresh_from_db()
    assert (row.state, row.reference) == (purchase_rules.DOUBTFUL, "")


def test_two_doubtful_requests_and_one_reservation_are_decided_by_a_person(row, item, eli, fay, aws):  # noqa: F811
    other = approved(item, eli, fay, batch=2)
    for doubtful, loses in ((row, "answer"), (other, "request")):
        started(doubtful, fay)
        aws.loses = loses
        execution.execute_purchase(doubtful.pk, clock=clock)
    PurchaseRequest.objects.filter(pk=other.pk).update(known_before=[])
    execution.sweep_purchases(SOON)
    row.refresh_from_db()
    assert row.state == purchase_rules.DOUBTFUL
    assert "more than one request may have bought that" in row.message
    buying.record_purchase(row.pk, reference="ri-0001", user=fay, now=SOON)
    execution.sweep_purchases(SOON)
    other.refresh_from_db()
    assert (other.state, other.reference) == (purchase_rules.DOUBTFUL, "")


def test_a_worker_that_died_after_the_call_leaves_a_doubt_that_is_resolved(row, fay, aws):
    started(row, fay)
    assert execution._claim(row.pk, "off-1", [], NOW)
    assert execution._client_for(row).buy(row.order, "off-1") == "ri-0001"
    row.refresh_from_db()
    assert (row.state, len(aws.reserved)) == (purchase_rules.BUYING, 1)
    assert execution.sweep_purchases(NOW + timedelta(minutes=1)) == [], "it may still be at it"
    execution.sweep_purchases(SOON)
    row.refresh_from_db()
    assert (row.state, row.reference) == (purchase_rules.BOUGHT, "ri-0001")
    assert verbs(row)[-2:] == ["doubt", "record"]


def test_a_task_that_was_lost_before_the_call_is_started_again(row, fay, aws):
    started(row, fay)
    assert execution.sweep_purchases(NOW + timedelta(minutes=1)) == []
    assert execution.sweep_purchases(SOON) == [row.pk]
    assert execution.execute_purchase(row.pk, clock=lambda: SOON)
    assert len(aws.reserved) == 1


def test_that_it_was_not_bought_is_said_only_after_aws_had_time_to_show_it(row, fay, aws):
    started(row, fay)
    aws.loses = "request"
    execution.execute_purchase(row.pk, clock=clock)
    with pytest.raises(CannotBuy, match="look again in a quarter of an hour"):
        buying.mark_not_bought(row.pk, user=fay, comment="", now=NOW)
    assert buying.mark_not_bought(row.pk, user=fay, comment="", now=SOON).state == purchase_rules.APPROVED


def test_what_aws_sold_after_it_was_given_back_is_told_to_finance(row, fay, aws):
    started(row, fay)
    claimed = execution._claim(row.pk, "off-1", [], NOW)
    assert claimed
    current = PurchaseRequest.objects.get(pk=row.pk)
    PurchaseRequest.objects.filter(pk=row.pk).update(state=purchase_rules.APPROVED)
    assert not execution._buy(current, execution._client_for(current), clock)
    row.refresh_from_db()
    assert "AWS sold it as ri-0001 after all" in row.message
    assert verbs(row)[-1] == "late"


def committed_row(aws):
    """An approved request that other connections see."""
    from tests.people import person

    row_item = make_item()
    row_item.refresh_from_db()
    credential = Credential(name="buyer")
    credential.seal({"access_key_id": "testing", "secret_access_key": "testing"})
    credential.save()
    fields = {"by_api": True, "monthly_ceiling": 1000, "credential": credential, "endpoint": aws.address}
    BuyingPolicy.objects.update_or_create(pk=1, defaults=fields)
    return started(approved(row_item, person("eli"), person("fay")), person("fay"))


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_buy_once(transactional_db, aws):
    from tests.people import person

    person("fay")
    row, done, start = committed_row(aws), [], threading.Barrier(2)

    def work():
        try:
            start.wait(10)
            done.append(execution.execute_purchase(row.pk, clock=clock))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == [False, True]
    assert len(aws.reserved) == 1


@pytest.mark.django_db(transaction=True)
def test_a_switch_pulled_while_the_worker_still_asks_aws_holds(transactional_db, aws):
    from tests.people import person

    person("fay")
    row = committed_row(aws)

    def pull():
        try:
            buying_policy.set_buying_switch(stop=True)
        finally:
            connection.close()

    aws.before_answering["DescribeReservedInstances"] = pull
    assert not execution.execute_purchase(row.pk, clock=clock)
    row.refresh_from_db()
    assert (row.state, aws.reserved) == (purchase_rules.APPROVED, [])
    assert "stopped by finance" in row.message


def test_motos_offerings_are_found_and_rehearsed(row, fay, settings):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings.FINOPS_STORAGE_ENDPOINTS = [f"http://{host}:{port}"]
    BuyingPolicy.objects.update(endpoint=f"http://{host}:{port}")
    try:
        seen = execution.dry_run_purchase(row.pk, user=fay, now=NOW)
    finally:
        server.stop()
    assert seen.state == purchase_rules.APPROVED, seen.message
    assert "at the approved price" in seen.message


def test_on_the_page_it_is_rehearsed_sent_and_bought(
    row, fay, aws, client_of, at_once, django_capture_on_commit_callbacks
):
    PurchaseRequest.objects.update(expires_at=timezone.now() + timedelta(days=1))
    client, url = client_of(fay), row.get_absolute_url()
    assert 'value="buy"' not in client.get(url).content.decode(), "first the dry run"
    assert "AWS sells it as off-1" in client.post(url, {"verb": "dry_run"}, follow=True).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(url, {"verb": "buy"})
    page = client.get(url).content.decode()
    assert "The first bill that shows ri-0001 is looked for" in page
    assert len(aws.reserved) == 1


def test_while_it_is_bought_the_page_asks_how_far_it_is(row, fay, aws, client_of):
    started(row, fay)
    url = row.get_absolute_url()
    assert "Waiting for a worker" in client_of(fay).get(url).content.decode()
    asks = {"HTTP_HX_REQUEST": "true"}
    part = client_of(fay).get(url, {"progress": "1"}, **asks)
    assert "Waiting for a worker" in part.content.decode()
    assert "<html" not in part.content.decode()
    execution.execute_purchase(row.pk, clock=clock)
    assert client_of(fay).get(url, {"progress": "1"}, **asks).headers["HX-Refresh"] == "true"


def test_a_doubt_is_asked_about_on_the_page(row, fay, aws, client_of):
    started(row, fay)
    aws.loses = "answer"
    execution.execute_purchase(row.pk, clock=clock)
    url = row.get_absolute_url()
    assert "Nobody knows yet whether AWS sold it" in client_of(fay).get(url).content.decode()
    page = client_of(fay).post(url, {"verb": "look"}, follow=True).content.decode()
    assert "AWS shows it as ri-0001" in page
