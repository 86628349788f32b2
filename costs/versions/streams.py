"""Which versions a delivery replaces: what its own stream brought before, and nothing else."""

from collections.abc import Sequence
from datetime import date

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import TruncMonth

from costs.charges.layouts import REPORT_NUMBER
from costs.models import DeliveredAccount, Delivery, DeliveryFile, DeliveryMonth, Source, Stream


def stream_of(delivery: Delivery, view: str) -> Stream:
    """The stream that brings this view of the delivery's export and partition."""
    stream, _ = Stream.objects.get_or_create(
        source_id=delivery.source_id, export=delivery.export, view=view, partition=delivery.partition
    )
    return stream


def rivals_of(
    month: DeliveryMonth, among: QuerySet[DeliveryMonth] | None = None, *, with_those_beside: bool = False
) -> QuerySet[DeliveryMonth]:
    """The other months that count (or `among` others) and whose cost this one bills again, from the same source.

    In a stream with parts (billing periods of an export, objects that add up) they are what the same part brought
    before, and periods that overlap. Of loose files, they are what covers the same accounts on the same days of the
    same billing month: a corrected file of any name replaces the first, a file of another subscription stands beside
    it, and so do the last hours of a month that lie in the file of the next. What a person decided stands beside it is
    no rival, unless `with_those_beside`.
    """
    delivery, stream = month.delivery, month.stream
    others = DeliveryMonth.objects.current() if among is None else among
    others = others.filter(stream__source=stream.source_id).exclude(delivery=delivery)
    if not with_those_beside:
        others = others.exclude(delivery__in=delivery.beside.all())
    same_cost = _same_cost(month) & Q(billing_month=month.billing_month)
    if not delivery.part:
        return others.filter(same_cost)
    same_part = Q(delivery__part=delivery.part)
    if REPORT_NUMBER.fullmatch(delivery.part):
        # A report that adds up is the same one wherever it came from.
        return others.filter(same_part, view=month.view)
    if not stream.export:
        # A file that adds up may have the same name every month.
        return others.filter(same_part, stream=stream, billing_month=month.billing_month)
    loose = same_cost & Q(stream__export="", delivery__part="")
    deeper = same_cost & same_part & Q(stream__in=_by_another_path(stream))
    # An export of the last seven days has periods that overlap.
    overlapping = same_cost & Q(stream=stream) if stream.source.delivery_mode == Source.Mode.REPLACE else Q(pk__in=[])
    return others.filter((same_part & Q(stream=stream)) | loose | deeper | overlapping)


def grown_from(delivery: Delivery) -> set[int]:
    """Older deliveries of the source all of whose files are among those of this one, which has more.

    A source may look while the parts of a run are still written: the first part alone is no version to compare with.
    """
    files = DeliveryFile.objects.filter(delivery__source=delivery.source_id)
    ours = set(delivery.files.values_list("sha256", flat=True))
    if len(ours) < 2:
        return set()
    shared = files.filter(sha256__in=ours).exclude(delivery=delivery).values("delivery")
    others = files.filter(delivery__in=shared).exclude(sha256__in=ours).values("delivery")
    return set(shared.exclude(delivery__in=others).values_list("delivery", flat=True))


def in_another_export(month: DeliveryMonth) -> QuerySet[DeliveryMonth]:
    """Months that count and bill the same accounts and days by another export of the same source: twice, that is."""
    others = DeliveryMonth.objects.current().filter(
        _same_cost(month), stream__source=month.stream.source_id, billing_month=month.billing_month
    )
    others = others.exclude(stream__export__in=["", month.stream.export]).exclude(
        stream__in=_by_another_path(month.stream)
    )
    return others if month.stream.export else others.none()


def _by_another_path(stream: Stream) -> list[int]:
    """Streams of the source whose export is this one's with more, or fewer, folders above it."""
    path = f"/{stream.export}"
    others = Stream.objects.filter(source=stream.source_id, view=stream.view).exclude(pk=stream.pk)
    return [
        pk
        for pk, export in others.exclude(export="").values_list("pk", "export")
        if path.endswith(f"/{export}") or f"/{export}".endswith(path)
    ]


def _same_cost(month: DeliveryMonth) -> Q:
    """Of the same view of the bill (a bill that is both views is of either), the same accounts and days."""
    of_view = Q(view__in=["", month.view]) if month.view else Q()
    return of_view & Q(Exists(_covers_the_same(month)))


def _covers_the_same(month: DeliveryMonth) -> QuerySet[DeliveredAccount]:
    """The accounts of a rival that `month` has too, at the same time; ids are alike whatever their case.

    Rows without an account (tax, refunds) are the billing account's: they are compared where a bill names no accounts.
    """
    accounts = DeliveredAccount.objects.with_moments()
    same_days = accounts.filter(_at_the_same_time(), delivery_month=month.pk)
    theirs = accounts.filter(delivery_month=OuterRef("pk"))
    of_payer = Q(billing_account__iexact=OuterRef("billing_account")) | Q(billing_account="")
    same_payer = Exists(same_days.filter(of_payer)) | (Q(billing_account="") & Exists(same_days))
    if not month.accounts.exclude(sub_account="").exists():
        return theirs.filter(same_payer)
    named = accounts.filter(delivery_month=OuterRef("delivery_month")).exclude(sub_account="")
    same_account = ~Q(sub_account="") & Exists(same_days.filter(sub_account__iexact=OuterRef("sub_account")))
    return theirs.filter(same_account | (~Exists(named) & same_payer))


def _at_the_same_time() -> Q:
    """Of an account in two versions: the days overlap, and so do the moments of its charges.

    One file may end and the next begin within a day. Two that are both of this one day are the same day twice, whatever
    its hours: a corrected invoice may have been written an hour later.
    """
    same_days = Q(first_day__lte=OuterRef("last_day"), last_day__gte=OuterRef("first_day"))
    same_moments = Q(start__lte=OuterRef("end"), end__gte=OuterRef("start"))
    same_one_day = Q(first_day=F("last_day")) & Q(first_day=OuterRef("first_day")) & Q(last_day=OuterRef("last_day"))
    return same_days & (same_moments | same_one_day)


def months_left_behind(
    delivery: Delivery, months: Sequence[DeliveryMonth], replaced: Sequence[DeliveryMonth]
) -> QuerySet[DeliveryMonth]:
    """Other billing months of loose deliveries that are replaced, charged after their end on days the new one covers.

    The last hours of July may lie in the file of August: a newer file of August without them takes them back.
    """
    accounts = DeliveredAccount.objects.filter(delivery_month__in=[month.pk for month in months])
    days: list[date] = sorted(day for pair in accounts.values_list("first_day", "last_day") for day in pair)
    first = min([*days[:1], *(month.billing_month for month in months)], default=None)
    loose = DeliveryMonth.objects.current().filter(stream__export="", delivery__part="")
    beside = loose.filter(delivery__in={row.delivery_id for row in replaced}).exclude(
        billing_month__in=[month.billing_month for month in months]
    )
    if first is None or not days or delivery.part:
        return beside.none()
    within_its_month = Q(delivery_month__billing_month__gte=TruncMonth("first_day"))
    others = within_its_month | Q(first_day__lt=first) | Q(last_day__gt=days[-1])
    return beside.filter(~Exists(DeliveredAccount.objects.filter(others, delivery_month=OuterRef("pk"))))


def months_emptied(delivery: Delivery) -> QuerySet[DeliveryMonth]:
    """What counts of the part of a stream that this delivery, which has no rows, brings again.

    None of loose files: without a row nothing shows which of them it is a version of.
    """
    same_part = DeliveryMonth.objects.current().filter(
        delivery__source=delivery.source_id, delivery__part=delivery.part
    )
    same_part = same_part.exclude(delivery=delivery)
    if REPORT_NUMBER.fullmatch(delivery.part):
        return same_part
    if not (delivery.export and delivery.part):
        return same_part.none()
    return same_part.filter(stream__export=delivery.export, stream__partition=delivery.partition)


def count_twice(months: QuerySet[DeliveryMonth]) -> int:
    """How many accounts of these months stand, for the same view and month, in another one at the same time.

    Not counted are those of deliveries that a person decided stand beside each other.
    """
    beside = Delivery.beside.through.objects.filter(
        from_delivery=OuterRef(OuterRef("delivery_month__delivery")), to_delivery=OuterRef("delivery_month__delivery")
    )
    theirs = DeliveredAccount.objects.with_moments().filter(
        _at_the_same_time(),
        ~Exists(beside),
        delivery_month__in=months,
        delivery_month__stream__source=OuterRef("delivery_month__stream__source"),
        delivery_month__billing_month=OuterRef("delivery_month__billing_month"),
        sub_account__iexact=OuterRef("sub_account"),
    )
    theirs = theirs.exclude(delivery_month=OuterRef("delivery_month"))
    same_view = Q(delivery_month__view="") | Q(delivery_month__view=OuterRef("delivery_month__view"))
    ours = DeliveredAccount.objects.with_moments().filter(delivery_month__in=months).exclude(sub_account="")
    return ours.filter(Exists(theirs.filter(same_view))).count()
