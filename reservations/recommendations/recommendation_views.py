"""What to buy: asked for, worked out in the background, and opened down to the formula with its numbers."""

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.generic import TemplateView, View
from django_htmx.http import HttpResponseClientRefresh

from finops_site.lib import charts
from finops_site.lib.money import formatted
from finops_site.lib.periods import short_day_text
from finops_site.ui.figures import percent_text
from finops_site.ui.pages import DetailPage, Empty, FormPage, ListPage, Page
from reservations import queues
from reservations.calc.terms import KINDS
from reservations.forms import WHY_CAUTIOUS, PlanForm
from reservations.inventory.overview_views import WORK_OUT
from reservations.models import Plan, PlanItem
from reservations.recommendations import demand_sources, recommend
from reservations.tables import (
    CONFIDENCES,
    PLAN_STATES,
    BacktestTable,
    ComparisonTable,
    ItemTable,
    LadderTable,
    PlanTable,
    RiskTable,
)

CRUMBS = (("Commitments", "reservations:overview"),)
MONEY = ("cost", "saving", "upfront", "monthly", "on_demand", "worst")
SHARES = ("coverage", "utilisation", "discount", "gap")


class RecommendationsPage(ListPage):
    permission_required = "reservations.view_plan"
    model = Plan
    title = "Recommendations"
    subtitle = "What to commit to, with the cost that no plan can be below."
    breadcrumbs = CRUMBS
    table_class = PlanTable
    fragment_template_name = "costs/list_that_waits.html"
    actions = (WORK_OUT,)
    empty = Empty(
        "No recommendation yet", "It is worked out from the newest bills in about a minute.", "bulb", WORK_OUT
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("team", "requested_by")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waits = self.get_queryset().filter(state__in=[Plan.State.WAITING, Plan.State.RUNNING]).exists()
        return super().get_context_data(waits=waits, **kwargs)


class Recommend(FormPage):
    permission_required = "reservations.add_plan"
    form_class = PlanForm
    template_name = "reservations/recommend.html"
    title = "Work out what to buy"
    subtitle = "Every option at once, within your limits, from what ran and was not covered."
    breadcrumbs = (*CRUMBS, ("Recommendations", "reservations:recommendations"))
    submit_label = "Work out"
    cancel_url_name = "reservations:recommendations"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(why=WHY_CAUTIOUS, **kwargs)

    def save(self, form: PlanForm) -> Plan:
        said = form.cleaned_data
        plan = recommend.ask(
            self.request.user,
            form.parameters(),
            as_of=demand_sources.newest_day(timezone.now().date()),
            lookback_days=said["lookback_days"],
            team=said["team"],
        )
        transaction.on_commit(lambda: queues.work(plan))
        messages.success(self.request, "It is being worked out.")
        return plan


class RecommendationPage(DetailPage):
    permission_required = "reservations.view_plan"
    model = Plan
    template_name = "reservations/recommendation.html"
    breadcrumbs = (*CRUMBS, ("Recommendations", "reservations:recommendations"))

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("team", "requested_by")

    def get_title(self) -> str:
        return f"What to buy for {self.object.team or 'the whole company'}"

    def get_subtitle(self) -> str:
        return f"As of {self.object.as_of}, from the {self.object.lookback_days} days before."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        plan = self.object
        context: dict[str, Any] = {"plan": plan, "state": PLAN_STATES[plan.state], "progress": progress(plan)}
        if plan.state == Plan.State.READY:
            context |= ready(plan)
        return super().get_context_data(**{**context, **kwargs})


def progress(plan: Plan) -> dict[str, Any]:
    return {
        "url": reverse("reservations:recommendation_progress", args=[plan.pk]),
        "percent": plan.progress if plan.state == Plan.State.RUNNING else None,
        "label": plan.stage or "Waiting for a worker",
        "detail": "",
        "done": plan.state == Plan.State.READY,
        "failed": plan.state == Plan.State.FAILED,
        "message": plan.message,
    }


def ready(plan: Plan) -> dict[str, Any]:
    """Everything a finished recommendation shows."""
    working = plan.working
    items = list(plan.items.all())
    for item in items:
        item.currency = plan.currency
    compared = _rows(working.get("comparison", []), plan.currency)
    backtest = working.get("backtest") or {}
    return {
        "stats": stats(plan),
        "confidence": CONFIDENCES[plan.confidence],
        "items": ItemTable(items, request=None) if items else None,
        "comparison": ComparisonTable(compared, request=None) if compared else None,
        "why": f"{why(compared, plan.currency)} {working.get('only_reserved', '')}".strip(),
        "risk": RiskTable(_rows(working.get("risk", []), plan.currency), request=None) if working.get("risk") else None,
        "frontier": _frontier(working.get("frontier", []), plan.currency),
        "backtest": BacktestTable(_rows(backtest.get("rows", []), plan.currency), request=None) if backtest else None,
        "replayed": backtest,
        "steady": working.get("steady", {}),
        "running": working.get("running"),
        "pools": working.get("pools", []),
        "asked": asked(plan),
    }


def stats(plan: Plan) -> list[dict[str, Any]]:
    bound = formatted(plan.lower_bound or Decimal(0), plan.currency)
    share = percent_text(plan.saving / plan.cost_before) if plan.cost_before and plan.saving is not None else ""
    return [
        {"label": "A year on demand", "amount": plan.cost_before, "currency": plan.currency},
        {
            "label": "With this plan",
            "amount": plan.cost_after,
            "currency": plan.currency,
            "note": f"no plan costs less than {bound}: gap {percent_text(plan.gap, 2)}",
        },
        {
            "label": "Saving",
            "amount": plan.saving,
            "currency": plan.currency,
            "note": f"{share} a year" if share else "",
        },
        {"label": "Cash on the first day", "amount": plan.upfront, "currency": plan.currency},
    ]


def _rows(kept: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """Rows of the working with their text made decimals again."""
    numbers = {*MONEY, *SHARES}
    return [
        {name: Decimal(value) if name in numbers and value is not None else value for name, value in row.items()}
        | {"currency": currency}
        for row in kept
    ]


def why(rows: list[dict[str, Any]], currency: str) -> str:
    """Which kind alone saves most, and what makes the difference to the next."""
    alone = sorted((row for row in rows if row["name"] != "All together"), key=lambda row: -row["saving"])
    if not alone or alone[0]["saving"] <= 0:
        return "Nothing is worth committing to at these prices and limits."
    first = alone[0]
    if len(alone) == 1:
        return f"{first['name']} is the only kind that was allowed."
    second = alone[1]
    gap = first["saving"] - second["saving"]
    if gap <= first["saving"] / 1000:
        return (
            f"{first['name']} and {second['name']} save the same to a thousandth: take the one that is easier to "
            "change, for a plan follows machines of other sizes and systems."
        )
    more = f"{gap:,.0f} {currency} a year more than {second['name']}"
    return f"{first['name']} alone saves {more}: {_because(first, second)}."


def _because(first: dict[str, Any], second: dict[str, Any]) -> str:
    words = {"discount": "its discount is {}", "coverage": "it covers {}", "utilisation": "{} of it is used"}
    reasons = [
        f"{said.format(percent_text(first[name]))} against {percent_text(second[name])}"
        for name, said in words.items()
        if (first[name] or 0) > (second[name] or 0)
    ]
    return ", and ".join(reasons) or "it fits this demand better"


def _frontier(kept: list[dict[str, Any]], currency: str) -> dict[str, Any] | None:
    if len(kept) < 2:
        return None
    rows = _rows(kept, currency)
    return {
        "id": "frontier",
        "kind": "line",
        "title": "Saving a year against cash on the first day",
        "currency": currency,
        "categories": [f"{row['upfront']:,.0f} upfront" for row in rows],
        "series": [
            charts.series("Saving as observed", [row["saving"] for row in rows]),
            charts.series("Saving when demand falls by 30%", [row["worst"] for row in rows], dashed=True),
        ],
        "note": "Each point is a plan of its own: set the cash you want to spend as a limit to get it.",
    }


LABELS = {
    "target_coverage": "cover at most",
    "minimum_coverage": "cover at least",
    "minimum_utilisation": "expect to use at least",
    "max_upfront": "cash on the first day at most",
    "max_monthly": "paid a month at most",
    "break_even_months": "paid off within months",
    "cash_rate": "cash costs a year",
    "negotiated": "negotiated, off list prices",
}


def asked(plan: Plan) -> list[tuple[str, str]]:
    """The limits in words."""
    kept = plan.parameters
    found = [
        (
            "Options",
            ", ".join(KINDS.get(kind, kind) for kind in kept.get("kinds", [])),
        ),
        ("Terms", ", ".join(f"{months // 12} y" for months in kept.get("terms", []))),
        ("Payment", ", ".join(kept.get("payments", []))),
    ]
    shares = ("target_coverage", "minimum_coverage", "minimum_utilisation", "cash_rate", "negotiated")
    for name, label in LABELS.items():
        value = kept.get(name)
        if value:
            found.append((label.capitalize(), f"{value:.0%}" if name in shares else f"{value:,g}"))
        elif value == 0 and name not in ("cash_rate", "negotiated"):
            found.append((label.capitalize(), "0"))
    return found


class RecommendationProgress(Page, View):
    """How far it is, asked every two seconds; when it has ended the whole page is drawn anew."""

    permission_required = "reservations.view_plan"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        plan = get_object_or_404(Plan.objects.visible_to(request.user), pk=pk)
        if not plan.is_open:
            return HttpResponseClientRefresh()
        return render(request, "includes/progress.html", {"progress": progress(plan)})


class RecommendedItem(Page, TemplateView):
    """One purchase: the demand with the line drawn in it, and the formula with its numbers."""

    permission_required = "reservations.view_plan"
    template_name = "reservations/recommended_item.html"

    @cached_property
    def plan(self) -> Plan:
        return get_object_or_404(Plan.objects.visible_to(self.request.user), pk=self.kwargs["pk"])

    @cached_property
    def item(self) -> PlanItem:
        return get_object_or_404(self.plan.items, position=self.kwargs["position"])

    def get_title(self) -> str:
        return str(self.item)

    def get_subtitle(self) -> str:
        return (
            f"Price: {self.item.rate_source}, {self.item.rate_day}{', indicative' if self.item.is_indicative else ''}."
        )

    def get_breadcrumbs(self) -> list[tuple[str, str]]:
        return [*CRUMBS, ("Recommendation", self.plan.get_absolute_url())]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        item, working = self.item, self.item.working
        numbers = {
            name: Decimal(working[name]) for name in ("ratio", "committed", "on_demand", "level", "runs", "next")
        }
        context = {
            "plan": self.plan,
            "item": item,
            "working": working,
            "numbers": numbers,
            "chart": demand_chart(working),
            "ladder": LadderTable(working["ladder"], request=None),
            "may_ask": self.request.user.has_perm("reservations.add_purchaserequest"),
            "requests": self.plan.requests.filter(position=item.position).order_by("batch", "pk"),
        }
        return super().get_context_data(**{**context, **kwargs})


def demand_chart(working: dict[str, Any]) -> dict[str, Any]:
    """Each day's highest, average and lowest hour, and the commitment across them."""
    days, level = working["days"], Decimal(working["level"])
    lines = [
        charts.series(
            f"{name.capitalize()} hour" if name != "average" else "Average", [Decimal(day[name]) for day in days]
        )
        for name in ("highest", "average", "lowest")
    ]
    return {
        "id": "demand",
        "kind": "line",
        "title": "What it can cover, and how much is committed",
        "unit": working["unit"],
        "categories": [short_day_text(date.fromisoformat(day["day"])) for day in days],
        "series": [*lines, charts.series("Committed", [level] * len(days), dashed=True)],
    }
