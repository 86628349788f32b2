"""What the company owns: found in the bills, completed by CSV; and how each day used it, made again from the bills."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import connection, transaction
from django.db.models import Count

from costs.models import CostLine, DeliveryMonth
from costs.query.query_backends import charges_in
from finops_site.lib.periods import Month, Period
from finops_site.models import Team
from finops_site.ops.locks import wait_for
from reservations.calc.terms import KINDS, PAYMENTS
from reservations.models import Commitment, Coverage, Utilisation

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many commitments were found for the first time, and how many days and rows of coverage were written."""

    found: int
    days: int
    coverage: int


@transaction.atomic
def refresh(month: Month) -> Refreshed:
    """Finds commitments in the charges of a month and writes its utilisation and coverage anew."""
    # Any two at once may find the same new commitment, or write the same days.
    wait_for("use of commitments")
    period = month.period
    rows = _charged(period)
    found = _find(rows)
    Utilisation.objects.within(period).delete()
    days = Utilisation.objects.bulk_create(_days(rows), batch_size=2_000)
    return Refreshed(found, len(days), _cover(period))


def months_with_bills() -> list[Month]:
    """Every charge month of the bills that count, the newest first."""
    listed = DeliveryMonth.objects.current().values_list("charge_months", flat=True)
    return sorted({Month.parse(text[:7]) for months in listed for text in months}, key=lambda m: m.start, reverse=True)


def _charged(period: Period) -> list[dict[str, Any]]:
    # Ibis takes a second to import: only those who ask about charges wait for it.
    from reservations.calc.charge_queries import commitment_use

    first, last = str(period.start), str(period.last_day)
    months = DeliveryMonth.objects.current().select_related("delivery")
    globs = [each.charges_glob for each in months if any(first <= charged <= last for charged in each.charge_months)]
    if not globs:
        return []
    with charges_in(*globs, threads=2) as charges:
        return charges.ask(commitment_use(_midnight(period.start), _midnight(period.end)))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


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


def _find(rows: Iterable[Mapping[str, Any]]) -> int:
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


def _days(rows: Iterable[Mapping[str, Any]]) -> list[Utilisation]:
    """A row for each commitment, day and currency that had usage; purchases are no use of anything."""
    groups: dict[tuple[str, str, date, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["category"] == "Usage":
            groups[(row["provider"], row["commitment"], row["day"], row["currency"])].append(row)
    known = {(each.provider, each.commitment_id): each for each in Commitment.objects.all()}
    return [_day(known[(key[0], key[1])], key[2], key[3], mine) for key, mine in sorted(groups.items())]


def _day(commitment: Commitment, day: date, currency: str, rows: list[Mapping[str, Any]]) -> Utilisation:
    counted = all(row["counted"] == row["charges"] for row in rows)
    used = [row for row in rows if row["status"] != "Unused"]
    unused = [row for row in rows if row["status"] == "Unused"]
    name = "quantity" if counted else "effective"
    unit = next((row["unit"] for row in rows if row["unit"]), "") if counted else currency
    listed = [row["listed"] for row in used if row["listed"] is not None]
    return Utilisation(
        commitment=commitment,
        day=day,
        used=_sum(used, name),
        unused=_sum(unused, name),
        unit=unit or currency,
        paid=_sum(rows, "effective"),
        unused_cost=_sum(unused, "effective"),
        on_demand=sum(listed, ZERO) if listed or not used else None,
        currency=currency or commitment.currency,
    )


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> Decimal:
    return sum((row[name] or ZERO for row in rows), ZERO)


# One statement, in the database: the lines of a month may be millions. What a line would have cost on demand is its
# list cost, else its contracted cost, else what it cost. Lines without an effective cost are the other half of a bill
# that comes in two views.
COVER = r"""
INSERT INTO reservations_coverage (day, provider, account, region, family, owner_id, currency,
    eligible_hours, covered_hours, eligible_cost, covered_cost, unused_cost, paid)
SELECT l.charge_date, l.provider, l.sub_account, l.region, left(regexp_replace(l.instance_type, '\.[^.]*$', ''), 100),
    l.owner_id, l.currency,
    coalesce(sum(l.quantity) FILTER (WHERE eligible AND hours), 0),
    coalesce(sum(l.quantity) FILTER (WHERE eligible AND hours AND covered), 0),
    coalesce(sum(coalesce(l.list_cost, l.contracted_cost, l.effective_cost)) FILTER (WHERE eligible), 0),
    coalesce(sum(coalesce(l.list_cost, l.contracted_cost, l.effective_cost)) FILTER (WHERE eligible AND covered), 0),
    coalesce(sum(l.effective_cost) FILTER (WHERE NOT eligible), 0),
    coalesce(sum(l.effective_cost), 0)
FROM costs_costline l
JOIN costs_deliverymonth m ON m.id = l.delivery_month_id AND m.is_current
CROSS JOIN LATERAL (SELECT l.commitment_status <> 'Unused' AS eligible,
    l.commitment <> '' OR l.pricing_category = 'Committed' AS covered,
    l.unit ~* '^h|hour|hrs' AS hours) AS said
WHERE l.charge_date >= %s AND l.charge_date < %s AND l.charge_category = 'Usage' AND l.effective_cost IS NOT NULL
    AND (l.instance_type <> '' OR l.commitment <> '') AND l.pricing_category <> 'Dynamic'
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


def _cover(period: Period) -> int:
    Coverage.objects.within(period).delete()
    with connection.cursor() as cursor:
        cursor.execute(COVER, [period.start, period.end])
        return int(cursor.rowcount)


class BadCommitments(ValueError):
    """A CSV of commitments that cannot be read; the message names the row, the column and the reason."""


NEEDED = ("provider", "id", "kind")
DECIMALS = {name: name for name in ("count", "hourly_commitment", "upfront")} | {"recurring": "recurring_hourly"}
TEXTS = ("name", "scope", "account", "region", "unit")
DATES = ("start", "end")
PLAIN = ("term_months", "payment", "owner", "currency", "instance_type", "system")
COLUMNS = (*NEEDED, *PLAIN, *DATES, *DECIMALS, *TEXTS)


@transaction.atomic
def load_csv(text: str) -> int:
    """Completes commitments, or adds them: all rows or none. Returns how many. Raises BadCommitments."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise BadCommitments(f"The header lacks {', '.join(missing)}; it may have {', '.join(COLUMNS)}.")
    teams = {team.name.lower(): team for team in Team.objects.all()}
    seen: dict[tuple[str, str], int] = {}
    count = 0
    for number, row in enumerate(reader, 2):
        said = {name: (value or "").strip() for name, value in row.items() if name and not isinstance(value, list)}
        key = (said["provider"], said["id"])
        if key in seen:
            raise BadCommitments(f"Row {number}: the id {key[1]!r} stands in row {seen[key]} already.")
        seen[key] = number
        _complete(said, f"Row {number}", teams)
        count += 1
    return count


def _complete(said: Mapping[str, str], place: str, teams: Mapping[str, Team]) -> None:
    values: dict[str, Any] = {name: said[name] for name in (*TEXTS, "instance_type", "system") if said.get(name)}
    if not said["id"] or not said["provider"]:
        raise BadCommitments(f"{place}: provider and id must not be empty.")
    if said["kind"] not in KINDS:
        raise BadCommitments(f"{place}: kind {said['kind']!r} is none of {', '.join(KINDS)}.")
    if said.get("payment") and said["payment"] not in PAYMENTS:
        raise BadCommitments(f"{place}: payment {said['payment']!r} is none of {', '.join(PAYMENTS)}.")
    values |= {"kind": said["kind"], "source": Commitment.Source.CSV}
    values |= {name: said[name] for name in ("payment", "currency") if said.get(name)}
    values |= {field: _number(said[name], name, place) for name, field in DECIMALS.items() if said.get(name)}
    values |= {name: _day_of(said[name], name, place) for name in DATES if said.get(name)}
    if said.get("term_months"):
        values["term_months"] = int(_number(said["term_months"], "term_months", place))
    if values.get("start") and values.get("end") and values["end"] <= values["start"]:
        raise BadCommitments(f"{place}: it ends ({values['end']}) before it starts ({values['start']}).")
    if said.get("owner"):
        if said["owner"].lower() not in teams:
            raise BadCommitments(f"{place}: there is no team {said['owner']!r}.")
        values["owner"] = teams[said["owner"].lower()]
    Commitment.objects.update_or_create(provider=said["provider"], commitment_id=said["id"], defaults=values)


def _number(text: str, column: str, place: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise BadCommitments(f"{place}: {column} {text!r} is no number.") from None
    if not found.is_finite() or found < 0 or found >= Decimal(10) ** 15:
        raise BadCommitments(f"{place}: {column} {text!r} cannot be right.")
    return found


def _day_of(text: str, column: str, place: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadCommitments(f"{place}: {column} {text!r} is not a day like 2026-01-31.") from None


def overused(commitment: Commitment, days: Iterable[Utilisation]) -> list[Utilisation]:
    """Days on which the bill shows more hours than were bought (a count of machines has 24 hours a day each)."""
    if not commitment.count or commitment.kind not in ("ri_standard", "ri_convertible", "azure_reservation"):
        return []
    return [day for day in days if "hour" in day.unit.lower() and day.used + day.unused > commitment.count * 24]
