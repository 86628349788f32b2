"""From a cost line back to the charges it sums, as the provider delivered them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings

from costs import engine
from costs.formats.base import literal
from costs.models import CostLine
from costs.publish import DIMENSIONS, shown

SHOWN = {
    "ChargePeriodStart": "From",
    "ChargePeriodEnd": "To",
    "x_LineType": "Line type",
    "ChargeDescription": "Description",
    "SkuId": "SKU",
    "x_UsageType": "Usage type",
    "ConsumedQuantity": "Quantity",
    "ConsumedUnit": "Unit",
    "ListUnitPrice": "List price",
    "BilledCost": "Billed cost",
    "EffectiveCost": "Effective cost",
    "ListCost": "List cost",
    "InvoiceId": "Invoice",
}
MOST = 200


@dataclass(frozen=True, slots=True)
class Charges:
    """The first charges of a line (at most MOST), how many there are, and what all of them sum to."""

    rows: list[dict[str, Any]]
    count: int
    billed_cost: Decimal | None
    effective_cost: Decimal | None


def charges_of(line: CostLine) -> Charges:
    """The charges of `line` out of its delivery's Parquet: one file, one month, a bounded query."""
    where, values = _grain(line)
    table = f"read_parquet({literal(line.delivery_month.charges_glob)})"
    with engine.connect(threads=1, memory_limit=settings.DUCKDB_MEMORY_LIMIT) as db:
        sums = db.execute(
            f"SELECT count(*), sum(BilledCost), sum(EffectiveCost) FROM {table} c WHERE {where}", values
        ).fetchone()
        columns = ", ".join(f'"{name}"' for name in SHOWN)
        found = db.execute(
            f"SELECT {columns} FROM {table} c WHERE {where} ORDER BY ChargePeriodStart, SkuId LIMIT {MOST}", values
        ).fetchall()
    count, billed, effective = sums or (0, None, None)
    return Charges([dict(zip(SHOWN, row, strict=True)) for row in found], count, billed, effective)


def _grain(line: CostLine) -> tuple[str, list[Any]]:
    """SQL and values that pick the charges of a line: its day, its tags and every dimension, shortened as it was."""
    conditions = ["x_Problem IS NULL", "ChargePeriodStart::DATE = ?", f"{TAGS} = ?"]
    values: list[Any] = [line.charge_date, line.tag_set.fingerprint]
    for name, (column, width) in DIMENSIONS.items():
        conditions.append(f"{shown(column, width)} = ?")
        values.append(getattr(line, name))
    return " AND ".join(conditions), values


PAIRS = (
    "list_transform(map_entries(coalesce(Tags, MAP {})), "
    "lambda e: {'k': replace(e.key, chr(0), '\ufffd'), 'v': replace(e.value, chr(0), '\ufffd')})"
)
TAGS = f"md5(CAST(to_json(map_from_entries(list_sort({PAIRS}))) AS VARCHAR))"
