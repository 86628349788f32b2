"""The questions asked of charges, as Ibis expressions: the same words for DuckDB and for a Spark cluster.

Pure: no Django. Engines only sum and count; ratios are divided in Python, where decimals stay decimals.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import add
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


def of_line(day: date, dimensions: Iterable[tuple[str, int, str]], tags: Sequence[str | None] | None = None) -> Any:
    """The charges a cost line sums: of its day and of every dimension: (charge column, width, value).

    `tags` are the texts of tags that are the line's own; None asks for charges whatever their tags.
    """
    start = datetime.combine(day, time())
    rows = CHARGES.filter(
        _.x_Problem.isnull(), _.ChargePeriodStart >= start, _.ChargePeriodStart < start + timedelta(days=1)
    )
    for column, width, value in dimensions:
        shown = CHARGES[column].fill_null("").left(width)
        rows = rows.filter(shown == value if NO_NUL not in value else shown.re_search(_pattern(value)))
    if tags is None:
        return rows
    known = CHARGES.Tags.isin([text for text in tags if text is not None])
    return rows.filter(known | CHARGES.Tags.isnull() if None in tags else known)


def _pattern(value: str) -> str:
    """A pattern of the whole text in which any one character may stand where the line shows a replaced NUL byte."""
    return f"^{re.escape(value).replace(NO_NUL, ANY_CHARACTER)}$"


def tag_texts(rows: Any) -> Any:
    """Every text of tags among the rows."""
    return rows.select("Tags").distinct()


def sums(rows: Any) -> Any:
    """How many charges, and what they sum to."""
    return rows.agg(charges=_.count(), billed_cost=_.BilledCost.sum(), effective_cost=_.EffectiveCost.sum())


def first(rows: Any, columns: Sequence[str], most: int) -> Any:
    """The first of the charges in time, as delivered."""
    return rows.order_by("ChargePeriodStart", "SkuId", "BilledCost").select(*columns).limit(most)


def machine_use(start: datetime, end: datetime, words: Sequence[Sequence[str]]) -> Any:
    """How many hours machines ran in each charge period that touches the time, and under which price.

    `covered` says that a commitment paid, `spot` that none could have; what nobody used is not among it. Of each
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
    found = used.group_by(
        start=_.ChargePeriodStart,
        end=_.ChargePeriodEnd,
        provider=_.ProviderName,
        region=_.RegionId,
        type=_.x_InstanceType,
        operation=_.x_Operation.fill_null(""),
        description=_words_in(_.ChargeDescription.fill_null("").lower(), words),
        covered=_.CommitmentDiscountId.notnull() | (_.PricingCategory.fill_null("") == "Committed"),
        spot=_.PricingCategory.fill_null("") == "Dynamic",
        currency=_.BillingCurrency,
    ).agg(hours=_.ConsumedQuantity.sum(), machines=_.ResourceId.nunique(), cost=_.EffectiveCost.sum())
    return found.order_by("start", "provider", "region", "type", "operation", "description", "covered", "spot")


def _words_in(text: Any, choices: Sequence[Sequence[str]]) -> Any:
    """The first word of each choice that the text has, a space before it."""
    found = [ibis.cases(*((text.contains(word), f" {word}") for word in words), else_="") for words in choices]
    return reduce(add, found)


def commitment_use(start: datetime, end: datetime) -> Any:
    """What the bill says of each commitment on each day: bought, used and unused, in its own unit and in money.

    `quantity` is null where no charge of the group has one: money then says how much was used.
    """
    named = CHARGES.filter(
        _.x_Problem.isnull(),
        _.CommitmentDiscountId.notnull(),
        _.ChargePeriodStart >= start,
        _.ChargePeriodStart < end,
    )
    found = named.group_by(
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
    return found.order_by("provider", "commitment", "day", "category", "status", "currency")


def sql(question: Any, dialect: str) -> str:
    """The question in the words of an engine."""
    return str(ibis.to_sql(question, dialect=dialect))
