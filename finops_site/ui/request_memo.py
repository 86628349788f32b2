"""What several parts of one page need, worked out once."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from finops_site.lib.person import Person

Answer = TypeVar("Answer")


def request_memo(user: Person, key: Hashable, work_out: Callable[[], Answer]) -> Answer:
    """The answer of `work_out`, kept on the user object: each request loads the user anew, so it lasts one request."""
    memo: dict[Hashable, Any] = user.__dict__.setdefault("worked_out", {})
    if key not in memo:
        memo[key] = work_out()
    answer: Answer = memo[key]
    return answer
