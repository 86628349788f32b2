"""What commitments ask of the charges, as Ibis expressions over costs' table of charges. Pure: no Django."""

from datetime import datetime
from functools import reduce
from operator import add

import ibis
from ibis import Deferred, Table, _

from costs.charges.charge_queries import CHARGES
from reservations.calc.machine_pools import DESCRIPTION_WORDS, METERED, TYPE


def machine_use(start: datetime, end: datetime, *, by_account: bool = False, by_zone: bool = False) -> Table:
    """How many hours machines ran in each charge period that touches the time, and under which price.

    Beside machines it holds what else commitments cover: hours of cores and memory, GB-seconds, capacity units.
    `covered`: a commitment paid; `spot`: none could have. What nobody used is left out. `listed` and `contracted` are
    the costs where a charge states both. `machine_pools.read_use` reads a row; one whose type is empty says that
    machines ran and not which.
    """
    provider, description = _.ProviderName.fill_null("").lower(), _.ChargeDescription.fill_null("").lower()
    is_aws = provider.re_search("^(aws|amazon)")
    is_google = provider.re_search("^(gcp|google)")
    is_google_part = is_google & description.re_search(r"\b(core|ram)\b")
    usage_type = ibis.cases((is_aws, _.x_UsageType.fill_null("")), else_="")
    text = usage_type.lower().concat(" ", description)
    written = text.re_extract(rf"\b({TYPE})\b", 1).nullif("")
    hourly = _.ConsumedUnit.lower().re_search("^h|hour|hrs")
    priced_hourly = _.PricingUnit.fill_null("").lower().re_search("hour")
    named = _.x_InstanceType.notnull() | (is_aws & text.re_search(rf"\b({TYPE})\b"))
    unnamed = is_aws & text.re_search(r"instance[ -]hour|node[ -]hour|boxusage|hostusage|instanceusage|nodeusage")
    metered = is_aws & usage_type.re_search(METERED)
    used = CHARGES.filter(
        _.x_Problem.isnull(),
        _.ChargeCategory == "Usage",
        (hourly & (named | unnamed)) | metered | (is_google_part & (hourly | priced_hourly)),
        _.CommitmentDiscountStatus.fill_null("") != "Unused",
        _.ChargePeriodStart < end,
        (_.ChargePeriodEnd > start) | (_.ChargePeriodStart >= start),
    )
    first_words = reduce(
        add,
        (
            ibis.cases(*((description.contains(word), f" {word}") for word in choice), else_="")
            for choice in DESCRIPTION_WORDS
        ),
    )
    is_described = provider.re_search("^(gcp|google|azure|microsoft)")
    use = used.group_by(
        start=_.ChargePeriodStart,
        end=_.ChargePeriodEnd,
        provider=_.ProviderName,
        service=_.ServiceName.fill_null(""),
        region=_.RegionId,
        account=_.SubAccountId.fill_null("") if by_account else ibis.literal(""),
        zone=_.AvailabilityZone.fill_null("") if by_zone else ibis.literal(""),
        type=_.x_InstanceType.coalesce(ibis.cases((is_aws, written))).fill_null(""),
        usage_type=usage_type,
        operation=_.x_Operation.fill_null(""),
        # Descriptions of these providers hold no prices.
        description=ibis.cases((is_described, description), else_=first_words),
        covered=_.CommitmentDiscountId.notnull() | (_.PricingCategory.fill_null("") == "Committed"),
        spot=_.PricingCategory.fill_null("") == "Dynamic",
        currency=_.BillingCurrency,
    ).agg(
        hours=ibis.cases((is_google_part & priced_hourly, _.PricingQuantity), else_=_.ConsumedQuantity).sum(),
        machines=_.ResourceId.nunique(),
        cost=_.EffectiveCost.sum(),
        listed=ibis.cases((_.ContractedCost.notnull() & (_.ListCost > 0), _.ListCost)).sum(),
        contracted=ibis.cases((_.ContractedCost.notnull() & (_.ListCost > 0), _.ContractedCost)).sum(),
    )
    names = ("start", "provider", "service", "region", "type", "usage_type", "operation", "description")
    return use.order_by(*names, "covered", "spot")


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
        machines=_.x_InstanceType.nunique(),
        frequency=_.ChargeFrequency.max(),
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


def on_demand_cost(charge: Deferred) -> Deferred:
    """What a charge that a commitment covers would cost on demand: its list cost, else its contracted cost; null where
    the bill states neither. A price of 0 for what is paid for is none: it means that nobody stated one.
    """
    stated = charge.ListCost.nullif(0).coalesce(charge.ContractedCost.nullif(0))
    nothing_paid = ibis.cases((charge.EffectiveCost == 0, charge.EffectiveCost))
    # A charge without effective cost is the other half of a bill that comes in two views.
    return ibis.cases((charge.EffectiveCost.notnull(), stated.coalesce(nothing_paid)))
