"""The demo's bills, received and loaded as every bill is."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from django.conf import settings

from costs.demo.bills import write_bills
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Delivery
from finops_site.lib.words import counted

SOURCE = "Northwind (AWS)"


def load_demo_bills(say: Callable[[str], object], *, as_of: date) -> None:
    """Writes the bills and loads each month as its own delivery; a month that is here already is left alone.

    Raises RuntimeError when a bill of ours cannot be read.
    """
    for path in write_bills(Path(settings.FINOPS_VAR) / "demo", as_of=as_of):
        (receipt,) = receive_bill(SOURCE, [path])
        if not receipt.is_new:
            continue
        delivery = load_bill(receipt.delivery)
        if delivery.status != Delivery.Status.CURRENT:
            raise RuntimeError(f"{path.name}: {delivery.message}")
        say(f"  {path.name}: {counted(delivery.rows_loaded, 'charge')}")
