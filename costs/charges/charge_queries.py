"""Queries of charges as Ibis expressions: the same for DuckDB and for a Spark cluster.

Pure: no Django. Engines only sum and count; ratios are divided in Python, where decimals stay decimals.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import add

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

    `tags` are the texts of tags that are the line's own; None means charges whatever their tags.
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


def tag_texts(rows: Table) -> Table:
    """Every text of tags among the rows."""
    return rows.select("Tags").distinct()


def charge_sums(rows: Table) -> Table:
    """How many charges, and what they sum to."""
    return rows.agg(charges=_.count(), billed_cost=_.BilledCost.sum(), effective_cost=_.EffectiveCost.sum())


def first_charges(rows: Table, columns: Sequence[str], most: int) -> Table:
    """The first of the charges in time, as delivered."""
    return rows.order_by("ChargePeriodStart", "SkuId", "BilledCost").select(*columns).limit(most)


def machine_use(start: datetime, end: datetime, words: Sequence[Sequence[str]]) -> Table:
    """How many hours machines ran in each charge period that touches the time, and under which price.

    `covered`: a commitment paid; `spot`: none could have. What nobody used is left out. Of each
    description the answer keeps, of every choice of `words`, the first that is in it: whole texts would make one group
    of each price.
    """
    used = CHARGES.filter(
        _.x_Problem.isnull(),
        _.ChargeCategory == "Usage",
        _.x_InstanceType.notnull(),
        _.ConsumedUnit.lower().re_search("^h|hour|hrs"),
        _.CommitmentDiscountStatus.fill_null("") != "Unused",
        _.ChargePeriodStart < end,
        (_.ChargePeriodEnd > start) | (_.ChargePeriodStart >= start),
    )
    description = _.ChargeDescription.fill_null("").lower()
    first_words = [
        ibis.cases(*((description.contains(word), f" {word}") for word in choice), else_="") for choice in words
    ]
    use = used.group_by(
        start=_.ChargePeriodStart,
        end=_.ChargePeriodEnd,
        provider=_.ProviderName,
        region=_.RegionId,
        type=_.x_InstanceType,
        operation=_.x_Operation.fill_null(""),
        description=reduce(add, first_words),
        covered=_.CommitmentDiscountId.notnull() | (_.PricingCategory.fill_null("") == "Committed"),
        spot=_.PricingCategory.fill_null("") == "Dynamic",
        currency=_.BillingCurrency,
    ).agg(hours=_.ConsumedQuantity.sum(), machines=_.ResourceId.nunique(), cost=_.EffectiveCost.sum())
    return use.order_by("start", "provider", "region", "type", "operation", "description", "covered", "spot")


def commitment_use(start: datetime, end: datetime) -> Table:
    """What the bill shows of each commitment on each day: bought, used and unused, in its own unit and in money.

    `quantity` is null where no charge of the group has one: money then shows how much was used.
    """
    named = CHARGES.filter(
        _.x_Problem.isnull(),
        _.CommitmentDiscountId.notnull(),
        _.ChargePeriodStart >= start,
        _.ChargePeriodStart < end,
    )
    use = named.group_by(
        provider=_.ProviderName.fill_null(""),
        commitment=_.CommitmentDiscountId,
        day=_.ChargePeriodStart.date(),
        category=_.ChargeCategory,
        status=_.CommitmentDiscountStatus.fill_null(""),
        currency=_.BillingCurrency.fill_null(""),
    ).agg(
        name=_.CommitmentDiscountName.max(),
        counts=_.CommitmentDiscountCategory.max(),
        type=_.CommitmentDiscountType.max(),
        unit=_.CommitmentDiscountUnit.max(),
        account=_.SubAccountId.max(),
        region=_.RegionId.max(),
        machine=_.x_InstanceType.max(),
        machines=_.x_InstanceType.nunique(),
        frequency=_.ChargeFrequency.max(),
        quantity=_.CommitmentDiscountQuantity.sum(),
        charges=_.count(),
        counted=_.CommitmentDiscountQuantity.count(),
        effective=_.EffectiveCost.sum(),
        billed=_.BilledCost.sum(),
        listed=_.ListCost.sum(),
    )
    return use.order_by("provider", "commitment", "day", "category", "status", "currency")


def to_sql(query: Table, dialect: str) -> str:
    """The query in the dialect of an engine."""
    return str(ibis.to_sql(query, dialect=dialect))
