"""What this part adds to the pages, the nights and the reports of the site."""

from typing import Any


def entries() -> list[Any]:
    """Entries of the registry."""
    return []
