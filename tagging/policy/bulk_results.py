"""The resources of an action on many of them, and those that nothing can be set on."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from tagging.models import TaggedResource


def distinct_resources(rows: Sequence[TaggedResource]) -> dict[str, TaggedResource]:
    """{key: its row}: a resource that changed hands in the month has several, of which the dearest stands for it."""
    resources: dict[str, TaggedResource] = {}
    for row in sorted(rows, key=lambda row: (row.cost, row.pk)):
        resources[row.key] = row
    return resources


def left_out_reason(row: TaggedResource) -> str:
    """Why nothing can be set on it; empty where something can."""
    return _("it cannot carry tags: {reason}").format(reason=row.get_why_not_display()) if row.why_not else ""
