"""What commitments ask of the charges, as Ibis expressions over costs' table of charges. Pure: no Django."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import add

import ibis
from ibis import Deferred, Table, _

from costs.charges.charge_queries import CHARGES


def machine_use(start: datetime, end: datetime, words: Sequence[Sequence[str]]) -> Table:
    """How many hours machines ran in each charge period that touches the time, and under which price.

    `covered`: a commitment paid; `spot`: none could have. What nobody used is left out. Machines that ran for equally
    many hours of a longer period (in `whole_hours`, rounded up) are one row: nothing else says how many ran at once.
    Of each description the answer keeps, of every choice of `words`, the first that is in it: whole texts would make
    one group of each price.
    """
    groups = {
        "start": _.ChargePeriodStart,
        "end": _.ChargePeriodEnd,
        **_pool_columns(words),
        "covered": _covered(),
        "spot": _.PricingCategory.fill_null("") == "Dynamic",
        "currency": _.BillingCurrency,
    }
    # Within an hour it does not matter which machine ran for how long.
    is_longer = _.ChargePeriodEnd > _.ChargePeriodStart + ibis.interval(hours=1)
    by_machine = (
        _machine_charges(start, end)
        .group_by(**groups, machine=ibis.cases((is_longer, _.ResourceId)))
        .agg(
            hours=_.ConsumedQuantity.sum(),
            machines=_.ResourceId.nunique(where=_.ConsumedQuantity > 0),
            cost=_.EffectiveCost.sum(),
        )
    )
    whole_hours = ibis.cases((_.machine.notnull(), _.hours.ceil()))
    use = by_machine.group_by(*groups, whole_hours=whole_hours).agg(
        hours=_.hours.sum(), machines=_.machines.sum(), cost=_.cost.sum()
    )
    return use.order_by(
        *("start", "provider", "region", "type", "operation", "description", "covered", "spot", "whole_hours")
    )


def pool_use(start: datetime, end: datetime, words: Sequence[Sequence[str]]) -> Table:
    """The machine hours of the time by pool and by the commitment that covered them; spot is left out.

    `listed` is what they cost at on-demand prices, as far as the bill states it; `first` and `last` are moments.
    """
    use = (
        _machine_charges(start, end)
        .filter(_.PricingCategory.fill_null("") != "Dynamic")
        .group_by(**_pool_columns(words), commitment=_.CommitmentDiscountId.fill_null(""), covered=_covered())
        .agg(
            hours=_.ConsumedQuantity.sum(),
            cost=_.EffectiveCost.sum(),
            listed=on_demand_cost(_).sum(),
            first=_.ChargePeriodStart.min(),
            last=_.ChargePeriodEnd.coalesce(_.ChargePeriodStart).max(),
        )
    )
    return use.order_by("provider", "region", "type", "operation", "description", "commitment")


def _machine_charges(start: datetime, end: datetime) -> Table:
    return CHARGES.filter(
        _.x_Problem.isnull(),
        _.ChargeCategory == "Usage",
        _.x_InstanceType.notnull(),
        _.ConsumedUnit.lower().re_search("^h|hour|hrs"),
        _.CommitmentDiscountStatus.fill_null("") != "Unused",
        _.ChargePeriodStart < end,
        (_.ChargePeriodEnd > start) | (_.ChargePeriodStart >= start),
    )


def _pool_columns(words: Sequence[Sequence[str]]) -> dict[str, Deferred]:
    description = _.ChargeDescription.fill_null("").lower()
    first_words = [
        ibis.cases(*((description.contains(word), f" {word}") for word in choice), else_="") for choice in words
    ]
    return {
        "provider": _.ProviderName,
        "region": _.RegionId,
        "type": _.x_InstanceType,
        "operation": _.x_Operation.fill_null(""),
        "description": reduce(add, first_words),
    }


def _covered() -> Deferred:
    return _.CommitmentDiscountId.notnull() | (_.PricingCategory.fill_null("") == "Committed")


def commitment_use(start: datetime, end: datetime) -> Table:
    """What the bill shows of each commitment on each day: bought, used and unused, in its own unit and in money.

    `quantity` is null where no charge of the group has one: money then shows how much was used. A day that is the last
    of a longer charge (the month's fee of a reservation) stands beside the first, in `last`. `listed` is what the
    charges cost at on-demand prices, and `priced` how many of the `paid` ones have such a price.
    """
    on_demand = on_demand_cost(_)
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
        last=(_.ChargePeriodEnd.coalesce(_.ChargePeriodStart) - ibis.interval(microseconds=1)).date(),
    ).agg(
        name=_.CommitmentDiscountName.max(),
        counts=_.CommitmentDiscountCategory.max(),
        type=_.CommitmentDiscountType.max(),
        unit=_.CommitmentDiscountUnit.max(),
        account=_.SubAccountId.max(),
        region=_.RegionId.max(),
        machine=_.x_InstanceType.max(),
        first_machine=_.x_InstanceType.min(),
        frequency=_.ChargeFrequency.max(),
        first_frequency=_.ChargeFrequency.min(),
        service=_.ServiceName.max(),
        operation=_.x_Operation.max(),
        description=_.ChargeDescription.max(),
        words=ibis.cases((_.ChargeCategory == "Purchase", _.ChargeDescription)).max(),
        units=_.CommitmentDiscountUnit.nunique(),
        quantity=_.CommitmentDiscountQuantity.sum(),
        charges=_.count(),
        counted=_.CommitmentDiscountQuantity.count(),
        paid=_.EffectiveCost.count(),
        effective=_.EffectiveCost.sum(),
        billed=_.BilledCost.sum(),
        listed=on_demand.sum(),
        priced=on_demand.count(),
        term=_.x_CommitmentTerm.max(),
        payment=_.x_CommitmentPayment.max(),
        count=_.x_CommitmentCount.max(),
        start=_.x_CommitmentStart.min(),
        end=_.x_CommitmentEnd.max(),
    )
    return use.order_by("provider", "commitment", "day", "category", "status", "currency", "last")


def commitment_capacity(start: datetime, end: datetime) -> Table:
    """The most that each commitment's charges of one period add up to, used and unused, by the length of the period.

    For an hour that is what it commits to. `quantity` is in the commitment's unit and null where charges have none;
    `effective` is in money. A purchase states the same for its period. Longer periods than a day do not show an hour,
    and neither do days of which a part stands in a longer charge, except for a purchase.
    """
    named = CHARGES.filter(
        _.x_Problem.isnull(),
        _.CommitmentDiscountId.notnull(),
        _.ChargePeriodStart >= start,
        _.ChargePeriodStart < end,
        _.ChargePeriodEnd > _.ChargePeriodStart,
        (_.ChargeCategory == "Usage") | (_.ChargeCategory == "Purchase"),
        _.ChargeClass.fill_null("") != "Correction",
    )
    periods = named.group_by(
        provider=_.ProviderName.fill_null(""),
        commitment=_.CommitmentDiscountId,
        category=_.ChargeCategory,
        hours=_.ChargePeriodEnd.epoch_seconds().cast("int64") // 3600
        - _.ChargePeriodStart.epoch_seconds().cast("int64") // 3600,
        period=_.ChargePeriodStart,
        currency=_.BillingCurrency.fill_null(""),
    ).agg(
        unit=_.CommitmentDiscountUnit.max(),
        units=_.CommitmentDiscountUnit.nunique(),
        charges=_.count(),
        counted=_.CommitmentDiscountQuantity.count(),
        quantity=_.CommitmentDiscountQuantity.sum(),
        effective=_.EffectiveCost.sum(),
    )
    is_counted = (_.charges == _.counted) & (_.units < 2)
    most = periods.group_by("provider", "commitment", "category", "hours", "currency").agg(
        unit=_.unit.max(),
        quantity=ibis.cases((is_counted, _.quantity)).max(),
        effective=_.effective.max(),
    )
    return most.order_by("provider", "commitment", "category", "hours", "currency")


def on_demand_cost(charge: Deferred) -> Deferred:
    """What a charge that a commitment covers would cost on demand: its list cost, else its contracted cost; null where
    the bill states neither. A price of 0 for what is paid for is none: it means that nobody stated one.
    """
    stated = charge.ListCost.nullif(0).coalesce(charge.ContractedCost.nullif(0))
    nothing_paid = ibis.cases((charge.EffectiveCost == 0, charge.EffectiveCost))
    # A charge without effective cost is the other half of a bill that comes in two views.
    return ibis.cases((charge.EffectiveCost.notnull(), stated.coalesce(nothing_paid)))
