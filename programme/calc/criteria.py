"""When a milestone is met and a risk has happened, by a figure. Pure: no Django."""

from decimal import Decimal
from enum import StrEnum


class Comparison(StrEnum):
    """How a figure is held against its limit; one that equals the limit has reached it."""

    AT_LEAST = ">="
    AT_MOST = "<="


def is_reached(value: Decimal | None, comparison: str, limit: Decimal | None) -> bool | None:
    """Whether `value` has reached `limit`; None where either is not known, which is neither yes nor no."""
    if value is None or limit is None:
        return None
    return value >= limit if comparison == Comparison.AT_LEAST else value <= limit
