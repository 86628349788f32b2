"""How each day used the commitments, and what they covered: computed again from the bills of a month."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from costs.models import DeliveryMonth
from finops_site.lib.money import EXACT, STORED_UNIT
from finops_site.lib.periods import Month
from finops_site.ops.locks import wait_for
from reservations.inventory.commitment_inventory import register_commitments
from reservations.inventory.coverage import write_coverage
from reservations.inventory.period_charges import midnight, query_charges
from reservations.models import Commitment, Utilisation

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class UsageRefresh:
    """How many commitments are new, and how many days and rows of coverage were written."""

    new: int
    days: int
    coverage: int


@transaction.atomic
def refresh_usage(month: Month) -> UsageRefresh:
    """Registers the commitments in the charges of a month and writes its utilisation and coverage anew."""
    # Any two at once may find the same new commitment, or write the same days.
    wait_for("use of commitments")
    period = month.period
    from reservations.calc import charge_queries

    span = midnight(period.start), midnight(period.end)
    rows = query_charges(period, charge_queries.commitment_use(*span))
    new = register_commitments(rows, query_charges(period, charge_queries.commitment_capacity(*span)))
    Utilisation.objects.within(period).delete()
    days = Utilisation.objects.bulk_create(_build_days(rows), batch_size=2_000)
    return UsageRefresh(new, len(days), write_coverage(month))


def months_with_bills() -> list[Month]:
    """Every charge month of the bills that count, the newest first."""
    listed = DeliveryMonth.objects.current().values_list("charge_months", flat=True)
    return sorted({Month.parse(text[:7]) for months in listed for text in months}, key=lambda m: m.start, reverse=True)


def _build_days(rows: Iterable[Mapping[str, Any]]) -> list[Utilisation]:
    """A row for each commitment, day and currency that had usage.

    A purchase is no use of anything and costs nothing in effective cost; where it does (a Google fee that no usage
    carries), it is paid for what nobody used. Taxes, credits and adjustments cover nothing.
    """
    groups: dict[tuple[str, str, date, str], list[Mapping[str, Any]]] = defaultdict(list)
    usage = [row for row in rows if row["category"] == "Usage"]
    unspent = [row for row in rows if row["category"] == "Purchase" and row["effective"]]
    # It counts no units that could be told from those of the purchase.
    usage += [{**row, "status": "Unused", "quantity": None, "counted": 0} for row in unspent]
    for row in _by_day(usage):
        groups[(row["provider"], row["commitment"], row["day"], row["currency"])].append(row)
    known = {(row.provider, row.commitment_id): row for row in Commitment.objects.all()}
    return [_build_day(known[key[:2]], *key[2:], own_rows) for key, own_rows in sorted(groups.items())]


def _by_day(rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rows, what is unused over several days spread over them: the fee of a reservation is one charge a month.

    In equal parts, the last day with what is left, and not beyond the newest day that the bill shows.
    """
    newest = max((row["day"] for row in rows), default=None)
    for row in rows:
        last = min(row["last"], newest) if newest else row["last"]
        days = (last - row["day"]).days + 1
        if row["status"] != "Unused" or days < 2:
            yield row
            continue
        for number in range(days):
            parts = {name: _part(row[name], days, is_last=number == days - 1) for name in ("quantity", "effective")}
            yield {**row, **parts, "day": row["day"] + timedelta(days=number)}


def _part(amount: Decimal | None, days: int, *, is_last: bool) -> Decimal | None:
    """One of equal parts at the stored digits; the last takes what is left."""
    if amount is None:
        return None
    part = EXACT.divide(amount, days).quantize(STORED_UNIT, context=EXACT)
    return EXACT.subtract(amount, EXACT.multiply(part, days - 1)) if is_last else part


def _build_day(commitment: Commitment, day: date, currency: str, rows: list[Mapping[str, Any]]) -> Utilisation:
    # Units that changed in the day do not add up; money always does.
    units = {row["unit"] for row in rows if row["unit"]}
    counted = all(row["counted"] == row["charges"] and row["units"] < 2 for row in rows) and len(units) < 2
    used = [row for row in rows if row["status"] != "Unused"]
    unused = [row for row in rows if row["status"] == "Unused"]
    name = "quantity" if counted else "effective"
    unit = next((row["unit"] for row in rows if row["unit"]), "") if counted else currency
    # A day of which any charge has no on-demand price has none as a whole: the rest would be less than all of it.
    is_priced = bool(used) and all(row["priced"] == row["paid"] for row in used) and any(row["paid"] for row in used)
    return Utilisation(
        commitment=commitment,
        day=day,
        used=_sum(used, name),
        unused=_sum(unused, name),
        unit=unit or currency,
        paid=_sum(rows, "effective"),
        unused_cost=_sum(unused, "effective"),
        on_demand=_sum(used, "listed") if is_priced or not used else None,
        currency=currency or commitment.currency,
    )


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> Decimal:
    return sum((row[name] or ZERO for row in rows), ZERO)


def overused(commitment: Commitment, days: Iterable[Utilisation]) -> list[Utilisation]:
    """Days on which the bill shows more hours than were bought (a count of machines has 24 hours a day each)."""
    if not commitment.count or commitment.kind not in ("ri_standard", "ri_convertible", "azure_reservation"):
        return []
    return [day for day in days if "hour" in day.unit.lower() and day.used + day.unused > commitment.count * 24]
