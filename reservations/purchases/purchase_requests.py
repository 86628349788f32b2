"""A purchase is requested: all of what a recommendation says, or one monthly batch of it."""

from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.ops.locks import wait_for
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc import purchase_rules
from reservations.calc.purchase_orders import order_objection
from reservations.calc.purchase_rules import CannotBuy
from reservations.calc.terms import PLANS, MachinePool, is_plan_eligible
from reservations.models import PlanItem, PurchaseRequest, StandingOrder
from reservations.purchases.approvals import approver_addresses
from reservations.purchases.demand_and_prices import take_snapshot
from reservations.purchases.purchase_events import add_event, send_emails
from reservations.purchases.same_demand import LOCK, check_same_demand

COPIED = (
    *("provider", "service", "kind", "term_months", "payment", "region", "zone", "account"),
    *("instance_type", "system", "tenancy", "unit", "utilisation"),
)
SCALED = ("hourly", "upfront", "monthly", "on_demand_cost", "committed_cost")
REQUESTED_ALREADY = _lazy("That is requested already: look at the list of purchases.")


@transaction.atomic
def request_purchase(
    item: PlanItem,
    *,
    user: User | None,
    batch: int,
    comment: str,
    now: datetime,
    standing_order: StandingOrder | None = None,
) -> PurchaseRequest:
    """A request for one of the monthly batches (1 is the first), or for all of it (0). Raises CannotBuy."""
    if item.plan.created_at < now - purchase_rules.PLAN_LASTS:
        raise CannotBuy(_("This recommendation is too old to buy from: work it out anew with the newest bill."))
    row = build_request(item, batch)
    if objection := order_objection(row.order):
        raise CannotBuy(objection)
    row.requested_by, row.requested_at, row.comment = user, now, comment.strip()[:2000]
    row.expires_at, row.standing_order = now + purchase_rules.REQUEST_LASTS, standing_order
    row.request_snapshot = take_snapshot(row, now.date(), _covered_pools(item))
    taken = PurchaseRequest.objects.batches_taken(row)
    # The whole beside a batch of it would buy that batch twice.
    if taken if row.batch == 0 else taken & {0, row.batch}:
        raise CannotBuy(REQUESTED_ALREADY)
    wait_for(LOCK)
    check_same_demand(row)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise CannotBuy(REQUESTED_ALREADY) from None
    add_event(row, "ask", "", user, comment, now)
    send_emails(row, "purchase-asked", approver_addresses(row, now.date()), now)
    return row


def build_request(item: PlanItem, batch: int) -> PurchaseRequest:
    """What would be requested, not saved. Raises CannotBuy where there is no such batch, or nothing in it."""
    batches = item.working.get("ladder", [])
    if not 0 <= batch <= len(batches):
        raise CannotBuy(
            _("There is no batch {batch}: the recommendation has {batches_count}.").format(
                batch=batch, batches_count=len(batches)
            )
        )
    quantity = Decimal(batches[batch - 1]["quantity"]) if batch else item.quantity
    share = quantity / item.quantity if item.quantity else Decimal(0)
    if not share:
        raise CannotBuy(_("There is nothing to buy in it."))
    copied = {name: getattr(item, name) for name in COPIED} | {name: getattr(item, name) * share for name in SCALED}
    if batch:
        # Its own figures: the first batch saves most. What was recommended before batches had any promises its share.
        own = batches[batch - 1]
        copied |= {name: Decimal(own[name]) for name in (*SCALED, "utilisation") if name in own}
    return PurchaseRequest(
        plan=item.plan,
        position=item.position,
        batch=batch,
        team=item.plan.team,
        quantity=quantity,
        value=purchase_rules.term_value(copied["hourly"], item.term_months),
        currency=item.plan.currency,
        is_indicative=item.is_indicative,
        **copied,
    )


def _covered_pools(item: PlanItem) -> list[str]:
    """The machines of the plan that the purchase can cover, as far as its terms say."""
    names = {one["pool"] for one in item.plan.working.get("pools", [])}
    pools = {name: pool for name in names if (pool := MachinePool.from_text(name))}
    return sorted(name for name, pool in pools.items() if _is_covered(pool, item))


def _is_covered(pool: MachinePool, item: PlanItem) -> bool:
    if item.kind in PLANS:
        places = ((item.region, pool.region), (item.instance_type, pool.family), (item.account, pool.account))
        return is_plan_eligible(pool, item.kind) and all(not wanted or wanted == own for wanted, own in places)
    same = (pool.region, pool.type, pool.service) == (item.region, item.instance_type, item.service)
    return same and (not item.system or pool.system == item.system)
