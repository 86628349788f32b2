"""The demo's chargeback."""

from collections.abc import Callable
from datetime import date


def make(say: Callable[[str], object], *, as_of: date) -> None:
    say("  chargeback")
