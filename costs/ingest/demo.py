"""The demo's bills, received and loaded as every bill is."""

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

from django.conf import settings

from costs.demo.bills import MONTHS, newest_bills, write_short_bill
from costs.demo.committed_bills import write_committed_bills
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Delivery, DeliveryFile
from finops_site.lib.words import counted

SOURCE = "Northwind (AWS)"
COMMITTED_SOURCE = "Southwind (AWS)"


def load_demo_bills(say: Callable[[str], object], *, as_of: date) -> None:
    """Writes the bills and loads each month as its own delivery; a month that is here already is left alone.

    The newest month is first: whoever looks around already sees it soon. Raises RuntimeError when a bill of ours
    cannot be read.
    """
    for number, (_, path) in enumerate(newest_bills(_folder(), as_of=as_of), 1):
        _load(path, Delivery.Status.CURRENT, partial(_say_month, say, number))


def _say_month(say: Callable[[str], object], number: int, line: str) -> None:
    say(f"  {number} of {MONTHS} months of bills: {line.strip()}")


def load_short_bill(say: Callable[[str], object], *, as_of: date) -> None:
    """Brings the last full month again, cut off, once: it is held, and waits for finance. Call it after the bills."""
    path = write_short_bill(_folder(), as_of=as_of)
    if not DeliveryFile.objects.filter(name=path.name).exists():
        _load(path, Delivery.Status.HELD, say)


def load_committed_bills(say: Callable[[str], object], *, as_of: date, half: int) -> bool:
    """Loads a half (0, 1) of the second organisation's bills, once; False where it is here already."""
    path = write_committed_bills(_folder(), as_of=as_of)[half]
    if DeliveryFile.objects.filter(name=path.name).exists():
        return False
    _load(path, Delivery.Status.CURRENT, say, COMMITTED_SOURCE)
    return True


def _folder() -> Path:
    return Path(settings.FINOPS_VAR) / "demo"


def _load(path: Path, status: Delivery.Status, say: Callable[[str], object], source: str = SOURCE) -> None:
    (receipt,) = receive_bill(source, [path], is_demo=True)
    if not receipt.is_new:
        return
    delivery = load_bill(receipt.delivery)
    if delivery.status != status:
        raise RuntimeError(f"{path.name}: {delivery.message}")
    say(f"  {path.name}: {counted(delivery.rows_loaded, 'charge')}{', held' * (status == Delivery.Status.HELD)}")
