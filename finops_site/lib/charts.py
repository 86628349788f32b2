"""Charts as data: the exact figures, the words for them, and "Other" for what would be too thin to see.

A chart is a plain dict, described at the top of templates/includes/chart.html. No Django here.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop as _noop
from finops_site.lib.money import EXACT, exact_sum, exact_text, formatted

OTHER = _noop("Other")
ABSENT = "—"
# What a chart says of a step that is not over, or not delivered to its end.
SO_FAR = _noop("so far")


def series(name: str, data: Sequence[Decimal | int | None], **more: Any) -> dict[str, Any]:
    """One series of a chart; None where the bill does not say.

    `tone` (good, warn, bad, calm) colours it by what it means; `pattern` (stripes, dots, lines) says so without colour.
    """
    return {"name": name, "data": list(data), **more}


def threshold(name: str, value: Decimal, steps: int, *, tone: str = "bad") -> dict[str, Any]:
    """A dashed line at `value` across all `steps` categories: a budget, a target."""
    return series(name, [value] * steps, kind="line", dashed=True, tone=tone)


def band(
    name: str, low: Sequence[Decimal | None], high: Sequence[Decimal | None], *, currency: str = ""
) -> dict[str, Any]:
    """A strip between `low` and `high`, such as a forecast's interval; None in either where there is none."""
    pairs = list(zip(low, high, strict=True))
    unit = {"currency": currency}
    labels = [
        ABSENT if None in pair else _("{low} to {high}").format(low=_words(pair[0], unit), high=_words(pair[1], unit))
        for pair in pairs
    ]
    return series(name, high, kind="band", low=list(low), high=list(high), labels=labels)


def waterfall(
    before: tuple[str, Decimal], steps: Sequence[tuple[str, Decimal]], after: tuple[str, Decimal]
) -> dict[str, Any]:
    """Categories and series of a chart from one total to another: each step begins where the one before it ended.

    The steps must sum to the difference of the totals: raises ValueError where they do not.
    """
    if EXACT.add(before[1], exact_sum(amount for _name, amount in steps)) != after[1]:
        raise ValueError("the steps of a waterfall must lead from its first total to its last")
    level, ends = before[1], []
    for _name, amount in steps:
        ends.append((level, EXACT.add(level, amount)))
        level = ends[-1][1]
    zero, nothing = Decimal(0), [None] * len(steps)
    more, less = ([amount if amount * sign > 0 else None for _name, amount in steps] for sign in (1, -1))
    totals = [(zero, before[1]), *ends, (zero, after[1])]
    return {
        "categories": [before[0], *(name for name, _ in steps), after[0]],
        "series": [
            _steps(_("Total"), [before[1], *nothing, after[1]], totals, tone="calm"),
            _steps(_("More"), [None, *more, None], [None, *ends, None], tone="bad"),
            _steps(_("Less"), [None, *less, None], [None, *ends, None], tone="good"),
        ],
    }


def _steps(
    name: str, data: Sequence[Decimal | None], ends: Sequence[tuple[Decimal, Decimal] | None], *, tone: str
) -> dict[str, Any]:
    """One series of a waterfall: where it has an amount, a bar between two levels."""
    pairs = [None if value is None else pair for value, pair in zip(data, ends, strict=True)]
    low, high = ([pair and choose(pair) for pair in pairs] for choose in (min, max))
    return series(name, data, kind="step", low=low, high=high, tone=tone)


def top_series(many: Sequence[dict[str, Any]], limit: int = 8) -> list[dict[str, Any]]:
    """The `limit` series with the largest sums, and the rest summed exactly as "Other" (drawn grey, last)."""
    ranked = sorted(many, key=lambda one: -abs(exact_sum(filter(None, one["data"]))))
    if len(ranked) <= limit + 1:
        return ranked
    rest = ranked[limit:]
    columns = zip(*(one["data"] for one in rest), strict=True)
    data = [None if all(value is None for value in column) else exact_sum(filter(None, column)) for column in columns]
    return [*ranked[:limit], {"name": f"{_(OTHER)} ({len(rest)})", "data": data, "other": True}]


def for_browser(chart: dict[str, Any]) -> dict[str, Any]:
    """The chart as JSON can hold it: amounts as exact text, with the words the tooltip shows."""
    shown = ("id", "kind", "title", "currency", "unit", "stacked", "unfinished", "narrow", "across")
    return {
        **{name: chart[name] for name in shown if chart.get(name)},
        "categories": [str(category) for category in chart.get("categories", [])],
        "series": [_series_for_browser(one, chart) for one in chart["series"]],
    }


def as_table(chart: dict[str, Any]) -> dict[str, Any]:
    """The chart's figures in words, categories down and series across (a treemap: names down)."""
    many = chart["series"]
    if chart["kind"] == "treemap":
        rows = [[one["name"], words(one, chart)[0]] for one in many]
        return {"head": ["", str(chart.get("currency") or chart.get("unit") or "")], "rows": rows}
    labels = [words(one, chart) for one in many]
    rows = [[category, *cells] for category, *cells in zip(chart["categories"], *labels, strict=True)]
    return {"head": ["", *(one["name"] for one in many)], "rows": rows}


def _series_for_browser(one: dict[str, Any], chart: dict[str, Any]) -> dict[str, Any]:
    options = {
        name: one[name] for name in ("dashed", "other", "url", "tone", "pattern", "kind", "narrow") if one.get(name)
    }
    columns: dict[str, Any] = {
        name: [exact_text(value) if isinstance(value, Decimal) else value for value in one[name]]
        for name in ("data", "low", "high")
        if name in one
    }
    return {"name": str(one["name"]), **columns, "labels": words(one, chart), **options}


def words(one: dict[str, Any], chart: dict[str, Any]) -> list[str]:
    """The figures of a series as a reader sees them."""
    return list(one["labels"]) if one.get("labels") else [_words(value, chart) for value in one["data"]]


def _words(value: Decimal | int | str | None, chart: dict[str, Any]) -> str:
    if value is None:
        return ABSENT
    if chart.get("currency"):
        return formatted(value if isinstance(value, Decimal) else Decimal(str(value)), chart["currency"])
    return str(exact_text(value)) if isinstance(value, Decimal) else str(value)
