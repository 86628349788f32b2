"""Buying through AWS's API: dry run, one purchase, and what is done when nobody knows whether it happened.

A worker first asks (offer, price, what is owned already), then claims the request under the lock of the policy, where
the switch, the ceiling and the demand are read once more, and only then makes the one call. So a request whose worker
died was either never claimed, and is started again, or may be bought: then its outcome is unknown (doubtful). A
doubtful one is never bought again by itself. AWS is asked what it shows; what it shows is recorded, and a person
decides about the rest.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.lib.periods import moment_text
from finops_site.lib.words import some_of
from finops_site.models import User
from finops_site.ops.heartbeats import is_silent
from reservations.calc import purchase_rules
from reservations.calc.aws_offerings import RESERVATION_APIS
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import BuyingPolicy, PurchaseRequest
from reservations.purchases import approvals, buying, purchase_clients
from reservations.purchases.demand_and_prices import changes_since_decision, pool_of
from reservations.purchases.purchase_clients import Offering, OutcomeUnknown, PurchaseClient, PurchaseRefused
from reservations.purchases.purchase_events import locked

logger = logging.getLogger(__name__)

COMMITTED = ", committed"
# A call takes two minutes at most; a worker that is silent for longer is gone.
STALLED_AFTER = timedelta(minutes=5)
LOST_AFTER = timedelta(minutes=2)
# So long the sweep goes on asking AWS about a doubtful purchase; then people only.
CHECKED_FOR = timedelta(hours=24)
# By these a reservation that AWS shows could be another request's.
SHAPE = (
    *("service", "kind", "term_months", "payment", "region", "zone", "instance_type", "system", "tenancy", "quantity"),
)


def _client_for(row: PurchaseRequest) -> PurchaseClient:
    policy = BuyingPolicy.get()
    return purchase_clients.client_for(row.order, policy.endpoint, policy.credential)


def _compare_with_approval(row: PurchaseRequest, client: PurchaseClient) -> tuple[Offering, str]:
    """What AWS sells now, and in words what has moved since the approval. Raises PurchaseRefused."""
    stored = row.baseline.get("prices", {}).items()
    approved = {name.removesuffix(COMMITTED): Decimal(price) for name, price in stored if name.endswith(COMMITTED)}
    if not row.order.is_plan:
        name = str(row.order.pool)
        approved = {name: approved.get(name, row.hourly / row.quantity)}
    if not approved:
        raise PurchaseRefused(
            _("No price was stored when it was approved, so that AWS's cannot be compared: buy it by hand.")
        )
    offering = client.find_offering(row.order, [pool_of(name) for name in approved])
    moves = purchase_rules.describe_moves(approved, offering.prices, Decimal(0), None)
    return offering, " ".join(_("AWS's price now: {move}").format(move=move) for move in moves)


def dry_run_purchase(pk: int, *, user: User, now: datetime, comment: str = "") -> PurchaseRequest:
    """Looks at AWS's offer and price without buying; where the price moved, the request expires. Raises CannotBuy."""
    row = PurchaseRequest.objects.get(pk=pk)
    purchase_rules.next_state(row.state, "buy")
    if objection := buying.api_objection(BuyingPolicy.get(), row, now):
        raise CannotBuy(objection)
    try:
        client = _client_for(row)
        offering, moves = _compare_with_approval(row, client)
        if not moves:
            client.check_permission(row.order, offering.identity)
    except PurchaseRefused as refusal:
        raise CannotBuy(str(refusal)) from None
    if moves:
        return approvals.expire_purchase(pk, user=user, comment=moves, now=now)
    prices = some_of([f"{name} {price.normalize():f}" for name, price in sorted(offering.prices.items())], 3)
    answer = _("AWS sells it as {identity} at the approved price ({prices}, {currency} an hour).").format(
        identity=offering.identity, prices=prices, currency=row.currency
    )
    return buying.note_dry_run(pk, offering=offering.identity, user=user, comment=answer, now=now)


def execute_purchase(pk: int, *, clock: Callable[[], datetime]) -> bool:
    """Buys a request that was started; False when it is not to be bought, or another worker is at it."""
    row = PurchaseRequest.objects.filter(pk=pk, state=purchase_rules.BUYING, heartbeat_at=None).first()
    if row is None:
        return False
    try:
        client = _client_for(row)
        offering, moves = _compare_with_approval(row, client)
        known = client.owned_ids(row.order)
    except PurchaseRefused as refusal:
        return _stand_down(
            pk, buying.mark_not_bought, _("Nothing was bought. {refusal}").format(refusal=refusal), clock()
        )
    if moves:
        return _stand_down(pk, approvals.expire_purchase, moves, clock())
    if not _claim(pk, offering.identity, known, clock()):
        return False
    return _buy(PurchaseRequest.objects.get(pk=pk), client, clock)


@transaction.atomic
def _stand_down(pk: int, verb: Callable[..., PurchaseRequest], comment: str, now: datetime) -> bool:
    """Back to approved, or expired: nothing was bought. Another worker may have been quicker, and is right."""
    row = locked(pk)
    if row.state == purchase_rules.BUYING and row.heartbeat_at is None:
        verb(pk, user=None, comment=comment, now=now)
    return False


@transaction.atomic
def _claim(pk: int, offering: str, known: list[str], now: datetime) -> bool:
    """The last moment: under the lock of the policy all gates are read again, and this worker becomes the one."""
    policy = BuyingPolicy.get(lock=True)
    row = locked(pk)
    if row.state != purchase_rules.BUYING or row.heartbeat_at is not None:
        return False
    if objection := buying.api_objection(policy, row, now):
        return _stand_down(
            pk, buying.mark_not_bought, _("Nothing was bought. {objection}").format(objection=objection), now
        )
    if changes := " ".join(changes_since_decision(row, now)):
        return _stand_down(pk, approvals.expire_purchase, changes, now)
    row.offering, row.known_before, row.heartbeat_at, row.executed_at = offering, known, now, now
    row.save()
    return True


def _buy(row: PurchaseRequest, client: PurchaseClient, clock: Callable[[], datetime]) -> bool:
    """The one call, and what its answer means."""
    try:
        reference = client.buy(row.order, row.offering)
    except PurchaseRefused as refusal:
        buying.mark_not_bought(
            row.pk, user=None, comment=_("Nothing was bought. {refusal}").format(refusal=refusal), now=clock()
        )
        return False
    except OutcomeUnknown as doubt:
        buying.mark_doubtful(row.pk, comment=str(doubt), now=clock())
        return False
    try:
        buying.record_purchase(row.pk, reference=reference, user=None, now=clock())
    except CannotBuy as problem:
        # Somebody decided meanwhile that it was not bought: AWS's answer must not be lost.
        logger.error("purchase %s was bought as %s, and could not be recorded: %s", row.pk, reference, problem)
        buying.note_late_answer(
            row.pk,
            comment=_("AWS sold it as {reference} after all. {problem}").format(reference=reference, problem=problem),
            now=clock(),
        )
        return False
    return True


# When nobody knows.


def check_outcome(pk: int, *, user: User | None, now: datetime, comment: str = "") -> PurchaseRequest:
    """Asks AWS what became of a doubtful purchase, and records it where AWS shows exactly it. Raises CannotBuy."""
    row = PurchaseRequest.objects.get(pk=pk)
    if row.state != purchase_rules.DOUBTFUL:
        raise CannotBuy(
            _("There is no doubt about it: the request is {state}.").format(state=_(purchase_rules.STATES[row.state]))
        )
    try:
        shown = _client_for(row).bought_ids(row.order, row.known_before)
    except PurchaseRefused as refusal:
        raise CannotBuy(str(refusal)) from None
    taken = PurchaseRequest.objects.filter(reference__in=shown).exclude(pk=pk)
    left = sorted(set(shown) - set(taken.values_list("reference", flat=True)))
    if len(left) == 1 and not _has_rival(row):
        return buying.record_purchase(
            pk, reference=left[0], user=user, comment=_("AWS shows it as {left}.").format(left=left[0]), now=now
        )
    if left:
        answer = _("AWS shows {names}: more than one request may have bought that, so that a person decides.").format(
            names=", ".join(left)
        )
    else:
        answer = _("At {now} AWS showed nothing that was bought by it.").format(now=moment_text(now))
    return buying.note_outcome_check(pk, user=user, comment=answer, now=now)


def _has_rival(row: PurchaseRequest) -> bool:
    """Whether another request of the same shape may have bought what AWS shows; a tag or our name leaves no doubt."""
    api = RESERVATION_APIS.get(row.service)
    if row.order.is_plan or (api and api.named):
        return False
    same = PurchaseRequest.objects.filter(**{name: getattr(row, name) for name in SHAPE}).exclude(pk=row.pk)
    return same.filter(state__in=(purchase_rules.BUYING, purchase_rules.DOUBTFUL)).exists()


def sweep_purchases(now: datetime) -> list[int]:
    """What was left behind: purchases that no worker took (returned, to be queued), dead workers, open doubts."""
    bought = PurchaseRequest.objects.filter(through_api=True)
    for row in bought.filter(is_silent("heartbeat_at", now, STALLED_AFTER), state=purchase_rules.BUYING):
        buying.mark_doubtful(row.pk, comment=_("The worker was gone before AWS's answer was written down."), now=now)
    for row in bought.filter(state=purchase_rules.DOUBTFUL, executed_at__gt=now - CHECKED_FOR):
        try:
            check_outcome(row.pk, user=None, now=now)
        except CannotBuy as problem:
            logger.warning("purchase %s stays doubtful: %s", row.pk, problem)
    lost = bought.filter(state=purchase_rules.BUYING, heartbeat_at=None, executed_at__lt=now - LOST_AFTER)
    return list(lost.values_list("pk", flat=True))
