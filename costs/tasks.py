"""Celery's doors to the life of a bill: ids in, a service called, nothing else."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from costs import focus_export
from costs.ingest.claims import DeliveryTaken, stalled_deliveries
from costs.ingest.leftovers import remove_leftovers
from costs.ingest.load import load_bill
from costs.models import Delivery, FocusExport, Source
from costs.sources import sync
from costs.sources.storage import StorageProblem


@shared_task
def load_delivery(delivery_id: int) -> None:
    delivery = Delivery.objects.filter(pk=delivery_id).first()
    if delivery:
        try:
            load_bill(delivery)
        except DeliveryTaken:
            # Another worker has it, or it was handed out twice: both are fine.
            return


@shared_task
def resume_stalled_deliveries() -> None:
    """Starts loads again whose worker was killed or whose task was lost."""
    for delivery in stalled_deliveries(timezone.now()):
        load_delivery.delay(delivery.pk)
    for export in focus_export.forgotten(timezone.now()):
        write_focus_export.delay(export.pk)


@shared_task
def write_focus_export(export_id: int) -> None:
    export = FocusExport.objects.filter(pk=export_id).exclude(status=FocusExport.Status.READY).first()
    if export:
        focus_export.run(export)


@shared_task
def remove_superseded_lines() -> None:
    remove_leftovers(timezone.now())
    focus_export.tidy_up()


@shared_task
def synchronise_sources() -> None:
    """Looks for bills at every source that is fetched from, and tells finance of those whose bill is late."""
    now = timezone.now()
    for source in sync.due(now):
        synchronise_source.delay(source.pk)
    sync.warn_of_late(now)


@shared_task(bind=True, max_retries=3)
def synchronise_source(self: Any, source_id: int) -> None:
    """Fetches what is new; what may pass (a server error, the network) is tried again after 1, 4 and 16 minutes."""
    source = Source.objects.filter(pk=source_id).first()
    if source is None:
        return
    try:
        done = sync.synchronise(source)
    except sync.Busy:
        return
    except StorageProblem as problem:
        if problem.passing:
            raise self.retry(exc=problem, countdown=60 * 4**self.request.retries) from None
        return
    for received in done.received:
        if received.is_new:
            load_delivery.delay(received.delivery.pk)
