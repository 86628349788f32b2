"""Words around figures. Pure: no Django."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal


def counted(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``1,204 rows``; `many` where the plural is not `one` with an s: ``2 rows have``, ``2 deliveries``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def number_text(value: Decimal | float, places: int = 0) -> str:
    """``1,204``, or ``0.5`` with one place: a number that is no money, rounded to `places`."""
    return f"{value:,.{places}f}"


def age_text(age: timedelta) -> str:
    """``5 minutes``, ``3 hours``, ``2 days``: whole units, rounded down."""
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return counted(max(minutes, 0), "minute")
    return counted(minutes // 60, "hour") if minutes < 48 * 60 else counted(minutes // (24 * 60), "day")


def some_of(names: Sequence[str], most: int = 5, *, between: str = ", ", last: str = " and ") -> str:
    """``a, b and 3 more``: the first `most` names, and how many there are beside them."""
    more = len(names) - most
    return between.join(names[:most]) + (f"{last}{more} more" if more > 0 else "")
