"""Google Cloud's price table as prices: cores and memory on demand and committed. Pure: no Django.

The console's pricing table (CSV) names the region in the SKU's description, ``N2 Instance Core running in Belgium``,
and commitments as ``Commitment v1: N2 Cpu in Belgium for 1 Year``. Contract prices count before list prices.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

from finops_site.lib.language import gettext as _
from reservations.calc.machine_pools import read_use
from reservations.calc.prices import BadPrices, Price
from reservations.calc.terms import COMPUTE_ENGINE, GCP_CUD, GCP_FLEXIBLE, GOOGLE, ON_DEMAND

# Compute Engine's documentation, "Regions and zones".
REGIONS = {
    "americas": ("us-central1", "us-east1", "us-west1"),
    "iowa": ("us-central1",),
    "south carolina": ("us-east1",),
    "oregon": ("us-west1",),
    "virginia": ("us-east4",),
    "northern virginia": ("us-east4",),
    "columbus": ("us-east5",),
    "dallas": ("us-south1",),
    "los angeles": ("us-west2",),
    "salt lake city": ("us-west3",),
    "las vegas": ("us-west4",),
    "montreal": ("northamerica-northeast1",),
    "toronto": ("northamerica-northeast2",),
    "sao paulo": ("southamerica-east1",),
    "belgium": ("europe-west1",),
    "emea": ("europe-west1",),
    "london": ("europe-west2",),
    "frankfurt": ("europe-west3",),
    "netherlands": ("europe-west4",),
    "zurich": ("europe-west6",),
    "milan": ("europe-west8",),
    "paris": ("europe-west9",),
    "berlin": ("europe-west10",),
    "turin": ("europe-west12",),
    "finland": ("europe-north1",),
    "madrid": ("europe-southwest1",),
    "warsaw": ("europe-central2",),
    "taiwan": ("asia-east1",),
    "apac": ("asia-east1",),
    "hong kong": ("asia-east2",),
    "tokyo": ("asia-northeast1",),
    "japan": ("asia-northeast1",),
    "osaka": ("asia-northeast2",),
    "seoul": ("asia-northeast3",),
    "mumbai": ("asia-south1",),
    "delhi": ("asia-south2",),
    "singapore": ("asia-southeast1",),
    "jakarta": ("asia-southeast2",),
    "sydney": ("australia-southeast1",),
    "melbourne": ("australia-southeast2",),
}
# Compute Engine's documentation, "Compute flexible CUDs": the share off on demand, for machines of these series.
FLEXIBLE = {12: Decimal("0.28"), 36: Decimal("0.46")}
FLEXIBLE_SERIES = ("n1", "n2", "n2d", "n4", "e2", "c3", "c3d", "c4", "c4a", "c4d")
_MONTHS = {"1 year": 12, "1 years": 12, "3 year": 36, "3 years": 36}
_WHERE = re.compile(r"(?:running )?in (?P<place>[a-z ]+?)(?: for (?P<term>\d years?))?\Z")


def is_price_table(header: list[str]) -> bool:
    """Whether a CSV is Google's price table."""
    names = [name.strip().lower() for name in header]
    return "sku description" in names and any(name.startswith("list price") for name in names)


def from_price_table(text: str, source: str, day: date | None = None) -> Iterator[Price]:
    """The prices of cores and memory; the table has no date, so that it holds from `day`. Raises BadPrices."""
    rows = csv.DictReader(io.StringIO(text))
    names = {name.strip().lower(): name for name in rows.fieldnames or ()}
    listed = next(name for name in names if name.startswith("list price"))
    contract = next((name for name in names if name.startswith("contract price")), listed)
    written = re.search(r"\d{4}-\d{2}-\d{2}", source)
    since = day or (date.fromisoformat(written[0]) if written else None)
    if since is None:
        raise BadPrices(
            _("{source}: Google's table has no date: put it into the file's name, prices-2026-01-31.csv.").format(
                source=source
            )
        )
    for number, row in enumerate(rows, 2):
        currency = _currency(names, row, listed)
        amount = _number(
            row[names[contract]] or row[names[listed]] or "",
            _("{source}, row {number}").format(source=source, number=number),
        )
        if amount:
            yield from _row_prices(
                (row[names["sku description"]] or "").strip().lower(), amount, currency, source, since
            )


def _currency(names: Mapping[str, str], row: Mapping[str, str | None], listed: str) -> str:
    """From a column of its own, else from the header ``List price (EUR)``; ``$`` is USD."""
    if "currency" in names:
        return (row[names["currency"]] or "").strip().upper()
    code = re.search(r"\(([^)]+)\)", listed)
    return "USD" if code is None or code[1] == "$" else code[1].strip().upper()


def _number(text: str, place: str) -> Decimal:
    plain = text.replace("$", "").replace(",", "").strip()
    try:
        return Decimal(plain) if plain else Decimal(0)
    except InvalidOperation:
        raise BadPrices(_("{place}: {text!r} is no price.").format(place=place, text=text)) from None


def _row_prices(description: str, amount: Decimal, currency: str, source: str, day: date) -> Iterator[Price]:
    where = _WHERE.search(description)
    if where is None or any(word in description for word in ("spot", "preemptible", "sole tenancy", "license")):
        return
    months = _MONTHS.get(where["term"] or "", 0)
    committed = description.startswith("commitment")
    if committed and not months:
        return
    for region in REGIONS.get(where["place"].strip(), ()):
        text = description.partition(":")[2] if committed else description
        pool = read_use(
            {
                "provider": GOOGLE,
                "service": COMPUTE_ENGINE,
                "region": region,
                "description": text[: where.start()] or text,
            }
        ).pool
        if pool is None:
            continue
        if committed:
            yield Price(pool, GCP_CUD, amount, currency, source, day, months, "none")
            continue
        yield Price(pool, ON_DEMAND, amount, currency, source, day)
        if pool.type.partition("-")[0] in FLEXIBLE_SERIES:
            for term, share in FLEXIBLE.items():
                rate = amount * (1 - share)
                said_so = f"{source}, less the {share:.0%} of a flexible commitment"
                yield Price(pool, GCP_FLEXIBLE, rate, currency, said_so, day, term, "none")
