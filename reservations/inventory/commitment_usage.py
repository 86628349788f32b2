"""How each day used the commitments, and what they covered: computed again from the bills of a month."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from costs.models import DeliveryMonth
from finops_site.lib.periods import Month, Period
from finops_site.ops.locks import wait_for
from reservations.inventory.commitment_inventory import register_commitments
from reservations.inventory.period_charges import midnight, query_charges
from reservations.models import Commitment, Coverage, Utilisation

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

    rows = query_charges(period, charge_queries.commitment_use(midnight(period.start), midnight(period.end)))
    new = register_commitments(rows)
    Utilisation.objects.within(period).delete()
    days = Utilisation.objects.bulk_create(_build_days(rows), batch_size=2_000)
    return UsageRefresh(new, len(days), _write_coverage(period))


def months_with_bills() -> list[Month]:
    """Every charge month of the bills that count, the newest first."""
    listed = DeliveryMonth.objects.current().values_list("charge_months", flat=True)
    return sorted({Month.parse(text[:7]) for months in listed for text in months}, key=lambda m: m.start, reverse=True)


def _build_days(rows: Iterable[Mapping[str, Any]]) -> list[Utilisation]:
    """A row for each commitment, day and currency that had usage; purchases are no use of anything."""
    groups: dict[tuple[str, str, date, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["category"] == "Usage":
            groups[(row["provider"], row["commitment"], row["day"], row["currency"])].append(row)
    known = {(row.provider, row.commitment_id): row for row in Commitment.objects.all()}
    return [_build_day(known[key[:2]], *key[2:], own_rows) for key, own_rows in sorted(groups.items())]


def _build_day(commitment: Commitment, day: date, currency: str, rows: list[Mapping[str, Any]]) -> Utilisation:
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
    l.unit ~* '^h|hour|hrs' AS hours) AS flags
WHERE l.charge_date >= %s AND l.charge_date < %s AND l.charge_category = 'Usage' AND l.effective_cost IS NOT NULL
    AND (l.instance_type <> '' OR l.commitment <> '') AND l.pricing_category <> 'Dynamic'
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


def _write_coverage(period: Period) -> int:
    Coverage.objects.within(period).delete()
    with connection.cursor() as cursor:
        cursor.execute(COVER, [period.start, period.end])
        return int(cursor.rowcount)


def overused(commitment: Commitment, days: Iterable[Utilisation]) -> list[Utilisation]:
    """Days on which the bill shows more hours than were bought (a count of machines has 24 hours a day each)."""
    if not commitment.count or commitment.kind not in ("ri_standard", "ri_convertible", "azure_reservation"):
        return []
    return [day for day in days if "hour" in day.unit.lower() and day.used + day.unused > commitment.count * 24]
