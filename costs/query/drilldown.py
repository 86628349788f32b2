"""From a cost line back to the charges it sums, as the provider delivered them."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F, Sum

from costs.charges.build_cost_lines import DIMENSIONS
from costs.formats.sql import NO_NUL
from costs.models import CostLine
from costs.query.query_backends import charges_in
from finops_site.lib.person import Person

SHOWN = {
    "ChargePeriodStart": "From",
    "ChargePeriodEnd": "To",
    "x_LineType": "Line type",
    "ChargeDescription": "Description",
    "SkuId": "SKU",
    "x_UsageType": "Usage type",
    "ConsumedQuantity": "Quantity",
    "ConsumedUnit": "Unit",
    "ListUnitPrice": "List price",
    "BilledCost": "Billed cost",
    "EffectiveCost": "Effective cost",
    "ListCost": "List cost",
    "InvoiceId": "Invoice",
}
MOST = 200


@dataclass(frozen=True, slots=True)
class Charges:
    """The first charges of a line (at most MOST), how many there are, and what all of them sum to."""

    rows: list[dict[str, Any]]
    count: int
    billed_cost: Decimal | None
    effective_cost: Decimal | None


def charges_of(line: CostLine) -> Charges:
    """The charges of `line` out of its delivery's Parquet: one file, one month, a bounded question."""
    from costs.charges import charge_queries as ask

    grain = [(column, width, getattr(line, name)) for name, (column, width) in DIMENSIONS.items()]
    with charges_in(line.delivery_month.charges_glob) as charges:
        texts = [row["Tags"] for row in charges.ask(ask.tag_texts(ask.charges_of_line(line.charge_date, grain)))]
        own = [text for text in texts if as_line_has_them(text) == line.tag_set.as_delivered]
        rows = ask.charges_of_line(line.charge_date, grain, own)
        (found,) = charges.ask(ask.charge_sums(rows))
        first = charges.ask(ask.first_charges(rows, list(SHOWN), MOST))
    return Charges(first, found["charges"], found["billed_cost"], found["effective_cost"])


def as_line_has_them(text: str | None) -> dict[str, str | None]:
    """The tags a text tells as a cost line keeps them: every value a text, no NUL byte."""
    try:
        told = json.loads(text, object_pairs_hook=_once) if text else {}
    except ValueError:
        return {}
    return {_plain(key): _value(value) for key, value in told.items()} if isinstance(told, dict) else {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that names a key twice tells no tags: nobody knows which of them counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _value(value: Any) -> str | None:
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
    rows = CostLine.objects.visible_to(user).filter(
        delivery_month=line.delivery_month_id, resource=line.resource, currency=line.currency
    )
    sums = {"billed_cost": Sum("billed_cost"), "effective_cost": Sum("effective_cost"), "quantity": Sum("quantity")}
    return list(rows.order_by("charge_date").values(day=F("charge_date")).annotate(**sums))
