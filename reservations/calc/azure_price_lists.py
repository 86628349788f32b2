"""Azure's retail prices (prices.azure.com) as prices: on demand, reservations, savings plans. Pure: no Django.

A reservation's price is that of its whole term, paid at once or month by month for the same sum. It covers the machine;
a licence of Windows stays on demand, so that a Windows machine under a reservation costs both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from finops_site.lib.language import gettext as _
from reservations.calc.machine_pools import read_use
from reservations.calc.prices import BadPrices, Price
from reservations.calc.terms import AZURE, AZURE_PLAN, AZURE_RESERVATION, HOURS_A_YEAR, ON_DEMAND

_MONTHS = {"1 Year": 12, "3 Years": 36}
_NO_MACHINE = ("spot", "low priority", "cloud services", "cloudservices", "dedicated host")


def from_retail_prices(answer: Mapping[str, Any], source: str) -> Iterator[Price]:
    """The prices of one or more answers of the retail prices API, joined in one list of Items."""
    on_demand: list[Price] = []
    reserved: list[Price] = []
    for number, item in enumerate(answer["Items"], 1):
        named = " ".join(str(item.get(name, "")) for name in ("skuName", "meterName", "productName")).lower()
        if any(word in named for word in _NO_MACHINE):
            continue
        prices = list(_item_prices(item, _("{source}, item {number}").format(source=source, number=number), source))
        yield from prices
        on_demand += [price for price in prices if price.kind == ON_DEMAND]
        reserved += [price for price in prices if price.kind == AZURE_RESERVATION]
    yield from _windows_reservations(on_demand, reserved)


def _item_prices(item: Mapping[str, Any], place: str, source: str) -> Iterator[Price]:
    pool = read_use(
        {
            "provider": AZURE,
            "service": item.get("serviceName", ""),
            "region": item.get("armRegionName", ""),
            "type": item.get("armSkuName", ""),
            "description": str(item.get("productName", "")),
        }
    ).pool
    if pool is None:
        return
    try:
        day = date.fromisoformat(str(item["effectiveStartDate"])[:10])
        amount, currency = Decimal(str(item["retailPrice"])), str(item["currencyCode"])
    except (KeyError, ValueError, ArithmeticError):
        raise BadPrices(
            _("{place}: retailPrice, currencyCode and effectiveStartDate are needed.").format(place=place)
        ) from None
    if item.get("type") == "Reservation":
        months = _MONTHS.get(str(item.get("reservationTerm", "")))
        if months:
            hourly = amount / (HOURS_A_YEAR * months // 12)
            yield Price(pool, AZURE_RESERVATION, hourly, currency, source, day, months, "none")
            yield Price(pool, AZURE_RESERVATION, Decimal(0), currency, source, day, months, "all", amount)
    elif item.get("type") == "Consumption" and amount and "hour" in str(item.get("unitOfMeasure", "")).lower():
        yield Price(pool, ON_DEMAND, amount, currency, source, day)
        for plan in item.get("savingsPlan") or ():
            months = _MONTHS.get(str(plan.get("term", "")))
            if months:
                rate = Decimal(str(plan["retailPrice"]))
                yield Price(pool, AZURE_PLAN, rate, currency, source, day, months, "none")


def _windows_reservations(on_demand: list[Price], reserved: list[Price]) -> Iterator[Price]:
    """Of a Windows machine: the reservation of the machine, and its licence by the hour."""
    plain = {(price.pool, price.currency): price.hourly for price in on_demand if price.pool.system == "Linux"}
    for windows in on_demand:
        machine = replace(windows.pool, system="Linux")
        base = plain.get((machine, windows.currency))
        if windows.pool.system != "Windows" or base is None:
            continue
        for price in reserved:
            if (price.pool, price.currency) == (machine, windows.currency):
                yield replace(price, pool=windows.pool, hourly=price.hourly + windows.hourly - base)
