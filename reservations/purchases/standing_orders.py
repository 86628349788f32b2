"""Standing orders: each month a request for the newest plan's next batch, through the same gates as any other.

An order buys nothing and approves nothing. What it requested, or why it did not, is its `last_result`.
"""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from finops_site.lib.money import ratio
from finops_site.lib.periods import Month, day_text
from finops_site.lib.words import labelled
from finops_site.models import User
from finops_site.ui.figures import percent_text
from reservations.calc import purchase_rules
from reservations.calc.purchase_rules import CannotBuy
from reservations.models import Plan, PlanItem, PurchaseRequest, StandingOrder, Utilisation
from reservations.optimizer.batches import BATCHES
from reservations.purchases.demand_and_prices import newest_period_of
from reservations.purchases.purchase_requests import request_purchase
from reservations.recommendations import demand_sources, recommend, stopped_runs
from reservations.recommendations.plan_parameters import Parameters, default_parameters


def save_standing_order(order: StandingOrder, user: User) -> StandingOrder:
    """Saves a new or changed order; a new one is made by this person, and somebody else approves what it requests."""
    if order.pk is None:
        order.made_by = user
    order.save()
    return order


def run_standing_orders(now: datetime) -> dict[str, str]:
    """Runs every active order that has not requested anything this month; returns the result of each by its name."""
    month = Month.of(now.date()).start
    due = StandingOrder.objects.filter(is_active=True).exclude(last_request_month=month)
    return {order.name: run_standing_order(order.pk, now) for order in due}


@transaction.atomic
def run_standing_order(pk: int, now: datetime) -> str:
    """Requests the next batch of each purchase of the newest plan, once in a calendar month; returns what it did."""
    order = StandingOrder.objects.select_for_update(of=("self",)).select_related("made_by", "team").get(pk=pk)
    month = Month.of(now.date()).start
    if not order.is_active or order.last_request_month == month:
        return order.last_result
    share = utilisation_of_owned(order)
    result = _objection(order, share)
    if not result:
        count, result = _request_next_batches(order, share, now)
        order.last_request_month = month if count else order.last_request_month
    order.last_result = labelled(day_text(now), result)
    order.save()
    return order.last_result


def _objection(order: StandingOrder, share: Decimal | None) -> str:
    """Why it requests nothing, before it looks at a plan; empty when nothing speaks against it."""
    if order.made_by is None or not order.made_by.is_active:
        return _("Whoever made it is not here any more: somebody of finance makes it anew.")
    if share is not None and share < order.minimum_utilisation:
        return _(
            "Requested nothing: {share} of what is owned was used over the last 30 days, and it requests "
            "a batch while at least {minimum_utilisation} is."
        ).format(share=percent_text(share), minimum_utilisation=percent_text(order.minimum_utilisation))
    open_request = (
        PurchaseRequest.objects.filter(state__in=purchase_rules.UNBILLED, team=order.team).order_by("pk").first()
    )
    if open_request:
        state = open_request.get_state_display()
        return _("Requested nothing: request {open_request} is {state}, and in no bill yet.").format(
            open_request=open_request.pk, state=state
        )
    return ""


def utilisation_of_owned(order: StandingOrder) -> Decimal | None:
    """Used of what is owned, in money, over the newest 30 days; None while nothing is."""
    period = newest_period_of(Utilisation)
    if period is None:
        return None
    days = Utilisation.objects.within(period)
    if order.team_id:
        days = days.filter(commitment__owner=order.team_id)
    sums = days.aggregate(paid=Sum("paid"), unused=Sum("unused_cost"))
    paid = sums["paid"] or Decimal(0)
    return ratio(paid - sums["unused"], paid) if paid else None


def _request_next_batches(order: StandingOrder, share: Decimal | None, now: datetime) -> tuple[int, str]:
    """(how many requests, the result in words)."""
    plans = Plan.objects.filter(team=order.team).order_by("-created_at", "-pk")
    plan = plans.filter(state=Plan.State.READY).first()
    if stopped_runs.is_being_looked_at(plans, now):
        return 0, _("The newest bills are being looked at: it goes on when that is done.")
    if plan is None:
        _recommend(order, default_parameters(), now.date())
        return 0, _("Requested nothing: there is no recommendation yet. It is worked out by finance's policy.")
    if plan.created_at < now - purchase_rules.PLAN_LASTS:
        _recommend(order, Parameters.from_json(plan.parameters), now.date(), plan.lookback_days)
        return 0, _("The recommendation was too old: it is worked out anew with the same limits.")
    if bought := _batches_bought(plan):
        limits = Parameters.from_json(plan.parameters)
        limits = replace(limits, batches_bought=limits.batches_bought + bought)
        _recommend(order, limits, now.date(), plan.lookback_days)
        return 0, _("Some of the recommendation is bought: what is left is worked out anew with the same limits.")
    used = (
        _("{share} of what is owned is used.").format(share=percent_text(share))
        if share is not None
        else _("nothing is owned yet.")
    )
    requests, refusals = [], []
    for item in plan.items.select_related("plan__team"):
        batch = next_batch(item)
        if batch is None:
            continue
        try:
            row = request_purchase(item, user=None, batch=batch, comment=used, now=now, standing_order=order)
            requests.append(str(row.pk))
        except CannotBuy as problem:
            refusals.append(str(problem))
    first = (
        _("Created request {names}.").format(names=", ".join(requests))
        if requests
        else _("Requested nothing: all of the newest plan is.")
    )
    return len(requests), " ".join([first, *refusals])


def _batches_bought(plan: Plan) -> int:
    """How many monthly batches of a plan were bought, by the purchase that is furthest; all of it is every batch."""
    bought = plan.requests.filter(state__in=(purchase_rules.BOUGHT, purchase_rules.SEEN))
    return max((len(BATCHES) if batch == 0 else batch for batch in bought.values_list("batch", flat=True)), default=0)


def _recommend(order: StandingOrder, limits: Parameters, today: date, lookback_days: int = 30) -> None:
    """A recommendation from the newest bills, less what is owned by now."""
    as_of = demand_sources.newest_billed_day(today)
    recommend.request_recommendation(None, limits, as_of=as_of, lookback_days=lookback_days, team=order.team)


def next_batch(item: PlanItem) -> int | None:
    """The first monthly batch that is not requested yet; None when all of it is."""
    taken = PurchaseRequest.objects.batches_taken(item)
    numbers = range(1, len(item.working.get("ladder", [])) + 1)
    return None if 0 in taken else next((number for number in numbers if number not in taken), None)
