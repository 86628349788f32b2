"""What commitments ask of the charges, as Ibis expressions over costs' table of charges. Pure: no Django."""

from datetime import datetime
from functools import reduce
from operator import add

import ibis
from ibis import Deferred, Table, _

from costs.calc.providers import AWS, AZURE, BEGINNINGS, GOOGLE, provider_pattern
from costs.charges.charge_queries import CHARGES
from reservations.calc.machine_pools import DESCRIPTION_WORDS, METERED, TYPE

SECONDS, MINUTES = "^s(ec|ecs|econds?)?$", "^min(s|utes?)?$"
HOURS = "decimal(38, 18)"
# The texts of a charge that say which machine it is; what is read out of them; and what is summed.
TEXTS = (
    *("ProviderName", "ServiceName", "RegionId", "x_InstanceType", "x_UsageType", "x_Operation"),
    "ChargeDescription",
)
POOL = ("provider", "service", "region", "account", "zone", "type", "usage_type", "operation", "description")
SUMS = ("hours", "cost", "listed", "contracted")


def machine_use(start: datetime, end: datetime, *, by_account: bool = False, by_zone: bool = False) -> Table:
    """How many hours machines ran in each charge period that touches the time, and under which price.

    Beside machines it holds what else commitments cover: hours of cores and memory, GB-seconds, capacity units.
    `machine_pools.read_use` reads a row; one whose type is empty says that machines ran and not which. `covered`: a
    commitment paid; `spot`: none could have. What nobody used is left out. Machines that ran for equally many hours of
    a longer period (in `whole_hours`, rounded up) are one row: nothing else says how many ran at once. `listed` and
    `contracted` are the costs of charges that state both.
    """
    # Within an hour it does not matter which machine ran for how long.
    is_longer = _.ChargePeriodEnd > _.ChargePeriodStart + ibis.interval(hours=1)
    # Of what nothing covers the effective cost is the contracted one, where a bill has no column for that.
    contracted = _.ContractedCost.nullif(0).coalesce(_.EffectiveCost)
    states_both = (_.ListCost > 0) & (contracted > 0)
    by_text = (
        _machine_charges(start, end)
        .group_by(
            *TEXTS,
            **_places(by_account, by_zone),
            start=_.ChargePeriodStart,
            end=_.ChargePeriodEnd,
            covered=_covered(),
            spot=_.PricingCategory.fill_null("") == "Dynamic",
            currency=_.BillingCurrency,
            machine=ibis.cases((is_longer, _.ResourceId)),
        )
        .agg(
            hours=_hours().sum(),
            # To count millions of names exactly takes longer than all the rest; a few in a hundred are off.
            machines=_.ResourceId.approx_nunique(where=_.ConsumedQuantity > 0),
            cost=_.EffectiveCost.sum(),
            listed=_.ListCost.sum(where=states_both),
            contracted=contracted.sum(where=states_both),
        )
    )
    groups = ("start", "end", *POOL, "covered", "spot", "currency")
    by_machine = by_text.group_by(
        **_pool_columns(), **{name: _[name] for name in ("start", "end", "covered", "spot", "currency", "machine")}
    ).agg(**{name: _[name].sum() for name in SUMS}, machines=_.machines.sum())
    # One machine may stand under two descriptions.
    whole_hours = ibis.cases((_.machine.notnull(), _.hours.ceil()))
    machines = ibis.cases((_.machine.notnull(), _.machines.clip(upper=1)), else_=_.machines)
    use = by_machine.group_by(*groups, whole_hours=whole_hours).agg(
        **{name: _[name].sum() for name in SUMS}, machines=machines.sum()
    )
    return use.order_by("start", *POOL, "covered", "spot", "whole_hours")


def pool_use(start: datetime, end: datetime, *, by_account: bool = False, by_zone: bool = False) -> Table:
    """The machine hours of the time by pool and by the commitment that covered them; spot is left out.

    `listed` is what they cost at on-demand prices, as far as the bill states it; `first` and `last` are moments.
    """
    by_text = (
        _machine_charges(start, end)
        .filter(_.PricingCategory.fill_null("") != "Dynamic")
        .group_by(
            *TEXTS,
            **_places(by_account, by_zone),
            commitment=_.CommitmentDiscountId.fill_null(""),
            covered=_covered(),
        )
        .agg(
            hours=_hours().sum(),
            cost=_.EffectiveCost.sum(),
            listed=on_demand_cost(_).sum(),
            first=_.ChargePeriodStart.min(),
            last=_.ChargePeriodEnd.coalesce(_.ChargePeriodStart).max(),
        )
    )
    use = by_text.group_by(**_pool_columns(), commitment=_.commitment, covered=_.covered).agg(
        **{name: _[name].sum() for name in ("hours", "cost", "listed")}, first=_.first.min(), last=_.last.max()
    )
    return use.order_by(*POOL, "commitment", "covered")


def _machine_charges(start: datetime, end: datetime) -> Table:
    """The use that commitments may cover, and what looks like it: hours with a machine's name, and what is metered."""
    hourly = _unit().re_search("^h|hour|hrs")
    timed = hourly | _unit().re_search(SECONDS) | _unit().re_search(MINUTES)
    named = _.x_InstanceType.notnull() | (_is(AWS) & _aws_text().re_search(rf"\b({TYPE})\b"))
    unnamed = _is(AWS) & _aws_text().re_search(
        r"instance[ -]hour|node[ -]hour|boxusage|hostusage|instanceusage|nodeusage"
    )
    metered = _is(AWS) & _.x_UsageType.fill_null("").re_search(METERED)
    return CHARGES.filter(
        _.x_Problem.isnull(),
        _.ChargeCategory == "Usage",
        (timed & (named | unnamed)) | metered | (_is_google_part() & (hourly | _is_priced_hourly())),
        _.CommitmentDiscountStatus.fill_null("") != "Unused",
        _.ChargePeriodStart < end,
        (_.ChargePeriodEnd > start) | (_.ChargePeriodStart >= start),
    )


def _places(by_account: bool, by_zone: bool) -> dict[str, Deferred]:
    return {
        "account": _.SubAccountId.fill_null("") if by_account else ibis.literal(""),
        "zone": _.AvailabilityZone.fill_null("") if by_zone else ibis.literal(""),
    }


def _pool_columns() -> dict[str, Deferred]:
    """What `machine_pools.read_use` reads, of charges that are grouped by their texts: these are few to look through.

    Of each description of AWS the answer keeps, of every choice of words, the first that is in it: whole texts would
    make one group of each price.
    """
    description = _.ChargeDescription.fill_null("").lower()
    first_words = [
        ibis.cases(*((description.contains(word), f" {word}") for word in choice), else_="")
        for choice in DESCRIPTION_WORDS
    ]
    # Descriptions of these providers hold no prices.
    is_described = _is(GOOGLE) | _is(AZURE)
    written = _aws_text().re_extract(rf"\b({TYPE})\b", 1).nullif("")
    return {
        "provider": _provider_name(),
        "service": _.ServiceName.fill_null(""),
        "region": _.RegionId,
        "account": _.account,
        "zone": _.zone,
        "type": _.x_InstanceType.coalesce(ibis.cases((_is(AWS), written))).fill_null(""),
        "usage_type": ibis.cases((_is(AWS), _.x_UsageType.fill_null("")), else_=""),
        "operation": _.x_Operation.fill_null(""),
        "description": ibis.cases((is_described, description), else_=reduce(add, first_words)),
    }


def _provider() -> Deferred:
    return _.ProviderName.fill_null("").lower()


def _provider_name() -> Deferred:
    """The one name of the provider, as cost lines and commitments have it: charges keep what their bill says."""
    known = ((_is(name), name) for name in BEGINNINGS)
    return ibis.cases(*known, else_=_.ProviderName.fill_null(""))


def _is(name: str) -> Deferred:
    return _provider().re_search(provider_pattern(name))


def _aws_text() -> Deferred:
    return _.x_UsageType.fill_null("").lower().concat(" ", _.ChargeDescription.fill_null("").lower())


def _is_google_part() -> Deferred:
    return _is(GOOGLE) & _.ChargeDescription.fill_null("").lower().re_search(r"\b(core|ram)\b")


def _is_priced_hourly() -> Deferred:
    return _.PricingUnit.fill_null("").lower().re_search("hour")


def _unit() -> Deferred:
    return _.ConsumedUnit.fill_null("").lower()


def _hours() -> Deferred:
    """Hours, whatever unit of time a charge is in; a bill may change it within a month.

    Google Cloud counts cores in seconds and memory in byte-seconds, and prices both by the hour.
    """
    is_google = _is_google_part() & _is_priced_hourly()
    # GB-seconds and capacity units are no time of a machine.
    is_metered = _is(AWS) & _.x_UsageType.fill_null("").re_search(METERED)
    return ibis.cases(
        (is_google, _.PricingQuantity),
        (is_metered, _.ConsumedQuantity),
        (_unit().re_search(SECONDS), (_.ConsumedQuantity / 3600).cast(HOURS)),
        (_unit().re_search(MINUTES), (_.ConsumedQuantity / 60).cast(HOURS)),
        else_=_.ConsumedQuantity,
    )


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
        provider=_provider_name(),
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
        zone=_.AvailabilityZone.max(),
        machine=_.x_InstanceType.max(),
        first_machine=_.x_InstanceType.min(),
        frequency=_.ChargeFrequency.max(),
        first_frequency=_.ChargeFrequency.min(),
        service=_.ServiceName.max(),
        operation=_.x_Operation.max(),
        usage_type=_.x_UsageType.max(),
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


def newest_days(start: datetime, end: datetime) -> Table:
    """The last day on which a charge of anything begins, of each provider."""
    shown = CHARGES.filter(_.x_Problem.isnull(), _.ChargePeriodStart >= start, _.ChargePeriodStart < end)
    return shown.group_by(provider=_provider_name()).agg(day=_.ChargePeriodStart.max().date())


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
        provider=_provider_name(),
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
