"""From a cost line back to the charges it sums, as the provider delivered them."""

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from costs.calc.dimensions import READ_FROM_CHARGES
from costs.charges.source_rows import SourceRow, find_source_rows
from costs.formats.base import CHARGE_COLUMNS, BadBill
from costs.formats.sql import NO_NUL
from costs.ingest.load import stated_options
from costs.ingest.workspace import limited_duckdb, scratch_folder
from costs.models import CostLine, Delivery
from costs.query.query_backends import ChargeTable, charges_in
from costs.query.result_cache import cached
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import pgettext_lazy

SHOWN = {
    "ChargePeriodStart": _lazy("From"),
    "ChargePeriodEnd": pgettext_lazy("day", "To"),
    "x_LineType": _lazy("Line type"),
    "ChargeDescription": _lazy("Description"),
    "SkuId": "SKU",
    "x_UsageType": _lazy("Usage type"),
    "ConsumedQuantity": _lazy("Quantity"),
    "ConsumedUnit": _lazy("Unit"),
    "ListUnitPrice": _lazy("List price"),
    "BilledCost": _lazy("Billed cost"),
    "EffectiveCost": _lazy("Effective cost"),
    "ListCost": _lazy("List cost"),
    "InvoiceId": _lazy("Invoice"),
}
MOST = 200
# Of one moment: more charges of a line that start at once are not told apart.
MOST_AT_ONCE = 5_000
CHARGE_KEY = re.compile("[0-9a-f]{1,14}-[0-9a-f]{16}")
MOMENT_ZERO = datetime(1970, 1, 1)
NOT_IN_KEY = ("EffectiveCost", "ListCost", "ContractedCost", "InvoiceId", "x_Normalised")


@dataclass(frozen=True, slots=True)
class Charges:
    """Some charges of a line in time, how many there are, and what all of them sum to."""

    rows: list[dict[str, Any]]
    count: int
    billed_cost: Decimal | None
    effective_cost: Decimal | None


def charges_of(line: CostLine, skip: int = 0, most: int = MOST) -> Charges:
    """Charges of `line` out of its delivery's Parquet, which is read once: one file, one month, a bounded question.

    Every row has `key`, which leads to it (see `charge_of`).
    """
    from costs.charges.charge_queries import charge_sums, some_charges, with_tags

    with _charges_of(line) as (charges, tags):
        (sums,) = charges.ask(with_tags(charge_sums, tags))
        rows = charges.ask(with_tags(some_charges, tags, skip, most)) if sums["charges"] > skip else []
    return Charges(_with_keys(rows), sums["charges"], sums["billed_cost"], sums["effective_cost"])


def charge_of(line: CostLine, key: str) -> dict[str, Any] | None:
    """The charge of `line` with this key, with `alike`, how many charges are the same in every column.

    None where the line has no such charge: the bill that counts now may have it with another cost or quantity.
    """
    from costs.charges.charge_queries import charges_that_start, with_tags

    if not CHARGE_KEY.fullmatch(key):
        return None
    start = MOMENT_ZERO + timedelta(microseconds=int(key.split("-")[0], 16))
    with _charges_of(line) as (charges, tags):
        rows = charges.ask(with_tags(charges_that_start, tags, MOST_AT_ONCE).filled(start=start.isoformat(" ")))
    same = [row for row in _with_keys(rows) if row["key"] == key]
    return {**same[0], "alike": len(same)} if same else None


def warm_up() -> None:
    """Compiles the questions of nearly every line, for Ibis takes a second and a half over the first."""
    from costs.charges import charge_queries as queries

    grain = [(column, width, "x") for column, width in READ_FROM_CHARGES.values()]
    forms = [
        queries.line_form(date(2000, 1, 1), grain),
        queries.Form(queries.tag_texts),
        queries.with_tags(queries.charge_sums, [""]),
        queries.with_tags(queries.some_charges, [""], 0, MOST),
    ]
    for form in forms:
        form.sql("duckdb")


@contextmanager
def _charges_of(line: CostLine) -> Iterator[tuple[ChargeTable, list[str | None]]]:
    """The charges of the line's day and dimensions, and those of their texts of tags that are the line's own."""
    from costs.charges.charge_queries import Form, line_form, tag_texts

    grain = [
        (column, width, getattr(line, name))
        for name, (column, width) in READ_FROM_CHARGES.items()
        # Lines that were made before they knew the issuer have nothing here, whoever their charges name.
        if name != "invoice_issuer" or line.invoice_issuer
    ]
    with charges_in(line.delivery_month.charges_glob) as charges:
        charges.narrow(line_form(line.charge_date, grain))
        texts = [row["Tags"] for row in charges.ask(Form(tag_texts))]
        yield charges, [text for text in texts if as_line_has_them(text) == line.tag_set.as_delivered]


def _with_keys(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "key": charge_key(row)} for row in rows]


def charge_key(charge: Mapping[str, Any]) -> str:
    """What names a charge within its line: its start, and a digest of what the provider wrote of it.

    What we work out ourselves, and the invoice, which a bill names only at the end of the month, is not in it.
    """
    texts = [str(text) for name, text in as_texts(charge).items() if name not in NOT_IN_KEY]
    digest = hashlib.sha256("\x1f".join(texts).encode()).hexdigest()[:16]
    return f"{(charge['ChargePeriodStart'] - MOMENT_ZERO) // timedelta(microseconds=1):x}-{digest}"


def as_texts(charge: Mapping[str, Any]) -> dict[str, str | None]:
    """The charge columns of a charge with every digit of its amounts, and moments in UTC as ISO 8601 writes them."""

    def text(value: Any) -> str | None:
        if isinstance(value, Decimal):
            return exact_text(value)
        return f"{value.isoformat()}Z" if isinstance(value, datetime) else value

    return {name: text(charge[name]) for name in CHARGE_COLUMNS}


@dataclass(frozen=True, slots=True)
class ProviderRows:
    """The rows of the file as delivered that a charge was read from; where there are none, `problem` says why."""

    rows: list[SourceRow]
    problem: str = ""


class NoProviderRow(Exception):
    """The row of a charge cannot be shown; the message says why."""


def provider_rows(user: Person, line: CostLine, charge: Mapping[str, Any]) -> ProviderRows:
    """The charge as the provider wrote it: looked up in the file as delivered, which takes as long as to read it."""
    question = ("provider row", line.pk, charge["key"])
    try:
        return ProviderRows(cached(user, question, partial(_look_up, line, charge)))
    except NoProviderRow as problem:
        return ProviderRows([], str(problem))


def _look_up(line: CostLine, charge: Mapping[str, Any]) -> list[SourceRow]:
    delivery = line.delivery_month.delivery
    try:
        files = [] if delivery.files_removed_at else list(_files_of(delivery))
    except FileNotFoundError:
        files = []
    except OSError as error:
        raise NoProviderRow(_("The file as delivered could not be read again: {error}").format(error=error)) from error
    if not all(path.exists() for _ignored, path in files) or not files:
        raise NoProviderRow(_("The file as delivered is not on this machine any more."))
    scratch = Path(settings.FINOPS_VAR) / "incoming" / f"row-{uuid.uuid4().hex}"
    try:
        with scratch_folder(scratch) as folder, limited_duckdb(folder) as db:
            rows = find_source_rows(
                db,
                files,
                charge,
                scratch=folder,
                options=stated_options(delivery),
                format_name=delivery.options.get("format") or "auto",
                limit=settings.BILL_MAX_BYTES,
            )
    except (BadBill, OSError) as error:
        raise NoProviderRow(_("The file as delivered could not be read again: {error}").format(error=error)) from error
    if not rows:
        raise NoProviderRow(_("No row of the file reads exactly like this charge any more."))
    return rows


def _files_of(delivery: Delivery) -> Iterator[tuple[str, Path]]:
    for file in delivery.files.select_related("delivery"):
        yield file.name, file.full_path


def as_line_has_them(text: str | None) -> dict[str, str | None]:
    """The tags of a text as a cost line keeps them: every value a text, no NUL byte.

    A text that names a key twice has no tags: nobody knows which of the values counts.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            raise ValueError("a key stands there twice")
        return values

    try:
        tags = json.loads(text, object_pairs_hook=unique) if text else {}
    except ValueError:
        return {}
    return {_plain(key): _value(value) for key, value in tags.items()} if isinstance(tags, dict) else {}


def _value(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return _plain(value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _plain(text: str) -> str:
    return text.replace("\0", NO_NUL)


def resource_by_day(user: Person, line: CostLine) -> list[dict[str, Any]]:
    """What the line's resource cost on each day of its bill, of what `user` may see; empty without a resource."""
    if not line.resource:
        return []
    rows = (
        CostLine.objects.visible_to(user)
        .filter(delivery_month=line.delivery_month_id, currency=line.currency)
        .charged_in(_days_of(line))
        .of_resources([line.resource])
    )
    sums = {"billed_cost": Sum("billed_cost"), "effective_cost": Sum("effective_cost"), "quantity": Sum("quantity")}
    return list(rows.order_by("charge_date").values(day=F("charge_date")).annotate(**sums))


def _days_of(line: CostLine) -> Period:
    """The days that the line's bill has charges of, so that no table of another month is looked at."""
    months = sorted(date.fromisoformat(day) for day in line.delivery_month.charge_months)
    return Period(months[0], Month.of(months[-1]).next.start)
