"""The demo company owns no commitment; it has recommendations, one purchase that waits for approval, one rejected."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

from finops_site.models import Team, User
from finops_site.people import demo
from reservations.calc.purchase_rules import CannotBuy
from reservations.inventory import commitment_usage
from reservations.models import Plan, PurchaseRequest
from reservations.purchases import approvals, purchase_requests
from reservations.recommendations.plan_parameters import default_parameters
from reservations.recommendations.recommend import compute_recommendation, create_plan


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
    if PurchaseRequest.objects.exists() or team is None or None in people.values():
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
