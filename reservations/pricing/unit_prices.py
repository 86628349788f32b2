"""The price book for other pillars: what an hour of a machine type costs by the lists in force on a day."""

from collections.abc import Iterator, Sequence
from datetime import date

from django.db.models import Q

from finops_site.registry import UnitPrice
from reservations.calc.indicative_prices import indicative_prices
from reservations.calc.prices import Price, current_prices
from reservations.calc.terms import ON_DEMAND
from reservations.models import Rate
from reservations.pricing.price_book import CHUNK, price_of_rate

HOUR = "Hrs"


def unit_prices(items: Sequence[str] | None, day: date) -> Iterator[UnitPrice]:
    """Prices of machines of the region (not of one zone) on shared hardware: listed, and indicative where no list is.

    `items` are machine types; None asks for all of them. The source of an indicative price says that it is one.
    """
    wanted = Q() if items is None else Q(instance_type__in=items)
    rates = Rate.objects.filter(wanted, day__lte=day, zone="", tenancy="default")
    listed = [price_of_rate(rate) for rate in rates.iterator(chunk_size=CHUNK)]
    indicative = [price for price in indicative_prices() if items is None or price.pool.type in items]
    for price in current_prices([*listed, *indicative]).values():
        yield _unit_price(price)


def _unit_price(price: Price) -> UnitPrice:
    pool = price.pool
    return UnitPrice(
        pool.provider,
        pool.service,
        pool.region,
        pool.type,
        pool.system,
        HOUR,
        price.effective,
        price.currency,
        price.source,
        "" if price.kind == ON_DEMAND else price.kind,
        price.term_months,
        price.payment,
    )
