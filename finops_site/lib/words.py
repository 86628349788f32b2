"""Words around figures. Pure: no Django."""

from collections.abc import Sequence


def counted(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``1,204 rows``; `many` where the plural is not `one` with an s: ``2 rows have``, ``2 deliveries``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def some_of(names: Sequence[str], most: int = 5, *, between: str = ", ", last: str = " and ") -> str:
    """``a, b and 3 more``: the first `most` names, and how many there are beside them."""
    more = len(names) - most
    return between.join(names[:most]) + (f"{last}{more} more" if more > 0 else "")
