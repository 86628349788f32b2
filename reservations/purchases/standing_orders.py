"""Standing orders: each month a request for the newest plan's next batch, through the same gates as any other.

An order buys nothing and approves nothing. What it asked for, or why it did not, it says in words.
"""

from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from finops_site.lib.money import ratio
from finops_site.lib.periods import Month
from finops_site.ui.figures import percent_text
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import Plan, PlanItem, PurchaseRequest, StandingOrder, Utilisation
from reservations.purchases import demand_and_prices, purchase_requests
from reservations.recommendations import demand_sources, plan_parameters, recommend

# Asked for, and in no bill yet: the newest plan does not know of it.
OPEN = (
    purchase_rules.WAITING,
    purchase_rules.APPROVED,
    purchase_rules.EXPORTED,
    purchase_rules.BUYING,
    purchase_rules.DOUBTFUL,
    purchase_rules.BOUGHT,
)


def run_standing_orders(now: datetime) -> dict[str, str]:
    """Runs every active order that has not asked this month; returns what each says, by its name."""
    month = Month.of(now.date()).start
    due = StandingOrder.objects.filter(is_active=True).exclude(asked_month=month)
    return {order.name: run_standing_order(order.pk, now) for order in due}


@transaction.atomic
def run_standing_order(pk: int, now: datetime) -> str:
    """Asks for the next batch of each purchase of the newest plan, once in a calendar month; says what it did."""
    order = StandingOrder.objects.select_for_update(of=("self",)).select_related("made_by", "team").get(pk=pk)
    month = Month.of(now.date()).start
    if not order.is_active or order.asked_month == month:
        return order.said
    share = utilisation_of_owned(order)
    words = _why_not(order, share)
    if not words:
        asked, words = _ask(order, share, now)
        order.asked_month = month if asked else order.asked_month
    order.said = f"{now:%d %b %Y}: {words}"
    order.save()
    return order.said


def _why_not(order: StandingOrder, share: Decimal | None) -> str:
    """What keeps it from asking, before it looks at a plan; empty when nothing does."""
    if order.made_by is None or not order.made_by.is_active:
        return "Whoever made it is not here any more: somebody of finance makes it anew."
    if share is not None and share < order.minimum_utilisation:
        return (
            f"Asked for nothing: {percent_text(share)} of what is owned was used over the last 30 days, and it asks "
            f"while at least {percent_text(order.minimum_utilisation)} is."
        )
    waiting = PurchaseRequest.objects.filter(state__in=OPEN, team=order.team).order_by("pk").first()
    if waiting:
        return f"Asked for nothing: request {waiting.pk} is {waiting.get_state_display()}, and in no bill yet."
    return ""


def utilisation_of_owned(order: StandingOrder) -> Decimal | None:
    """Used of what is owned, in money, over the newest 30 days; None while nothing is."""
    period = demand_and_prices.newest_period_of(Utilisation)
    if period is None:
        return None
    days = Utilisation.objects.within(period)
    if order.team_id:
        days = days.filter(commitment__owner=order.team_id)
    sums = days.aggregate(paid=Sum("paid"), unused=Sum("unused_cost"))
    paid = sums["paid"] or Decimal(0)
    return ratio(paid - sums["unused"], paid) if paid else None


def _ask(order: StandingOrder, share: Decimal | None, now: datetime) -> tuple[int, str]:
    """(how many requests, what is said of them)."""
    plans = Plan.objects.filter(team=order.team).order_by("-created_at", "-pk")
    plan = plans.filter(state=Plan.State.READY).first()
    if plans.filter(state__in=(Plan.State.WAITING, Plan.State.RUNNING)).exists():
        return 0, "The newest bills are being looked at: it asks when that is done."
    if plan is None:
        return 0, "Asked for nothing: there is no recommendation yet whose limits it could follow."
    if plan.created_at < now - purchase_rules.PLAN_LASTS:
        _work_out_anew(plan, now.date())
        return 0, "The recommendation was too old: it is worked out anew with the same limits."
    made = [_ask_for(order, item, share, now) for item in plan.items.select_related("plan__team")]
    requests = [each for each in made if isinstance(each, PurchaseRequest)]
    refused = [each for each in made if isinstance(each, str) and each]
    numbers = ", ".join(str(each.pk) for each in requests)
    said = f"Asked for request {numbers}." if requests else "Asked for nothing: all of the newest plan is asked for."
    return len(requests), " ".join([said, *refused])


def _work_out_anew(plan: Plan, today: date) -> None:
    """The same question to the newest bills; the sweep of commitments takes it up within minutes."""
    parameters = plan_parameters.Parameters.from_json(plan.parameters)
    as_of = demand_sources.newest_billed_day(today)
    recommend.request_recommendation(None, parameters, as_of=as_of, lookback_days=plan.lookback_days, team=plan.team)


def _ask_for(order: StandingOrder, item: PlanItem, share: Decimal | None, now: datetime) -> PurchaseRequest | str:
    """The request for the item's next batch; empty where none is left, or words where it cannot be asked for."""
    batch = next_batch(item)
    if batch is None:
        return ""
    used = f"{percent_text(share)} of what is owned is used" if share is not None else "nothing is owned yet"
    try:
        return purchase_requests.request_purchase(
            item, user=None, batch=batch, comment=f"{used}.", now=now, standing_order=order
        )
    except CannotBuy as problem:
        return str(problem)


def next_batch(item: PlanItem) -> int | None:
    """The first batch of the ladder that nobody has asked for; None when all of it is asked for."""
    taken = PurchaseRequest.objects.taken_of(item)
    steps = range(1, len(item.working.get("ladder", [])) + 1)
    return None if 0 in taken else next((number for number in steps if number not in taken), None)
