"""Figures of a purchase, as its page shows them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.money import ratio
from finops_site.lib.person import Person
from finops_site.ui.figures import percent_text
from reservations.calc import purchase_files
from reservations.calc.console_steps import console_steps
from reservations.calc.purchase_orders import Order
from reservations.models import PurchaseRequest
from reservations.purchases.demand_and_prices import demand_a_day, take_snapshot


def purchase_stats(row: PurchaseRequest) -> list[dict[str, Any]]:
    share = ratio(row.saving, row.on_demand_cost) if row.on_demand_cost else None
    code = row.currency
    return [
        {
            "label": _("Committed over its term"),
            "amount": row.value,
            "currency": code,
            "note": _("{term_months} months, upfront included").format(term_months=row.term_months),
        },
        {
            "label": _("Promised saving, a year"),
            "amount": row.saving,
            "currency": code,
            "note": _("{share} of what runs under it on demand").format(share=percent_text(share))
            if share is not None
            else "",
        },
        {"label": _("Cash on the first day"), "amount": row.upfront, "currency": code},
        {"label": _("Paid each month"), "amount": row.monthly, "currency": code},
    ]


def demand_url(row: PurchaseRequest, user: Person) -> str:
    """Where the recommendation shows the demand and the formula; empty when it is gone."""
    if row.plan is None or not user.has_perm("reservations.view_plan"):
        return ""
    return reverse("reservations:recommended_item", args=[row.plan_id, row.position])


def price_moves(row: PurchaseRequest, now: datetime) -> list[dict[str, Any]]:
    """An hour of each machine on demand and committed: when requested, when approved, now. What moved most is first."""
    requested, approved = ((stored or {}).get("prices", {}) for stored in (row.request_snapshot, row.baseline))
    today = take_snapshot(row, now.date(), row.request_snapshot.get("pools", []))["prices"]
    rows = [
        {
            "name": name,
            "then": Decimal(price),
            "approved": Decimal(approved[name]) if name in approved else None,
            "now": Decimal(today[name]) if name in today else None,
            "change": (Decimal(today[name]) / Decimal(price) - 1) if name in today and Decimal(price) else None,
        }
        for name, price in requested.items()
    ]
    return sorted(rows, key=lambda move: (move["now"] is not None, -abs(move["change"] or 0), move["name"]))


def demand_then_and_now(row: PurchaseRequest) -> dict[str, Any]:
    """What it can cover costs so much a day on demand: when requested, and now. None where no bill shows it."""
    before = row.request_snapshot.get("uncovered")
    return {"then": None if before is None else Decimal(before), "now": demand_a_day(row)[0]}


CLIS = {"AWS": "AWS CLI", "Azure": "Azure CLI", "Google Cloud": "Google's gcloud"}


def how_to_buy(order: Order) -> dict[str, Any]:
    """By a script of the provider's CLI, or (`why` says why) by hand in its console, with the steps."""
    why = purchase_files.why_by_hand(order)
    return {"cli": CLIS.get(order.cloud, ""), "why": why, "steps": console_steps(order) if why else []}


def purchase_progress(row: PurchaseRequest) -> dict[str, Any]:
    return {
        "url": f"{row.get_absolute_url()}?progress=1",
        "percent": None,
        "label": _("Being bought at AWS") if row.heartbeat_at else _("Waiting for a worker"),
        "detail": _("The offer is looked up once more, then it is bought once."),
    }
