"""What commitments ask of the charges, as Ibis expressions over costs' table of charges. Pure: no Django."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import add

import ibis
from ibis import Table, _

from costs.charges.charge_queries import CHARGES


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
