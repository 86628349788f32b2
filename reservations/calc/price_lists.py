"""Price lists as rows: the providers' own, and sheets of any provider as CSV. Pure: no Django."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

from finops_site.lib.language import gettext as _
from finops_site.lib.money import ISO_4217
from reservations.calc.aws_price_lists import from_offers, from_savings_plans
from reservations.calc.azure_price_lists import from_retail_prices
from reservations.calc.google_price_lists import from_price_table, is_price_table
from reservations.calc.prices import BadPrices, Price
from reservations.calc.terms import (
    AZURE,
    COMPUTE_ENGINE,
    GOOGLE,
    KINDS,
    ON_DEMAND,
    PAYMENTS,
    RESERVED,
    VIRTUAL_MACHINES,
    MachinePool,
    kind_objection,
    provider_of,
    service_of_type,
    system_in,
)

# What the price book stores of a price, in characters; and an hour or a machine for its term costs less than that.
LONGEST = {"provider": 50, "service": 50, "region": 100, "zone": 50, "type": 100, "system": 100, "tenancy": 20}
MOST = Decimal(10) ** 15


def parse_price_list(text: str, source: str) -> list[Price]:
    """The prices of a file, whichever of the kinds it is. Amounts stay the decimals of their text. Raises BadPrices."""
    prices = _read_prices(text, source)
    for price in prices:
        _check_storable(price, f"{source}, {price.pool}"[:200])
    return prices


def _read_prices(text: str, source: str) -> list[Price]:
    before, nul, _ignored = text.partition("\0")
    if nul:
        row = before.count("\n") + 1
        raise BadPrices(_("{source}, row {row}: a NUL character is in it: remove it.").format(source=source, row=row))
    if text.lstrip()[:1] not in ("{", "["):
        if is_price_table(next(csv.reader(io.StringIO(text)), [])):
            return list(from_price_table(text, source))
        return list(from_sheet(text, source))
    try:
        offers = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise BadPrices(_("{source}: this is no whole JSON ({error}).").format(source=source, error=error)) from None
    if isinstance(offers, list):
        # Answers of Azure's prices API, one page after another.
        offers = {"Items": [item for page in offers for item in page.get("Items", [page])]}
    if "Items" in offers:
        return list(from_retail_prices(offers, source))
    if "savingsPlan" in offers.get("terms", {}):
        return list(from_savings_plans(offers, source))
    if "OnDemand" in offers.get("terms", {}):
        return list(from_offers(offers, source))
    raise BadPrices(
        _(
            "{source}: neither an offer file of AWS (terms.OnDemand), nor one of its savings plans "
            "(terms.savingsPlan), nor an answer of Azure's retail prices (Items)."
        ).format(source=source)
    )


OPTIONAL = ("service", "system", "tenancy", "zone", "term", "payment", "upfront")
DEFAULT_SERVICES = {AZURE: VIRTUAL_MACHINES, GOOGLE: COMPUTE_ENGINE}
NEEDED = ("provider", "region", "type", "option", "hourly", "currency", "date")


def from_sheet(text: str, source: str) -> Iterator[Price]:
    """A sheet of any provider: provider, region, type, option, hourly, currency, date; and, where they apply, service,
    system or engine, tenancy, zone, term (months), payment (none, partial, all), upfront."""
    rows = csv.DictReader(io.StringIO(text))
    missing = [name for name in NEEDED if name not in (rows.fieldnames or ())]
    if missing:
        raise BadPrices(_("{source}: the header lacks {names}.").format(source=source, names=", ".join(missing)))
    try:
        for number, row in enumerate(rows, 2):
            yield _sheet_price(row, _("{source}, row {number}").format(source=source, number=number), source)
    except csv.Error as error:
        raise BadPrices(
            _("{source}, row {number}: this is no CSV ({error}).").format(
                source=source, number=rows.line_num, error=error
            )
        ) from None


def _sheet_price(row: Mapping[str, str | None], place: str, source: str) -> Price:
    if None in row:
        raise BadPrices(
            _("{place}: it has more cells than the header; a cell with a comma in it needs quotes.").format(place=place)
        )
    cells = {name: (value or "").strip() for name, value in row.items()}
    for name in ("provider", "region", "type"):
        if not cells[name]:
            raise BadPrices(
                _("{place}: {name} is empty: write whose machine this is a price of, and where.").format(
                    place=place, name=name
                )
            )
    kind = cells["option"]
    if kind not in {ON_DEMAND, *KINDS}:
        raise BadPrices(
            _("{place}: option {kind!r} is none of {names}.").format(
                place=place, kind=kind, names=", ".join((ON_DEMAND, *KINDS))
            )
        )
    if objection := kind_objection(cells["provider"], kind):
        raise BadPrices(f"{place}: {objection}")
    payment, term = ("", "0") if kind == ON_DEMAND else (cells.get("payment", ""), cells.get("term", ""))
    if kind != ON_DEMAND and payment not in PAYMENTS:
        raise BadPrices(
            _("{place}: payment {payment!r} is none of {names}.").format(
                place=place, payment=payment, names=", ".join(PAYMENTS)
            )
        )
    if kind != ON_DEMAND and term not in ("12", "36"):
        raise BadPrices(_("{place}: term {term!r} is neither 12 nor 36 months.").format(place=place, term=term))
    if cells["currency"] not in ISO_4217:
        raise BadPrices(
            _("{place}: currency {currency!r} is no code like USD or EUR.").format(
                place=place, currency=cells["currency"]
            )
        )
    provider = provider_of(cells["provider"])
    service = cells.get("service") or DEFAULT_SERVICES.get(provider) or service_of_type(cells["type"])
    pool = MachinePool(
        provider,
        cells["region"],
        cells["type"],
        system_in(service, cells.get("system") or "Linux"),
        cells.get("tenancy") or "default",
        service=service,
        zone=cells.get("zone", ""),
    )
    hourly, upfront = _sheet_amounts(cells, kind, payment, place)
    try:
        day = date.fromisoformat(cells["date"])
    except ValueError:
        raise BadPrices(
            _("{place}: date {date!r} is not written like 2026-01-31.").format(place=place, date=cells["date"])
        ) from None
    price = Price(pool, kind, hourly, cells["currency"], source, day, int(term), payment, upfront)
    _check_storable(price, place)
    return price


def _sheet_amounts(cells: Mapping[str, str], kind: str, payment: str, place: str) -> tuple[Decimal, Decimal]:
    """(hourly, upfront). Without a price is no offer: what is empty is not free."""
    hourly, upfront = (_amount(cells.get(name, "") or "0", name, place) for name in ("hourly", "upfront"))
    is_reserved = kind in RESERVED
    if upfront and (kind == ON_DEMAND or payment == "none"):
        raise BadPrices(
            _("{place}: upfront is {upfront} and nothing is paid upfront: leave it empty, or say payment all.").format(
                place=place, upfront=f"{upfront:f}"
            )
        )
    if is_reserved and payment in ("partial", "all") and not upfront:
        raise BadPrices(
            _("{place}: upfront is empty or 0: write what payment {payment} pays on the first day.").format(
                place=place, payment=payment
            )
        )
    if not hourly and not (is_reserved and payment == "all"):
        raise BadPrices(_("{place}: hourly is empty or 0: write what an hour costs.").format(place=place))
    return hourly, upfront


def _check_storable(price: Price, place: str) -> None:
    for name, most in LONGEST.items():
        text = getattr(price.pool, name)
        if len(text) > most or "\0" in text:
            raise BadPrices(
                _("{place}: {name} is longer than {most} characters, or has a NUL character in it.").format(
                    place=place, name=name, most=most
                )
            )
    for name, amount in (("hourly", price.hourly), ("upfront", price.upfront)):
        if not amount.is_finite() or not 0 <= amount < MOST:
            raise BadPrices(
                _("{place}: {name} {amount} cannot be a price.").format(place=place, name=name, amount=amount)
            )
    if price.currency not in ISO_4217:
        raise BadPrices(
            _("{place}: currency {currency!r} is no code like USD or EUR.").format(place=place, currency=price.currency)
        )


def _amount(text: str, column: str, place: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BadPrices(
            _("{place}: {column} {text!r} is no number.").format(place=place, column=column, text=text)
        ) from None
    if not amount.is_finite() or not 0 <= amount < MOST:
        raise BadPrices(
            _("{place}: {column} {text!r} cannot be a price.").format(place=place, column=column, text=text)
        )
    return amount
