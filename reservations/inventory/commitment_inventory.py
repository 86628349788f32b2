"""What the company owns, as its bills show it: commitments found by their id."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count

from costs.models import CostLine
from reservations.models import Commitment


def kind_of(provider: str, type_: str, identity: str) -> str:
    """The kind of commitment, by what the bill calls it and by its id."""
    text = f"{type_} {identity}".lower()
    if "azure" in provider.lower() or "microsoft" in provider.lower():
        return "azure_plan" if "saving" in text else "azure_reservation"
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
        if word in text:
            return kind
    return "other"


def register_commitments(rows: Iterable[Mapping[str, Any]]) -> int:
    """Adds commitments that are new in the bills; what a person completed is never overwritten. Returns how many."""
    seen: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        seen[(row["provider"], row["commitment"])].append(row)
    identities = {identity for _, identity in seen}
    known = {
        (commitment.provider, commitment.commitment_id): commitment
        for commitment in Commitment.objects.filter(commitment_id__in=identities)
    }
    new = [_from_bill(key, own_rows) for key, own_rows in seen.items() if key not in known]
    # The team that owns most lines of a commitment, where any does.
    lines = CostLine.objects.current().filter(
        commitment__in={commitment.commitment_id for commitment in new}, owner__isnull=False
    )
    counted = lines.values("commitment", "owner").annotate(lines=Count("id")).order_by("lines")
    owners = {row["commitment"]: row["owner"] for row in counted}
    for commitment in new:
        commitment.owner_id = owners.get(commitment.commitment_id)
    Commitment.objects.bulk_create(new, batch_size=2_000)
    for key, commitment in known.items():
        days = [row["day"] for row in seen.get(key, ())]
        if days:
            commitment.first_seen = min(filter(None, [*days, commitment.first_seen]))
            commitment.last_seen = max(filter(None, [*days, commitment.last_seen]))
    Commitment.objects.bulk_update(known.values(), ["first_seen", "last_seen"], batch_size=2_000)
    return len(new)


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
