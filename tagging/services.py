"""Verbs of ownership."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from costs import reowning
from costs.models import DeliveryMonth
from finops_site.periods import Month
from tagging.models import ChargebackPeriod, OwnershipRule
from tagging.virtual import virtual_tags


def decision() -> reowning.Decision:
    """What decides today: the rules in force, in order, and the virtual tags."""
    return OwnershipRule.objects.as_rules(), virtual_tags()


@dataclass(frozen=True, slots=True)
class Applied:
    """A publication that was owned anew, and how many of its lines that changed."""

    row: DeliveryMonth
    lines: int


def open_months(months: Iterable[Month] | None = None) -> Any:
    """The publications that count, of these billing months or of all, but for the closed: the latest month first."""
    rows = DeliveryMonth.objects.current().select_related("delivery__source").order_by("-billing_month", "-pk")
    rows = rows.exclude(billing_month__in=[month.start for month in ChargebackPeriod.objects.closed_months()])
    return rows if months is None else rows.filter(billing_month__in=[month.start for month in months])


def apply_to_books(months: Iterable[Month] | None = None) -> Iterator[Applied]:
    """Asks today's virtual tags and rules of the open months again (of all, or of these), and yields each when done.

    Each publication changes in a transaction of its own; closed billing months are left as they are. Doing it again
    changes nothing more, so that one that was interrupted is simply done again.
    """
    for row in list(open_months(months)):
        lines = reowning.reown(row, decision)
        if lines is not None:
            yield Applied(row, lines)
