"""Which icons the sprite holds."""

from functools import cache
from pathlib import Path

NAMES = Path(__file__).parents[1] / "static" / "vendor" / "tabler-icons" / "icons.txt"


@cache
def known_icons() -> frozenset[str]:
    return frozenset(NAMES.read_text().split())
