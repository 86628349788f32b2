"""How a row of a table reads on a phone: a name and an amount, some facts below, and the rest behind a button.

Every cell says its place in ``data-phone``; the style sheet does the rest, and a wide screen does not look at it.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.utils.functional import lazy
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString, mark_safe

from finops_site.translation import gettext_lazy as _lazy

NAME, AMOUNT, FACT, FIGURE, REST, PICK, ACTIONS = "name", "amount", "fact", "figure", "rest", "pick", "actions"
MOST_FACTS = 3
# Written anew for each reader.
MORE = lazy(format_html, SafeString)(
    '<button class="row-more js-only" type="button" aria-expanded="false"><span class="visually-hidden">{}</span>'
    '<span class="row-more-mark" aria-hidden="true"></span></button>',
    _lazy("More"),
)
HEAD = re.compile(r"<thead.*?</thead>", re.DOTALL)
HEAD_CELL = re.compile(r"<th\b([^>]*)>(.*?)</th>", re.DOTALL)
ROW = re.compile(r"<tr\b[^>]*>.*?</tr>", re.DOTALL)
CELL = re.compile(r"<(t[hd])\b([^>]*)>(.*?)</t[hd]>", re.DOTALL)
PLACE = re.compile(r'data-phone="(\w+)"')
MOST_COLUMNS = 16


@dataclass(frozen=True, slots=True)
class PhoneColumn:
    """What decides a column's place: figures say their head beside them, money stands to the right of the name."""

    name: str
    is_figure: bool = False
    is_money: bool = False
    is_rest: bool = False
    place: str = ""


def places(
    columns: Sequence[PhoneColumn], facts: Collection[str] = (), amount: str = "", name: str = ""
) -> dict[str, str]:
    """The place of each column; `name`, `amount` and `facts` choose them, otherwise the first ones are taken."""
    given = {column.name: column.place for column in columns if column.place}
    free = [column for column in columns if column.name not in given]
    if not free:
        return given
    first = name or next((c.name for c in columns if c.place == NAME), "") or free[0].name
    given[first] = NAME
    candidates = [column for column in free if column.name != first]
    chosen = amount or next((c.name for c in columns if c.place == AMOUNT), "")
    chosen = chosen or next((c.name for c in candidates if c.is_money), "")
    chosen = chosen or next((c.name for c in reversed(candidates) if c.is_figure), "")
    if chosen:
        given[chosen] = AMOUNT
    others = [column for column in candidates if column.name != chosen]
    shown = [c for c in others if (c.name in facts if facts else not c.is_rest)]
    shown = shown if facts else shown[:MOST_FACTS]
    for column in others:
        given[column.name] = (FIGURE if column.is_figure else FACT) if column in shown else REST
    return given


def mark_rows(content: str) -> SafeString:
    """A table written by hand with each cell's place and head; unchanged where it has no heads, or very many.

    A head may say its place itself: ``<th data-phone="actions">``.
    """
    head = HEAD.search(content)
    cells = HEAD_CELL.findall(head.group()) if head else []
    if head is None or not 2 <= len(cells) <= MOST_COLUMNS or "colspan" in head.group():
        return mark_safe(content)  # it comes from a template, which has escaped it
    columns = [_head_column(number, *cell) for number, cell in enumerate(cells)]
    labels = [" ".join(strip_tags(text).split()).replace('"', "&quot;") for _, text in cells]
    place_of = places(columns)
    marks = [(place_of[column.name], label) for column, label in zip(columns, labels, strict=True)]
    rows = ROW.sub(lambda row: _marked(row.group(), marks), content[head.end() :])
    return mark_safe(content[: head.end()] + rows)  # as above


def _head_column(number: int, attributes: str, text: str) -> PhoneColumn:
    given = PLACE.search(attributes)
    is_silent = not strip_tags(text).strip() or text.strip().startswith('<span class="visually-hidden">')
    place = given[1] if given else ACTIONS if is_silent else ""
    return PhoneColumn(str(number), is_figure="number" in attributes, place=place)


def _marked(row: str, marks: Sequence[tuple[str, str]]) -> str:
    """The row with the places and heads of its cells; as it was where it has not a cell for each."""
    if len(CELL.findall(row)) != len(marks) or "colspan" in row:
        return row
    rest = iter(marks)
    has_rest = any(place == REST for place, _ in marks)

    def cell(match: re.Match[str]) -> str:
        place, label = next(rest)
        role = "rowheader" if match[1] == "th" else "cell"
        more = MORE if has_rest and place == NAME else ""
        head = "" if "data-label" in match[2] else f' data-label="{label}"'
        start = f'<{match[1]} data-phone="{place}"{head} role="{role}"{match[2]}>'
        # Beside its head a cell is one thing: its second line is not a third column.
        has_lines = "second-line" in match[3] and place in (FACT, FIGURE, REST)
        return f"{start}{f'<div>{match[3]}</div>' if has_lines else match[3]}{more}</{match[1]}>"

    return CELL.sub(cell, row).replace("<tr", '<tr role="row"', 1)
