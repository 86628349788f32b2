"""Celery's doors to the life of a bill: ids in, a service called, nothing else."""

from celery import shared_task
from django.utils import timezone

from costs import exports, ingest
from costs.models import Delivery, FocusExport


@shared_task
def load_delivery(delivery_id: int) -> None:
    delivery = Delivery.objects.filter(pk=delivery_id).first()
    if delivery:
        try:
            ingest.load(delivery)
        except ingest.Taken:
            # Another worker has it, or it was handed out twice: both are fine.
            return


@shared_task
def resume_stalled_deliveries() -> None:
    """Starts loads again whose worker was killed or whose task was lost."""
    for delivery in ingest.stalled(timezone.now()):
        load_delivery.delay(delivery.pk)
    for export in exports.forgotten(timezone.now()):
        write_focus_export.delay(export.pk)


@shared_task
def write_focus_export(export_id: int) -> None:
    export = FocusExport.objects.filter(pk=export_id).exclude(status=FocusExport.Status.READY).first()
    if export:
        exports.run(export)


@shared_task
def remove_superseded_lines() -> None:
    ingest.tidy_up(timezone.now())
    exports.tidy_up()
