"""Stat cards of a month against the month before, and tables of what changed."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from costs.calc.period_changes import KINDS
from costs.query import trends
from costs.query.spend import add
from costs.web.links import group_filters, lines_url
from finops_site.lib import charts
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.lib.words import counted
from finops_site.ui.figures import month_text

SHOWN = 8
IN_CHART = 10
STEPS = 7
ZERO = Decimal(0)
Filters = Mapping[str, Sequence[str]]


def month_stats(
    user: Person, comparison: trends.Comparison, filters: Filters, *, with_year: bool = True
) -> list[dict[str, Any]]:
    """Stat cards: the month so far with its change, the last full month, and twelve months; per currency."""
    previous = comparison.month.previous
    twelve_months = Period(comparison.month.plus(-11).start, comparison.month.next.start)
    shown_in = comparison.shown_in
    now, before = (
        trends.totals_of_services(user, period, filters, comparison.metric, shown_in)
        for period in (comparison.now, comparison.before)
    )
    last, year = (
        trends.totals_of_months(user, comparison, period, filters) for period in (previous.period, twelve_months)
    )
    cards = []
    for code in sorted({*now, *before, *last}):
        billed_in = {} if code == shown_in else {"currency": code}
        cards += [
            {
                "label": comparison.title,
                "amount": now.get(code),
                "currency": code,
                "before": before.get(code),
                "against": comparison.against,
                "url": lines_url(comparison.now, {**filters, **billed_in}),
                "icon": "calendar-month",
            },
            {
                "label": month_text(previous, "long"),
                "amount": last.get(code),
                "currency": code,
                "note": _("the whole month"),
                "url": lines_url(previous.period, {**filters, **billed_in}),
                "icon": "calendar",
            },
            {
                "label": _("Last 12 months"),
                "amount": year.get(code),
                "currency": code,
                "note": _("this month so far included"),
                "icon": "calendar-stats",
            },
        ][: None if with_year else -1]
    return cards


def change_block(
    changes: Sequence[trends.LabelledChange], by: str, code: str, filters: Filters, comparison: trends.Comparison
) -> dict[str, Any]:
    """New, gone, more and less of one currency: the largest of each, how many more there are, and their sums."""
    kinds = []
    for kind in KINDS:
        of_kind = [labelled for labelled in changes if labelled.change.kind == kind]
        kinds.append(
            {
                "kind": kind,
                "sum": add(labelled.change.difference for labelled in of_kind),
                "shown": [change_row(labelled, by, filters, comparison) for labelled in of_kind[:SHOWN]],
                "more": max(len(of_kind) - SHOWN, 0),
            }
        )
    largest = changes[:IN_CHART]
    return {
        "currency": code,
        "kinds": kinds,
        "total": add(labelled.change.difference for labelled in changes),
        "chart": {
            "id": f"changes-{by}-{code.lower()}",
            "kind": "bar",
            "across": True,
            "title": _("The largest changes by {by}, {code}").format(by=by, code=code),
            "categories": [labelled.label for labelled in largest],
            "series": [charts.series(_("Change"), [labelled.change.difference for labelled in largest])],
            "currency": code,
        },
    }


def waterfall_charts(
    user: Person,
    changed: Mapping[str, Sequence[trends.LabelledChange]],
    filters: Filters,
    comparison: trends.Comparison,
    csv_url: str,
) -> list[dict[str, Any]]:
    """How the days before led to these, by the largest changes of services: a chart for each currency that changed."""
    before, after = (
        trends.totals_of_services(user, period, filters, comparison.metric, comparison.shown_in)
        for period in (comparison.before, comparison.now)
    )
    return [
        _waterfall(changes, code, (before.get(code) or ZERO, after.get(code) or ZERO), comparison, csv_url)
        for code, changes in changed.items()
        if changes
    ]


def _waterfall(
    changes: Sequence[trends.LabelledChange],
    code: str,
    totals: tuple[Decimal, Decimal],
    comparison: trends.Comparison,
    csv_url: str,
) -> dict[str, Any]:
    """The largest changes one by one; what is smaller is one step."""
    shown = changes if len(changes) <= STEPS + 1 else changes[:STEPS]
    steps = [(labelled.label, labelled.change.difference) for labelled in shown]
    if rest := changes[len(shown) :]:
        steps.append(
            (
                counted(len(rest), "other"),
                add(labelled.change.difference for labelled in rest) or ZERO,
            )
        )
    names = _short(comparison.before), _short(comparison.now)
    return {
        "id": f"waterfall-{code.lower()}",
        "kind": "bar",
        "across": True,
        "title": _("From {before} to {now}, by service, {code}").format(before=names[0], now=names[1], code=code),
        "currency": code,
        "csv_url": csv_url,
        **charts.waterfall((names[0], totals[0]), steps, (names[1], totals[1])),
    }


def _short(days: Period) -> str:
    month = month_text(days.start)
    return (
        month
        if days.start.day == 1 and days.end.day == 1
        else _("1 to {day} {month}").format(day=days.last_day.day, month=month)
    )


def change_row(
    labelled: trends.LabelledChange, by: str, filters: Filters, comparison: trends.Comparison
) -> dict[str, Any]:
    """A change with the address of its lines; what is gone has them in the period before."""
    change = labelled.change
    period = comparison.before if change.kind == "gone" else comparison.now
    billed_in = {} if labelled.currency == comparison.shown_in else {"currency": labelled.currency}
    return {
        "label": labelled.label,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "difference": change.difference,
        "url": lines_url(period, {**filters, **group_filters((by,), (change.key,)), **billed_in}),
    }
