"""A reading of a connection under way: what is collected, and what is to be told of each question."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from usage.models import Connection
from usage.sources.collected_facts import Collection

Row = dict[str, Any]
# The name of the part that is about metrics.
METRICS_LABEL = "metrics"


class CannotRead(Exception):
    """A question has no whole answer; the message says why, in words without any secret.

    `right` is the missing one, where one is; `is_closed` where AWS answers so in a region that is not enabled, or to
    credentials that ended a moment ago; `is_expired` where no other question will be answered either.
    """

    def __init__(self, reason: str, *, right: str = "", is_closed: bool = False, is_expired: bool = False) -> None:
        super().__init__(reason)
        self.right, self.is_closed, self.is_expired = right, is_closed, is_expired


@dataclass(slots=True)
class Part:
    """What became of one question, in all accounts and regions: how many rows, and what was not answered."""

    label: str
    rows: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """A reading under way: what is collected, and what is to be told of each question."""

    connection: Connection
    collection: Collection
    now: datetime
    parts: dict[str, Part] = field(default_factory=dict)

    def part(self, key: str, label: str) -> Part:
        return self.parts.setdefault(key, Part(label))
