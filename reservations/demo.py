"""The demo company owns no commitment; it has recommendations, one purchase that waits for approval, one rejected.

A second organisation, made where seed_demo is asked for it, owns some: `own_commitments` buys two of them with four
eyes, months ago, and `prove_savings` follows them through its bills.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import cast

from costs.demo.committed_bills import COMMITMENTS, MACHINES, REGION, OwnedCommitment, commitments_csv
from costs.ingest.demo import load_committed_bills
from finops_site.lib.periods import Month
from finops_site.models import Team, User
from finops_site.people import demo
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.calc.terms import HOURS_A_MONTH, HOURS_A_YEAR
from reservations.inventory import commitment_csv, commitment_usage, notices
from reservations.models import Commitment, Plan, PurchaseRequest
from reservations.purchases import approvals, bill_matching, buying, purchase_requests
from reservations.purchases.demand_and_prices import take_snapshot
from reservations.purchases.purchase_events import add_event
from reservations.recommendations.plan_parameters import default_parameters
from reservations.recommendations.recommend import compute_recommendation, create_plan
from reservations.savings import ledger


def recommend(say: Callable[[str], object], *, as_of: date) -> None:
    """Coverage of every month, and a finished recommendation; one that is there already is left alone."""
    for month in commitment_usage.months_with_bills():
        commitment_usage.refresh_usage(month)
    if Plan.objects.exists():
        return
    plan = compute_recommendation(create_plan(None, default_parameters(), as_of=as_of))
    say(f"  a recommendation that saves {plan.saving or 0:,.0f} {plan.currency} a year")


def request_purchases(say: Callable[[str], object], *, as_of: date) -> None:
    """What engineers of Payments requested: fay rejected lea's, eli's waits for her."""
    people = {name: User.objects.filter(email=f"{name}@{demo.DOMAIN}").first() for name in ("eli", "lea", "fay")}
    team = Team.objects.filter(name="Payments").first()
    if PurchaseRequest.objects.filter(plan__isnull=False).exists() or team is None or None in people.values():
        return
    plan = compute_recommendation(create_plan(people["eli"], default_parameters(), as_of=as_of, team=team))
    item = plan.items.first()
    if item is None:
        return
    morning = datetime.combine(as_of - timedelta(days=1), time(9), UTC)
    try:
        first = purchase_requests.request_purchase(
            item,
            user=people["lea"],
            batch=0,
            comment="All of it at once: it has run all year.",
            now=morning - timedelta(days=3),
        )
        answer = "Too much at once: we move to smaller machines in spring. Request the first batch only."
        finance = cast(User, people["fay"])
        approvals.reject_purchase(first.pk, user=finance, comment=answer, now=morning - timedelta(days=2))
        words = "The first step only, as agreed: these machines stay whatever we do in spring."
        purchase_requests.request_purchase(item, user=people["eli"], batch=1, comment=words, now=morning)
    except CannotBuy as problem:
        say(f"  no purchase: {problem}")
        return
    say("  a purchase that waits for fay's approval, and one that she rejected")


def own_commitments(say: Callable[[str], object], *, as_of: date) -> None:
    """The second organisation's bills and commitments; two of these were requested, approved and bought here."""
    people = {name: User.objects.filter(email=f"{name}@{demo.DOMAIN}").first() for name in ("eli", "fay")}
    if None in people.values():
        return
    eli, fay = cast(User, people["eli"]), cast(User, people["fay"])
    bought = [one for one in COMMITMENTS if one.month_back is not None]

    for half, one in enumerate(bought):
        if not load_committed_bills(say, as_of=as_of, half=half):
            return
        start = one.start(as_of)
        # As far as bills were known on that day.
        commitment_usage.refresh_usage(Month.of(start).previous)
        _buy_on(one, datetime.combine(start, time(9), UTC), eli, fay)
    commitment_csv.load_csv(commitments_csv(as_of))
    say(f"  {len(COMMITMENTS)} commitments, {len(bought)} of them bought here")


def _buy_on(one: OwnedCommitment, day: datetime, eli: User, fay: User) -> None:
    row = _hand_out(one, day, eli, fay)
    buying.record_purchase(row.pk, reference=one.id.rpartition("/")[2], user=fay, now=day)


def _hand_out(one: OwnedCommitment, day: datetime, eli: User, fay: User) -> PurchaseRequest:
    row = _request(one, day - timedelta(days=1), eli)
    approvals.approve_purchase(row.pk, user=fay, comment="It has run since last year.", now=day)
    return buying.export_purchase(row.pk, user=fay, now=day)


def _request(one: OwnedCommitment, now: datetime, user: User) -> PurchaseRequest:
    """A request as it was made then; its recommendation is not there any more."""
    price = next(machines.price for machines in MACHINES if machines.type == one.type)
    hourly = one.rate * one.count
    row = PurchaseRequest(
        position=1,
        batch=0,
        provider="AWS",
        service="EC2",
        kind=one.kind,
        term_months=12,
        payment="none",
        region=REGION[0],
        instance_type=one.type,
        system="Linux",
        quantity=Decimal(one.count),
        unit="machines",
        hourly=hourly,
        upfront=Decimal(0),
        monthly=hourly * HOURS_A_MONTH,
        value=purchase_rules.term_value(hourly, 12),
        on_demand_cost=price * one.count * HOURS_A_YEAR,
        committed_cost=hourly * HOURS_A_YEAR,
        utilisation=Decimal(1),
        currency="USD",
        is_indicative=True,
        requested_by=user,
        requested_at=now,
        comment="These machines run all day, every day.",
        expires_at=now + purchase_rules.REQUEST_LASTS,
    )
    row.request_snapshot = take_snapshot(row, now.date(), [str(row.order.pool)])
    row.save()
    add_event(row, "ask", "", user, row.comment, now)
    return row


def prove_savings(say: Callable[[str], object], *, as_of: date) -> None:
    """What was bought is found in the bills and followed; what ends soon or stands idle gets its notice.

    What still runs on demand is approved, and handed out to be bought.
    """
    if Commitment.objects.filter(days=None).exists():
        # It was added to a demo whose days of use were counted before.
        for month in commitment_usage.months_with_bills():
            commitment_usage.refresh_usage(month)
    matched = bill_matching.match_purchases_with_bills(datetime.combine(as_of, time.min, UTC))
    lines = ledger.refresh_ledger(as_of)
    new_notices = notices.notice_expiries(as_of) + notices.notice_low_weeks(as_of)
    eli, fay = (User.objects.filter(email=f"{name}@{demo.DOMAIN}").first() for name in ("eli", "fay"))
    if matched and eli and fay:
        newest = [one for one in COMMITMENTS if one.month_back is not None][-1]
        _hand_out(replace(newest, count=1), datetime.combine(as_of - timedelta(days=1), time(9), UTC), eli, fay)
    say(f"  {matched} purchases found in the bills, {lines} lines of the savings ledger, {len(new_notices)} notices")
