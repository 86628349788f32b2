"""Stored prices: lists are loaded, and the price in force on a day is looked up."""

from collections.abc import Iterable
from datetime import date

from reservations.calc import indicative_prices
from reservations.calc.price_lists import Price, current_prices
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
    """The prices in force on a day for these machines: listed ones first; indicative ones where there is no list.

    The indicative prices that ship count though nobody loaded them; they are labelled wherever they are used.
    """
    wanted = {(pool.region, pool.type) for pool in pools}
    rates = Rate.objects.filter(
        region__in={region for region, _ in wanted}, instance_type__in={type_ for _, type_ in wanted}
    ).filter(day__lte=as_of, currency=currency)
    known = [_price(rate) for rate in rates.iterator(chunk_size=CHUNK) if (rate.region, rate.instance_type) in wanted]
    shipped = [
        price for price in indicative_prices.indicative_prices() if (price.pool.region, price.pool.type) in wanted
    ]
    return current_prices([*(shipped if currency == "USD" else ()), *known])


def _price(rate: Rate) -> Price:
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
