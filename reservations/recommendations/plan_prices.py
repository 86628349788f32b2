"""The prices of a plan: in the bill's currency, on demand as the bill charges them; and what a reader must know."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from reservations.calc.prices import at_net_prices
from reservations.calc.terms import KINDS, ON_DEMAND, MachinePool
from reservations.models import Plan
from reservations.optimizer.demand import Demand
from reservations.optimizer.offers import Prices
from reservations.pricing import price_book
from reservations.recommendations.demand_sources import CollectedDemand
from reservations.recommendations.plan_parameters import Parameters


def plan_prices(plan: Plan, parameters: Parameters, history: CollectedDemand, demand: Demand) -> Prices:
    """The prices that a plan is worked out on. A negotiated discount that somebody states replaces the bill's own."""
    plan.currency = history.currency
    listed = price_book.prices_of(demand.pools, plan.as_of, history.currency)
    return listed if parameters.negotiated else at_net_prices(listed, history.net)


def price_notes(prices: Prices, unpriced: list[MachinePool], currency: str) -> Iterator[str]:
    """What was converted, what the contract takes off on demand, and lists in other currencies that help nobody."""
    sources = {price.source for price in prices.values()}
    converted = sorted({source.partition(", converted: ")[2] for source in sources if ", converted: " in source})
    if converted:
        yield (
            _(
                "The bill is in {currency} and the price list is not: prices are converted ({names}). What "
                "is bought is charged at the rate of its day; a list in {currency} says it exactly."
            ).format(currency=currency, names="; ".join(converted))
        )
    if any(key[1] == ON_DEMAND and "as the bill charges" in price.source for key, price in prices.items()):
        yield (
            _(
                "On demand the bill charges less than its list prices: savings are what commitments take off "
                "the price that is charged. What commitments cost is taken from the list; a discount on them "
                "is yours to state."
            )
        )
    empty = sorted(
        {
            _("{kinds} of {type}").format(kinds=_(KINDS.get(price.kind, price.kind)), type=price.pool.type)
            for price in prices.values()
            if not price.effective
        }
    )
    if empty:
        names = ", ".join(empty[:5])
        yield _("A price list has no amount for {names}: such offers are left out. Load a list that has.").format(
            names=names
        )
    elsewhere = price_book.other_regions(unpriced) if unpriced else []
    if elsewhere:
        yield (
            _(
                "A price list has some of these types in {names} only: prices differ by region, so load that of theirs."
            ).format(names=", ".join(elsewhere[:5]))
        )
    others = price_book.other_currencies(unpriced, currency) if unpriced else []
    if others:
        yield (
            _(
                "The price list of some of them is in {names}, and the bill in {currency}: load a list in "
                "{currency}, or exchange rates."
            ).format(names=", ".join(others), currency=currency)
        )
