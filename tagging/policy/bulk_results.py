"""What became of an action on many resources: how many were done, and which were left out and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from finops_site.lib.words import counted, number_text
from tagging.models import TaggedResource

MOST_AT_ONCE = 10_000


class BulkRefused(ValueError):
    """Why nothing of it can be done, for a person."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A resource that an action was not possible for."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """How many resources it was done for, and those that were left out; `batch` undoes it where that is possible."""

    count: int
    left_out: tuple[LeftOut, ...] = ()
    batch: int | None = None


def check_count(count: int, what: str = "resource") -> None:
    """Raises BulkRefused for nothing, and for more than one request may do."""
    if not count:
        raise BulkRefused(_("Nothing is ticked."))
    if count > MOST_AT_ONCE:
        raise BulkRefused(
            _("These are {counted}, and {most_at_once} are the most at once: narrow the filters.").format(
                counted=counted(count, what), most_at_once=number_text(MOST_AT_ONCE)
            )
        )


def distinct_resources(rows: Sequence[TaggedResource]) -> dict[str, TaggedResource]:
    """{key: its row}: a resource that changed hands in the month has several, of which the dearest stands for it."""
    resources: dict[str, TaggedResource] = {}
    for row in sorted(rows, key=lambda row: (row.cost, row.pk)):
        resources[row.key] = row
    return resources


def left_out_reason(row: TaggedResource) -> str:
    """Why nothing can be set on it; empty where something can."""
    return _("it cannot carry tags: {reason}").format(reason=row.get_why_not_display()) if row.why_not else ""
