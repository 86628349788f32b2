"""What a saved view shows in short, on home, on a dashboard and in a mail: its page says it by `get_figures`."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# So many rows of a view are shown; its page has them all.
MOST_ROWS = 5
# A list is counted up to here: counting millions of rows takes longer than all the rest.
MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A group of an answer and its amount; None is not known."""

    label: str
    amount: Decimal | None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """The total of one currency, or of one unit, and its largest rows; `more` are not shown.

    A total of None is not known. `is_change`: the amounts are differences.
    """

    title: str
    currency: str
    total: Decimal | None
    rows: Sequence[FigureRow] = ()
    more: int = 0
    unit: str = ""
    is_change: bool = False


@dataclass(frozen=True, slots=True)
class ViewFigures:
    """What a saved view shows a person: figures, or how many rows its list has.

    `problems` say why there is nothing to show, `notes` what the figures lack, and `until_text` until when they are
    known; with `is_missing` the notes say that better. `has_more`: there are more rows than `count`, which nobody
    counted.
    """

    figures: Sequence[Figures] = ()
    count: int | None = None
    has_more: bool = False
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
    until_text: str = ""
    is_missing: bool = False


def largest(rows: Sequence[FigureRow]) -> tuple[Sequence[FigureRow], int]:
    """The rows that are shown, and how many are not."""
    return rows[:MOST_ROWS], max(len(rows) - MOST_ROWS, 0)


def known_figures(figures: Sequence[Figures], notes: Sequence[str], known: Any) -> ViewFigures:
    """Figures about cost, and what is known of their days: costs.query.known_until.KnownDays, or None."""
    until, is_missing = (known.until_text, bool(known.missing)) if known else ("", False)
    return ViewFigures(figures, notes=notes, until_text=until, is_missing=is_missing)
