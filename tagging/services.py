"""Verbs of ownership."""

from collections.abc import Iterator

from costs import ingest
from costs.models import DeliveryMonth
from finops_site.periods import Month


def reassign_owners(month: Month | None = None) -> Iterator[DeliveryMonth]:
    """Asks today's rules of every current month again (or of one billing month), and yields each when it is done."""
    rows = DeliveryMonth.objects.current().select_related("delivery__source").order_by("-billing_month")
    for row in list(rows.filter(billing_month=month.start) if month else rows):
        fresh = ingest.republish(row)
        if fresh:
            yield fresh
