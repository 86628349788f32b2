"""Four eyes refuse to buy the same demand twice, and say which purchase covers it already."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from finops_site.models import Team
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.calc.reach import reach_of
from reservations.models import Commitment, Coverage, Plan, PurchaseRequest, Utilisation
from reservations.purchases import approvals, bill_matching, buying
from reservations.purchases.same_demand import SameDemand, blocking_requests
from tests.reservations.purchases.test_purchase_requests import NOW, bought, cover, fred, item, requested  # noqa: F401

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def again(item, **changes):  # noqa: F811
    """The same purchase, advised once more by a recommendation of the same hour."""
    fields = {"as_of": NOW.date(), "state": "ready", "created_at": NOW - timedelta(minutes=1)}
    plan = Plan.objects.create(**{**fields, **changes}, working=item.plan.working)
    item.pk, item.plan = None, plan
    item.save()
    item.refresh_from_db()
    return item


def all_of_it(item, user, **changes):  # noqa: F811
    return requested(item, user, batch=0, **changes)


@pytest.fixture(autouse=True)
def one_and_a_half_machines(item):  # noqa: F811
    """7.20 a day on demand: enough for one advice of two machines at 4.80, and not for two."""
    Plan.objects.update(created_at=NOW - timedelta(hours=1))
    item.plan.refresh_from_db()
    Coverage.objects.update(eligible_cost=Decimal("7.2"))


def test_the_same_advice_is_not_requested_twice(item, eli, lea):  # noqa: F811
    first = all_of_it(item, eli)
    with pytest.raises(SameDemand) as refused:
        all_of_it(again(item), lea)
    assert str(refused.value) == (
        f"The same machines would be bought twice: request {first.pk} is waiting for approval and in no bill yet. "
        "2.40 USD a day are left to cover, and this would cover 4.80. "
        "Work out a new recommendation, which takes it off."
    )
    assert refused.value.requests == [first]


@pytest.mark.parametrize("state", ["approved", "exported", "bought"])
def test_what_is_approved_handed_out_or_bought_is_not_bought_again(state, item, eli, lea, fay):  # noqa: F811
    first = all_of_it(item, eli)
    approvals.approve_purchase(first.pk, user=fay, comment="", now=NOW)
    if state != "approved":
        buying.export_purchase(first.pk, user=fay, now=NOW)
    if state == "bought":
        buying.record_purchase(first.pk, reference="ri-77", user=fay, now=NOW)
    with pytest.raises(CannotBuy, match=f"request {first.pk} is .* and in no bill yet"):
        all_of_it(again(item), lea)


def test_of_two_that_wait_the_first_approval_wins(item, eli, lea, fay):  # noqa: F811
    first = all_of_it(item, eli)
    PurchaseRequest.objects.update(state=purchase_rules.EXPIRED)
    second = all_of_it(again(item), lea)
    PurchaseRequest.objects.update(state=purchase_rules.WAITING)
    approvals.approve_purchase(second.pk, user=fay, comment="", now=NOW)
    with pytest.raises(SameDemand, match=f"request {second.pk} is approved"):
        approvals.approve_purchase(first.pk, user=fay, comment="", now=LATER)
    first.refresh_from_db()
    assert first.state == purchase_rules.WAITING
    assert buying.export_purchase(second.pk, user=fay, now=LATER).state == purchase_rules.EXPORTED


def test_of_two_that_were_approved_the_later_one_is_not_handed_out(item, eli, lea, fay):  # noqa: F811
    first = all_of_it(item, eli)
    approvals.approve_purchase(first.pk, user=fay, comment="", now=NOW)
    PurchaseRequest.objects.update(state=purchase_rules.SEEN)
    second = all_of_it(again(item), lea)
    approvals.approve_purchase(second.pk, user=fay, comment="", now=LATER)
    PurchaseRequest.objects.update(state=purchase_rules.APPROVED)
    with pytest.raises(SameDemand, match=f"request {first.pk} is approved"):
        buying.export_purchase(second.pk, user=fay, now=LATER)
    second.refresh_from_db()
    assert f"request {first.pk} is approved" in buying.blocking_requests(second)[0], "nor bought through the API"
    assert buying.export_purchase(first.pk, user=fay, now=LATER).state == purchase_rules.EXPORTED


def test_a_recommendation_of_later_has_taken_it_off_already(item, eli, lea, fay):  # noqa: F811
    first = all_of_it(item, eli)
    approvals.approve_purchase(first.pk, user=fay, comment="", now=NOW)
    assert all_of_it(again(item, created_at=LATER), lea, now=LATER).state == purchase_rules.WAITING


def test_where_enough_is_left_both_may_be_bought(item, eli, lea):  # noqa: F811
    Coverage.objects.update(eligible_cost=Decimal(10))
    all_of_it(item, eli)
    assert all_of_it(again(item), lea).state == purchase_rules.WAITING


def test_a_plan_of_a_team_and_of_the_company_cover_the_same_machines(item, eli, lea):  # noqa: F811
    payments = Team.objects.get(name="Payments")
    Coverage.objects.update(owner=payments)
    item.kind, item.region, item.instance_type, item.system, item.service = "sp_compute", "", "", "", ""
    item.quantity, item.unit = Decimal("0.1"), "USD an hour"
    item.save()
    company = all_of_it(item, eli)
    team = again(item, team=payments)
    with pytest.raises(SameDemand, match=f"request {company.pk} is waiting"):
        all_of_it(team, lea)
    PurchaseRequest.objects.all().delete()
    assert all_of_it(again(item), lea).pk


def test_an_ec2_reservation_and_a_database_cover_nothing_of_each_other():
    use = {"provider": "Amazon Web Services", "region": "us-east-1", "family": "db.r5", "service": "RDS", "owner": None}
    assert reach_of("AWS", "ri_standard", "us-east-1", "db.r5.large").covers(use)
    assert not reach_of("AWS", "sp_compute", "", "").covers(use)
    assert not reach_of("AWS", "sp_ec2", "us-east-1", "r5").covers(use)
    assert reach_of("AWS", "sp_database", "", "").covers(use)
    assert reach_of("AWS", "sp_compute", "", "").covers({**use, "family": "m5", "service": ""})
    assert not reach_of("Azure", "azure_plan", "", "").covers(use)
    assert not reach_of("AWS", "ri_standard", "us-east-1", "r6g.xlarge.search").covers(
        {**use, "family": "r6g", "service": "EC2"}
    )


def test_what_a_bill_shows_since_five_days_counts_for_the_days_before(item, eli, lea, fay):  # noqa: F811
    first = bought(item, eli, fay)
    PurchaseRequest.objects.filter(pk=first.pk).update(on_demand_cost=1752)
    cover(date(2026, 3, 21), 10, Decimal("7.2"), covered=Decimal("4.8"))
    seen = Commitment.objects.create(
        provider="AWS",
        commitment_id="ri-77",
        kind="ri_standard",
        first_seen=date(2026, 3, 26),
        instance_type="m5.large",
    )
    fields = {"used": 48, "unused": 0, "paid": 2, "unused_cost": 0, "on_demand": Decimal("4.8"), "currency": "USD"}
    for day in range(26, 31):
        Utilisation.objects.create(commitment=seen, day=date(2026, 3, day), **fields)
    bill_matching.match_purchases_with_bills(NOW)
    with pytest.raises(SameDemand, match=r"covers it since 26 Mar 2026\. 1\.\d\d USD a day are left"):
        all_of_it(again(item), lea)


def test_finance_sees_which_request_is_in_the_way(item, eli, lea, fay, ola, client_of):  # noqa: F811
    first = all_of_it(item, eli)
    item.working |= {"days": [], "unit": "machines", "above": 0, "below": 0, "hours": 0}
    second = again(item, created_at=timezone.now())
    url = reverse("reservations:purchase_ask", args=[second.plan_id, 1])
    page = client_of(fay).post(url, {"batch": "0", "comment": ""}).content.decode()
    assert "The same machines would be bought twice" in page
    assert f'<a href="{first.get_absolute_url()}">Request {first.pk}: {first}</a>' in page
    PurchaseRequest.objects.update(state=purchase_rules.EXPIRED)
    row = all_of_it(second, lea)
    PurchaseRequest.objects.filter(pk=first.pk).update(state=purchase_rules.WAITING)
    PurchaseRequest.objects.update(expires_at=timezone.now() + timedelta(days=1))
    approvals.approve_purchase(first.pk, user=fay, comment="", now=timezone.now())
    page = client_of(fay).get(row.get_absolute_url()).content.decode()
    assert "It would be bought twice." in page
    assert f'<a href="{first.get_absolute_url()}">Request {first.pk}: {first}</a>, approved' in page
    assert 'value="approve"' not in page
    assert blocking_requests(row)[1] == [first]
    answer = client_of(fay).post(reverse("api:purchase-approve", args=[row.pk]))
    assert "would be bought twice" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("terms", "pool", "other"),
    [
        (
            {"service": "DynamoDB", "instance_type": "WriteCapacityUnit", "system": ""},
            "AWS/DynamoDB: WriteCapacityUnit in us-east-1",
            {"instance_type": "ReadCapacityUnit"},
        ),
        (
            {"provider": "Google Cloud", "service": "Compute Engine", "kind": "gcp_cud", "instance_type": "n2-vCPU"}
            | {"system": "", "region": "europe-west1"},
            "Google Cloud/Compute Engine: n2-vCPU in europe-west1",
            {"instance_type": "n2-RAM"},
        ),
    ],
)
def test_what_coverage_has_no_row_of_is_not_requested_twice(terms, pool, other, item, eli, lea):  # noqa: F811
    """Two lots of write units, or cores: the days of coverage have m5 in us-east-1 alone."""
    for name, value in terms.items():
        setattr(item, name, value)
    item.save()
    text = pool.replace(item.instance_type, other["instance_type"])
    item.plan.working = {"pools": [{"pool": pool}, {"pool": text}]}
    item.plan.save()
    first = all_of_it(item, eli)
    assert first.request_snapshot["pools"] == [pool]
    assert first.request_snapshot["uncovered"] is None, "not known, and not zero"
    with pytest.raises(SameDemand, match=f"request {first.pk} is waiting .* No bill shows how much"):
        all_of_it(again(item), lea)
    item.instance_type = other["instance_type"]
    item.save()
    assert all_of_it(again(item), lea).pk, "the other part is another demand"


def test_a_plan_that_covers_a_request_of_capacity_units_has_so_much_less_left(item, eli, lea):  # noqa: F811
    """A database plan wants 4.80 a day of db.r5 and write units; 7.20 of db.r5 run, and 4.80 of units are requested."""
    pool = "AWS/DynamoDB: WriteCapacityUnit in us-east-1"
    Coverage.objects.update(family="db.r5", service="RDS")
    item.service, item.instance_type, item.system = "DynamoDB", "WriteCapacityUnit", ""
    item.plan.working = {"pools": [{"pool": pool}]}
    item.plan.save()
    item.save()
    first = all_of_it(item, eli)
    item.kind, item.service, item.region, item.instance_type = "sp_database", "", "", ""
    item.save()
    with pytest.raises(SameDemand, match=f"request {first.pk} .* 2.40 USD a day are left"):
        all_of_it(again(item), lea)
