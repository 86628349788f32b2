"""What several parts of one page need, worked out once."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from finops_site.lib.person import Person

Answer = TypeVar("Answer")


def request_memo(user: Person, key: Hashable, work_out: Callable[[], Answer]) -> Answer:
    """The answer of `work_out`, kept with the person who asks: she is loaded anew for each request, and so is it."""
    kept: dict[Hashable, Any] = user.__dict__.setdefault("worked_out", {})
    if key not in kept:
        kept[key] = work_out()
    answer: Answer = kept[key]
    return answer
