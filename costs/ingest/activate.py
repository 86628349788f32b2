"""Making a loaded bill count, in one transaction: readers see the old bill or the new one, never a part of either."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from costs.ingest.claims import DeliveryTaken, running_attempt
from costs.ingest.publications import remove_publications
from costs.models import Delivery, DeliveryMonth, Source
from costs.signals import announce_on_commit
from costs.versions import overlaps
from costs.versions.decisions import hold_delivery, supersede_held
from costs.versions.restatements import record_restatements
from costs.versions.streams import months_left_behind, rivals_of
from costs.versions.wholeness import judge


def activate_delivery(delivery: Delivery, months: Sequence[DeliveryMonth]) -> None:
    """Makes the months count, all at once, instead of what their streams brought before.

    The bill received last wins, in whatever order the loads end. One that is not whole, judged by what it would
    replace, is held instead: the months before it go on counting until finance decides.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        reasons = judge(delivery, months)
        status = Delivery.Status.HELD if reasons else Delivery.Status.CURRENT
        loaded = {"status": status, "held_because": reasons, "loaded_at": timezone.now(), "progress": 1, "stage": ""}
        if not running_attempt(delivery).update(**loaded):
            raise DeliveryTaken(f"delivery {delivery.pk}")
        delivery.refresh_from_db(fields=list(loaded))
        counted = [] if reasons else [month for month in months if not _is_late(month)]
        replaced = _replaced_by(delivery, months if reasons else counted)
        record_restatements(delivery, months if reasons else counted, replaced)
        if reasons:
            replaced = []
            hold_delivery(delivery)
        else:
            _switch(delivery, counted, replaced)
    # These and no others: bills of the source that are loaded at the same time do not count yet.
    remove_publications([*replaced, *(month for month in months if month not in counted)])


def _switch(delivery: Delivery, months: Sequence[DeliveryMonth], replaced: Sequence[DeliveryMonth]) -> None:
    DeliveryMonth.objects.filter(pk__in=[row.pk for row in replaced]).update(is_current=False)
    DeliveryMonth.objects.filter(pk__in=[month.pk for month in months]).update(is_current=True)
    announce_on_commit([*months, *replaced])
    # A delivery none of whose months counts any more is superseded.
    delivery.source.deliveries.filter(status=Delivery.Status.CURRENT).exclude(
        pk__in=DeliveryMonth.objects.current().filter(delivery__source=delivery.source).values("delivery")
    ).update(status=Delivery.Status.SUPERSEDED)
    supersede_held(delivery)
    if warning := overlaps.overlap_warning(delivery.source):
        Delivery.objects.filter(pk=delivery.pk).update(message=f"{delivery.message} {warning}".strip())


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
