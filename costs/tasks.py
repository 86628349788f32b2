"""What Celery runs for bills: ids in, a service called, nothing else."""

import logging

from celery import shared_task
from django.utils import timezone

from costs import focus_export, scheduled_exports
from costs.clusters import of_bills
from costs.formats.base import BadBill
from costs.ingest.claims import DeliveryTaken, stalled_deliveries
from costs.ingest.leftovers import remove_leftovers
from costs.ingest.load import load_bill
from costs.models import Delivery, FocusExport, Source
from costs.sources import sync
from costs.sources.health import warn_of_late_bills
from costs.sources.storage import StorageProblem
from finops_site.celery import FollowUpTask

logger = logging.getLogger(__name__)


@shared_task
def load_delivery(delivery_id: int) -> None:
    delivery = Delivery.objects.filter(pk=delivery_id).first()
    if delivery:
        try:
            load_bill(delivery)
        except DeliveryTaken:
            # Another worker has it, or it was queued twice: both are fine.
            return


@shared_task
def split_by_bill(delivery_id: int) -> None:
    """Reads what a report says of the machines of its clusters; one that cannot be read is named by the night."""
    delivery = Delivery.objects.filter(pk=delivery_id).first()
    if delivery:
        try:
            of_bills.split_by_bill(delivery)
        except BadBill as error:
            logger.warning("the machines of %s are not split: %s", delivery, error)


@shared_task
def resume_stalled_deliveries() -> None:
    """Starts loads again whose worker was killed or whose task was lost."""
    for delivery in stalled_deliveries(timezone.now()):
        load_delivery.delay(delivery.pk)
    for export in focus_export.stalled_exports(timezone.now()):
        write_focus_export.delay(export.pk)


@shared_task
def write_focus_export(export_id: int) -> None:
    export = FocusExport.objects.filter(pk=export_id).exclude(status=FocusExport.Status.READY).first()
    if export:
        focus_export.write_export(export)


@shared_task
def write_scheduled_exports() -> None:
    """Writes the months that changed to the buckets that get them; what fails is tried again the next night."""
    for problem in scheduled_exports.write_all(timezone.now()):
        logger.warning("a FOCUS export was not written: %s", problem)


@shared_task
def remove_superseded_lines() -> None:
    remove_leftovers(timezone.now())
    focus_export.remove_old_exports()


@shared_task
def synchronise_sources() -> None:
    """Looks for bills at every source that is fetched from, and mails finance about those whose bill is late."""
    sync.queue_due_syncs()
    warn_of_late_bills(timezone.now())


@shared_task(bind=True, max_retries=3)
def synchronise_source(self: FollowUpTask, source_id: int) -> None:
    """Fetches what is new; a temporary problem (server error, network) is tried again after 1, 4 and 16 minutes."""
    source = Source.objects.filter(pk=source_id).first()
    if source is None:
        return
    try:
        sync.synchronise(source)
    except sync.Busy:
        return
    except StorageProblem as problem:
        if problem.is_temporary:
            raise self.retry(exc=problem, countdown=60 * 4**self.request.retries) from None
