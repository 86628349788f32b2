"""Making a loaded bill count, in one transaction: readers see the old bill or the new one, never a part of either."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from costs.ingest import overlaps, restatements
from costs.ingest.claims import DeliveryTaken, running_attempt
from costs.ingest.publications import remove_publications
from costs.models import Delivery, DeliveryMonth, Source
from costs.signals import announce_on_commit


def activate_delivery(delivery: Delivery, months: Sequence[DeliveryMonth]) -> None:
    """Makes the months count, all at once. In a source that replaces, the bill received last wins, in whatever order
    the loads end.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        current = {"status": Delivery.Status.CURRENT, "progress": 1, "stage": "", "loaded_at": timezone.now()}
        if not running_attempt(delivery).update(**current):
            raise DeliveryTaken(f"delivery {delivery.pk}")
        replaces = delivery.source.delivery_mode == Source.Mode.REPLACE
        replaced = [row for month in months for row in _make_current(delivery, month, replaces)]
        announce_on_commit(months)
        # A delivery none of whose months counts any more is superseded.
        delivery.source.deliveries.filter(status=Delivery.Status.CURRENT).exclude(
            pk__in=DeliveryMonth.objects.current().filter(delivery__source=delivery.source).values("delivery")
        ).update(status=Delivery.Status.SUPERSEDED)
        if warning := overlaps.overlap_warning(delivery.source):
            Delivery.objects.filter(pk=delivery.pk).update(message=f"{delivery.message} {warning}".strip())
    # These and no others: bills of the source that are loaded at the same time do not count yet.
    remove_publications(replaced)


def _make_current(delivery: Delivery, month: DeliveryMonth, replaces: bool) -> list[DeliveryMonth]:
    """Lets the month count unless a bill that was received later does; returns those that no longer count."""
    rivals = DeliveryMonth.objects.current().filter(
        delivery__source=delivery.source_id, billing_month=month.billing_month
    )
    if month.view:
        # The two halves of a bill stand beside each other; a bill that is both replaces either.
        rivals = rivals.filter(view__in=["", month.view])
    if replaces and rivals.filter(delivery__pk__gt=delivery.pk).exists():
        return [month]
    replaced = rivals if replaces else rivals.filter(delivery=delivery)
    restatements.record_restatements(month, replaced.exclude(delivery=delivery))
    no_longer_current = list(replaced)
    DeliveryMonth.objects.filter(pk__in=[row.pk for row in no_longer_current]).update(is_current=False)
    DeliveryMonth.objects.filter(pk=month.pk).update(is_current=True)
    return no_longer_current
