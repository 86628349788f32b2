"""Addresses of cost lines that outlive the bill: a key of what a line is, and what stands in its place later.

A new version of a bill brings new lines under new numbers. The key is made of what the versions have in common, so that
the address of a line leads to the same line of the bill that counts now; where that bill has it with other tags, say,
to the lines that stand in its place; and where it has none, to words about what became of it.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db import connection
from django.db.models import Exists, F, Func, OuterRef, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import MD5, Cast, Coalesce, Left
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.models import CostLine, DeliveryMonth
from costs.querysets import hash_of
from finops_site.lib.periods import Month
from finops_site.lib.person import Person

# What every version of a bill writes alike of the same thing. Neither of the two tuples may ever change: addresses that
# people wrote down would lead nowhere.
THING = ("sub_account", "service", "resource", "charge_category", "currency")
GRAIN = (
    *("billing_account", "region", "charge_class", "pricing_category", "instance_type"),
    *("commitment", "commitment_status", "unit", "delivery_month__delivery__part"),
)
KEY = re.compile(r"(\d{4}-\d\d-\d\d)-([0-9a-f]{16})-([0-9a-f]{12})-([0-9a-f]{12})")
# More than any number has that the database hands out.
MOST_DIGITS = 19
# So many lines are listed where several stand in the place of one.
MOST = 50


@dataclass(frozen=True, slots=True)
class FoundLine:
    """What an address leads to: the line itself, or the lines that stand in its place, or `reason`, what became of it.

    `is_same_thing` is false where only the resource is the same and the service or the account is another;
    `is_beside` where nothing was replaced: bills that stand beside one another have the line, each its own.
    """

    line: CostLine | None = None
    successors: Sequence[CostLine] = field(default=())
    is_same_thing: bool = True
    is_beside: bool = False
    day: date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LineAddress:
    """Where a line is: its key and, where another bill beside its own has a line of this key, its delivery."""

    key: str
    delivery: int | None = None

    @property
    def query(self) -> str:
        """What follows the key in an address."""
        return "" if self.delivery is None else f"?delivery={self.delivery}"

    @property
    def url(self) -> str:
        """The page of the line."""
        return reverse("costs:line", args=[self.key]) + self.query


class NoSuchLine(Exception):
    """No cost line ever had this address."""


def keys_of(lines: Collection[CostLine]) -> dict[int, str]:
    """{id: key} of lines at hand, out of one query."""
    if not lines:
        return {}
    days = [line.charge_date for line in lines]
    rows = CostLine.objects.filter(pk__in=[line.pk for line in lines], charge_date__range=(min(days), max(days)))
    parts = rows.order_by().values_list("pk", "charge_date", hash_of(F("resource")), _digest(THING), _exact())
    return {pk: f"{day}-{number % (1 << 64):016x}-{thing}-{exact}" for pk, day, number, thing, exact in parts}


def addresses_of(lines: Collection[CostLine]) -> dict[int, LineAddress]:
    """{id: address} of lines at hand, which leads to the line of the very bill."""
    deliveries = _deliveries_of_twins(lines)
    return {pk: LineAddress(key, deliveries.get(pk)) for pk, key in keys_of(lines).items()}


def _deliveries_of_twins(lines: Collection[CostLine]) -> dict[int, int]:
    """{id: delivery} of those lines of which a bill beside their own has one with the same key."""
    current = DeliveryMonth.objects.current()
    beside = current.filter(stream=OuterRef("stream"), billing_month=OuterRef("billing_month"))
    own = current.filter(Exists(beside.exclude(delivery=OuterRef("delivery"))))
    bills = list(own.filter(pk__in={line.delivery_month_id for line in lines}).values_list("stream", "billing_month"))
    if not bills:
        return {}
    streams, months = zip(*bills, strict=True)
    days = [line.charge_date for line in lines]
    # By the index of resources: of a large bill no more is read than the lines of these.
    rows = (
        CostLine.objects.filter(delivery_month__in=current.filter(stream__in=streams, billing_month__in=months))
        .filter(charge_date__range=(min(days), max(days)))
        .of_resources(list({line.resource for line in lines}))
        .order_by()
        .alias(exact=_exact())
    )
    twins = rows.filter(exact=OuterRef("exact"), **{name: OuterRef(name) for name in ("charge_date", *THING)})
    of_others = twins.exclude(delivery_month__delivery=OuterRef("delivery_month__delivery"))
    found_twins = rows.filter(Exists(of_others), pk__in=[line.pk for line in lines])
    return dict(found_twins.values_list("pk", "delivery_month__delivery"))


def find_line(user: Person, key: str, delivery: int | None = None) -> FoundLine:
    """What the address `key` leads to, of the lines that `user` may see; a number is the id that a line had once.

    Where bills stand beside one another and have the same line, `delivery` names the one that is meant. Raises
    NoSuchLine for what was never an address.
    """
    rows = (
        CostLine.objects.visible_to(user)
        .select_related("owner", "pool", "tag_set__delivered", "delivery_month__delivery__source")
        .order_by("charge_date", "pk")
    )
    if key.isdecimal():
        return _by_number(rows, key)
    parts = KEY.fullmatch(key)
    if parts is None:
        raise NoSuchLine
    try:
        day = date.fromisoformat(parts[1])
    except ValueError:
        raise NoSuchLine from None
    number = int(parts[2], 16)
    number -= (1 << 64) * (number >= 1 << 63)
    of_resource = rows.filter(charge_date=day).alias(number=hash_of(F("resource"))).filter(number=number)
    same_thing = list(
        of_resource.alias(thing=_digest(THING)).filter(thing=parts[3]).annotate(exact=_exact())[: MOST + 1]
    )
    same = [line for line in same_thing if line.exact == parts[4]]
    chosen = [line for line in same if line.delivery_month.delivery_id == delivery] or same
    if len(chosen) == 1:
        return FoundLine(line=chosen[0], day=day)
    if chosen:
        return FoundLine(
            successors=chosen[:MOST],
            is_beside=True,
            day=day,
            reason=_("Several bills that stand beside one another have this line."),
        )
    if same_thing:
        return FoundLine(
            successors=same_thing[:MOST],
            day=day,
            reason=_("A newer bill counts now, and has this cost with other tags or in other parts."),
        )
    same_resource = list(of_resource.exclude(resource="")[:MOST])
    if same_resource:
        return FoundLine(
            successors=same_resource,
            is_same_thing=False,
            day=day,
            reason=_(
                "The bill that counts now has this resource on that day under another service, account or category."
            ),
        )
    return FoundLine(day=day, reason=_what_became(user, day))


def _by_number(rows: QuerySet, key: str) -> FoundLine:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence('costs_costline', 'id')::regclass)")
        (last,) = cursor.fetchone()
    number = int(key) if len(key) < MOST_DIGITS else 0
    if not 0 < number <= (last or 0):
        raise NoSuchLine
    if line := rows.filter(pk=number).first():
        return FoundLine(line=line, day=line.charge_date)
    return FoundLine(
        reason=_(
            "Cost lines are made anew with each version of a bill. The bill that this one came from was "
            "replaced or withdrawn, or the line belongs to somebody else now."
        )
    )


def _what_became(user: Person, day: date) -> str:
    """Why nothing stands in the place of a line of this day, as far as `user` may know."""
    if not user.sees_whole_company:
        return _("The bill it came from was replaced or withdrawn, or the line belongs to another team now.")
    month = Month.of(day)
    bills = DeliveryMonth.objects.current().filter(charge_months__contains=[month.start.isoformat()])
    names = sorted({str(row.delivery) for row in bills.select_related("delivery__source")[:20]})
    if not names:
        return _("The bill it came from was withdrawn: no bill that counts has charges of {month}.").format(month=month)
    return _(
        "The bill it came from was replaced or withdrawn, and none of the bills that count now has a "
        "charge like it on that day ({names})."
    ).format(names=", ".join(names))


def _exact() -> Combinable:
    """What parts a line from others of the same thing and day: the rest of its grain, its tags and its stream."""
    tags = Coalesce("tag_set__delivered__fingerprint", "tag_set__fingerprint")
    stream = Cast("delivery_month__stream_id", TextField())
    return _digest((*GRAIN, tags, stream, _day("billing_month")))


def _digest(parts: Sequence[str | Combinable]) -> Combinable:
    fields = [F(part) if isinstance(part, str) else part for part in parts]
    text = Func(Value("\x1f"), *fields, function="CONCAT_WS", output_field=TextField())
    return Left(MD5(text), 12)


def _day(column: str) -> Combinable:
    return Func(F(column), Value("YYYY-MM-DD"), function="TO_CHAR", output_field=TextField())
