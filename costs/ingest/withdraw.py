"""Taking a version of a bill out of the books, and putting one back."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.ingest.publications import remove_publications
from costs.models import Delivery, DeliveryMonth, Source
from costs.signals import announce_on_commit
from costs.versions.beside import doubts_about
from costs.versions.decisions import accept_delivery, queue_again, reject_delivery, stand_beside
from costs.versions.streams import rivals_of
from finops_site.lib.periods import Month
from finops_site.lib.words import some_of
from finops_site.models import User
from finops_site.ui.figures import month_text

# What may be counted again; a held one is accepted.
NOT_COUNTED = [Delivery.Status.SUPERSEDED, Delivery.Status.WITHDRAWN, Delivery.Status.REJECTED]


def withdraw_delivery(delivery: Delivery, user: User | None = None) -> bool:
    """Withdraws a bill that counts, and lets what it had replaced count again. False when it does not count.

    A month that an earlier version will take the place of is never empty: the bill counts in it until that version is
    read again. Withdrawn once more meanwhile, it goes at once. What cannot count again by itself, because another bill
    took a part of its place, is named in the message of the delivery. The files stay, so that this version may be
    counted again too.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        may_go = [Delivery.Status.CURRENT, Delivery.Status.WITHDRAWN]
        row = Delivery.objects.select_for_update().filter(pk=delivery.pk, status__in=may_go).first()
        if row is None or (row.status == Delivery.Status.WITHDRAWN and not row.counts_until_replaced):
            return False
        is_first = row.status == Delivery.Status.CURRENT
        row.status, row.stage, row.progress = Delivery.Status.WITHDRAWN, "", 0
        row.decided_by, row.decided_at = user, timezone.now()
        months = list(row.months.filter(is_current=True).select_related("delivery", "stream"))
        beside = list(row.beside.all())
        for month in months if beside and is_first else ():
            older = list(_counted_before(month))
            doubts = doubts_about(month, older)
            for row_before in older:
                # What stood beside the newer version stands beside the older one.
                if row_before.pk not in doubts:
                    row_before.delivery.beside.add(*beside)
        before = {month.pk: versions_before(month) for month in months} if is_first else {}
        missing = [words for month in months if is_first and (words := _what_is_missing(month))]
        row.message = " ".join([row.message, *missing]).strip()
        # Saved, so that the audit log names who withdrew it.
        row.save(update_fields=["status", "stage", "progress", "decided_by", "decided_at", "message"])
        gone = [month for month in months if not before.get(month.pk)]
        row.months.filter(pk__in=[month.pk for month in gone]).update(is_current=False)
        announce_on_commit(gone)
        for version in {version for versions in before.values() for version in versions}:
            statuses = [Delivery.Status.SUPERSEDED, Delivery.Status.CURRENT]
            queue_again(version, statuses, user, is_latest=False, instead_of=row)
    remove_publications(delivery.months.filter(is_current=False))
    return True


def what_follows(delivery: Delivery) -> str:
    """A sentence about a delivery that was withdrawn: what counts in its place, and from when on."""
    if not delivery.counts_until_replaced:
        return _("No longer counts; this version can be counted again.")
    listed = ", ".join(str(pk) for pk in delivery.awaited.order_by("pk").values_list("pk", flat=True))
    return _("Withdrawn; it counts until delivery {listed} is read again, so that no month is empty meanwhile.").format(
        listed=listed
    )


def versions_before(month: DeliveryMonth) -> list[Delivery]:
    """The deliveries whose versions of this month counted before and do not bill what others bill now, newest first.

    One file may have replaced several. What was withdrawn, rejected or held and never accepted does not come back.
    """
    chosen: list[DeliveryMonth] = []
    for version in _counted_before(month):
        in_the_way = DeliveryMonth.objects.filter(Q(is_current=True) | Q(pk__in=[row.pk for row in chosen])).exclude(
            delivery=month.delivery
        )
        if not rivals_of(version, in_the_way).exists():
            chosen.append(version)
    return [version.delivery for version in chosen]


def _counted_before(month: DeliveryMonth) -> QuerySet[DeliveryMonth]:
    """Older versions of a month that counted, the newest first; not what was withdrawn, rejected or never accepted."""
    older = rivals_of(month, DeliveryMonth.objects.filter(is_current=False)).filter(
        Q(delivery__held_because=[]) | Q(delivery__is_accepted=True),
        delivery__status__in=[Delivery.Status.SUPERSEDED, Delivery.Status.CURRENT],
        delivery__order_at__lt=month.delivery.order_at,
        billing_month=month.billing_month,
    )
    return older.select_related("delivery", "stream").order_by("-delivery__order_at", "-delivery", "-pk")


def _what_is_missing(month: DeliveryMonth) -> str:
    """A sentence when nothing takes the place of a month though something had counted before it; else empty.

    One file may have been replaced by two, of which the other one still counts: the first would replace that one.
    """
    last = _counted_before(month).first()
    if last is None or versions_before(month):
        return ""
    rest = DeliveryMonth.objects.current().exclude(delivery=month.delivery)
    others = rivals_of(last, rest).order_by("delivery").values_list("delivery", flat=True)
    listed = ", ".join(str(pk) for pk in dict.fromkeys(others))
    accounts = sorted(filter(None, month.accounts.values_list("sub_account", flat=True)))
    return _(
        "Nothing took its place in {billing_month}: the cost of {accounts} is missing now. Delivery "
        "{delivery_id} billed it before and did not come back, for delivery {listed} took another "
        "part of its place: count {delivery_id} again on its page, and it replaces {listed}."
    ).format(
        billing_month=month_text(Month.of(month.billing_month)),
        accounts=some_of(accounts, 3) or _("its rows"),
        delivery_id=last.delivery_id,
        listed=listed,
    )


def count_again(delivery: Delivery, user: User | None = None) -> bool:
    """Lets any version count that does not, instead of those that came later; False when it counts or loads.

    Raises AlreadyDelivered when the same files count already.
    """
    return queue_again(delivery, NOT_COUNTED, user)


def decide(delivery: Delivery, decision: str, user: User | None, beside: Collection[int] | None = None) -> str:
    """Carries out a decision, ``accept``, ``always``, ``beside``, ``reject`` or ``again``; returns what follows.

    `beside` are the deliveries that it stands beside, for that decision; None: those that are proposed. Empty when the
    delivery is not in the state for it. Raises AlreadyDelivered when its files count already.
    """
    if decision == "beside":
        if not stand_beside(delivery, user, beside):
            return ""
        others = ", ".join(str(pk) for pk in delivery.beside.order_by("pk").values_list("pk", flat=True))
        return (
            _("is loaded to count beside delivery {others}.").format(others=others)
            if others
            else _("is accepted and loaded to count.")
        )
    if decision == "reject":
        return _("is rejected. The month stays as it was.") if reject_delivery(delivery, user) else ""
    if decision == "again":
        return _("is loaded to count again.") if count_again(delivery, user) else ""
    if decision not in ("accept", "always"):
        return ""
    accepted = accept_delivery(delivery, user, always=decision == "always")
    if not accepted:
        return ""
    words = _("is accepted and loaded to count.")
    return f"{words} {_('Later versions of its stream are not compared any more.')}" if decision == "always" else words
