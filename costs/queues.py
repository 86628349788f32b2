"""Work handed to Celery; what a broker never heard of is taken up by the sweep of every minute."""

from costs.models import Delivery, FocusExport, Source
from costs.tasks import load_delivery, synchronise_source, write_focus_export
from finops_site.ops.queues import hand_over


def load(delivery: Delivery) -> None:
    hand_over(load_delivery, delivery.pk)


def write(export: FocusExport) -> None:
    hand_over(write_focus_export, export.pk)


def synchronise(source: Source) -> None:
    hand_over(synchronise_source, source.pk)
