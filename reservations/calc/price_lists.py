"""Price lists as rows: the providers' own, and sheets of any provider as CSV. Pure: no Django."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

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
    VIRTUAL_MACHINES,
    MachinePool,
    provider_of,
    service_of_type,
    system_in,
)


def parse_price_list(text: str, source: str) -> list[Price]:
    """The prices of a file, whichever of the kinds it is. Amounts stay the decimals of their text. Raises BadPrices."""
    if text.lstrip()[:1] not in ("{", "["):
        if is_price_table(next(csv.reader(io.StringIO(text)), [])):
            return list(from_price_table(text, source))
        return list(from_sheet(text, source))
    try:
        offers = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise BadPrices(f"{source}: this is no whole JSON ({error}).") from None
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
        f"{source}: neither an offer file of AWS (terms.OnDemand), nor one of its savings plans (terms.savingsPlan), "
        "nor an answer of Azure's retail prices (Items)."
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
        raise BadPrices(f"{source}: the header lacks {', '.join(missing)}.")
    for number, row in enumerate(rows, 2):
        yield _sheet_price(row, f"{source}, row {number}", source)


def _sheet_price(row: Mapping[str, str | None], place: str, source: str) -> Price:
    cells = {name: (value or "").strip() for name, value in row.items() if name and not isinstance(value, list)}
    kind = cells["option"]
    if kind not in {ON_DEMAND, *KINDS}:
        raise BadPrices(f"{place}: option {kind!r} is none of {', '.join((ON_DEMAND, *KINDS))}.")
    payment = cells.get("payment", "")
    if kind != ON_DEMAND and payment not in PAYMENTS:
        raise BadPrices(f"{place}: payment {payment!r} is none of {', '.join(PAYMENTS)}.")
    term = cells.get("term", "") or "0"
    if not term.isdecimal() or (kind != ON_DEMAND and int(term) not in (12, 36)):
        raise BadPrices(f"{place}: term {term!r} is neither 12 nor 36 months.")
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
    hourly, upfront = (_amount(cells.get(name, "") or "0", name, place) for name in ("hourly", "upfront"))
    try:
        day = date.fromisoformat(cells["date"])
    except ValueError:
        raise BadPrices(f"{place}: date {cells['date']!r} is not written like 2026-01-31.") from None
    return Price(pool, kind, hourly, cells["currency"], source, day, int(term), payment, upfront)


def _amount(text: str, column: str, place: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BadPrices(f"{place}: {column} {text!r} is no number.") from None
    if not amount.is_finite() or amount < 0:
        raise BadPrices(f"{place}: {column} {text!r} cannot be a price.")
    return amount
