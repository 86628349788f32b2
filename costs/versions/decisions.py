"""What finance decides about a delivery that is held: it counts, it does not, or its stream is not compared again."""

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.models import Delivery, DeliveryMonth, Source, Stream
from costs.retention import FilesRemoved
from costs.versions.beside import choose_beside, doubts_about
from costs.versions.streams import rivals_of
from finops_site.celery import task
from finops_site.lib.periods import moment_text
from finops_site.lib.person import Person
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import User
from finops_site.people.roles import FINANCE

MAY_STAND_BESIDE = [Delivery.Status.HELD, Delivery.Status.REJECTED, Delivery.Status.WITHDRAWN]


class AlreadyDelivered(Exception):
    """The same files with the same options are here already: a message, not double cost."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        super().__init__(
            _("This bill is already here: delivery {delivery} of {source}, received {received_at}, {status}.").format(
                delivery=delivery.pk,
                source=delivery.source,
                received_at=moment_text(delivery.received_at),
                status=delivery.get_status_display(),
            )
        )


def same_bill(source: Source, fingerprint: str) -> Delivery:
    """The delivery of these files with these options that counts or will."""
    statuses = [Delivery.Status.RECEIVED, Delivery.Status.LOADING, Delivery.Status.CURRENT]
    return Delivery.objects.get(source=source, fingerprint=fingerprint, status__in=statuses)


def accept_delivery(delivery: Delivery, user: User | None, *, always: bool = False) -> bool:
    """Lets a held or rejected delivery count: it is loaded without being compared. False when it is neither.

    With `always` its streams are not compared any more. Raises AlreadyDelivered when the same bill came again since.
    """
    statuses = [Delivery.Status.HELD, Delivery.Status.REJECTED]
    if not queue_again(delivery, statuses, user):
        return False
    if always:
        for stream in Stream.objects.filter(months__delivery=delivery, is_judged=True).distinct():
            stream.is_judged = False
            stream.save(update_fields=["is_judged"])
    return True


def stand_beside(delivery: Delivery, user: User | None, others: Collection[int] | None = None) -> bool:
    """Lets a held, rejected or withdrawn delivery count beside the deliveries `others`, and instead of the rest.

    None: beside those that `neighbours_of` proposes. False when it has another status, or does not bill the same as one
    of `others`. Raises as `queue_again` does.
    """
    with transaction.atomic():
        Source.objects.select_for_update().get(pk=delivery.source_id)
        delivery.refresh_from_db(fields=["status"])
        if delivery.status not in MAY_STAND_BESIDE or not choose_beside(delivery, others):
            return False
        return queue_again(delivery, MAY_STAND_BESIDE, user)


def reject_delivery(delivery: Delivery, user: User | None) -> bool:
    """Keeps a held delivery out of the books; the month stays as it was. False when it is not held."""
    with transaction.atomic():
        held = Delivery.objects.select_for_update().filter(pk=delivery.pk, status=Delivery.Status.HELD).first()
        if held is None:
            return False
        held.status, held.decided_by, held.decided_at = Delivery.Status.REJECTED, user, timezone.now()
        held.save(update_fields=["status", "decided_by", "decided_at"])
    return True


def queue_again(
    delivery: Delivery,
    statuses: list[Delivery.Status],
    user: User | None,
    *,
    is_latest: bool = True,
    instead_of: Delivery | None = None,
) -> bool:
    """Loads a delivery of one of these statuses anew, and lets it count without comparing it.

    With `is_latest` it counts instead of every other version, also of those that came later; `instead_of` is the
    withdrawn one that counts until then. The row is saved one by
    one, so that the audit log names who decided. False when it has another status; raises AlreadyDelivered, and
    FilesRemoved where there is nothing left to read.
    """
    try:
        with transaction.atomic():
            row = Delivery.objects.select_for_update().filter(pk=delivery.pk, status__in=statuses).first()
            if row is None:
                return False
            if row.files_removed_at:
                raise FilesRemoved(row)
            row.status, row.is_accepted, row.message, row.progress = Delivery.Status.RECEIVED, True, "", 0
            row.decided_by, row.decided_at, row.instead_of = user, timezone.now(), instead_of
            if is_latest:
                row.order_at = row.decided_at
            row.save(
                update_fields=[
                    *("status", "is_accepted", "message", "progress", "instead_of"),
                    *("decided_by", "decided_at", "order_at"),
                ]
            )
            task("costs.tasks.load_delivery").delay_on_commit(row.pk)
    except IntegrityError:
        raise AlreadyDelivered(same_bill(delivery.source, delivery.fingerprint)) from None
    return True


def hold_delivery(delivery: Delivery) -> None:
    """Mails finance, once until somebody decides, that the delivery waits; an older one of its stream waits no longer.

    Call it in the transaction that holds the delivery.
    """
    if not supersede_held(delivery):
        _tell_finance(delivery, "bill-held", f"held delivery {delivery.pk}")


def tell_not_read_again(delivery: Delivery) -> None:
    """Mails finance that a version could not be read again in whose place a withdrawn bill counts on."""
    _tell_finance(delivery, "bill-not-read-again", f"delivery {delivery.pk} not read again, attempt {delivery.attempt}")


def _tell_finance(delivery: Delivery, template: str, reason: str) -> None:
    for user in User.objects.in_role(FINANCE):
        context = {"delivery": delivery, "url": absolute_url(delivery.get_absolute_url())}
        message = make_message(template, user.email, context)
        outbox.queue_email(f"{reason} to {user.email}"[:300], message, now=timezone.now())


def supersede_held(delivery: Delivery, *, came_again_at: datetime | None = None) -> int:
    """Held deliveries all of whose months `delivery` bills again wait no longer; returns how many did.

    One that may hold other rows waits on. `came_again_at`: when the files of a delivery that counts came once more, so
    that what was held before that is older than they are.
    """
    order_at = came_again_at or delivery.order_at
    waiting = DeliveryMonth.objects.filter(delivery__status=Delivery.Status.HELD, delivery__order_at__lt=order_at)
    billed_again: dict[int, set[int]] = {}
    months = delivery.months.filter(is_current=True) if came_again_at else delivery.months.all()
    for month in months.select_related("delivery", "stream"):
        rows = list(rivals_of(month, waiting).select_related("delivery", "stream"))
        doubts = doubts_about(month, rows)
        for row in rows:
            if row.pk not in doubts:
                billed_again.setdefault(row.delivery_id, set()).add(row.pk)
    covered = [pk for pk, rows in billed_again.items() if not waiting.filter(delivery=pk).exclude(pk__in=rows).exists()]
    if delivery.part:
        without_rows = Delivery.objects.filter(
            status=Delivery.Status.HELD,
            order_at__lt=order_at,
            source=delivery.source_id,
            **{name: getattr(delivery, name) for name in ("export", "partition", "part")},
            months=None,
        )
        covered += without_rows.values_list("pk", flat=True)
    return Delivery.objects.filter(pk__in=covered).update(status=Delivery.Status.SUPERSEDED)


def held_deliveries(user: Person) -> QuerySet[Delivery]:
    """The deliveries that wait for a decision, for those who may see them."""
    return Delivery.objects.visible_to(user).filter(status=Delivery.Status.HELD).select_related("source")
