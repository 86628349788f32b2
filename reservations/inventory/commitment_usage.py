"""How each day used the commitments, and what they covered: computed again from the bills of a month."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import reduce
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
DAY = timedelta(days=1)


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
    newest = query_charges(period, charge_queries.newest_days(*span)) if any(map(_is_spread, rows)) else []
    days = Utilisation.objects.bulk_create(
        _build_days(rows, {row["provider"]: row["day"] for row in newest}), batch_size=2_000
    )
    return UsageRefresh(new, len(days), write_coverage(month))


def months_with_bills() -> list[Month]:
    """Every charge month of the bills that count, the newest first."""
    listed = DeliveryMonth.objects.current().values_list("charge_months", flat=True)
    return sorted({Month.parse(text[:7]) for months in listed for text in months}, key=lambda m: m.start, reverse=True)


def _build_days(rows: Iterable[Mapping[str, Any]], newest: Mapping[str, date]) -> list[Utilisation]:
    """A row for each commitment, day and currency that had usage; `newest` is the last day of each provider's bill.

    A purchase is no use of anything and costs nothing in effective cost; where it does (a Google fee that no usage
    carries), it is paid for what nobody used. Taxes, credits and adjustments cover nothing.
    """
    groups: dict[tuple[str, str, date, str], list[Mapping[str, Any]]] = defaultdict(list)
    usage = [row for row in rows if row["category"] == "Usage"]
    unspent = [row for row in rows if row["category"] == "Purchase" and row["effective"]]
    # It counts no units that could be told from those of the purchase.
    usage += [{**row, "status": "Unused", "quantity": None, "counted": 0} for row in unspent]
    known = {(row.provider, row.commitment_id): row for row in Commitment.objects.all()}
    for row in _by_day(usage, newest, known):
        groups[(row["provider"], row["commitment"], row["day"], row["currency"])].append(row)
    return [_build_day(known[key[:2]], *key[2:], own_rows) for key, own_rows in sorted(groups.items())]


def _is_spread(row: Mapping[str, Any]) -> bool:
    return row["status"] == "Unused" and row["last"] > row["day"]


def _by_day(
    rows: Sequence[Mapping[str, Any]], newest: Mapping[str, date], known: Mapping[tuple[str, str], Commitment]
) -> Iterator[Mapping[str, Any]]:
    """The rows, what is unused over several days spread over them: the fee of a reservation is one charge a month.

    Not beyond the newest day that the bill shows of anything, nor beyond the end of the commitment.
    """
    used: dict[tuple[str, str, str], dict[date, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["status"] != "Unused":
            used[row["provider"], row["commitment"], row["currency"]][row["day"]].append(row)
    for row in rows:
        end = known[row["provider"], row["commitment"]].end
        last = min(row["last"], newest.get(row["provider"], row["last"]), end - DAY if end else row["last"])
        count = (last - row["day"]).days + 1
        if not _is_spread(row) or count < 2:
            yield row
            continue
        days = [row["day"] + DAY * number for number in range(count)]
        own = used[row["provider"], row["commitment"], row["currency"]]
        same = {day: [one for one in own[day] if one["unit"] == row["unit"]] for day in days}
        parts = {
            "quantity": _parts(row["quantity"], [_sum(same[day], "quantity") for day in days]),
            "effective": _parts(row["effective"], [_sum(own[day], "effective") for day in days]),
        }
        for number, day in enumerate(days):
            yield {**row, **{name: amounts[number] for name, amounts in parts.items()}, "day": day}


def _parts(amount: Decimal | None, used: Sequence[Decimal]) -> Sequence[Decimal | None]:
    """What is unused on each day: with what is used every day has the same, for a commitment buys the same each day.

    In equal parts where that cannot be. At the stored digits; the last day takes what is left.
    """
    if amount is None:
        return [None] * len(used)
    level = EXACT.divide(reduce(EXACT.add, used, amount), len(used))
    if any(one > level for one in used):
        level, used = EXACT.divide(amount, len(used)), [ZERO] * len(used)
    parts = [EXACT.subtract(level, one).quantize(STORED_UNIT, ROUND_DOWN, EXACT) for one in used[:-1]]
    return [*parts, reduce(EXACT.subtract, parts, amount)]


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
