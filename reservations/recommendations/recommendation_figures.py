"""Figures, tables and charts of a recommendation, as its pages show them."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib import charts
from finops_site.lib.money import formatted
from finops_site.lib.periods import short_day_text
from finops_site.lib.words import number_text, share_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import percent_text
from reservations.calc.terms import KINDS
from reservations.models import Plan, PlanItem
from reservations.recommendations.plan_comparison import ALL_TOGETHER
from reservations.recommendations.tables import (
    CONFIDENCES,
    BacktestTable,
    ComparisonTable,
    ItemTable,
    LimitCostTable,
    RiskTable,
    SliceTable,
)

MONEY = ("cost", "saving", "upfront", "monthly", "on_demand", "worst", "committed", "committed_cost", "on_demand_cost")
SHARES = ("coverage", "utilisation", "discount", "gap", "return")


def plan_progress(plan: Plan) -> dict[str, Any]:
    return {
        "url": reverse("reservations:recommendation_progress", args=[plan.pk]),
        "percent": plan.progress if plan.state == Plan.State.RUNNING else None,
        "label": plan.stage or _("Waiting for a worker"),
        "detail": "",
        "done": plan.state == Plan.State.READY,
        "failed": plan.state == Plan.State.FAILED,
        "message": plan.message,
    }


def plan_figures(plan: Plan, *, may_request: bool = False) -> dict[str, Any]:
    """Everything a finished recommendation shows, with a button for each purchase to who may request it."""
    working = plan.working
    items = list(plan.items.all())
    for item in items:
        item.currency = plan.currency
    compared = _rows(working.get("comparison", []), plan.currency)
    backtest = working.get("backtest") or {}
    slices = slice_rows(working.get("frontier", []), plan.currency)
    eased = _rows(working.get("limits_cost", []), plan.currency)
    return {
        "stats": plan_stats(plan),
        "confidence": CONFIDENCES[plan.confidence],
        "items": ItemTable(items, request=None, may_request=may_request, requests=list(plan.requests.order_by("pk")))
        if items
        else None,
        "comparison": ComparisonTable(compared, request=None) if compared else None,
        "why": f"{explain_best_kind(compared, plan.currency)} {working.get('only_reserved', '')}".strip(),
        "risk": RiskTable(_rows(working.get("risk", []), plan.currency), request=None) if working.get("risk") else None,
        "frontier": frontier_chart(slices, plan.currency),
        "slices": SliceTable(slices, request=None) if slices else None,
        "least_return": Decimal(working.get("least_return", "0")),
        "eased": LimitCostTable(eased, request=None) if eased else None,
        "backtest": BacktestTable(_rows(backtest.get("rows", []), plan.currency), request=None) if backtest else None,
        "backtested": backtest,
        "replayed": _replay(working.get("replayed")),
        "steady": working.get("steady", {}),
        "running": working.get("running"),
        "pools": working.get("pools", []),
        "limits": limit_texts(plan),
    }


def _replay(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """The replay with its amounts as decimals."""
    return stored and {**stored, "saving": Decimal(stored["saving"])}


def batch_rows(item: PlanItem, currency: str) -> list[dict[str, Any]]:
    """The monthly batches of a purchase with their amounts as decimals."""
    return _rows(item.working["ladder"], currency)


PURCHASE_HEAD = (
    *("Purchase", "Batch", "Buy on", "Ends on", "Quantity", "Unit", "On demand, a year", "Committed, a year"),
    *("Saving, a year", "Return", "Expected use", "Cash on the first day", "A month", "Currency"),
)
SLICE_HEAD = (
    *("Up to", "Committed, a year", "Cash on the first day", "Saving, a year", "If demand falls by 30%"),
    *("This slice saves", "Return", "Currency"),
)


def purchase_rows(plan: Plan) -> Iterator[tuple[Any, ...]]:
    """Every purchase of a recommendation with its batches, as a sheet: the head first, all of a purchase as batch 0."""
    yield PURCHASE_HEAD
    for item in plan.items.all():
        earned = item.saving / item.committed_cost if item.committed_cost else None
        yield (
            *(item.title, 0, plan.as_of, None, item.quantity, item.unit, item.on_demand_cost, item.committed_cost),
            *(item.saving, earned, item.utilisation, item.upfront, item.monthly, plan.currency),
        )
        for number, batch in enumerate(batch_rows(item, plan.currency), 1):
            yield (
                *(item.title, number, batch["buy_on"], batch["ends_on"], batch["quantity"], item.unit),
                *(batch.get(name) for name in ("on_demand_cost", "committed_cost", "saving", "return", "utilisation")),
                *(batch.get("upfront"), batch.get("monthly"), plan.currency),
            )


def slice_sheet(plan: Plan) -> Iterator[tuple[Any, ...]]:
    """The plans from little to the recommended one, as a sheet, the head first."""
    yield SLICE_HEAD
    for row in slice_rows(plan.working.get("frontier", []), plan.currency):
        names = ("name", "committed", "upfront", "saving", "worst", "more", "return", "currency")
        yield tuple(row[name] for name in names)


def formula_numbers(working: dict[str, Any]) -> dict[str, Decimal]:
    """The numbers of the formula; of what was recommended before a return was asked, the threshold is r / p."""
    older = {"threshold": working["ratio"], "least_return": "0", "pays_above": working["committed"]}
    names = ("ratio", "committed", "on_demand", "level", "runs", "next", "value", "next_value", *older)
    return {name: Decimal(value) for name, value in (older | working).items() if name in names}


def plan_stats(plan: Plan) -> list[dict[str, Any]]:
    bound = formatted(plan.lower_bound or Decimal(0), plan.currency)
    share = percent_text(plan.saving / plan.cost_before) if plan.cost_before and plan.saving is not None else ""
    note = _("{share} a year").format(share=share) if share else ""
    if plan.best_saving and plan.saving is not None and plan.best_saving > plan.saving:
        note = _("at least; up to {best_saving} where machines do not all run at once").format(
            best_saving=formatted(plan.best_saving, plan.currency)
        )
    return [
        {"label": _("A year on demand"), "amount": plan.cost_before, "currency": plan.currency},
        {
            "label": _("With this plan"),
            "amount": plan.cost_after,
            "currency": plan.currency,
            "note": _("no plan within the limits costs less than {bound}: gap {gap}").format(
                bound=bound, gap=percent_text(plan.gap, 2)
            ),
        },
        {
            "label": _("Saving"),
            "amount": plan.saving,
            "currency": plan.currency,
            "note": note,
        },
        {"label": _("Cash on the first day"), "amount": plan.upfront, "currency": plan.currency},
    ]


def _rows(stored: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """Rows of the working with their texts as decimals again."""
    numbers = {*MONEY, *SHARES}
    return [
        {name: Decimal(value) if name in numbers and value is not None else value for name, value in row.items()}
        | {"currency": currency}
        for row in stored
    ]


def explain_best_kind(rows: list[dict[str, Any]], currency: str) -> str:
    """Which kind alone saves most, and what makes the difference to the next."""
    alone = sorted((row for row in rows if row["name"] != ALL_TOGETHER), key=lambda row: -row["saving"])
    if not alone or alone[0]["saving"] <= 0:
        return _("Nothing is worth committing to at these prices and limits.")
    first = alone[0]
    if len(alone) == 1:
        return _("{name} is the only kind that was allowed.").format(name=_(first["name"]))
    second = alone[1]
    gap = first["saving"] - second["saving"]
    if gap <= first["saving"] / 1000:
        return _(
            "{name} and {other} save the same to a thousandth: take the one that is easier to change, "
            "for a plan follows machines of other sizes and systems."
        ).format(name=_(first["name"]), other=_(second["name"]))
    texts = {
        "discount": _("its discount is {share} against {other}"),
        "coverage": _("it covers {share} against {other}"),
        "utilisation": _("{share} of it is used against {other}"),
    }
    reasons = [
        text.format(share=percent_text(first[name]), other=percent_text(second[name]))
        for name, text in texts.items()
        if (first[name] or 0) > (second[name] or 0)
    ]
    because = _(", and ").join(reasons) or _("it fits this demand better")
    return _("{name} alone saves {amount} {currency} a year more than {other}: {reasons}.").format(
        name=_(first["name"]), amount=number_text(gap), currency=currency, other=_(second["name"]), reasons=because
    )


def slice_rows(stored: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """The plans of the frontier with what each saves more than the one before; none for an old kind of frontier."""
    rows = [row for row in _rows(stored, currency) if row.get("committed") is not None]
    before = Decimal(0)
    for number, row in enumerate(rows, 1):
        row["name"] = _("this plan") if number == len(rows) else _("slice {number}").format(number=number)
        row["more"], before = row["saving"] - before, row["saving"]
    return rows


def frontier_chart(rows: list[dict[str, Any]], currency: str) -> dict[str, Any] | None:
    """What a year saves for less that is committed; None where there is nothing to choose."""
    if len(rows) < 2:
        return None
    return {
        "id": "frontier",
        "kind": "line",
        "title": _("Saving a year against what is committed a year"),
        "currency": currency,
        "categories": [f"{row['committed']:,.0f}" for row in rows],
        "series": [
            charts.series(_("Saving as observed"), [row["saving"] for row in rows]),
            charts.series(_("Saving when demand falls by 30%"), [row["worst"] for row in rows], dashed=True),
        ],
    }


LABELS = {
    "target_coverage": _lazy("cover at most"),
    "minimum_coverage": _lazy("cover at least"),
    "minimum_utilisation": _lazy("expect to use at least"),
    "max_upfront": _lazy("cash on the first day at most"),
    "max_monthly": _lazy("paid a month at most"),
    "break_even_months": _lazy("paid off within months"),
    "cash_rate": _lazy("cash costs a year"),
    "negotiated": _lazy("negotiated, off list prices"),
}


def limit_texts(plan: Plan) -> list[tuple[str, str]]:
    """The limits in words."""
    parameters = plan.parameters
    limits = [
        (_("Options"), ", ".join(KINDS.get(kind, kind) for kind in parameters.get("kinds", []))),
        (_("Terms"), ", ".join(_("{count} y").format(count=months // 12) for months in parameters.get("terms", []))),
        (_("Payment"), ", ".join(parameters.get("payments", []))),
    ]
    shares = ("target_coverage", "minimum_coverage", "minimum_utilisation", "cash_rate", "negotiated")
    for name, label in LABELS.items():
        value = parameters.get(name)
        if value:
            limits.append((label.capitalize(), share_text(value) if name in shares else f"{value:,g}"))
        elif value == 0 and name not in ("cash_rate", "negotiated"):
            limits.append((label.capitalize(), "0"))
    return limits


def demand_chart(working: dict[str, Any]) -> dict[str, Any]:
    """Each day's highest, average and lowest hour, and the commitment across them."""
    days, level = working["days"], Decimal(working["level"])
    lines = [
        charts.series(
            label,
            [Decimal(day[name]) for day in days],
        )
        for name, label in (("highest", _("Highest hour")), ("average", _("Average")), ("lowest", _("Lowest hour")))
    ]
    return {
        "id": "demand",
        "kind": "line",
        "title": _("What it can cover, as expected, and how much is committed")
        if working.get("is_ahead")
        else _("What it can cover and how much is committed"),
        "unit": working["unit"],
        "categories": [short_day_text(date.fromisoformat(day["day"])) for day in days],
        "series": [*lines, charts.series(_("Committed"), [level] * len(days), dashed=True)],
    }
