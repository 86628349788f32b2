"""Which price a line of an estimate has: a list's, the company's own rate, or none with the reason. Pure: no Django."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.language import gettext as _
from finops_site.lib.money import EXACT
from finops_site.registry import UnitPrice
from usage.calc.estimate_text import AMOUNT_A_MONTH, HOURS, SYSTEMS, PricedItem
from usage.calc.facts import MONTH_HOURS

PLACES = Decimal("1E-10")
MOST_NAMES = 4
# Types of what runs an engine and no system of its own.
DATABASES = ("db.", "cache.")
# An estimate of a year: what a commitment would cost instead.
YEAR = 12


@dataclass(frozen=True, slots=True)
class OwnRate:
    """What a unit of an item cost the company on demand in its newest whole month, all discounts in it.

    `system` is what its lines say they run; empty for storage.
    """

    item: str
    region: str
    unit: str
    price: Decimal
    currency: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class LinePrice:
    """The price of an item in the currency of its estimate; None is not known, and `problem` says why.

    `cost` is of an average month at the company's own rate where there is one, else at the list's; `list_cost` at the
    list's alone; `committed_cost` under the best commitment of a year without upfront, of what is on demand.
    """

    item: PricedItem
    region: str
    list_price: Decimal | None = None
    own_rate: Decimal | None = None
    committed_price: Decimal | None = None
    source: str = ""
    problem: str = ""

    def _of(self, price: Decimal | None) -> Decimal | None:
        quantity = self.item.quantity
        if self.item.term_months and quantity is not None:
            # Of a commitment every hour of the month is paid, whether it runs or not.
            quantity = self.item.count * MONTH_HOURS
        return None if price is None or quantity is None else EXACT.multiply(price, quantity).quantize(PLACES)

    @property
    def list_cost(self) -> Decimal | None:
        return self._of(self.list_price)

    @property
    def cost(self) -> Decimal | None:
        # What is committed to has the price of its term: the own rate is of what runs on demand.
        usual = self.own_rate if self.own_rate is not None and not self.item.term_months else self.list_price
        return self._of(usual)

    @property
    def committed_cost(self) -> Decimal | None:
        """None where it saves nothing or has no price: an hour of a commitment is paid whether it runs or not."""
        if self.committed_price is None or self.item.term_months:
            return None
        hours = self.item.count * MONTH_HOURS
        committed = EXACT.multiply(self.committed_price, hours).quantize(PLACES)
        return committed if self.cost is not None and committed < self.cost else None


def price_items(
    items: Sequence[PricedItem],
    prices: Iterable[UnitPrice],
    own_rates: Iterable[OwnRate],
    usual_region: str,
) -> list[LinePrice]:
    """The price of every item, all in one currency: convert before. `usual_region` is for lines without a region."""
    listed: dict[str, list[UnitPrice]] = {}
    for price in prices:
        listed.setdefault(price.item.lower(), []).append(price)
    own = {(rate.item.lower(), rate.region, rate.unit, rate.system): rate.price for rate in own_rates}
    return [_price_item(item, listed.get(item.item.lower(), []), own, usual_region) for item in items]


def _price_item(
    item: PricedItem, listed: Sequence[UnitPrice], own: Mapping[tuple[str, str, str, str], Decimal], usual_region: str
) -> LinePrice:
    if item.monthly_quantity is None:
        return LinePrice(item, item.region, problem=item.problem or _("how much it is used is not stated"))
    region = item.region or usual_region
    own_rate = own.get((item.item.lower(), region, item.unit, _system_of_rate(item)))
    here = [price for price in listed if price.region == region and price.unit == item.unit]
    here = _of_system(here, item.system)
    on_demand = [price for price in here if not price.option]
    of_term = [
        price
        for price in here
        if price.option and (price.term_months, price.payment) == (item.term_months, item.payment)
    ]
    chosen = min(of_term if item.term_months else on_demand, key=lambda price: price.price, default=None)
    of_year = [price for price in here if price.option and (price.term_months, price.payment) == (YEAR, "none")]
    best = min(of_year, key=lambda price: price.price, default=None)
    is_priced = chosen is not None or (own_rate is not None and not item.term_months)
    return LinePrice(
        item,
        region,
        None if chosen is None else chosen.price,
        own_rate,
        None if best is None else best.price,
        _source(chosen, own_rate if not item.term_months else None),
        item.problem if is_priced else _why_not(item, region, listed, here),
    )


def _system_of_rate(item: PricedItem) -> str:
    """The system by which own rates are kept apart; databases and storage have none."""
    is_machine = item.unit == HOURS and not item.item.lower().startswith(DATABASES)
    return item.system if is_machine and item.system in SYSTEMS else ""


def _source(chosen: UnitPrice | None, own_rate: Decimal | None) -> str:
    if own_rate is not None:
        return _("own rate of the newest whole month")
    return "" if chosen is None else chosen.source


def _of_system(prices: Sequence[UnitPrice], system: str) -> list[UnitPrice]:
    """Those of the system; a database's engine is named in several ways, and a machine of one system needs no name."""
    if system:
        named = [price for price in prices if price.system.lower().startswith(system.lower())]
        return named if named or len({price.system for price in prices}) > 1 else list(prices)
    return list(prices) if len({price.system for price in prices}) == 1 else []


def _why_not(item: PricedItem, region: str, listed: Sequence[UnitPrice], here: Sequence[UnitPrice]) -> str:
    if not listed and item.unit == AMOUNT_A_MONTH:
        return _("no bill of ours has a price of this storage in {region}").format(region=region or _("any region"))
    if not listed:
        return _("no price list that is loaded has it")
    if not region:
        return _("no region is stated, and no bill shows a usual one")
    regions = sorted({price.region for price in listed})
    if region not in regions:
        return _("no price in {region}; lists have it in {regions}").format(region=region, regions=_some(regions))
    if not here:
        systems = sorted({price.system for price in listed if price.region == region and price.unit == item.unit})
        return _("the list has prices for {systems}: write which").format(systems=_some(systems) or HOURS)
    terms = sorted({f"{price.term_months // 12}y {price.payment}" for price in here if price.option})
    return _("the list has no price of this term; it has {terms}").format(terms=_some(terms) or _("none"))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")


def total(costs: Iterable[Decimal | None]) -> tuple[Decimal, int]:
    """The sum of what is known, and how many are not: never a sum alone where one is missing."""
    known, missing = Decimal(0), 0
    for cost in costs:
        if cost is None:
            missing += 1
        else:
            known = EXACT.add(known, cost)
    return known, missing
