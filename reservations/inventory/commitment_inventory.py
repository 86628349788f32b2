"""What the company owns, as its bills show it: commitments found by their id."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count

from costs.models import CostLine
from reservations.models import Commitment


def kind_of(provider: str, type_: str, identity: str) -> str:
    """The kind of commitment by the words of the bill and the shape of its id."""
    said = f"{type_} {identity}".lower()
    if "azure" in provider.lower() or "microsoft" in provider.lower():
        return "azure_plan" if "saving" in said else "azure_reservation"
    if "google" in provider.lower():
        return "gcp_cud"
    for word, kind in (
        ("ec2instancesavings", "sp_ec2"),
        ("ec2 instance savings", "sp_ec2"),
        ("sagemaker", "sp_sagemaker"),
        ("database", "sp_database"),
        ("saving", "sp_compute"),
        ("convertible", "ri_convertible"),
        ("reserved", "ri_standard"),
        ("reservation", "ri_standard"),
    ):
        if word in said:
            return kind
    return "other"


def register_commitments(rows: Iterable[Mapping[str, Any]]) -> int:
    """Makes commitments that nobody had named; what a person completed is never overwritten. Returns the new ones."""
    seen: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        seen[(row["provider"], row["commitment"])].append(row)
    known = {
        (each.provider, each.commitment_id): each
        for each in Commitment.objects.filter(commitment_id__in={identity for _, identity in seen})
    }
    fresh = [_from_bill(key, mine) for key, mine in seen.items() if key not in known]
    owners = _owners({each.commitment_id for each in fresh})
    for each in fresh:
        each.owner_id = owners.get(each.commitment_id)
    Commitment.objects.bulk_create(fresh, batch_size=2_000)
    _note_seen(known, seen)
    return len(fresh)


def _from_bill(key: tuple[str, str], rows: list[Mapping[str, Any]]) -> Commitment:
    provider, identity = key

    def first(name: str) -> str:
        return next((row[name] for row in rows if row[name]), "")

    several = any(row["machines"] > 1 for row in rows)
    days = [row["day"] for row in rows]
    return Commitment(
        provider=provider,
        commitment_id=identity,
        name=first("name"),
        kind=kind_of(provider, first("type"), identity),
        account=first("account"),
        region=first("region"),
        instance_type="" if several else first("machine"),
        unit=first("unit"),
        currency=first("currency") or "USD",
        source=Commitment.Source.BILL,
        first_seen=min(days),
        last_seen=max(days),
    )


def _owners(identities: set[str]) -> dict[str, int]:
    """The team that owns most lines of a commitment, where any does."""
    lines = CostLine.objects.current().filter(commitment__in=identities, owner__isnull=False)
    counted = lines.values("commitment", "owner").annotate(lines=Count("id")).order_by("lines")
    return {row["commitment"]: row["owner"] for row in counted}


def _note_seen(known: Mapping[tuple[str, str], Commitment], seen: Mapping[tuple[str, str], list[Any]]) -> None:
    for key, each in known.items():
        days = [row["day"] for row in seen.get(key, ())]
        if days:
            each.first_seen = min([*days, *([each.first_seen] if each.first_seen else [])])
            each.last_seen = max([*days, *([each.last_seen] if each.last_seen else [])])
    Commitment.objects.bulk_update(known.values(), ["first_seen", "last_seen"], batch_size=2_000)
