"""What costs takes away of the demo company: its bills with their lines and files, and what was written about them."""

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from costs.ingest.publications import remove_publications
from costs.models import (
    AccountGroup,
    ClusterFile,
    Delivery,
    DeliveryMonth,
    Dimension,
    FocusExport,
    Invoice,
    Pool,
    Source,
    TagSet,
)
from costs.signals import announce_on_commit
from finops_site.files.product import product_files
from finops_site.people.demo_rows import counted_rows, delete_unless_held, demo_people, demo_rows


def counts() -> list[tuple[str, int, int]]:
    return [
        counted_rows(_("bills"), _deliveries()),
        counted_rows(_("sources"), demo_rows(Source)),
        counted_rows(_("invoices"), demo_rows(Invoice)),
        counted_rows(_("pools"), demo_rows(Pool)),
    ]


def _deliveries() -> QuerySet[Delivery]:
    return demo_rows(Delivery)


def remove_bills() -> None:
    """The demo's bills: first they count no longer, then lines, rollups and files go."""
    deliveries = list(_deliveries())
    months = list(DeliveryMonth.objects.filter(delivery__in=deliveries))
    DeliveryMonth.objects.filter(pk__in=[month.pk for month in months]).update(is_current=False)
    # Pillars compute the months again that these bills touched.
    announce_on_commit(months)
    remove_publications(months)
    for model in (Invoice, ClusterFile, AccountGroup):
        demo_rows(model).delete()
    FocusExport.objects.filter(requested_by__in=demo_people()).delete()
    for delivery in deliveries:
        place = delivery.place
        delivery.delete()
        product_files().remove(place)
    delete_unless_held(demo_rows(Source))
    if not Delivery.objects.exists():
        # Names and tags that only the demo's charges had.
        Dimension.objects.all().delete()
        rows = TagSet.objects.all()
        rows._raw_delete(rows.db)


def remove_pools() -> None:
    """The demo's pools, once no line is in them: call it when owners have been assigned again."""
    delete_unless_held(demo_rows(Pool))
