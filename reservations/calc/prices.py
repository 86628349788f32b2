"""A price of a list, what follows from it, and which of several is in force. Pure: no Django."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from finops_site.lib.money import EXACT
from reservations.calc.terms import HOURS_A_MONTH, HOURS_A_YEAR, ON_DEMAND, PLANS, UPFRONT_SHARE, MachinePool

PriceKey = tuple[MachinePool, str, int, str]
PLACES = Decimal("1E-12")


class BadPrices(ValueError):
    """A price list that cannot be read; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Price:
    """What an hour of a pool's machine costs under one option, by which list and since when.

    Of what is metered otherwise it is the price of one unit (a GB-second, a capacity unit for an hour). `upfront` is
    for the whole term of one machine; of a savings plan `hourly` is the plan's rate and holds everything.
    """

    pool: MachinePool
    kind: str
    hourly: Decimal
    currency: str
    source: str
    day: date
    term_months: int = 0
    payment: str = ""
    upfront: Decimal = Decimal(0)
    is_indicative: bool = False

    @property
    def hours(self) -> int:
        """Hours of the term, by AWS's year of 8,760."""
        return self.term_months * HOURS_A_YEAR // 12

    @property
    def is_plan(self) -> bool:
        return self.kind in PLANS

    @property
    def effective(self) -> Decimal:
        """An hour of the machine with the upfront fee spread over the term's hours, in `currency`."""
        return self.hourly + (self.upfront / self.hours if self.upfront else 0)

    @property
    def cash(self) -> Decimal:
        """Paid on the first day for one machine, in `currency`."""
        return self.hourly * self.hours * UPFRONT_SHARE[self.payment] if self.is_plan else self.upfront

    @property
    def monthly(self) -> Decimal:
        """Paid each month of 730 hours for one machine, in `currency`."""
        return (self.hourly * (1 - UPFRONT_SHARE[self.payment]) if self.is_plan else self.hourly) * HOURS_A_MONTH


def break_even_months(on_demand: Decimal, price: Price) -> Decimal | None:
    """Months until one machine that always runs was cheaper committed, upfront included; None where it never is."""
    saved = on_demand * HOURS_A_MONTH - price.monthly
    if saved <= 0 or price.effective >= on_demand:
        return None
    return price.cash / saved


def current_prices(prices: Iterable[Price]) -> dict[PriceKey, Price]:
    """The price in force of each pool and option: a listed one before an indicative one, then the latest.

    Indicative prices never compete with a list: of a service and region that a list has prices of none counts.
    """
    known = list(prices)
    listed = {place_of(price.pool) for price in known if not price.is_indicative}
    current: dict[PriceKey, Price] = {}
    for price in sorted(known, key=lambda price: price.day):
        if not (price.is_indicative and place_of(price.pool) in listed):
            current[(price.pool, price.kind, price.term_months, price.payment)] = price
    return current


def at_net_prices(prices: Mapping[PriceKey, Price], net: Mapping[MachinePool, Decimal]) -> dict[PriceKey, Price]:
    """The prices with those on demand as the bill charges them: list price x contracted cost / list cost of the pool.

    What commitments cost stays as it is listed: a bill shows no discount on what nobody has bought.
    """
    own = dict(prices)
    for pool, share in net.items():
        key = (replace(pool, account="", zone=""), ON_DEMAND, 0, "")
        price = prices.get(key)
        if price is not None and share < 1:
            source = f"{price.source}, less {1 - share:.1%} as the bill charges"
            hourly = EXACT.multiply(price.hourly, share).quantize(PLACES, context=EXACT)
            own[key] = replace(price, hourly=hourly, source=source)
    return own


def place_of(pool: MachinePool) -> tuple[str, str, str]:
    """Provider, service and region: what a price list is of."""
    return pool.provider, pool.service, pool.region
