"""Taking a version of a bill out of the books, and putting one back."""

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from costs.ingest.publications import remove_publications
from costs.models import Delivery, DeliveryMonth, Source
from costs.signals import announce_on_commit
from costs.versions.decisions import accept_delivery, queue_again, reject_delivery
from costs.versions.streams import rivals_of
from finops_site.models import User

NOT_COUNTED = [
    Delivery.Status.SUPERSEDED,
    Delivery.Status.WITHDRAWN,
    Delivery.Status.HELD,
    Delivery.Status.REJECTED,
]


def withdraw_delivery(delivery: Delivery, user: User | None = None) -> bool:
    """Withdraws a bill that counts, and lets what it had replaced count again. False when it does not count.

    The files stay, so that this version may be counted again too.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        row = Delivery.objects.select_for_update().filter(pk=delivery.pk, status=Delivery.Status.CURRENT).first()
        if row is None:
            return False
        row.status, row.stage, row.progress = Delivery.Status.WITHDRAWN, "", 0
        row.decided_by, row.decided_at = user, timezone.now()
        # Saved, so that the audit log names who withdrew it.
        row.save(update_fields=["status", "stage", "progress", "decided_by", "decided_at"])
        months = list(row.months.filter(is_current=True))
        before = {version for month in months for version in versions_before(month)}
        row.months.update(is_current=False)
        announce_on_commit(months)
        for version in before:
            queue_again(version, [Delivery.Status.SUPERSEDED, Delivery.Status.CURRENT], user, is_latest=False)
    remove_publications(delivery.months.filter(is_current=False))
    return True


def versions_before(month: DeliveryMonth) -> list[Delivery]:
    """The deliveries whose versions of this month counted before and do not bill what others bill now, newest first.

    One file may have replaced several. What was withdrawn, rejected or held and never accepted does not come back.
    """
    older = rivals_of(month, DeliveryMonth.objects.filter(is_current=False)).filter(
        Q(delivery__held_because=[]) | Q(delivery__is_accepted=True),
        delivery__status__in=[Delivery.Status.SUPERSEDED, Delivery.Status.CURRENT],
        delivery__order_at__lt=month.delivery.order_at,
        billing_month=month.billing_month,
    )
    chosen: list[DeliveryMonth] = []
    for version in older.select_related("delivery", "stream").order_by("-delivery__order_at", "-delivery", "-pk"):
        in_the_way = DeliveryMonth.objects.filter(Q(is_current=True) | Q(pk__in=[row.pk for row in chosen])).exclude(
            delivery=month.delivery
        )
        if not rivals_of(version, in_the_way).exists():
            chosen.append(version)
    return [version.delivery for version in chosen]


def count_again(delivery: Delivery, user: User | None = None) -> bool:
    """Lets any version count that does not, instead of those that came later; False when it counts or loads.

    Raises AlreadyDelivered when the same files count already.
    """
    return queue_again(delivery, NOT_COUNTED, user)


def decide(delivery: Delivery, decision: str, user: User | None) -> str:
    """Carries out a decision, ``accept``, ``always``, ``reject`` or ``again``; returns what follows.

    Empty when the delivery is not in the state for it. Raises AlreadyDelivered when its files count already.
    """
    if decision == "reject":
        return "is rejected. The month stays as it was." if reject_delivery(delivery, user) else ""
    if decision == "again":
        return "is loaded to count again." if count_again(delivery, user) else ""
    if decision not in ("accept", "always"):
        return ""
    accepted = accept_delivery(delivery, user, always=decision == "always")
    always = " Later versions of its stream are not compared any more." if decision == "always" else ""
    return f"is accepted and loaded to count.{always}" if accepted else ""
