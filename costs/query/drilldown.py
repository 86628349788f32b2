"""From a cost line back to the charges it sums, as the provider delivered them."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F, Sum

from costs.calc.dimensions import READ_FROM_CHARGES
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
    from costs.charges.charge_queries import charge_sums, charges_of_line, first_charges, tag_texts

    grain = [(column, width, getattr(line, name)) for name, (column, width) in READ_FROM_CHARGES.items()]
    with charges_in(line.delivery_month.charges_glob) as charges:
        texts = [row["Tags"] for row in charges.ask(tag_texts(charges_of_line(line.charge_date, grain)))]
        own = [text for text in texts if as_line_has_them(text) == line.tag_set.as_delivered]
        rows = charges_of_line(line.charge_date, grain, own)
        (sums,) = charges.ask(charge_sums(rows))
        first = charges.ask(first_charges(rows, list(SHOWN), MOST))
    return Charges(first, sums["charges"], sums["billed_cost"], sums["effective_cost"])


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
        .of_resources([line.resource])
    )
    sums = {"billed_cost": Sum("billed_cost"), "effective_cost": Sum("effective_cost"), "quantity": Sum("quantity")}
    return list(rows.order_by("charge_date").values(day=F("charge_date")).annotate(**sums))
