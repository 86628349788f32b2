"""Making the cost lines of a month again from its charges."""

import uuid
from datetime import date

from django.db import transaction

from costs.charges.read_bill import MonthOfCharges
from costs.charges.totals import stored_totals
from costs.formats.sql import literal
from costs.ingest.leftovers import republishing
from costs.ingest.publications import remove_publications
from costs.ingest.store_cost_lines import store_cost_lines
from costs.ingest.workspace import limited_duckdb, scratch_folder
from costs.models import DeliveryMonth, Source
from costs.signals import announce_on_commit


def republish_month(month: DeliveryMonth) -> DeliveryMonth | None:
    """Makes the cost lines of a current month again from its charges, with owners and rollups.

    Readers see the old lines until the new ones are complete. None when the month was replaced meanwhile.
    """
    files = month.charges_glob
    with (
        scratch_folder(month.delivery.folder / f"scratch-republish-{uuid.uuid4().hex}") as scratch,
        republishing(month.delivery),
        limited_duckdb(scratch) as db,
    ):
        charges = MonthOfCharges(
            month.billing_month,
            files.rpartition("/")[0],
            month.charges,
            tuple(date.fromisoformat(day) for day in month.charge_months),
            stored_totals(db, f"read_parquet({literal(files)})"),
            month.view,
        )
        fresh = store_cost_lines(db, month.delivery, charges, scratch=scratch)
        return fresh if swap_publications(month, fresh) else None


def swap_publications(old: DeliveryMonth, fresh: DeliveryMonth) -> bool:
    """Lets `fresh` count instead of `old` and removes the other; False when `old` no longer counted."""
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=old.delivery.source_id)
        swapped = DeliveryMonth.objects.current().filter(pk=old.pk).update(is_current=False)
        if swapped:
            DeliveryMonth.objects.filter(pk=fresh.pk).update(is_current=True)
            announce_on_commit([fresh])
    loser = old if swapped else fresh
    remove_publications([loser])
    DeliveryMonth.objects.filter(pk=loser.pk).delete()
    return bool(swapped)
