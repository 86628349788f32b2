"""Making a loaded bill count, in one transaction: readers see the old bill or the new one, never a part of either."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from costs.ingest.claims import DeliveryTaken, running_attempt
from costs.ingest.publications import remove_publications
from costs.models import Delivery, DeliveryMonth, Source
from costs.signals import announce_on_commit
from costs.versions import overlaps
from costs.versions.restatements import record_restatements
from costs.versions.streams import months_left_behind, rivals_of


def activate_delivery(delivery: Delivery, months: Sequence[DeliveryMonth]) -> None:
    """Makes the months count, all at once, instead of what their streams brought before.

    The bill received last wins, in whatever order the loads end.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        current = {"status": Delivery.Status.CURRENT, "progress": 1, "stage": "", "loaded_at": timezone.now()}
        if not running_attempt(delivery).update(**current):
            raise DeliveryTaken(f"delivery {delivery.pk}")
        count = [month for month in months if not _is_late(month)]
        replaced = _replaced_by(delivery, count)
        record_restatements(delivery, count, replaced)
        DeliveryMonth.objects.filter(pk__in=[row.pk for row in replaced]).update(is_current=False)
        DeliveryMonth.objects.filter(pk__in=[month.pk for month in count]).update(is_current=True)
        announce_on_commit([*months, *replaced])
        # A delivery none of whose months counts any more is superseded.
        delivery.source.deliveries.filter(status=Delivery.Status.CURRENT).exclude(
            pk__in=DeliveryMonth.objects.current().filter(delivery__source=delivery.source).values("delivery")
        ).update(status=Delivery.Status.SUPERSEDED)
        if warning := overlaps.overlap_warning(delivery.source):
            Delivery.objects.filter(pk=delivery.pk).update(message=f"{delivery.message} {warning}".strip())
    # These and no others: bills of the source that are loaded at the same time do not count yet.
    remove_publications([*replaced, *(month for month in months if month not in count)])


def _is_late(month: DeliveryMonth) -> bool:
    """Whether a version that was received after this one counts already."""
    order = (month.delivery.order_at, month.delivery_id)
    newer = rivals_of(month).values_list("delivery__order_at", "delivery_id")
    return any(rival > order for rival in newer)


def _replaced_by(delivery: Delivery, months: Sequence[DeliveryMonth]) -> list[DeliveryMonth]:
    replaced = {row.pk: row for month in months for row in rivals_of(month)}
    # What a killed attempt of this delivery had made current.
    replaced |= {row.pk: row for row in DeliveryMonth.objects.current().filter(delivery=delivery)}
    replaced |= {row.pk: row for row in months_left_behind(delivery, months, list(replaced.values()))}
    return list(replaced.values())
