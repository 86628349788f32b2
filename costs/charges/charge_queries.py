"""Queries of charges as Ibis expressions: the same for DuckDB and for a Spark cluster.

A pillar that asks more of charges declares its queries itself, over CHARGES. Pure: no Django. Backends only sum and
count; ratios are divided in Python, where decimals stay decimals.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

import ibis
from ibis import Table, _

from costs.formats.base import CHARGE_COLUMNS, CHARGES_TABLE
from costs.formats.sql import NO_NUL

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
) -> Table:
    """The charges a cost line sums: of its day and of every dimension: (charge column, width, value).

    `tags` are the texts of the line's own tags; None means charges whatever their tags.
    """
    start = datetime.combine(day, time())
    rows = CHARGES.filter(
        _.x_Problem.isnull(), _.ChargePeriodStart >= start, _.ChargePeriodStart < start + timedelta(days=1)
    )
    for column, width, value in dimensions:
        shown = CHARGES[column].fill_null("").left(width)
        # Any one character may stand where the line shows a replaced NUL byte.
        pattern = f"^{re.escape(value).replace(NO_NUL, ANY_CHARACTER)}$"
        rows = rows.filter(shown.re_search(pattern) if NO_NUL in value else shown == value)
    if tags is None:
        return rows
    known = CHARGES.Tags.isin([text for text in tags if text is not None])
    return rows.filter(known | CHARGES.Tags.isnull() if None in tags else known)


def charges_of_invoices(account: str, currency: str, invoice_ids: Sequence[str]) -> Table:
    """The charges of a billing account that name one of these invoices; an empty id: those that name none."""
    rows = CHARGES.filter(
        _.x_Problem.isnull(),
        _.BillingAccountId.fill_null("").left(200) == account,
        _.BillingCurrency.fill_null("").left(10) == currency,
    )
    return rows.filter(_.InvoiceId.fill_null("").left(200).isin(list(invoice_ids)))


def billed_by(rows: Table, column: str) -> Table:
    """Billed cost and number of charges by the values of a column."""
    return rows.group_by(value=rows[column].fill_null("")).agg(billed_cost=_.BilledCost.sum(), charges=_.count())


def tag_texts(rows: Table) -> Table:
    """Every text of tags among the rows."""
    return rows.select("Tags").distinct()


def charge_sums(rows: Table) -> Table:
    """How many charges, and what they sum to."""
    return rows.agg(charges=_.count(), billed_cost=_.BilledCost.sum(), effective_cost=_.EffectiveCost.sum())


def first_charges(rows: Table, columns: Sequence[str], most: int) -> Table:
    """The first of the charges in time, as delivered."""
    return rows.order_by("ChargePeriodStart", "SkuId", "BilledCost").select(*columns).limit(most)


def to_sql(query: Table, dialect: str) -> str:
    """The query in the SQL of a backend."""
    return str(ibis.to_sql(query, dialect=dialect))
