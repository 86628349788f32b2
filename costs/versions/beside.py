"""Bills of the same accounts and days that may be no versions of each other: a person says what they are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import Max
from django.utils.translation import gettext as _

from costs.charges.build_cost_lines import share_a_row
from costs.charges.duckdb_session import duckdb_session
from costs.models import DeliveredAccount, Delivery, DeliveryMonth
from costs.versions.streams import rivals_of
from finops_site.files.direct import read_stored
from finops_site.files.product import product_files
from finops_site.lib.periods import Month

# What begins so near the end of a month, in a file that bills a later month too, are the last hours of that month.
LAST_DAYS = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class _Cover:
    """What a month of a delivery covers: accounts, days, moments, and whether these are only its last hours."""

    accounts: frozenset[str]
    first_day: date
    last_day: date
    start: datetime
    end: datetime
    is_last_hours: bool


def doubts_about(month: DeliveryMonth, rivals: Sequence[DeliveryMonth]) -> dict[int, str]:
    """{pk of a rival: why it may hold other rows than this month, and be no older version of it}.

    Only loose files leave that doubt: in a stream with parts, a part is a version of the same part.
    """
    loose = [rival for rival in rivals if not rival.delivery.part]
    if month.delivery.part or not loose:
        return {}
    covers = _covers([month, *loose])
    doubts: dict[int, str] = {}
    for rival in loose:
        if month.pk in covers and rival.pk in covers:
            name = _("delivery {delivery_id}").format(delivery_id=rival.delivery_id)
            words = _doubt(covers[month.pk], covers[rival.pk], name)
            if not words and not _share_a_row(month, rival):
                words = _(
                    "It bills other resources than {name} on the same days, or other charges: they share no row."
                ).format(name=name)
            doubts |= {rival.pk: words} if words else {}
    return doubts


def _share_a_row(month: DeliveryMonth, rival: DeliveryMonth) -> bool:
    """Whether both bill anything alike; True where that cannot be known: of two formats, or without their charges.

    ``bill-1.csv`` and ``bill-2.csv`` may be two versions, and two parts.
    """
    formats = {row.delivery.format.partition(" ")[0] for row in (month, rival)}
    if len(formats) > 1 or not all(product_files().list(row.charges_place) for row in (month, rival)):
        return True
    with duckdb_session(threads=settings.DUCKDB_THREADS, memory_limit=settings.DUCKDB_MEMORY_LIMIT) as db:
        return share_a_row(read_stored(db), month.charges_glob, rival.charges_glob)


def _covers(months: Sequence[DeliveryMonth]) -> dict[int, _Cover]:
    rows: dict[int, list[tuple[str, date, date, datetime, datetime]]] = {}
    accounts = DeliveredAccount.objects.with_moments().filter(delivery_month__in=[month.pk for month in months])
    for pk, *cover in accounts.values_list("delivery_month", "sub_account", "first_day", "last_day", "start", "end"):
        rows.setdefault(pk, []).append(tuple(cover))
    bills = DeliveryMonth.objects.filter(delivery__in={month.delivery_id for month in months}).order_by()
    last_months = dict(bills.values_list("delivery").annotate(Max("billing_month")))
    covers = {}
    for month in months:
        if month.pk not in rows:
            continue
        names, first_days, last_days, starts, ends = zip(*rows[month.pk], strict=True)
        near_its_end = min(first_days) > Month.of(month.billing_month).period.last_day - LAST_DAYS
        covers[month.pk] = _Cover(
            frozenset(name.lower() for name in names if name),
            min(first_days),
            max(last_days),
            min(starts),
            max(ends),
            is_last_hours=near_its_end and last_months[month.delivery_id] > month.billing_month,
        )
    return covers


def _doubt(new: _Cover, old: _Cover, name: str) -> str:
    """A sentence when one may be no version of the other; empty when it is one."""
    if new.is_last_hours and not old.is_last_hours:
        return _(
            "This file of a later month bills the last hours of the month, and {name} bills the same time."
        ).format(name=name)
    if old.is_last_hours and not new.is_last_hours:
        return _("{name}, a file of a later month, bills the last hours of the month, at the same time.").format(
            name=name.capitalize()
        )
    if bool(new.accounts) != bool(old.accounts):
        one, other = (_("this bill"), name) if new.accounts else (name, _("this bill"))
        return _("{one} names accounts and {other} does not, and both bill the same days.").format(
            one=one.capitalize(), other=other
        )
    shared = len(new.accounts & old.accounts)
    each_alone = new.accounts - old.accounts and old.accounts - new.accounts
    if each_alone and 2 * shared <= max(len(new.accounts), len(old.accounts)):
        named = ", ".join(sorted(old.accounts - new.accounts)[:3])
        return _("It shares some accounts with {name}; others are in one of them alone ({named} in {name}).").format(
            name=name, named=named
        )
    if new.first_day == new.last_day == old.first_day == old.last_day and (new.end < old.start or old.end < new.start):
        return _("It bills other hours of the day than {name}.").format(name=name)
    return ""


def inherit_beside(
    delivery: Delivery, months: Sequence[DeliveryMonth], rivals: Mapping[int, list[DeliveryMonth]]
) -> dict[int, list[DeliveryMonth]]:
    """The rivals of each month without those that stand beside the version it replaces: they stand beside it too."""
    ids = {row.delivery_id for rows in rivals.values() for row in rows}
    # Doubts are read from charges, so they are not worked out where no rival stands beside another.
    if not Delivery.objects.filter(pk__in=ids, beside__in=ids).exists():
        return dict(rivals)
    beside: set[int] = set()
    for month in months:
        doubts = doubts_about(month, rivals[month.pk])
        older = {row.delivery_id for row in rivals[month.pk] if row.pk not in doubts}
        others = {row.delivery_id for row in rivals[month.pk] if row.pk in doubts}
        if older and others:
            known = Delivery.objects.filter(pk__in=others, beside__in=older)
            beside |= set(known.values_list("pk", flat=True))
    delivery.beside.add(*beside)
    return {pk: [row for row in rows if row.delivery_id not in beside] for pk, rows in rivals.items()}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A delivery that counts and bills the same, and whether it would stand beside or be replaced."""

    delivery: Delivery
    stands_beside: bool


def neighbours_of(delivery: Delivery) -> list[Neighbour]:
    """What of the books a delivery that does not count would replace, unless its rows are other rows.

    Those stand beside it that were chosen before or may hold other rows; where there is none of either, all of them.
    """
    chosen = set(delivery.beside.values_list("pk", flat=True))
    doubtful: set[int] = set()
    rivals: dict[int, Delivery] = {}
    for month in delivery.months.select_related("delivery", "stream"):
        rows = list(rivals_of(month, with_those_beside=True).select_related("delivery__source", "stream"))
        doubts = doubts_about(month, rows)
        for row in rows:
            if not row.delivery.part or row.delivery.part != delivery.part:
                rivals[row.delivery_id] = row.delivery
            if row.pk in doubts:
                doubtful.add(row.delivery_id)
    ticked = (chosen | doubtful) & set(rivals) or set(rivals)
    return [Neighbour(rival, pk in ticked) for pk, rival in sorted(rivals.items())]


def choose_beside(delivery: Delivery, chosen: Collection[int] | None) -> bool:
    """Notes which deliveries it stands beside: of `neighbours_of` those chosen, and replaces the others.

    None: those that `neighbours_of` proposes. False when there are none, or one is chosen that is none of them.
    """
    neighbours = neighbours_of(delivery)
    known = {neighbour.delivery.pk for neighbour in neighbours}
    proposed = {neighbour.delivery.pk for neighbour in neighbours if neighbour.stands_beside}
    beside = proposed if chosen is None else set(chosen)
    if not known or not beside <= known:
        return False
    delivery.beside.remove(*(known - beside))
    delivery.beside.add(*beside)
    return True
