"""Queries of charges as Ibis expressions: the same for DuckDB and for a Spark cluster.

A pillar that asks more of charges declares its queries itself, over CHARGES. Pure: no Django. Backends only sum and
count; ratios are divided in Python, where decimals stay decimals.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache

import ibis
from ibis import Table, _
from ibis.expr.types import StringScalar
from sqlglot import exp

from costs.calc.providers import provider_pattern
from costs.formats.base import CHARGE_COLUMNS, CHARGES_TABLE
from costs.formats.service_families import ALLOWED, MARKETPLACE, billed_categories, billed_subcategories
from costs.formats.sql import NO_NUL

TYPES = {
    "text": "string",
    "money": "decimal(38, 18)",
    "number": "decimal(38, 18)",
    "moment": "timestamp",
    "tags": "string",
}
CHARGES = ibis.table(
    {name: TYPES[kind] for name, kind in CHARGE_COLUMNS.items()} | {"x_Problem": "string", "x_File": "int64"},
    name=CHARGES_TABLE,
)
ANY_CHARACTER = r"[\s\S]"
BLANK = re.compile("'blank ([a-z0-9]+)[.]'")
# In time; the rest makes the order the same each time.
IN_ORDER = (
    *("ChargePeriodStart", "SkuId", "BilledCost", "x_LineType", "x_UsageType", "x_Operation", "ChargeDescription"),
    *("EffectiveCost", "ListCost", "ConsumedQuantity", "PricingQuantity"),
)


@dataclass(frozen=True, slots=True)
class Form:
    """A query with blanks for texts: Ibis compiles it once, and filling it in takes no time.

    `make(*shape)` builds the expression, with `blank(name)` in the place of each of the `texts`.
    """

    make: Callable[..., Table]
    shape: tuple[Hashable, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def filled(self, **texts: str) -> "Form":
        """The same with more of its texts."""
        return replace(self, texts={**self.texts, **texts})

    def sql(self, dialect: str) -> str:
        def text(match: re.Match[str]) -> str:
            return exp.Literal.string(self.texts[match[1]]).sql(dialect=dialect)

        return BLANK.sub(text, _compiled(self.make, self.shape, dialect))


def blank(name: str) -> StringScalar:
    """The place of a text in a Form."""
    return ibis.literal(f"blank {name}.")


@lru_cache(maxsize=500)
def _compiled(make: Callable[..., Table], shape: tuple[Hashable, ...], dialect: str) -> str:
    return to_sql(make(*shape), dialect)


def line_form(day: date, dimensions: Iterable[tuple[str, int, str]]) -> Form:
    """The charges of a cost line's day and dimensions, (charge column, width, value) each, whatever their tags."""
    texts = {"from": f"{day} 00:00:00", "until": f"{day + timedelta(days=1)} 00:00:00"}
    shape, dimensions = [], list(dimensions)
    line = {column: value for column, _, value in dimensions}
    for number, (column, width, value) in enumerate(dimensions):
        way = _way_to_compare(value, width)
        if column in MEANT:
            way, value = MEANT[column](line)
        shape.append((column, width, way))
        if way == "pattern":
            # Any one character may stand where the line shows a replaced NUL byte.
            value = f"^{re.escape(value).replace(NO_NUL, ANY_CHARACTER)}$"
        texts[f"dimension{number}"] = value
    return Form(_charges_of_line, tuple(shape), texts)


def _provider(line: Mapping[str, str]) -> tuple[str, str]:
    """Charges keep the name that the bill has for the provider; lines have one name for it."""
    name = line.get("ProviderName", "")
    pattern = provider_pattern(name)
    return ("named", pattern) if pattern else ("is", name)


def _category(line: Mapping[str, str]) -> tuple[str, str]:
    category = line.get("ServiceCategory", "")
    _, by_name = billed_categories(category, line.get("ServiceName", ""))
    return "by name" if by_name else "is", category


def _subcategory(line: Mapping[str, str]) -> tuple[str, str]:
    subcategory = line.get("ServiceSubcategory", "")
    own = billed_subcategories(line.get("ServiceCategory", ""), subcategory, line.get("ServiceName", ""))
    return "any" if not own else "or none" if "" in own else "is", subcategory


# Where lines have something else than charges say: how the charges of a line are found, and by which text.
MEANT: Mapping[str, Callable[[Mapping[str, str]], tuple[str, str]]] = {
    "ProviderName": _provider,
    "ServiceCategory": _category,
    "ServiceSubcategory": _subcategory,
}


def _way_to_compare(value: str, width: int) -> str:
    """How the value is looked for in a charge's column: as it is, wherever that will do, for a scan can skip by it."""
    if NO_NUL in value:
        return "pattern"
    return "is" if len(value) < width else "cut"


def _charges_of_line(*dimensions: tuple[str, int, str]) -> Table:
    rows = CHARGES.filter(
        _.x_Problem.isnull(),
        _.ChargePeriodStart >= blank("from").cast("timestamp"),
        _.ChargePeriodStart < blank("until").cast("timestamp"),
    )
    # The resource first, which leaves out most.
    for number, (column, width, way) in sorted(enumerate(dimensions), key=lambda row: row[1][0] != "ResourceId"):
        value, cell = blank(f"dimension{number}"), CHARGES[column]
        shown = cell.fill_null("").left(width)
        conditions = {
            "is": (cell == value) | ((value == "") & cell.isnull()),
            "cut": shown == value,
            "pattern": shown.re_search(value),
            "named": shown.lower().re_search(value),
            "by name": (shown == value) | ~(shown.isin(list(ALLOWED)) | shown.lower().contains(MARKETPLACE)),
            "or none": (shown == value) | (shown == ""),
            "any": ibis.literal(True),
        }
        rows = rows.filter(conditions[way])
    return rows.select(*CHARGE_COLUMNS, "x_File")


def with_tags(make: Callable[..., Table], tags: Sequence[str | None], *shape: Hashable) -> Form:
    """The query `make(rows, *shape)` of the charges with one of these texts of tags."""
    texts = [text for text in tags if text is not None]
    filled = {f"tag{number}": text for number, text in enumerate(texts)}
    return Form(_of_charges_with_tags, (make, len(texts), None in tags, *shape), filled)


def _of_charges_with_tags(make: Callable[..., Table], texts: int, untagged: bool, *shape: Hashable) -> Table:
    known = CHARGES.Tags.isin([blank(f"tag{number}") for number in range(texts)]) if texts else ibis.literal(False)
    return make(CHARGES.filter(known | CHARGES.Tags.isnull() if untagged else known), *shape)


def tag_texts() -> Table:
    """Every text of tags among the charges."""
    return CHARGES.select("Tags").distinct()


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


def charge_sums(rows: Table) -> Table:
    """How many charges, and what they sum to."""
    return rows.agg(charges=_.count(), billed_cost=_.BilledCost.sum(), effective_cost=_.EffectiveCost.sum())


def some_charges(rows: Table, skip: int, most: int) -> Table:
    """So many of the charges in time, every column of them as delivered, behind the first `skip`."""
    return rows.order_by(*IN_ORDER).select(*CHARGE_COLUMNS, "x_File").limit(most, offset=skip)


def charges_that_start(rows: Table, most: int) -> Table:
    """The charges whose period starts at the moment that is filled in as ``start``."""
    return some_charges(rows.filter(_.ChargePeriodStart == blank("start").cast("timestamp")), 0, most)


def to_sql(query: Table, dialect: str) -> str:
    """The query in the SQL of a backend."""
    return str(ibis.to_sql(query, dialect=dialect))
