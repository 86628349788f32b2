"""Charts drawn on the server, as SVG text, for PDFs and mails. Pure: no Django here.

The chart is the dict of templates/includes/chart.html (see charts.py); palette.py has the colours. Floats place
the pixels and nothing else: the exact figures stand in the table beside every chart.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from finops_site.lib import charts
from finops_site.lib.money import compact
from finops_site.lib.palette import palette

FONT = "Inter, 'Inter Ext', system-ui, sans-serif"
SIZE = 11
ROW = 26
LEGEND_ROW = 18
# Control characters, halves of a pair, and the two that are no characters at all; tab and line break may stay.
NOT_XML = re.compile("[\\x00-\\x08\\x0b-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels, with a round number at each line of the grid."""

    low: float
    high: float
    step: float
    first: float
    last: float

    def at(self, value: float) -> float:
        return self.first + (self.last - self.first) * (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        return [self.low + number * self.step for number in range(round((self.high - self.low) / self.step) + 1)]


def svg(chart: dict[str, Any], *, width: int = 640, height: int = 260, theme: str = "light") -> str:
    """The chart as one SVG text; kinds: stacked-bar, bar, line, area, sparkline, horizontal-bar, share, treemap.

    A series of the kind "band" is drawn as a filled strip, one of the kind "line" over the bars as a line. Bars across
    (and treemaps and the steps of a waterfall, drawn as such) are as high as their rows need.
    """
    shades = palette(theme)
    kind = chart["kind"]
    if kind in ("horizontal-bar", "treemap") or chart.get("across"):
        return _bars_across(chart, shades, width)
    if kind == "share":
        return _share(chart, shades, width)
    return _upright(chart, shades, width, 48 if kind == "sparkline" else height)


def _upright(chart: dict[str, Any], shades: dict[str, Any], width: int, height: int) -> str:
    bare = chart["kind"] == "sparkline"
    count = len(chart["categories"])
    if not count or not any(_known(one) for one in chart["series"]):
        return _frame(chart, width, height, [_text(width / 2, height / 2, "No figures", shades["soft"], "middle")])
    legend, top = ([], 4.0) if bare else _legend(chart, shades, 4, width)
    if bare:
        scale, left = _scale(*_extent(chart), height - 4.0, top, zero=False), 2.0
    else:
        scale = _scale(*_extent(chart), height - 26.0, top + 18, zero=True)
        left = max(_text_width(axis_label(tick)) for tick in scale.ticks) + 12
    slot = (width - left - 8) / count
    place = _places(chart, left, slot, width - 8)
    parts = (
        []
        if bare
        else [*legend, *_grid(chart, scale, shades, left, width), *_days(chart, place, shades, width, height)]
    )
    return _frame(chart, width, height, [*parts, *_marks(chart, scale, shades, place, slot)])


def _places(chart: dict[str, Any], left: float, slot: float, right: float) -> Callable[[int], float]:
    """Where the middle of each category stands: bars have a slot each, lines run from edge to edge."""
    count = len(chart["categories"])
    if chart["kind"] in ("stacked-bar", "bar") or count == 1:
        return lambda number: left + slot * (number + 0.5)
    return lambda number: left + (right - left) * number / (count - 1)


def _marks(
    chart: dict[str, Any], scale: Scale, shades: dict[str, Any], place: Callable[[int], float], slot: float
) -> list[str]:
    bars = _plain(chart) if chart["kind"] in ("stacked-bar", "bar") else []
    stacked = chart["kind"] == "stacked-bar" or (chart["kind"] == "area" and len(_plain(chart)) > 1)
    parts = [_band(one, scale, _shade(chart, one, shades), place) for one in chart["series"] if _kind(one) == "band"]
    draw = _stacked_bars if stacked else _bars_side_by_side
    parts += draw(chart, bars, scale, shades, place, slot)
    if stacked and chart["kind"] == "area":
        parts += _stacked_areas(chart, scale, shades, place)
        lines = [one for one in chart["series"] if _kind(one) == "line"]
    else:
        lines = [one for one in chart["series"] if _kind(one) != "band" and one not in bars]
    if scale.low < 0 < scale.high and chart["kind"] != "sparkline":
        edges = place(0) - slot / 2, place(len(chart["categories"]) - 1) + slot / 2
        parts.append(_line(edges[0], scale.at(0), edges[1], scale.at(0), shades["soft"]))
    for one in lines:
        filled = chart["kind"] in ("area", "sparkline") and _kind(one) != "line"
        parts += _course(one, scale, _shade(chart, one, shades), place, filled=filled)
    return parts


def _stacked_bars(
    chart: dict[str, Any],
    bars: Sequence[dict[str, Any]],
    scale: Scale,
    shades: dict[str, Any],
    place: Callable[[int], float],
    slot: float,
) -> list[str]:
    """What is more than zero upwards, what is less downwards."""
    wide = min(44.0, slot * (0.88 if len(chart["categories"]) > 40 else 0.7))
    parts = []
    for number in range(len(chart["categories"])):
        tops = {True: 0.0, False: 0.0}
        for one in bars:
            value = _float(one["data"][number])
            if not value:
                continue
            start = tops[value > 0]
            tops[value > 0] = start + value
            box = (place(number) - wide / 2, scale.at(start), wide, scale.at(start + value))
            parts.append(_bar(*box, _shade(chart, one, shades), shades["surface"]))
    return parts


def _bars_side_by_side(
    chart: dict[str, Any],
    bars: Sequence[dict[str, Any]],
    scale: Scale,
    shades: dict[str, Any],
    place: Callable[[int], float],
    slot: float,
) -> list[str]:
    wide = min(44.0, slot * 0.7 / max(len(bars), 1))
    parts = []
    for order, one in enumerate(bars):
        for number in range(len(chart["categories"])):
            value = _float(one["data"][number])
            if value:
                left = place(number) + (order - len(bars) / 2) * wide
                parts.append(_bar(left, scale.at(0), wide, scale.at(value), _shade(chart, one, shades), "none"))
    return parts


def _bar(left: float, start: float, wide: float, end: float, shade: str, edge: str) -> str:
    top, tall = min(start, end), abs(end - start)
    stroke = "" if edge == "none" else f' stroke="{edge}" stroke-width=".75"'
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{tall:.1f}" rx="1.5" fill="{shade}"{stroke}/>'
    )


def _stacked_areas(
    chart: dict[str, Any], scale: Scale, shades: dict[str, Any], place: Callable[[int], float]
) -> list[str]:
    base = [0.0] * len(chart["categories"])
    parts = []
    for one in _plain(chart):
        top = [start + (_float(value) or 0.0) for start, value in zip(base, one["data"], strict=True)]
        upper = [(place(number), scale.at(value)) for number, value in enumerate(top)]
        lower = [(place(number), scale.at(value)) for number, value in enumerate(base)]
        shade = _shade(chart, one, shades)
        parts.append(f'<polygon points="{_points([*upper, *reversed(lower)])}" fill="{shade}" fill-opacity=".7"/>')
        base = top
    return parts


def _band(one: dict[str, Any], scale: Scale, shade: str, place: Callable[[int], float]) -> str:
    """The strip between low and high, broken where either is not known."""
    pairs = [(_float(low), _float(high)) for low, high in zip(one["low"], one["high"], strict=True)]
    parts = []
    for run in _runs([None if None in pair else pair for pair in pairs]):
        upper = [(place(number), scale.at(pair[1])) for number, pair in run]
        lower = [(place(number), scale.at(pair[0])) for number, pair in run]
        parts.append(f'<polygon points="{_points([*upper, *reversed(lower)])}" fill="{shade}" fill-opacity=".2"/>')
    return "".join(parts)


def _course(one: dict[str, Any], scale: Scale, shade: str, place: Callable[[int], float], *, filled: bool) -> list[str]:
    dash = ' stroke-dasharray="5 4"' if one.get("dashed") else ""
    parts = []
    for run in _runs([_float(value) for value in one["data"]]):
        points = [(place(number), scale.at(value)) for number, value in run]
        if len(points) == 1:
            parts.append(f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3" fill="{shade}"/>')
            continue
        if filled:
            ground = scale.at(max(scale.low, 0.0))
            area = [*points, (points[-1][0], ground), (points[0][0], ground)]
            parts.append(f'<polygon points="{_points(area)}" fill="{shade}" fill-opacity=".16"/>')
        style = f'fill="none" stroke="{shade}" stroke-width="2" stroke-linejoin="round"{dash}'
        parts.append(f'<polyline points="{_points(points)}" {style}/>')
    return parts


def _runs(values: Sequence[Any]) -> list[list[tuple[int, Any]]]:
    """The stretches without a gap."""
    runs: list[list[tuple[int, Any]]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((number, value))
    return [run for run in runs if run]


def _bars_across(chart: dict[str, Any], shades: dict[str, Any], width: int) -> str:
    """A row for each category with its name, its bar and its figure in words."""
    rows = _rows(chart, shades)
    names = min(max((_text_width(name) for name, *_ in rows), default=0.0) + 10, width * 0.5)
    words = max((_text_width(label) for *_, label in rows), default=0.0) + 10
    left, right = names, width - words
    ends = [end for _, pair, _, _ in rows for end in pair] or [0.0]
    low, high = _cut_below(chart, ends), max(0.0, *ends)
    room = (right - left) / ((high - low) or 1.0)
    zero = left - low * room
    parts = []
    for number, (name, pair, shade, label) in enumerate(rows):
        middle = number * ROW + ROW / 2
        is_cut = low > min(pair)
        start = zero + max(min(pair), low) * room
        wide = max(zero + max(pair) * room - start, 1.0 if pair[0] else 0.0)
        box = f'x="{start:.1f}" y="{middle - 7:.1f}" width="{wide:.1f}" height="14"'
        parts.append(_text(0, middle + 4, _cut(name, names - 8), shades["ink"]))
        parts.append(f'<rect {box} rx="2" fill="{shade}"/>')
        if is_cut:
            # It says that the bar begins far to the left of this.
            slant = f'x1="{start + 10:.1f}" y1="{middle + 9:.1f}" x2="{start + 16:.1f}" y2="{middle - 9:.1f}"'
            parts.append(f'<line {slant} stroke="{shades["surface"]}" stroke-width="3"/>')
        parts.append(_text(width, middle + 4, label, shades["ink"], "end"))
    return _frame(chart, width, max(len(rows), 1) * ROW, parts)


def _cut_below(chart: dict[str, Any], ends: Sequence[float]) -> float:
    """Where bars across begin: at zero, or just below the steps of a waterfall that are small beside its totals."""
    low = min(0.0, *ends)
    if low < 0 or not any(_kind(one) == "step" for one in chart["series"]):
        return low
    tops = [end for end in ends if end > 0]
    span = max(tops, default=0.0) - min(tops, default=0.0)
    return min(tops) - span * 0.5 if 0 < span < min(tops) else low


def _rows(chart: dict[str, Any], shades: dict[str, Any]) -> list[tuple[str, tuple[float, float], str, str]]:
    """(name, from where to where, colour, words) of each bar across; a step begins where the one before it ended."""
    many = chart["series"]
    if chart["kind"] == "treemap":
        return [(str(one["name"]), (0.0, _float(one["data"][0]) or 0.0), *_look(chart, one, shades, 0)) for one in many]
    rows = []
    for number, name in enumerate(chart["categories"]):
        one = next((one for one in many if one["data"][number] is not None), many[0])
        low, high = (one.get(end, one["data"])[number] for end in ("low", "high"))
        start = (_float(low) or 0.0) if _kind(one) == "step" else 0.0
        rows.append((str(name), (start, _float(high) or 0.0), *_look(chart, one, shades, number)))
    return rows


def _look(chart: dict[str, Any], one: dict[str, Any], shades: dict[str, Any], number: int) -> tuple[str, str]:
    """The colour of a bar across, and its figure in words."""
    return _shade(chart, one, shades), charts.words(one, chart)[number]


def _share(chart: dict[str, Any], shades: dict[str, Any], width: int) -> str:
    """One bar whose parts are the series' first values; parts below zero have no share of it."""
    values = [max(_float(one["data"][0]) or 0.0, 0.0) for one in chart["series"]]
    total = sum(values) or 1.0
    legend, top = _legend(chart, shades, 22, width)
    parts, left = list(legend), 0.0
    for one, value in zip(chart["series"], values, strict=True):
        wide = width * value / total
        style = f'fill="{_shade(chart, one, shades)}" stroke="{shades["surface"]}"'
        parts.append(f'<rect x="{left:.1f}" y="0" width="{wide:.1f}" height="14" rx="2" {style}/>')
        left += wide
    return _frame(chart, width, math.ceil(top), parts)


def _legend(chart: dict[str, Any], shades: dict[str, Any], top: float, width: int) -> tuple[list[str], float]:
    """The names of the series in as many rows as they need, and where they end."""
    if len(chart["series"]) < 2:
        return [], top
    parts, left = [], 0.0
    for one in chart["series"]:
        name = _cut(str(one["name"]), width * 0.45)
        room = _text_width(name) + 30
        if left and left + room > width:
            left, top = 0.0, top + LEGEND_ROW
        box = f'x="{left:.1f}" y="{top:.1f}" width="9" height="9" rx="2.5"'
        faded = ' fill-opacity=".3"' if _kind(one) == "band" else ""
        parts.append(f'<rect {box} fill="{_shade(chart, one, shades)}"{faded}/>')
        parts.append(_text(left + 14, top + 8.5, name, shades["ink"]))
        left += room
    return parts, top + LEGEND_ROW


def _grid(chart: dict[str, Any], scale: Scale, shades: dict[str, Any], left: float, width: int) -> list[str]:
    unit = str(chart.get("currency") or chart.get("unit") or "")
    fits = _text_width(unit) <= left - 6
    parts = [_text(left - 6 if fits else 0, scale.last - 8, unit, shades["soft"], "end" if fits else "start")]
    for tick in scale.ticks:
        height = scale.at(tick)
        parts.append(_line(left, height, width - 8, height, shades["line"]))
        parts.append(_text(left - 6, height + 4, axis_label(tick), shades["soft"], "end"))
    return parts


def _days(
    chart: dict[str, Any], place: Callable[[int], float], shades: dict[str, Any], width: int, height: int
) -> list[str]:
    """The names of the categories, as many as stand beside one another, all of them within the drawing."""
    names = [_cut(str(name), 110) for name in chart["categories"]]
    gap = abs(place(1) - place(0)) if len(names) > 1 else 120.0
    # The first and the last of a line stand at its edges: half of them would lie outside, and moves inwards.
    longest = max(_text_width(name) for name in names)
    room = longest * (1.5 if chart["kind"] in ("line", "area") else 1) + 10
    every = max(1, math.ceil(room / max(gap, 0.1)))
    parts = []
    for number in range(0, len(names), every):
        half = _text_width(names[number]) / 2
        middle = max(half, min(place(number), width - half))
        parts.append(_text(middle, height - 8, names[number], shades["soft"], "middle"))
    return parts


def axis_label(tick: float) -> str:
    """A figure of an axis: ``12.5k``, ``3M``, ``0.25``."""
    return compact(Decimal(f"{tick:.10g}"), on_axis=True)


def _extent(chart: dict[str, Any]) -> tuple[float, float]:
    """The least and the most that is drawn, stacks as high as their sums."""
    values = [value for one in chart["series"] for value in _known(one)]
    if chart["kind"] == "stacked-bar" or (chart["kind"] == "area" and len(_plain(chart)) > 1):
        for column in zip(*(one["data"] for one in _plain(chart)), strict=True):
            known = [_float(value) or 0.0 for value in column]
            values += [sum(value for value in known if value > 0), sum(value for value in known if value < 0)]
    return min(values), max(values)


def _scale(low: float, high: float, first: float, last: float, *, zero: bool) -> Scale:
    """About four lines at 1, 2, 2.5 or 5 of a power of ten around the values."""
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= abs(high) * 1e-9:
        high = low + (abs(low) or 1.0)
    if not zero:
        return Scale(low, high, high - low, first, last)
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(power * part for part in (1, 2, 2.5, 5, 10) if power * part * 4 >= (high - low) * 0.999)
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step, first, last)


def _kind(one: dict[str, Any]) -> str:
    return str(one.get("kind") or "")


def _plain(chart: dict[str, Any]) -> list[dict[str, Any]]:
    """The series that are drawn as the chart's own kind says."""
    return [one for one in chart["series"] if _kind(one) not in ("line", "band")]


def _known(one: dict[str, Any]) -> list[float]:
    columns = [one["low"], one["high"]] if _kind(one) == "band" else [one["data"]]
    return [float(value) for column in columns for value in column if value is not None]


def _shade(chart: dict[str, Any], one: dict[str, Any], shades: dict[str, Any]) -> str:
    if one.get("other"):
        return str(shades["other"])
    place = next(number for number, known in enumerate(chart["series"]) if known is one)
    return str(shades.get(one.get("tone", ""), shades["series"][place % len(shades["series"])]))


def _float(value: Decimal | str | float | None) -> float | None:
    return None if value is None else float(value)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{left:.1f},{top:.1f}" for left, top in points)


def _line(left: float, top: float, right: float, bottom: float, shade: str) -> str:
    place = f'x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"'
    return f'<line {place} stroke="{shade}" stroke-width="1"/>'


def _text(left: float, top: float, text: str, shade: str, anchor: str = "start") -> str:
    return f'<text x="{left:.1f}" y="{top:.1f}" fill="{shade}" text-anchor="{anchor}">{_safe(text)}</text>'


def _safe(text: str) -> str:
    """`text` as XML can hold it: markup in a name stays text, and what no XML may hold is left out."""
    return escape(NOT_XML.sub("", text), {'"': "&quot;"})


def _text_width(text: str) -> float:
    """About how wide `text` is; capitals and what is not Latin count for more."""
    return sum(SIZE * (0.62 if letter.isascii() and not letter.isupper() else 0.74) for letter in text)


def _cut(text: str, room: float) -> str:
    if _text_width(text) <= room:
        return text
    while text and _text_width(text + "…") > room:
        text = text[:-1]
    return text.rstrip() + "…"


def _frame(chart: dict[str, Any], width: int, height: int, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    name = _safe(str(chart.get("title") or "Chart"))
    look = f'font-family="{FONT}" font-size="{SIZE}" role="img" aria-label="{name}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>{"".join(parts)}</svg>'
