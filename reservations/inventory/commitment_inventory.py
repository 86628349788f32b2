"""What the company owns, as its bills show it: commitments found by their id."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import time, timedelta
from typing import Any

from django.db.models import Count

from costs.models import CostLine
from reservations.calc.terms import AWS_PAYMENTS, RI_STANDARD, SP_COMPUTE
from reservations.models import Commitment

# Months: nobody sells a longer one.
LONGEST_TERM = 120


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
    """Adds commitments that are new in the bills, and completes those that are known with what their bills state.

    What a person completed is never overwritten. Returns how many are new.
    """
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
            _complete(commitment, seen[key])
    Commitment.objects.bulk_update(known.values(), ["first_seen", "last_seen", "kind", *STATED], batch_size=2_000)
    return len(new)


# What bills state of a commitment, where anybody does.
STATED = ("term_months", "payment", "count", "start", "end")
# What is guessed of a commitment whose bill does not say which kind it is.
GUESSED = (RI_STANDARD, SP_COMPUTE, "other")


def _complete(commitment: Commitment, rows: Sequence[Mapping[str, Any]]) -> None:
    """Fills what nobody filled yet, from the charges of the commitment."""
    stated = _stated(rows)
    ends = commitment.end or stated["end"]
    starts = commitment.start or stated["start"]
    if starts and ends and ends <= starts:
        # Against a day that a person wrote the bill's other one makes no sense.
        stated |= {"start": commitment.start, "end": commitment.end}
    for name in STATED:
        if not getattr(commitment, name):
            setattr(commitment, name, stated[name])
    if commitment.kind in GUESSED and commitment.source == Commitment.Source.BILL:
        kind = kind_of(commitment.provider, _types(rows), commitment.commitment_id)
        commitment.kind = commitment.kind if kind == "other" else kind


def _types(rows: Iterable[Mapping[str, Any]]) -> str:
    """Every name that the bill has for its kind: some charges say more than others."""
    return " ".join(sorted({row["type"] for row in rows if row["type"]}))


def _stated(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Term, payment, count, start and end as the charges of one commitment state them; the end is the first day that
    is not covered as a whole.
    """
    term, count, start, end = (
        max((row[name] for row in rows if row[name] is not None), default=None)
        for name in ("term", "count", "start", "end")
    )
    words = next((row["payment"] for row in rows if row["payment"]), "").lower()
    past = end and (end.date() if end.time() == time() else end.date() + timedelta(days=1))
    is_right = not (start and past) or past > start.date()
    return {
        "term_months": int(term) if term is not None and 0 < term <= LONGEST_TERM else None,
        "payment": next((key for key, name in AWS_PAYMENTS.items() if name.lower() == words), ""),
        "count": count,
        "start": start.date() if start and is_right else None,
        "end": past if is_right else None,
    }


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
        kind=kind_of(provider, _types(rows), identity),
        **_stated(rows),
        account=first("account"),
        region=first("region"),
        instance_type="" if several else first("machine"),
        unit=first("unit"),
        currency=first("currency") or "USD",
        source=Commitment.Source.BILL,
        first_seen=min(days),
        last_seen=max(days),
    )
