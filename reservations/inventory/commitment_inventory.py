"""What the company owns, as its bills show it: commitments found by their id, each value with where it comes from."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count

from costs.models import CostLine
from reservations.calc.stated_terms import StatedValue, outranks, stated_terms
from reservations.calc.terms import end_of_id, is_same_id, provider_of
from reservations.models import Commitment

Key = tuple[str, str]


def register_commitments(rows: Iterable[Mapping[str, Any]], capacities: Iterable[Mapping[str, Any]] = ()) -> int:
    """Adds commitments that are new in the bills, and completes those that are known with what their bills state.

    `rows` are those of `charge_queries.commitment_use`, `capacities` those of `charge_queries.commitment_capacity`.
    What a person or the provider's own list stated is never overwritten. Returns how many are new.
    """
    seen, sizes = _by_commitment(rows), _by_commitment(capacities)
    _give_orders_to_their_reservations(seen)
    known = _known(seen)
    orders = _orders_of(seen)
    new = []
    for key, own_rows in seen.items():
        commitment = known.get(key)
        if commitment is None:
            commitment = Commitment(provider=key[0], commitment_id=key[1], source=Commitment.Source.BILL)
            new.append(commitment)
        days = [row["day"] for row in own_rows]
        commitment.first_seen = min(filter(None, [*days, commitment.first_seen]))
        commitment.last_seen = max(filter(None, [*days, commitment.last_seen]))
        complete(commitment, stated_terms(*key, own_rows, sizes.get(key, ())))
        if order := orders.get(_order_id(key[1])):
            complete(commitment, _values_of(order))
    # The team that owns most lines of a commitment, where any does.
    lines = CostLine.objects.current().filter(
        commitment__in={commitment.commitment_id for commitment in new}, owner__isnull=False
    )
    counted = lines.values("commitment", "owner").annotate(lines=Count("id")).order_by("lines")
    owners = {row["commitment"]: row["owner"] for row in counted}
    for commitment in new:
        commitment.owner_id = owners.get(commitment.commitment_id)
    Commitment.objects.bulk_create(new, batch_size=2_000)
    changed = [known[key] for key in seen if key in known]
    names = ["commitment_id", "provider", "first_seen", "last_seen", "origins", *STATED]
    Commitment.objects.bulk_update(changed, names, batch_size=2_000)
    # An order is known by its reservations from now on.
    orphans = [order.pk for order in orders.values() if order.source != Commitment.Source.CSV]
    Commitment.objects.filter(pk__in=orphans, purchase=None, days=None).delete()
    return len(new)


class KnownCommitments:
    """Stored commitments by their ids, however bills, lists and persons spell these and the provider."""

    def __init__(self, rows: Iterable[Commitment]) -> None:
        self.rows: list[Commitment] = []
        self._exact: dict[Key, Commitment] = {}
        self._alike: dict[Key, list[Commitment]] = defaultdict(list)
        for row in rows:
            self.add(row)

    def add(self, row: Commitment) -> None:
        self.rows.append(row)
        self._exact[row.provider, row.commitment_id] = row
        self._alike[_family(row.provider), end_of_id(row.commitment_id)].append(row)

    def find(self, provider: str, identity: str) -> Commitment | None:
        """The one spelled so; else alike; else the only one whose ARN ends with this id, or whose id this ARN's is."""
        if row := self._exact.get((provider, identity)):
            return row
        alike = self._alike.get((_family(provider), end_of_id(identity)), [])
        same = [row for row in alike if row.commitment_id.lower() == identity.lower()]
        ends = [row for row in alike if is_same_id(row.commitment_id, identity)]
        return same[0] if same else ends[0] if len(ends) == 1 else None


def _family(provider: str) -> str:
    return provider_of(provider).lower()


def _known(seen: Iterable[Key]) -> dict[Key, Commitment]:
    """The commitments that are stored already; one that a list or a person spelled otherwise is spelled as its bill."""
    stored = KnownCommitments(Commitment.objects.all())
    keys = list(seen)
    known = {key: row for key in keys if (row := stored.find(*key)) and (row.provider, row.commitment_id) == key}
    for key in keys:
        row = stored.find(*key)
        if row and key not in known and (row.provider, row.commitment_id) not in known:
            row.provider, row.commitment_id = key
            known[key] = row
    return known


RESERVATIONS_OF_ORDER = "/reservations/"


def _order_id(identity: str) -> str:
    """``.../reservationorders/O/reservations/`` of ``.../reservationorders/O/reservations/R``; empty of others."""
    order, separator, own = identity.lower().partition(RESERVATIONS_OF_ORDER)
    return f"{order}{separator}" if own and "/reservationorders/" in order else ""


def _orders_of(seen: Iterable[Key]) -> dict[str, Commitment]:
    """Azure's orders that a list or an earlier bill showed, of the reservations that are seen now."""
    ids = {order for _, identity in seen if (order := _order_id(identity))}
    return {row.commitment_id.lower(): row for row in Commitment.objects.filter(commitment_id__in=ids)}


def _values_of(order: Commitment) -> dict[str, StatedValue]:
    values = {name: getattr(order, name) for name in STATED if name != "count"}
    return {
        name: StatedValue(value, order.origin_of(name)) for name, value in values.items() if value not in (None, "")
    }


# What bills and the providers' lists state of a commitment, where anybody does.
STATED = (
    *("name", "kind", "term_months", "payment", "count", "hourly_commitment", "unit", "currency", "start", "end"),
    *("account", "region", "instance_type", "system", "service", "scope", "upfront", "recurring_hourly"),
)


def complete(commitment: Commitment, stated: Mapping[str, StatedValue]) -> list[str]:
    """Sets what is not known yet, or was known less well; returns the names of the fields that changed."""
    days = {
        name: stated[name].value
        for name in ("start", "end")
        if name in stated and _is_open(commitment, name, stated[name])
    }
    start, end = (days.get(name, getattr(commitment, name)) for name in ("start", "end"))
    # Against a day that somebody wrote the other one may make no sense.
    left_out = set(days) if start and end and end <= start else set()
    changed = []
    for name, value in stated.items():
        if name not in left_out and _is_open(commitment, name, value):
            commitment.origins[name] = value.origin
            if getattr(commitment, name) != value.value:
                setattr(commitment, name, value.value)
                changed.append(name)
    return changed


def _is_open(commitment: Commitment, name: str, stated: StatedValue) -> bool:
    is_unknown = getattr(commitment, name) in (None, "") or (
        commitment._state.adding and name not in commitment.origins
    )
    return is_unknown or outranks(stated.origin, commitment.origin_of(name))


def _by_commitment(rows: Iterable[Mapping[str, Any]]) -> dict[Key, list[Mapping[str, Any]]]:
    groups: dict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["provider"], row["commitment"]].append(row)
    return groups


def _give_orders_to_their_reservations(seen: dict[Key, list[Mapping[str, Any]]]) -> None:
    """Azure bills the purchase of an order and the use of its reservations: ``.../reservationorders/O/reservations/``
    and ``.../reservations/R``. What the order states is true of each reservation, but for their number.
    """
    for key in [key for key in seen if key[1].endswith(RESERVATIONS_OF_ORDER)]:
        own = [other for other in seen if other[0] == key[0] and other[1] != key[1] and other[1].startswith(key[1])]
        if own:
            order = seen.pop(key)
            for other in own:
                seen[other] += [row if len(own) == 1 else {**row, "count": None} for row in order]
