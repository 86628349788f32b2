"""Work of chargeback handed to Celery; what a broker never heard of is taken up by the sweep of every ten minutes."""

from finops_site.ops.queues import hand_over
from tagging.tasks import post_statements as post
from tagging.tasks import refresh_chargeback as refresh


def refresh_chargeback() -> None:
    """Drafts are made anew where the books, a split or a metric changed."""
    hand_over(refresh)


def after_closing() -> None:
    """Leads are told, and the next month takes over where corrections are booked."""
    hand_over(post)
    refresh_chargeback()
