"""Making a loaded bill count, in one transaction: readers see the old bill or the new one, never a part of either."""

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.ingest.claims import DeliveryTaken, running_attempt
from costs.ingest.publications import remove_publications
from costs.models import Delivery, DeliveryMonth, Source
from costs.signals import announce_on_commit
from costs.versions import overlaps
from costs.versions.beside import inherit_beside
from costs.versions.decisions import hold_delivery, supersede_held
from costs.versions.restatements import record_restatements
from costs.versions.streams import months_emptied, months_left_behind, rivals_of
from costs.versions.wholeness import judge
from finops_site.lib.periods import Month
from finops_site.lib.words import number_text
from finops_site.ui.figures import month_text


def activate_delivery(delivery: Delivery, months: Sequence[DeliveryMonth]) -> None:
    """Makes the months count, all at once, instead of what their streams brought before.

    The bill received last wins, in whatever order the loads end. One that is not whole, judged by what it would
    replace, is held instead: the months before it go on counting until finance decides.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        rivals = {month.pk: list(rivals_of(month).select_related("delivery", "stream")) for month in months}
        rivals = inherit_beside(delivery, months, rivals)
        # What is withdrawn is no measure of anything.
        measures = {pk: [row for row in rows if not _is_withdrawn(row)] for pk, rows in rivals.items()}
        reasons = judge(delivery, months, measures)
        _end_load(delivery, Delivery.Status.HELD if reasons else Delivery.Status.CURRENT, held_because=reasons)
        counted = [] if reasons else [month for month in months if not _is_late(month, rivals[month.pk])]
        replaced = _replaced_by(delivery, months if reasons else counted, rivals)
        record_restatements(delivery, months if reasons else counted, replaced)
        if reasons:
            replaced = []
            hold_delivery(delivery)
        else:
            _switch(delivery, counted, replaced)
    # These and no others: bills of the source that are loaded at the same time do not count yet.
    remove_publications([*replaced, *(month for month in months if month not in counted)])


def _what_is_known(about: str, *, still_counts: bool) -> str:
    """What is known after a bill without rows: `about` its part or its month, where it says which."""
    if still_counts:
        known = (
            _("Nothing is known from it of {about}.").format(about=about) if about else _("Nothing is known from it.")
        )
        return f"{known} {_('What counted before still counts.')}"
    return _("Nothing is known any more of {about}.").format(about=about) if about else _("Nothing is known any more.")


def activate_empty(delivery: Delivery, words: str) -> None:
    """Ends the load of a bill without rows, which `words` says: it counts for nothing.

    Where its part of a stream was delivered before it is held, for a bill does not become empty by itself; accepted, it
    takes that part out of the books. Nothing is known of a month without rows: it never costs zero.
    """
    replaced: list[DeliveryMonth] = []
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        emptied = list(months_emptied(delivery).select_related("delivery", "stream"))
        if any(row.delivery.order_at > delivery.order_at for row in emptied):
            emptied = []
        reasons = []
        if not delivery.is_accepted and any(row.stream.is_judged for row in emptied):
            reasons = [
                _("{billing_month}: It has no rows any more; the version that counts has {charges}.").format(
                    billing_month=month_text(Month.of(row.billing_month)), charges=number_text(row.charges)
                )
                for row in emptied
            ]
        about = delivery.part or delivery.options.get("month") or ""
        message = f"{words} {_what_is_known(about, still_counts=bool(reasons) or not emptied)}"
        status = Delivery.Status.HELD if reasons else Delivery.Status.EMPTY
        _end_load(delivery, status, held_because=reasons, message=message)
        if reasons:
            hold_delivery(delivery)
        elif emptied:
            replaced = emptied
            _switch(delivery, [], replaced)
    remove_publications(replaced)


def _end_load(delivery: Delivery, status: Delivery.Status, **changes: object) -> None:
    loaded = {"status": status, "loaded_at": timezone.now(), "progress": 1, "stage": "", **changes}
    if not running_attempt(delivery).update(**loaded):
        raise DeliveryTaken(f"delivery {delivery.pk}")
    delivery.refresh_from_db(fields=list(loaded))


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


def _is_late(month: DeliveryMonth, rivals: Sequence[DeliveryMonth]) -> bool:
    """Whether a version that was received after this one counts already."""
    order = (month.delivery.order_at, month.delivery_id)
    # One that is withdrawn counts only until an older version is read again.
    newer = (rival.delivery for rival in rivals if not _is_withdrawn(rival))
    return any((rival.order_at, rival.pk) > order for rival in newer)


def _is_withdrawn(month: DeliveryMonth) -> bool:
    return month.delivery.status == Delivery.Status.WITHDRAWN


def _replaced_by(
    delivery: Delivery, months: Sequence[DeliveryMonth], rivals: Mapping[int, Sequence[DeliveryMonth]]
) -> list[DeliveryMonth]:
    replaced = {row.pk: row for month in months for row in rivals[month.pk]}
    # What a killed attempt of this delivery had made current.
    replaced |= {row.pk: row for row in DeliveryMonth.objects.current().filter(delivery=delivery)}
    replaced |= {row.pk: row for row in months_left_behind(delivery, months, list(replaced.values()))}
    return list(replaced.values())
