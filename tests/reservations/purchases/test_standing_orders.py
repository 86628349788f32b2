"""Standing orders: what they ask for each month, what keeps them from it, and that they go round no gate."""

from datetime import UTC, date, datetime, timedelta

import pytest

from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import Commitment, Plan, PurchaseRequest, StandingOrder
from reservations.purchases import approvals, standing_orders
from tests.reservations.purchases.test_purchase_requests import NOW, days, fred, item  # noqa: F401
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
APRIL = datetime(2026, 4, 2, tzinfo=UTC)


@shared
def order(item, fay):  # noqa: F811
    Plan.objects.update(created_at=NOW)
    return StandingOrder.objects.create(name="Monthly", made_by=fay)


@shared
def owned(people):
    return Commitment.objects.create(provider="AWS", commitment_id="old", first_seen=date(2026, 1, 1))


def requests():
    return list(PurchaseRequest.objects.order_by("pk"))


def test_it_asks_for_the_next_batch_once_a_month_however_often_it_runs(order):
    for _ in range(3):
        standing_orders.run_standing_orders(NOW)
    (row,) = requests()
    assert (row.batch, row.standing_order, row.requested_by) == (1, order, None)
    order.refresh_from_db()
    assert order.last_result == f"21 Mar 2026: Created request {row.pk}."
    assert row.comment == "nothing is owned yet."


def test_next_month_it_asks_for_the_batch_after_when_the_first_is_in_a_bill(order):
    standing_orders.run_standing_orders(NOW)
    (first,) = requests()
    assert (
        f"request {first.pk} is waiting for approval, and in no bill yet"
        in standing_orders.run_standing_orders(APRIL)["Monthly"]
    )
    PurchaseRequest.objects.update(state=purchase_rules.REJECTED)
    standing_orders.run_standing_orders(APRIL)
    assert [row.batch for row in requests()] == [1, 1], "a rejected batch is asked for again"
    PurchaseRequest.objects.filter(pk=requests()[1].pk).update(
        state=purchase_rules.SEEN, approved_by=order.made_by_id, requested_by=None
    )
    standing_orders.run_standing_orders(APRIL + timedelta(days=20))
    assert len(requests()) == 2, "this month it has asked"
    standing_orders.run_standing_orders(APRIL + timedelta(days=30))
    assert [row.batch for row in requests()] == [1, 1], "by May the recommendation is too old"
    assert Plan.objects.filter(state="waiting").exists(), "and is worked out anew"


def test_whoever_made_it_does_not_approve_what_it_asks_for(order, fay, fred):  # noqa: F811
    standing_orders.run_standing_orders(NOW)
    (row,) = requests()
    with pytest.raises(CannotBuy, match="Somebody else"):
        approvals.approve_purchase(row.pk, user=fay, comment="", now=NOW)
    assert approvals.approve_purchase(row.pk, user=fred, comment="", now=NOW).state == purchase_rules.APPROVED


def test_it_asks_for_nothing_while_what_is_owned_stands_idle(order, owned):
    days(owned, date(2026, 3, 1), 20, used="19.2", unused="4.8")
    assert standing_orders.run_standing_orders(NOW)["Monthly"] == (
        "21 Mar 2026: Requested nothing: 80.0% of what is owned was used over the last 30 days, and it requests a "
        "batch while at least 90.0% is."
    )
    assert requests() == []


def test_it_asks_while_what_is_owned_is_used(order, owned):
    days(owned, date(2026, 3, 1), 20, used="24", unused="0")
    standing_orders.run_standing_orders(NOW)
    assert requests()[0].comment == "100.0% of what is owned is used."


def test_a_paused_one_and_one_whose_maker_has_left_ask_for_nothing(order, fay):
    fay.is_active = False
    fay.save()
    assert "makes it anew" in standing_orders.run_standing_orders(NOW)["Monthly"]
    StandingOrder.objects.update(is_active=False)
    assert standing_orders.run_standing_orders(NOW) == {}
    assert requests() == []


def test_without_a_recommendation_it_says_so(order):
    Plan.objects.all().delete()
    assert "there is no recommendation yet" in standing_orders.run_standing_orders(NOW)["Monthly"]
