"""From a recommendation to a bought commitment that a bill shows: who may, what stops it, and what it saved."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction

from costs.models import ExchangeRate
from finops_site.models import OutgoingEmail, User
from reservations import nightly
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import (
    ApproverLimit,
    BuyingPolicy,
    Commitment,
    Coverage,
    LedgerMonth,
    Plan,
    PurchaseRequest,
    Rate,
    Utilisation,
)
from reservations.purchases import approvals, bill_matching, buying, buying_policy, purchase_requests
from reservations.savings import ledger
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 21, 12, tzinfo=UTC)
POOL = "m5.large Linux in us-east-1"
RATE = {
    "provider": "AWS",
    "region": "us-east-1",
    "instance_type": "m5.large",
    "source": "list",
    "day": date(2026, 1, 1),
}


def cover(first, days, eligible, covered=0):
    """Days on which m5 in us-east-1 cost so much on demand."""
    common = {"provider": "AWS", "region": "us-east-1", "family": "m5", "currency": "USD", "eligible_hours": 1}
    common |= {"covered_hours": 0, "unused_cost": 0, "paid": 0, "eligible_cost": eligible, "covered_cost": covered}
    Coverage.objects.bulk_create(Coverage(day=first + timedelta(days=n), **common) for n in range(days))


def make_item():
    """Two machines of m5.large: 4.80 a day on demand, 2.40 committed; a ladder of one and one."""
    Rate.objects.create(kind="on_demand", hourly=Decimal("0.1"), **RATE)
    Rate.objects.create(kind="ri_standard", hourly=Decimal("0.05"), term_months=12, payment="none", **RATE)
    cover(date(2026, 3, 1), 20, Decimal(10))
    plan = Plan.objects.create(as_of=NOW.date(), state="ready", cost_before=3650, cost_after=2774, working={})
    plan.working = {"pools": [{"pool": POOL}, {"pool": "c5.large Linux in us-east-1"}]}
    plan.save()
    steps = [{"buy_on": "2026-03-21", "quantity": "1"}, {"buy_on": "2026-04-21", "quantity": "1"}]
    fields = {"provider": "AWS", "kind": "ri_standard", "term_months": 12, "payment": "none", "region": "us-east-1"}
    fields |= {"instance_type": "m5.large", "system": "Linux", "quantity": 2, "unit": "machines", "hourly": "0.1"}
    fields |= {"upfront": 0, "monthly": 73, "on_demand_cost": 1752, "committed_cost": 876, "utilisation": 1}
    return plan.items.create(
        position=1, rate_source="list", rate_day=date(2026, 1, 1), working={"ladder": steps}, **fields
    )


@shared
def item(people):
    item = make_item()
    item.refresh_from_db()
    return item


@shared
def fred(people):
    """A second person of finance."""
    fred = User.objects.create_user("fred@demo.example", "correct horse battery staple")
    fred.groups.add(Group.objects.get(name="finance"))
    return fred


def requested(item, user, **changes):
    fields = {"batch": 1, "comment": "It runs all the time.", "now": NOW}
    return purchase_requests.request_purchase(item, user=user, **{**fields, **changes})


def bought(item, eli, fay, reference="ri-77"):
    row = requested(item, eli)
    approvals.approve_purchase(row.pk, user=fay, comment="Go", now=NOW)
    buying.export_purchase(row.pk, user=fay, now=NOW)
    return buying.record_purchase(row.pk, reference=reference, user=fay, now=NOW)


def test_a_batch_takes_its_share_of_the_purchase(item, eli):
    row = requested(item, eli)
    assert (row.quantity, row.on_demand_cost, row.committed_cost) == (1, 876, 438)
    assert row.value == Decimal("0.05") * 8760
    assert row.request_snapshot["prices"] == {f"{POOL}, committed": "0.05", f"{POOL}, on demand": "0.1"}
    assert OutgoingEmail.objects.get().to == "fay@demo.example"


def test_fay_cannot_approve_her_own_and_fred_can(item, fay, fred):
    row = requested(item, fay)
    with pytest.raises(CannotBuy, match="Somebody else"):
        approvals.approve_purchase(row.pk, user=fay, comment="", now=NOW)
    assert approvals.approve_purchase(row.pk, user=fred, comment="Yes", now=NOW).state == purchase_rules.APPROVED
    assert [event.verb for event in row.events.all()] == ["ask", "approve"]


def test_the_database_itself_asks_for_four_eyes(item, fay):
    row = requested(item, fay)
    with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        PurchaseRequest.objects.filter(pk=row.pk).update(approved_by=fay)
    with pytest.raises(IntegrityError, match="was_approved"), transaction.atomic():
        PurchaseRequest.objects.filter(pk=row.pk).update(state=purchase_rules.BOUGHT)


@pytest.mark.parametrize("name", ["ada", "eli", "max"])
def test_nobody_outside_finance_approves(name, item, lea, people):
    row = requested(item, lea)
    with pytest.raises(CannotBuy, match=r"Administrators|Only finance"):
        approvals.approve_purchase(row.pk, user=people[name], comment="", now=NOW)


def test_an_administrator_who_is_in_finance_too_does_not_approve(item, eli, fred):
    fred.groups.add(Group.objects.get(name="administrator"))
    with pytest.raises(CannotBuy, match="Administrators"):
        approvals.approve_purchase(requested(item, eli).pk, user=fred, comment="", now=NOW)


def test_a_limit_of_her_own_goes_before_the_common_one(item, eli, fay):
    row = requested(item, eli)
    ApproverLimit.objects.create(user=fay, limit=437)
    with pytest.raises(CannotBuy, match=r"It commits 438.00 USD over its term, and you may approve up to 437.00"):
        approvals.approve_purchase(row.pk, user=fay, comment="", now=NOW)


def test_a_price_that_moved_lets_it_expire_in_words(item, eli, fay):
    row = requested(item, eli)
    Rate.objects.filter(kind="ri_standard").update(hourly=Decimal("0.06"))
    row = approvals.approve_purchase(row.pk, user=fay, comment="", now=NOW)
    assert row.state == purchase_rules.EXPIRED
    assert row.message == f"The price of {POOL}, committed was 0.05 an hour and is 0.06 now."
    assert requested(item, eli).state == purchase_rules.WAITING, "it may be asked for again"


def test_demand_that_fell_after_the_approval_stops_the_export(item, eli, fay):
    row = requested(item, eli)
    approvals.approve_purchase(row.pk, user=fay, comment="", now=NOW)
    Coverage.objects.update(eligible_cost=Decimal(8))
    row = buying.export_purchase(row.pk, user=fay, now=NOW)
    assert (row.state, row.message) == (
        purchase_rules.EXPIRED,
        "What it can cover cost 10.00 a day on demand and costs 8.00 now: 20% less.",
    )


def test_the_switch_stops_an_export(item, eli, fay):
    row = requested(item, eli)
    approvals.approve_purchase(row.pk, user=fay, comment="", now=NOW)
    BuyingPolicy.objects.filter(pk=1).update(is_stopped=True)
    with pytest.raises(CannotBuy, match="stopped by finance"):
        buying.export_purchase(row.pk, user=fay, now=NOW)
    row.refresh_from_db()
    assert row.state == purchase_rules.APPROVED


def test_a_batch_and_the_whole_are_not_asked_for_both(item, eli, lea):
    requested(item, eli)
    for batch in (0, 1):
        with pytest.raises(CannotBuy, match="requested already"):
            requested(item, lea, batch=batch)
    assert requested(item, lea, batch=2).quantity == 1


def test_an_id_is_recorded_once(item, eli, fay):
    bought(item, eli, fay)
    row = requested(item, eli, batch=2)
    approvals.approve_purchase(row.pk, user=fay, comment="", now=NOW)
    buying.export_purchase(row.pk, user=fay, now=NOW)
    with pytest.raises(CannotBuy, match="under ri-77 already"):
        buying.record_purchase(row.pk, reference="ri-77", user=fay, now=NOW)


def days(commitment, first, count, used="24", unused="0", on_demand="2.4"):
    fields = {"used": Decimal(used), "unused": Decimal(unused), "unit": "Hours", "paid": Decimal("1.2")}
    fields |= {"unused_cost": Decimal(unused) * Decimal("0.05"), "on_demand": Decimal(on_demand), "currency": "USD"}
    Utilisation.objects.bulk_create(
        Utilisation(commitment=commitment, day=first + timedelta(days=n), **fields) for n in range(count)
    )


def test_the_first_bill_that_shows_it_is_found_and_the_ledger_is_what_was_worked_on_paper(item, eli, fay):
    row = bought(item, eli, fay)
    arn = "arn:aws:ec2:us-east-1:1:reserved-instances/ri-77"
    seen = Commitment.objects.create(provider="AWS", commitment_id=arn, first_seen=date(2026, 4, 1))
    days(seen, date(2026, 4, 1), 30)
    cover(date(2026, 3, 21), 41, Decimal(10))
    assert bill_matching.match_purchases_with_bills(NOW) == 1
    row.refresh_from_db()
    assert (row.state, row.commitment) == (purchase_rules.SEEN, seen)
    assert ledger.refresh_ledger(date(2026, 5, 1)) == 2
    march, april = LedgerMonth.objects.order_by("month")
    # A machine: 876 - 438 a year are 1.20 a day. March has 11 days without it, April 30 with it as promised.
    assert (march.promised, march.realised, march.timing, march.reason) == (
        Decimal("13.2"),
        0,
        Decimal("13.2"),
        "timing",
    )
    assert (april.promised, april.realised, april.days, april.reason) == (36, 36, 30, "")
    assert ledger.savings_of_year(fay, date(2026, 5, 1)) == {
        "USD": {"promised": Decimal("49.2"), "realised": Decimal(36)}
    }


def test_what_an_older_commitment_loses_is_charged_to_the_purchase(item, eli, fay):
    older = Commitment.objects.create(provider="AWS", commitment_id="old", first_seen=date(2026, 1, 1))
    days(older, date(2026, 3, 1), 20)
    row = bought(item, eli, fay)
    seen = Commitment.objects.create(provider="AWS", commitment_id="ri-77", first_seen=date(2026, 4, 1))
    cover(date(2026, 3, 21), 41, Decimal(10))
    days(seen, date(2026, 4, 1), 30)
    days(older, date(2026, 4, 1), 30, used="16", unused="8", on_demand="1.6")
    bill_matching.match_purchases_with_bills(NOW)
    ledger.refresh_ledger(date(2026, 5, 1))
    april = LedgerMonth.objects.get(request=row, month=date(2026, 4, 1))
    # 30 x (2.40 - 1.20) = 36, less 30 x 8 x 0.05 = 12 that now stand idle.
    assert (april.displaced, april.realised, april.reason) == (12, 24, "displaced")


@pytest.mark.django_db(transaction=True)
def test_two_who_approve_at_once_make_one_approval(transactional_db):
    from tests.people import person

    eli, fay = person("eli"), person("fay")
    fred = User.objects.create_user("fred@demo.example", "correct horse battery staple")
    fred.groups.add(Group.objects.get(name="finance"))
    item = make_item()
    item.refresh_from_db()
    row, outcomes, start = requested(item, eli), [], threading.Barrier(2)

    def approve(user):
        try:
            start.wait(10)
            outcomes.append(approvals.approve_purchase(row.pk, user=user, comment="", now=NOW).state)
        except CannotBuy as refused:
            outcomes.append(str(refused))
        finally:
            connection.close()

    threads = [threading.Thread(target=approve, args=[user]) for user in (fay, fred)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["That cannot be done now: the request is approved.", "approved"]
    assert row.events.filter(verb="approve").count() == 1


def test_the_price_of_another_system_is_no_price_of_this_machine(item, eli):
    row = requested(item, eli)
    assert all(name.startswith(POOL) for name in row.request_snapshot["prices"]), "m5.large Windows has another price"


def test_what_is_given_back_is_bought_under_another_token(item, eli, fay):
    row = requested(item, eli)
    approvals.approve_purchase(row.pk, user=fay, comment="", now=NOW)
    PurchaseRequest.objects.filter(pk=row.pk).update(state=purchase_rules.DOUBTFUL)
    given = buying.mark_not_bought(row.pk, user=fay, comment="AWS shows none", now=NOW)
    assert (given.state, given.dry_run_at) == (purchase_rules.APPROVED, None)
    assert given.token != row.token


def test_who_raises_the_common_limit_keeps_the_old_one(fay, fred):
    buying_policy.set_policy(fay, default_limit=Decimal(1_000_000))
    assert approvals.approver_for(fay).limit == 25_000
    assert approvals.approver_for(fred).limit == 1_000_000
    with pytest.raises(CannotBuy, match="Somebody else"):
        buying_policy.set_limit(fay, fay, Decimal(1_000_000))
    assert buying_policy.set_limit(fred, fay, Decimal(50_000)).limit == approvals.approver_for(fay).limit


def test_an_old_recommendation_is_worked_out_anew_first(item, eli):
    Plan.objects.update(created_at=NOW - timedelta(days=36))
    with pytest.raises(CannotBuy, match="work it out anew"):
        requested(item, eli)


def test_the_night_lets_expire_what_nobody_decided_and_finds_what_was_bought(item, eli, fay):
    row = bought(item, eli, fay)
    waiting = requested(item, eli, batch=2)
    Commitment.objects.create(provider="AWS", commitment_id="ri-77", first_seen=date(2026, 4, 1))
    assert nightly.check_purchases(date(2026, 3, 30)) == "0 requests expired, 1 purchase found in the bills."
    assert nightly.check_purchases(date(2026, 4, 5)) == "1 request expired, 0 purchases found in the bills."
    assert nightly.check_purchases(date(2026, 4, 5)) == "0 requests expired, 0 purchases found in the bills."
    row.refresh_from_db()
    waiting.refresh_from_db()
    assert (row.state, waiting.state) == (purchase_rules.SEEN, purchase_rules.EXPIRED)
    assert waiting.message == "It was to be decided and bought until 4 Apr 2026."


def test_a_reference_that_nobody_can_store_is_refused_in_words(item, eli, fay):
    with pytest.raises(CannotBuy, match="Write down the provider's id"):
        bought(item, eli, fay, reference="ri-\x0077")


def test_a_limit_in_dollars_is_compared_with_euros_at_the_known_rate(item, eli, fay, fred):
    """438 EUR are 481.80 USD at 1.10: within 482, and above 481. Without a rate nobody can compare them."""
    row = requested(item, eli)
    PurchaseRequest.objects.update(currency="EUR")
    row.refresh_from_db()
    assert approvals.approval_objection(row, fay, NOW.date()) == (
        "Your limit is in USD, and this costs EUR: load a newer exchange rate of the two, so that they can be compared."
    )
    ExchangeRate.objects.create(base="EUR", quote="USD", day=date(2026, 3, 20), rate=Decimal("1.10"))
    ApproverLimit.objects.create(user=fay, limit=481)
    assert approvals.approval_objection(row, fay, NOW.date()) == (
        "It commits 438.00 EUR over its term: 481.80 USD at 1 EUR = 1.100000 USD of 20 Mar 2026, "
        "and you may approve up to 481.00."
    )
    waiting = PurchaseRequest.objects.waiting_for(approvals.approver_for(fay, NOW.date()))
    assert not waiting.exists()
    ApproverLimit.objects.update(limit=482)
    assert PurchaseRequest.objects.waiting_for(approvals.approver_for(fay, NOW.date())).get() == row
    assert approvals.approval_objection(row, fay, NOW.date()) == ""
