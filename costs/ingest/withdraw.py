"""Withdrawing a bill: it counts no longer, and what was derived from it goes."""

from django.db import transaction

from costs.ingest.publications import remove_publications
from costs.models import Delivery, Source
from costs.signals import announce_on_commit


def withdraw_delivery(delivery: Delivery) -> bool:
    """Withdraws a bill that counts; the one it had replaced does not come back. False when it does not count.

    The files stay, so that the same bill may be delivered again.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        current = Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.CURRENT)
        withdrawn = current.update(status=Delivery.Status.WITHDRAWN, stage="", progress=0)
        if withdrawn:
            delivery.months.update(is_current=False)
            announce_on_commit(delivery.months.all())
    remove_publications(delivery.months.filter(is_current=False))
    return bool(withdrawn)
