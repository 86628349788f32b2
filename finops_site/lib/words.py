"""Words around figures. Pure: no Django."""


def counted(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``1,204 rows``; `many` where the plural is not `one` with an s: ``2 rows have``, ``2 deliveries``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
