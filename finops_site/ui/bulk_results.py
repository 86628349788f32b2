"""What became of an action on many rows: how many were done, and which were left out and why."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from finops_site.lib.words import counted, number_text

MOST_AT_ONCE = 10_000


class BulkRefused(ValueError):
    """Why nothing of it can be done, for a person."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that an action was not possible for."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """How many rows it was done for, and those that were left out; `batch` undoes it where that is possible."""

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
