"""Stored prices: lists are loaded, and the price in force on a day is looked up."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from costs.calc.exchange_rates import ConversionRate
from costs.query.currency_conversion import rate_book
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Period, day_text
from reservations.calc import indicative_prices
from reservations.calc.prices import PLACES, Price, current_prices, place_of
from reservations.calc.terms import MachinePool
from reservations.models import Rate
from reservations.optimizer.offers import Prices

CHUNK = 2_000
FIELDS = ("hourly", "upfront", "source")
KEY = [
    *("provider", "service", "region", "zone", "instance_type", "system", "tenancy"),
    *("kind", "term_months", "payment", "currency", "day"),
]


def load_prices(prices: Iterable[Price]) -> int:
    """Stores prices; one of the same day that is there already is replaced. Returns how many."""
    rows = {_key(price): _build_rate(price) for price in prices}
    Rate.objects.bulk_create(
        rows.values(),
        batch_size=CHUNK,
        update_conflicts=True,
        unique_fields=[*KEY, "is_indicative"],
        update_fields=list(FIELDS),
    )
    return len(rows)


def _key(price: Price) -> tuple[object, ...]:
    return (price.pool, price.kind, price.term_months, price.payment, price.currency, price.day, price.is_indicative)


def _build_rate(price: Price) -> Rate:
    pool = price.pool
    return Rate(
        provider=pool.provider,
        service=pool.service,
        zone=pool.zone,
        region=pool.region,
        instance_type=pool.type,
        system=pool.system,
        tenancy=pool.tenancy,
        kind=price.kind,
        term_months=price.term_months,
        payment=price.payment,
        hourly=price.hourly,
        upfront=price.upfront,
        currency=price.currency,
        source=price.source[:200],
        day=price.day,
        is_indicative=price.is_indicative,
    )


def prices_of(pools: Iterable[MachinePool], as_of: date, currency: str = "USD") -> Prices:
    """The prices in force on a day for these machines, in a currency: of the lists; of a service and region that no
    list is of, the indicative ones that ship, which count though nobody loaded them and are labelled everywhere.

    What no list has in the currency is converted from the list that there is, at the newest exchange rate before the
    day, which its source then names; without such a rate it has no price here.
    """
    wanted = {(pool.region, pool.type) for pool in pools}
    places = {place_of(pool) for pool in pools}
    rates = Rate.objects.filter(
        region__in={region for region, _ in wanted}, instance_type__in={type_ for _, type_ in wanted}
    ).filter(day__lte=as_of)
    known = [
        price_of_rate(rate) for rate in rates.iterator(chunk_size=CHUNK) if (rate.region, rate.instance_type) in wanted
    ]
    lists = Rate.objects.filter(day__lte=as_of, is_indicative=False, region__in={region for *_, region in places})
    listed = set(lists.order_by().values_list("provider", "service", "region").distinct())
    known += [
        price
        for price in indicative_prices.indicative_prices()
        if (price.pool.region, price.pool.type) in wanted and place_of(price.pool) not in listed
    ]
    own = [price for price in known if price.currency == currency]
    priced = {(price.pool, price.kind) for price in own if not price.is_indicative}
    others = [price for price in known if price.currency != currency and (price.pool, price.kind) not in priced]
    return current_prices(
        price
        for price in (*own, *_converted(others, currency, as_of))
        if not (price.is_indicative and place_of(price.pool) in listed)
    )


def other_currencies(pools: Sequence[MachinePool], currency: str) -> list[str]:
    """The currencies of lists that have prices of these machines, when nothing converts them into `currency`."""
    rates = Rate.objects.filter(
        region__in={pool.region for pool in pools}, instance_type__in={pool.type for pool in pools}
    ).exclude(currency=currency)
    return sorted(set(rates.order_by().values_list("currency", flat=True).distinct()))


def other_regions(pools: Sequence[MachinePool]) -> list[str]:
    """The regions, other than theirs, in which a list has prices of these types."""
    types = {pool.type for pool in pools}
    regions = {pool.region for pool in pools}
    rates = Rate.objects.filter(instance_type__in=types).exclude(region__in=regions)
    return sorted(set(rates.order_by().values_list("region", flat=True).distinct()))


def has_zonal_prices() -> bool:
    """Whether a list has prices of reservations of a zone: only then demand is counted by zone."""
    return Rate.objects.exclude(zone="").exists()


def _shown(rate: Decimal) -> str:
    """An exchange rate with six digits after the point at most."""
    return f"{round(rate, 6).normalize():f}"


def rates_into(currency: str, codes: Iterable[str], as_of: date) -> dict[str, ConversionRate | None]:
    """What a unit of each currency is in `currency`, by the newest exchange rate before the day; None without one."""
    known = set(codes)
    book = rate_book(Period(as_of - timedelta(days=1), as_of + timedelta(days=1)), {*known, currency})
    return {code: book.for_day(code, currency, as_of) for code in known}


def _converted(prices: Sequence[Price], currency: str, as_of: date) -> Iterator[Price]:
    """The prices whose currency has an exchange rate on the day, in `currency`."""
    codes = {price.currency for price in prices}
    if not codes:
        return
    rates = rates_into(currency, codes, as_of)
    for price in prices:
        rate = rates[price.currency]
        if rate is not None:
            yield replace(
                price,
                hourly=EXACT.multiply(price.hourly, rate.value).quantize(PLACES, context=EXACT),
                upfront=EXACT.multiply(price.upfront, rate.value).quantize(PLACES, context=EXACT),
                currency=currency,
                source=f"{price.source[:120]}, converted: 1 {price.currency} = {_shown(rate.value)} {currency} of "
                f"{day_text(rate.day)}",
            )


def price_of_rate(rate: Rate) -> Price:
    pool = MachinePool(
        rate.provider, rate.region, rate.instance_type, rate.system, rate.tenancy, service=rate.service, zone=rate.zone
    )
    return Price(
        pool,
        rate.kind,
        rate.hourly,
        rate.currency,
        rate.source,
        rate.day,
        rate.term_months,
        rate.payment,
        rate.upfront,
        rate.is_indicative,
    )
