"""Verbs of a purchase: asked for, approved by somebody else, handed out or bought, recorded, found in a bill.

Every step locks its row, asks `buying` whether it may happen, and writes its event in the same transaction.
"""

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Q, Sum

from finops_site.lib.money import exact_text
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.people.roles import ADMINISTRATOR, FINANCE
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.calc.terms import ON_DEMAND, SP_COMPUTE, Pool
from reservations.inventory import metrics
from reservations.models import (
    ApproverLimit,
    BuyingPolicy,
    Commitment,
    Coverage,
    PlanItem,
    PurchaseEvent,
    PurchaseRequest,
    Utilisation,
)
from reservations.pricing import price_book

POOL = re.compile(r"(\S+) (.+) in (\S*)\Z")
ZERO = Decimal(0)
COPIED = ("provider", "kind", "term_months", "payment", "region", "instance_type", "system", "unit", "utilisation")
SCALED = ("hourly", "upfront", "monthly", "on_demand_cost", "committed_cost")


# What prices and demand are, so that it can be said whether they moved.


def situation(row: PurchaseRequest, as_of: date, pools: Iterable[str]) -> dict[str, Any]:
    """Prices by name, uncovered and whole demand a day, and what stands idle a day: as exact text, to be kept."""
    machines = {pool_of(text) for text in pools}
    prices = price_book.prices_of(machines, as_of, row.currency)
    wanted = {(ON_DEMAND, 0, ""): "on demand", (row.kind, row.term_months, row.payment): "committed"}
    named = {
        f"{price.pool}, {wanted[key[1:]]}": price.effective
        for key, price in prices.items()
        if price.pool in machines and key[1:] in wanted
    }
    uncovered, whole = demand(row)
    return {
        "pools": sorted(pools),
        "prices": {name: exact_text(price) for name, price in sorted(named.items())},
        "uncovered": exact_text(uncovered),
        "demand": exact_text(whole),
        "idle": exact_text(idle_a_day(row.currency)),
        "day": as_of.isoformat(),
    }


def pool_of(text: str) -> Pool:
    """The machine that a pool's text names; raises CannotBuy."""
    found = POOL.match(text)
    if found is None:
        raise CannotBuy(f"{text!r} names no machine.")
    return Pool("AWS", found[3], found[1], found[2])


def demand(row: PurchaseRequest, period: Period | None = None) -> tuple[Decimal | None, Decimal | None]:
    """(not covered, all) of what it can cover, a day at on-demand prices; of the newest 30 days by default."""
    period = period or newest(Coverage)
    if period is None:
        return None, None
    days = Coverage.objects.within(period).aggregate(n=Count("day", distinct=True))["n"]
    if not days:
        return None, None
    rows = Coverage.objects.filter(currency=row.currency, **row.reach)
    sums = rows.within(period).aggregate(whole=Sum("eligible_cost"), covered=Sum("covered_cost"))
    whole, covered = sums["whole"] or ZERO, sums["covered"] or ZERO
    return (whole - covered) / days, whole / days


def idle_a_day(currency: str) -> Decimal:
    """Unused cost a day of everything that is owned, over the newest 30 days."""
    period = newest(Utilisation)
    if period is None:
        return ZERO
    found = Utilisation.objects.within(period).aggregate(
        idle=Sum("unused_cost", filter=Q(currency=currency)), days=Count("day", distinct=True)
    )
    return (found["idle"] or ZERO) / found["days"]


def newest(model: Any) -> Period | None:
    """The 30 days that end with the newest day of a model that has `day`; None while there is none."""
    newest = model.objects.aggregate(day=Max("day"))["day"]
    return None if newest is None else metrics.days_until(newest)


def moved(row: PurchaseRequest, now: datetime) -> list[str]:
    """What has moved since it was approved (or asked for), or that its time is over; in sentences."""
    then = row.baseline or row.asked_on
    today = situation(row, now.date(), then["pools"])
    frozen, new = ({name: Decimal(text) for name, text in each["prices"].items()} for each in (then, today))
    before = Decimal(then["uncovered"] or 0)
    after = None if today["uncovered"] is None else Decimal(today["uncovered"])
    return [*purchase_rules.lapsed(row.expires_at, now), *purchase_rules.moved(frozen, new, before, after)]


# Asked for.


@transaction.atomic
def ask(
    item: PlanItem, *, user: Person, batch: int, comment: str, now: datetime, standing_order: Any = None
) -> PurchaseRequest:
    """A request for a batch of the ladder (1 is the first), or for all of it (0). Raises CannotBuy."""
    if item.plan.created_at < now - purchase_rules.PLAN_LASTS:
        raise CannotBuy("This recommendation is too old to buy from: work it out anew with the newest bill.")
    row = _of_item(item, batch)
    row.requested_by, row.requested_at, row.comment = user, now, comment.strip()[:2000]
    row.expires_at, row.standing_order = now + purchase_rules.LASTS, standing_order
    row.asked_on = situation(row, now.date(), _pools(item))
    if _overlaps(row):
        raise CannotBuy("That is asked for already: look at the list of requests.")
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise CannotBuy("That is asked for already: look at the list of requests.") from None
    _event(row, "ask", "", user, comment, now)
    _tell(row, "asked", approvers(row), now)
    return row


def _overlaps(row: PurchaseRequest) -> bool:
    """Whether the whole, or a batch of it, is asked for: both would buy it twice."""
    taken = PurchaseRequest.objects.taken_of(row)
    return bool(taken if row.batch == 0 else taken & {0, row.batch})


def _of_item(item: PlanItem, batch: int) -> PurchaseRequest:
    ladder = item.working.get("ladder", [])
    if not 0 <= batch <= len(ladder):
        raise CannotBuy(f"There is no batch {batch}: the ladder has {len(ladder)}.")
    quantity = Decimal(ladder[batch - 1]["quantity"]) if batch else item.quantity
    share = quantity / item.quantity if item.quantity else ZERO
    if not share:
        raise CannotBuy("There is nothing to buy in it.")
    said = {name: getattr(item, name) for name in COPIED} | {n: getattr(item, n) * share for n in SCALED}
    return PurchaseRequest(
        plan=item.plan,
        position=item.position,
        batch=batch,
        team=item.plan.team,
        quantity=quantity,
        value=purchase_rules.value_of(said["hourly"], item.term_months),
        currency=item.plan.currency,
        is_indicative=item.is_indicative,
        **said,
    )


def _pools(item: PlanItem) -> list[str]:
    """The machines of the plan that the purchase can cover."""
    found = {row["pool"] for row in item.plan.working.get("pools", [])}
    if item.kind == SP_COMPUTE:
        return sorted(found)
    pools = {text: pool_of(text) for text in found if POOL.match(text)}
    near = {text: each for text, each in pools.items() if each.region == item.region}
    return sorted(
        text
        for text, each in near.items()
        if each.type == item.instance_type or (not item.system and each.family == item.instance_type)
    )


# Decided.


def approver(user: Person) -> purchase_rules.Approver:
    """Who she is when it comes to approving."""
    roles = set(user.groups.values_list("name", flat=True))
    own = ApproverLimit.objects.filter(user=user).first()
    policy = BuyingPolicy.get()
    limit, currency = (own.limit, own.currency) if own else (policy.default_limit, policy.currency)
    is_administrator = user.is_superuser or ADMINISTRATOR in roles
    return purchase_rules.Approver(user.pk, FINANCE in roles, is_administrator, limit, currency)


def objection(row: PurchaseRequest, user: Person) -> str:
    """Why she may not approve it, in words; empty when she may."""
    standing = row.standing_order.made_by_id if row.standing_order else None
    said = {"requested_by": row.requested_by_id, "standing_by": standing, "value": row.value, "currency": row.currency}
    return purchase_rules.may_approve(approver(user), **said)


@transaction.atomic
def approve(pk: int, *, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    """Approves it, or lets it expire where prices or demand moved. Raises CannotBuy for who may not."""
    row = locked(pk)
    purchase_rules.after(row.state, "approve")
    if words := objection(row, user):
        raise CannotBuy(words)
    if words := " ".join(moved(row, now)):
        return _move(row, "expire", user, words, now)
    row.approved_by, row.approved_at = user, now
    row.baseline = situation(row, now.date(), row.asked_on["pools"])
    return _move(row, "approve", user, comment, now)


def may_reject(user: Person) -> str:
    """Why she may not reject what was asked for; empty when she may."""
    who = approver(user)
    return "" if who.is_finance and not who.is_administrator else "Only finance decides about purchases."


def may_withdraw(row: PurchaseRequest, user: Person) -> str:
    """Why she may not take it back; empty when she may."""
    mine = row.requested_by_id == user.pk or user.has_perm("reservations.buy_purchaserequest")
    return "" if mine else "Only who asked for it, or finance, takes it back."


@transaction.atomic
def reject(pk: int, *, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    """Sends it back for good, with the reason. Finance may, whoever asked and whatever it costs."""
    row = locked(pk)
    if words := may_reject(user):
        raise CannotBuy(words)
    if not comment.strip():
        raise CannotBuy("Say why, so that who asked for it can do better.")
    return _move(row, "reject", user, comment, now)


@transaction.atomic
def withdraw(pk: int, *, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    """Taken back by whoever asked for it, or by finance."""
    row = locked(pk)
    if words := may_withdraw(row, user):
        raise CannotBuy(words)
    return _move(row, "withdraw", user, comment, now)


# Bought.


@transaction.atomic
def export(pk: int, *, user: Person, now: datetime) -> PurchaseRequest:
    """Hands it out to be bought by a person; looks once more at prices, demand and the switch."""
    row = locked(pk)
    purchase_rules.after(row.state, "export")
    if BuyingPolicy.get().is_stopped:
        raise CannotBuy(purchase_rules.STOPPED)
    if words := " ".join(moved(row, now)):
        return _move(row, "expire", user, words, now)
    row.executed_at = now
    return _move(row, "export", user, "", now)


@transaction.atomic
def record(pk: int, *, reference: str, user: Person, now: datetime, comment: str = "") -> PurchaseRequest:
    """Writes down that it was bought, under the provider's id, by which its first bill is found."""
    row = locked(pk)
    reference = reference.strip()
    if not reference or len(reference) > 300:
        raise CannotBuy("Write down the provider's id of what was bought: by it the bill is found.")
    others = PurchaseRequest.objects.filter(reference=reference, provider=row.provider).exclude(pk=row.pk)
    if others.exists():
        raise CannotBuy(f"Request {others[0].pk} has been recorded under {reference} already.")
    row.reference = reference
    row.executed_at = row.executed_at or now
    return _move(row, "record", user, comment or f"Bought as {reference}.", now)


@transaction.atomic
def give_back(pk: int, *, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    """It was not bought after all: approved again, under a new token, for the old one may be known to the provider."""
    row = locked(pk)
    if row.state == purchase_rules.DOUBTFUL and row.executed_at and row.executed_at > now - purchase_rules.DOUBT_LASTS:
        raise CannotBuy("AWS may show it late: look again in a quarter of an hour before you say that.")
    row.known_before, row.executed_at, row.heartbeat_at, row.through_api = [], None, None, False
    row.token, row.dry_run_at = uuid.uuid4(), None
    return _move(row, "give_back", user, comment, now)


@transaction.atomic
def start(pk: int, *, user: Person, now: datetime) -> PurchaseRequest:
    """Says that the API may buy it now; a worker does. The ceiling is kept by whoever holds the policy's lock."""
    policy = BuyingPolicy.get(lock=True)
    row = locked(pk)
    purchase_rules.after(row.state, "buy")
    if row.dry_run_at is None:
        raise CannotBuy(purchase_rules.DRY_RUN_FIRST)
    if words := may_buy(policy, row, now):
        raise CannotBuy(words)
    if words := " ".join(moved(row, now)):
        return _move(row, "expire", user, words, now)
    row.through_api, row.heartbeat_at, row.executed_at = True, None, now
    return _move(row, "buy", user, "", now)


def may_buy(policy: BuyingPolicy, row: PurchaseRequest, now: datetime) -> str:
    """Why the API must not buy it; empty when it may."""
    if row.currency != policy.currency:
        return f"The monthly ceiling is in {policy.currency}, and this costs {row.currency}: buy it by hand."
    return purchase_rules.stops(
        is_on=policy.by_api and policy.credential_id is not None,
        is_stopped=policy.is_stopped,
        ceiling=policy.monthly_ceiling,
        spent=spent_by_api(now, row.pk),
        value=row.value,
        currency=row.currency,
    )


def spent_by_api(now: datetime, but: int | None = None) -> Decimal:
    """Whole-term value of what the API bought, or may have bought, in the calendar month of `now`."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    others = PurchaseRequest.objects.filter(through_api=True, executed_at__gte=first, state__in=purchase_rules.SPENT)
    return others.exclude(pk=but).aggregate(value=Sum("value"))["value"] or ZERO


@transaction.atomic
def expire(pk: int, *, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    """Its time is over, or what was approved is not what can be bought now."""
    return _move(locked(pk), "expire", user, comment, now)


@transaction.atomic
def doubt(pk: int, *, comment: str, now: datetime) -> PurchaseRequest:
    """Nobody knows whether it was bought: it waits until the provider or a person says."""
    return _move(locked(pk), "doubt", None, comment, now)


@transaction.atomic
def rehearsed(pk: int, *, offering: str, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    """The dry run found the offer at the approved price."""
    row = locked(pk)
    purchase_rules.after(row.state, "buy")
    row.offering, row.dry_run_at = offering, now
    return _note(row, "dry_run", user, comment, now)


@transaction.atomic
def looked(pk: int, *, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    """What the provider shows of a doubtful purchase; what a sweep saw is no event of its own."""
    row = locked(pk)
    if user is None:
        row.message = comment
        row.save()
        return row
    return _note(row, "look", user, comment, now)


@transaction.atomic
def late(pk: int, *, comment: str, now: datetime) -> PurchaseRequest:
    """What the provider said after somebody had decided otherwise; finance is told, for it may be bought twice."""
    row = _note(locked(pk), "late", None, comment, now)
    _tell(row, "late", _finance(), now)
    return row


def expire_waiting(now: datetime) -> int:
    """Lets those expire whose time is over, or whose prices or demand moved; returns how many."""
    found = 0
    for pk in PurchaseRequest.objects.filter(state__in=(purchase_rules.WAITING, purchase_rules.APPROVED)).values_list(
        "pk", flat=True
    ):
        with transaction.atomic():
            row = locked(pk)
            if row.state in (purchase_rules.WAITING, purchase_rules.APPROVED) and (words := " ".join(moved(row, now))):
                _move(row, "expire", None, words, now)
                found += 1
    return found


# Found in a bill.


@transaction.atomic
def find_in_bills(now: datetime) -> int:
    """Ties what was bought to the commitment that a bill shows under its id; returns how many were found."""
    found = 0
    bought = PurchaseRequest.objects.select_for_update().filter(state=purchase_rules.BOUGHT, commitment=None)
    for row in bought.exclude(reference=""):
        end = Q(commitment_id=row.reference) | Q(commitment_id__endswith=f"/{row.reference}")
        seen = Commitment.objects.filter(end, first_seen__isnull=False, purchase=None)[:2]
        if len(seen) == 1:
            row.commitment = seen[0]
            _move(row, "find", None, f"First seen in the bill of {seen[0].first_seen}.", now)
            found += 1
    return found


# What all of them share.


def locked(pk: int) -> PurchaseRequest:
    """The request, locked until the transaction ends."""
    return PurchaseRequest.objects.select_for_update(of=("self",)).select_related("standing_order").get(pk=pk)


def _move(row: PurchaseRequest, verb: str, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    before, row.state = row.state, purchase_rules.after(row.state, verb)
    row.message = comment[:2000]
    row.save()
    _event(row, verb, before, user, comment, now)
    if verb in ("approve", "reject", "expire", "doubt", "record"):
        finance = _finance() if verb == "doubt" else []
        _tell(row, verb, sorted({*_asker(row), *finance}), now)
    return row


def _note(row: PurchaseRequest, verb: str, user: Person, comment: str, now: datetime) -> PurchaseRequest:
    """A step that leaves the state as it is."""
    row.message = comment[:2000]
    row.save()
    _event(row, verb, row.state, user, comment, now)
    return row


def _event(row: PurchaseRequest, verb: str, before: str, user: Person, comment: str, now: datetime) -> None:
    said = {"verb": verb, "before": before, "after": row.state, "comment": comment.strip()[:2000]}
    PurchaseEvent.objects.create(request=row, at=now, by=user, **said)


def approvers(row: PurchaseRequest) -> list[str]:
    """Addresses of those who may approve it; of all of finance where nobody's limit reaches."""
    people = [each for each in User.objects.in_role(FINANCE) if each.pk != row.requested_by_id]
    able = [each.email for each in people if not objection(row, each)]
    return able or [each.email for each in people]


def _asker(row: PurchaseRequest) -> Sequence[str]:
    user = row.requested_by or (row.standing_order and row.standing_order.made_by)
    return [user.email] if user and user.is_active else []


def _finance() -> list[str]:
    return [each.email for each in User.objects.in_role(FINANCE)]


def _tell(row: PurchaseRequest, verb: str, addresses: Sequence[str], now: datetime) -> None:
    name = "purchase-asked" if verb == "asked" else "purchase-decided"
    context = {"request": row, "verb": verb, "url": absolute_url(row.get_absolute_url())}
    count = row.events.count()
    for address in addresses:
        message = make_message(name, address, context)
        outbox.queue_email(f"purchase {row.pk} step {count} to {address}", message, now=now)
