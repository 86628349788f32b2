"""Buying through AWS's API: dry run, one purchase, and what is done when nobody knows whether it happened.

A worker first asks (offer, price, what is owned already), then claims the request under the lock of the policy, where
the switch, the ceiling and the demand are read once more, and only then makes the one call. So a request whose worker
died was either never claimed, and is started again, or may be bought: then it is doubtful. A doubtful one is never
bought again by itself. AWS is asked what it shows; what it shows is recorded, and a person decides about the rest.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from finops_site.lib.person import Person
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import BuyingPolicy, PurchaseRequest
from reservations.purchases import approvals, buying, demand_and_prices, purchase_clients, purchase_events
from reservations.purchases.purchase_clients import Offering, OutcomeUnknown, PurchaseClient, PurchaseRefused

logger = logging.getLogger(__name__)

COMMITTED = ", committed"
# A call takes two minutes at most; a worker that is silent for longer is gone.
STALLED_AFTER = timedelta(minutes=5)
LOST_AFTER = timedelta(minutes=2)
# So long the sweep goes on asking AWS about a doubtful purchase; then people only.
ASKED_FOR = timedelta(hours=24)


def _counter(row: PurchaseRequest) -> PurchaseClient:
    policy = BuyingPolicy.get()
    return purchase_clients.client_for(row.order, policy.endpoint, policy.credential)


def _approved_prices(row: PurchaseRequest) -> dict[str, Decimal]:
    """The committed price of an hour by machine, as it was approved."""
    kept = row.baseline.get("prices", {}).items()
    found = {name.removesuffix(COMMITTED): Decimal(price) for name, price in kept if name.endswith(COMMITTED)}
    if row.order.is_plan:
        return found
    name = f"{row.instance_type} {row.system} in {row.region}"
    return {name: found.get(name, row.hourly / row.quantity)}


def _look(row: PurchaseRequest, shop: PurchaseClient) -> tuple[Offering, list[str]]:
    """What AWS sells now, and what has moved since the approval. Raises Refused."""
    approved = _approved_prices(row)
    if not approved:
        raise PurchaseRefused(
            "No price was kept when it was approved, so that AWS's cannot be compared: buy it by hand."
        )
    offered = shop.find(row.order, [demand_and_prices.pool_of(name) for name in approved])
    words = purchase_rules.describe_moves(approved, offered.prices, Decimal(0), None)
    return offered, [f"AWS's price now: {each}" for each in words]


def dry_run_purchase(pk: int, *, user: Person, now: datetime, comment: str = "") -> PurchaseRequest:
    """Looks at AWS's offer and price without buying; where the price moved, the request expires. Raises CannotBuy."""
    row = PurchaseRequest.objects.get(pk=pk)
    purchase_rules.next_state(row.state, "buy")
    if words := buying.api_objection_of(BuyingPolicy.get(), row, now):
        raise CannotBuy(words)
    try:
        shop = _counter(row)
        offered, moved = _look(row, shop)
        if not moved:
            shop.rehearse(row.order, offered.identity)
    except PurchaseRefused as refused:
        raise CannotBuy(str(refused)) from None
    if moved:
        return approvals.expire_purchase(pk, user=user, comment=" ".join(moved), now=now)
    return buying.note_dry_run(pk, offering=offered.identity, user=user, comment=_said(offered, row), now=now)


def _said(offered: Offering, row: PurchaseRequest) -> str:
    prices = ", ".join(f"{name} {price.normalize():f}" for name, price in sorted(offered.prices.items())[:3])
    more = f" and {len(offered.prices) - 3} more" if len(offered.prices) > 3 else ""
    return f"AWS sells it as {offered.identity} at the approved price ({prices}{more}, {row.currency} an hour)."


def execute_purchase(pk: int, *, clock: Callable[[], datetime]) -> bool:
    """Buys a request that was started; False when it is not to be bought, or another worker is at it."""
    row = PurchaseRequest.objects.filter(pk=pk, state=purchase_rules.BUYING, heartbeat_at=None).first()
    if row is None:
        return False
    try:
        shop = _counter(row)
        offered, moved = _look(row, shop)
        known = shop.known(row.order)
    except PurchaseRefused as refused:
        return _stand_down(pk, "give_back", f"Nothing was bought. {refused}", clock())
    if moved:
        return _stand_down(pk, "expire", " ".join(moved), clock())
    if not _claim(pk, offered.identity, known, clock()):
        return False
    return _buy(PurchaseRequest.objects.get(pk=pk), shop, clock)


def _stand_down(pk: int, verb: str, words: str, now: datetime) -> bool:
    """Back to approved, or expired: nothing was bought. Another worker may have been quicker, and is right."""
    with transaction.atomic():
        row = purchase_events.locked(pk)
        if row.state == purchase_rules.BUYING and row.heartbeat_at is None:
            (buying.mark_not_bought if verb == "give_back" else approvals.expire_purchase)(
                pk, user=None, comment=words, now=now
            )
    return False


@transaction.atomic
def _claim(pk: int, offering: str, known: list[str], now: datetime) -> bool:
    """The last moment: under the lock of the policy all gates are read again, and this worker becomes the one."""
    policy = BuyingPolicy.get(lock=True)
    row = purchase_events.locked(pk)
    if row.state != purchase_rules.BUYING or row.heartbeat_at is not None:
        return False
    if words := buying.api_objection_of(policy, row, now):
        return _stand_down(pk, "give_back", f"Nothing was bought. {words}", now)
    if words := " ".join(demand_and_prices.changes_since_decision(row, now)):
        return _stand_down(pk, "expire", words, now)
    row.offering, row.known_before, row.heartbeat_at, row.executed_at = offering, known, now, now
    row.save()
    return True


def _buy(row: PurchaseRequest, shop: PurchaseClient, clock: Callable[[], datetime]) -> bool:
    try:
        reference = shop.buy(row.order, row.offering)
    except PurchaseRefused as refused:
        buying.mark_not_bought(row.pk, user=None, comment=f"Nothing was bought. {refused}", now=clock())
        return False
    except OutcomeUnknown as unknown:
        buying.mark_doubtful(row.pk, comment=str(unknown), now=clock())
        return False
    try:
        buying.record_purchase(row.pk, reference=reference, user=None, now=clock())
    except CannotBuy as problem:
        # Somebody said meanwhile that it was not bought: what AWS says must not be lost.
        logger.error("purchase %s was bought as %s, and could not be recorded: %s", row.pk, reference, problem)
        buying.note_late_answer(row.pk, comment=f"AWS sold it as {reference} after all. {problem}", now=clock())
        return False
    return True


# When nobody knows.


def check_outcome(pk: int, *, user: Person, now: datetime, comment: str = "") -> PurchaseRequest:
    """Asks AWS what became of a doubtful purchase, and records it where AWS shows exactly it. Raises CannotBuy."""
    row = PurchaseRequest.objects.get(pk=pk)
    if row.state != purchase_rules.DOUBTFUL:
        raise CannotBuy(f"There is no doubt about it: the request is {purchase_rules.STATES[row.state]}.")
    try:
        shown = _counter(row).bought(row.order, row.known_before)
    except PurchaseRefused as refused:
        raise CannotBuy(str(refused)) from None
    taken = PurchaseRequest.objects.filter(reference__in=shown).exclude(pk=pk)
    left = sorted(set(shown) - set(taken.values_list("reference", flat=True)))
    if len(left) == 1 and not _rivals(row):
        return buying.record_purchase(pk, reference=left[0], user=user, comment=f"AWS shows it as {left[0]}.", now=now)
    return buying.note_outcome_check(pk, user=user, comment=_found(left, now), now=now)


def _found(left: list[str], now: datetime) -> str:
    if not left:
        return f"At {now:%d %b, %H:%M} UTC AWS showed nothing that was bought by it."
    return f"AWS shows {', '.join(left)}: more than one request may have bought that, so that a person decides."


def _rivals(row: PurchaseRequest) -> bool:
    """Whether another request of the same shape may have bought what AWS shows; a plan's tag leaves no such doubt."""
    if row.order.is_plan:
        return False
    same = {
        name: getattr(row, name) for name in ("kind", "term_months", "payment", "region", "instance_type", "system")
    }
    open_ = PurchaseRequest.objects.filter(
        state__in=(purchase_rules.BUYING, purchase_rules.DOUBTFUL), quantity=row.quantity, **same
    )
    return open_.exclude(pk=row.pk).exists()


def sweep_purchases(now: datetime) -> list[int]:
    """What was left behind: purchases that no worker took (returned, to be queued), dead workers, open doubts."""
    bought = PurchaseRequest.objects.filter(through_api=True)
    for row in bought.filter(state=purchase_rules.BUYING, heartbeat_at__lt=now - STALLED_AFTER):
        buying.mark_doubtful(row.pk, comment="The worker was gone before AWS's answer was written down.", now=now)
    for row in bought.filter(state=purchase_rules.DOUBTFUL, executed_at__gt=now - ASKED_FOR):
        try:
            check_outcome(row.pk, user=None, now=now)
        except CannotBuy as problem:
            logger.warning("purchase %s stays doubtful: %s", row.pk, problem)
    lost = bought.filter(state=purchase_rules.BUYING, heartbeat_at=None, executed_at__lt=now - LOST_AFTER)
    return list(lost.values_list("pk", flat=True))
