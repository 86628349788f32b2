"""Queries of charges as Ibis expressions: the same for DuckDB and for a Spark cluster.

A pillar that asks more of charges declares its queries itself, over CHARGES. Pure: no Django. Backends only sum and
count; ratios are divided in Python, where decimals stay decimals.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import ibis
from ibis import _

from costs.formats.base import CHARGE_COLUMNS, CHARGES_TABLE, NO_NUL

TYPES = {
    "text": "string",
    "money": "decimal(38, 18)",
    "number": "decimal(38, 18)",
    "moment": "timestamp",
    "tags": "string",
}
CHARGES = ibis.table(
    {name: TYPES[kind] for name, kind in CHARGE_COLUMNS.items()} | {"x_Problem": "string"},
    name=CHARGES_TABLE,
)
ANY_CHARACTER = r"[\s\S]"


def charges_of_line(
    day: date, dimensions: Iterable[tuple[str, int, str]], tags: Sequence[str | None] | None = None
) -> Any:
    """The charges a cost line sums: of its day and of every dimension: (charge column, width, value).

    `tags` are the texts of the line's own tags; None asks for charges whatever their tags.
    """
    start = datetime.combine(day, time())
    rows = CHARGES.filter(
        _.x_Problem.isnull(), _.ChargePeriodStart >= start, _.ChargePeriodStart < start + timedelta(days=1)
    )
    for column, width, value in dimensions:
        shown = CHARGES[column].fill_null("").left(width)
        # Any one character may stand where the line shows a replaced NUL byte.
        pattern = f"^{re.escape(value).replace(NO_NUL, ANY_CHARACTER)}$"
        rows = rows.filter(shown == value if NO_NUL not in value else shown.re_search(pattern))
    if tags is None:
        return rows
    equal = CHARGES.Tags.isin([text for text in tags if text is not None])
    return rows.filter(equal | CHARGES.Tags.isnull() if None in tags else equal)


def tag_texts(rows: Any) -> Any:
    """Every text of tags among the rows."""
    return rows.select("Tags").distinct()


def charge_sums(rows: Any) -> Any:
    """How many charges, and what they sum to."""
    return rows.agg(charges=_.count(), billed_cost=_.BilledCost.sum(), effective_cost=_.EffectiveCost.sum())


def first_charges(rows: Any, columns: Sequence[str], most: int) -> Any:
    """The first of the charges in time, as delivered."""
    return rows.order_by("ChargePeriodStart", "SkuId", "BilledCost").select(*columns).limit(most)


def sql(query: Any, dialect: str) -> str:
    """The query in the SQL of a backend."""
    return str(ibis.to_sql(query, dialect=dialect))
