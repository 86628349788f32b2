"""The rules of buying with four eyes: states, who may do what, what has moved since. Pure: no Django.

A request is asked for by one person and approved by another; what was approved is bought by hand from an export, or
through the provider's API. Every step goes through `after`, so that no state can be reached any other way.
"""

import csv
import io
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from reservations.calc.terms import HOURS_A_YEAR, RI_CONVERTIBLE, RI_STANDARD, SP_COMPUTE, SP_EC2

WAITING: Final = "waiting"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
EXPORTED: Final = "exported"
BUYING: Final = "buying"
DOUBTFUL: Final = "doubtful"
BOUGHT: Final = "bought"
SEEN: Final = "seen"

STATES: Final = {
    WAITING: "waiting for approval",
    APPROVED: "approved",
    REJECTED: "rejected",
    WITHDRAWN: "withdrawn",
    EXPIRED: "expired",
    EXPORTED: "handed out to be bought",
    BUYING: "being bought",
    DOUBTFUL: "bought, or not",
    BOUGHT: "bought",
    SEEN: "seen in a bill",
}
# (state, verb) -> state: nothing else can happen to a request.
MOVES: Final = {
    (WAITING, "approve"): APPROVED,
    (WAITING, "reject"): REJECTED,
    (WAITING, "withdraw"): WITHDRAWN,
    (WAITING, "expire"): EXPIRED,
    (APPROVED, "withdraw"): WITHDRAWN,
    (APPROVED, "expire"): EXPIRED,
    (APPROVED, "export"): EXPORTED,
    (APPROVED, "buy"): BUYING,
    (EXPORTED, "record"): BOUGHT,
    (EXPORTED, "withdraw"): WITHDRAWN,
    (BUYING, "record"): BOUGHT,
    (BUYING, "give_back"): APPROVED,
    (BUYING, "expire"): EXPIRED,
    (BUYING, "doubt"): DOUBTFUL,
    (DOUBTFUL, "record"): BOUGHT,
    (DOUBTFUL, "give_back"): APPROVED,
    (BOUGHT, "find"): SEEN,
}
# In these states money is spent, or may be.
SPENT: Final = (EXPORTED, BUYING, DOUBTFUL, BOUGHT, SEEN)
ENDED: Final = (REJECTED, WITHDRAWN, EXPIRED)
LASTS: Final = timedelta(days=14)
# A recommendation that is older is worked out anew before anything is bought from it.
PLAN_LASTS: Final = timedelta(days=35)
# So long AWS may take to show what it sold.
DOUBT_LASTS: Final = timedelta(minutes=15)
# A rate that moved by more, or demand that fell by more, is another decision.
PRICE_MAY_MOVE: Final = Decimal("0.01")
DEMAND_MAY_FALL: Final = Decimal("0.10")


STOPPED: Final = "Buying is stopped: finance has pulled the switch."
DRY_RUN_FIRST: Final = "First the dry run: it looks at the provider's offer and its price."


class CannotBuy(ValueError):
    """What keeps a request from its next step, in words for the person who asked for it."""


def after(state: str, verb: str) -> str:
    """The state a verb leads to; raises CannotBuy where it leads nowhere."""
    found = MOVES.get((state, verb))
    if found is None:
        raise CannotBuy(f"That cannot be done now: the request is {STATES[state]}.")
    return found


def value_of(hourly: Decimal, term_months: int) -> Decimal:
    """What is committed to over the whole term, upfront included, in the currency of `hourly`."""
    return hourly * HOURS_A_YEAR * term_months / 12


@dataclass(frozen=True, slots=True)
class Approver:
    """Who wants to approve: the roles she holds, and up to which whole-term value she may."""

    identity: int
    is_finance: bool
    is_administrator: bool
    limit: Decimal
    currency: str


def may_approve(
    approver: Approver, *, requested_by: int | None, standing_by: int | None, value: Decimal, currency: str
) -> str:
    """Empty when she may; else the reason in words. Whoever set up a standing order asked for what it asks for."""
    if approver.is_administrator:
        return "Administrators run the system: they do not approve purchases."
    if not approver.is_finance:
        return "Only finance approves purchases."
    if approver.identity in (requested_by, standing_by):
        return "Somebody else has to approve what you asked for."
    if approver.currency != currency:
        return f"Your limit is in {approver.currency}, and this costs {currency}."
    if value > approver.limit:
        return f"It commits {value:,.2f} {currency} over its term, and you may approve up to {approver.limit:,.2f}."
    return ""


def moved(
    frozen: Mapping[str, Decimal], now: Mapping[str, Decimal], demand_then: Decimal, demand_now: Decimal | None
) -> list[str]:
    """What has moved since prices and demand were frozen, in sentences; none when all stands.

    Prices are by their name, an hour each. Demand is on-demand cost a day of what it can cover; None: no bill says.
    """
    words = []
    for name, price in frozen.items():
        new = now.get(name)
        if new is None:
            words.append(f"{name} is on no price list any more.")
        elif price and abs(new - price) > price * PRICE_MAY_MOVE:
            words.append(f"The price of {name} was {price:f} an hour and is {new:f} now.")
    if demand_now is not None and demand_now < demand_then * (1 - DEMAND_MAY_FALL):
        fell = (demand_then - demand_now) / demand_then
        words.append(
            f"What it can cover cost {demand_then:,.2f} a day on demand and costs {demand_now:,.2f} now: "
            f"{fell:.0%} less."
        )
    return words


def lapsed(expires_at: datetime, now: datetime) -> list[str]:
    return [f"It was to be decided and bought until {expires_at:%d %B %Y}."] if now >= expires_at else []


def stops(*, is_on: bool, is_stopped: bool, ceiling: Decimal, spent: Decimal, value: Decimal, currency: str) -> str:
    """Why the API must not buy this at this moment; empty when it may. `spent` is what it bought this month."""
    if is_stopped:
        return STOPPED
    if not is_on:
        return "Buying through the provider's API is not switched on: export it and buy it by hand."
    if spent + value > ceiling:
        return (
            f"It commits {value:,.2f} {currency}; {spent:,.2f} of this month's ceiling of {ceiling:,.2f} are spent "
            "already."
        )
    return ""


# As a file.

_PLAN_TYPES: Final = {SP_COMPUTE: "Compute", SP_EC2: "EC2Instance"}
_CLASSES: Final = {RI_STANDARD: "standard", RI_CONVERTIBLE: "convertible"}
_PAID: Final = {"none": "No Upfront", "partial": "Partial Upfront", "all": "All Upfront"}
YEAR_SECONDS: Final = 31_536_000
TAG: Final = "finops-purchase"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be bought, in our words; `token` makes it once."""

    number: int
    kind: str
    term_months: int
    payment: str
    region: str
    instance_type: str
    system: str
    quantity: Decimal
    hourly: Decimal
    upfront: Decimal
    currency: str
    token: str

    @property
    def is_plan(self) -> bool:
        return self.kind in _PLAN_TYPES

    @property
    def seconds(self) -> int:
        return self.term_months // 12 * YEAR_SECONDS

    @property
    def commitment(self) -> str:
        """What a savings plan commits to an hour, as AWS takes it."""
        return f"{self.quantity.quantize(Decimal('0.001')):f}"


def plan_question(order: Order) -> dict[str, object]:
    """The parameters by which AWS finds the offering of a savings plan."""
    asked: dict[str, object] = {
        "planTypes": [_PLAN_TYPES[order.kind]],
        "durations": [order.seconds],
        "paymentOptions": [_PAID[order.payment]],
        "currencies": [order.currency],
    }
    if order.kind == SP_EC2:
        asked["filters"] = [
            {"name": "region", "values": [order.region]},
            {"name": "instanceFamily", "values": [order.instance_type]},
        ]
    return asked


def plan_purchase(order: Order, offering: str) -> dict[str, object]:
    """The parameters of CreateSavingsPlan. An upfront payment follows from the payment option of the offering.

    The client token makes AWS sell it once; under the tag it is found where an answer got lost.
    """
    return {
        "savingsPlanOfferingId": offering,
        "commitment": order.commitment,
        "clientToken": order.token,
        "tags": {TAG: order.token},
    }


def reserved_question(order: Order) -> dict[str, object]:
    """The parameters by which AWS finds the offering of a reserved instance; nobody else's marketplace ones."""
    return {
        "Filters": [
            {"Name": "instance-type", "Values": [order.instance_type]},
            {"Name": "product-description", "Values": [product_of(order.system)]},
        ],
        "OfferingClass": _CLASSES[order.kind],
        "OfferingType": _PAID[order.payment],
        "MinDuration": order.seconds,
        "MaxDuration": order.seconds,
        "IncludeMarketplace": False,
    }


def product_of(system: str) -> str:
    """AWS's name of an operating system in reservations."""
    named = {"Linux": "Linux/UNIX", "RHEL": "Red Hat Enterprise Linux", "SUSE": "SUSE Linux"}
    return named.get(system, system)


def reserved_purchase(order: Order, offering: str) -> dict[str, object]:
    """The parameters of PurchaseReservedInstancesOffering; AWS refuses an upfront payment above the limit price."""
    asked: dict[str, object] = {"ReservedInstancesOfferingId": offering, "InstanceCount": int(order.quantity)}
    if order.upfront:
        most = float(order.upfront * (1 + PRICE_MAY_MOVE))
        asked["LimitPrice"] = {"Amount": most, "CurrencyCode": order.currency}
    return asked


def commands(orders: Iterable[Order]) -> str:
    """A script for the AWS CLI: it looks the offering up, shows it, asks, and buys once.

    Every value is quoted for the shell, whatever a bill or a person wrote into it.
    """
    lines = ["#!/bin/sh", "set -eu", ""]
    for order in orders:
        lines += [
            f"# Request {order.number}",
            *(_plan_command(order) if order.is_plan else _reserved_command(order)),
            "",
        ]
    return "\n".join(lines)


def _line(*words: object) -> str:
    return " ".join(shlex.quote(str(word)) for word in words)


def _asked(order: Order) -> list[str]:
    return [
        'test -n "$offering" && test "$offering" != None || { echo "No such offering is sold." >&2; exit 1; }',
        'printf "%s, offering %s: buy it? [yes/no] " ' + shlex.quote(_named(order)) + ' "$offering"',
        'read -r answer && test "$answer" = yes || exit 1',
    ]


def _named(order: Order) -> str:
    """The order in one line without anything a terminal would act on."""
    said = f"{order.kind} {order.instance_type} {order.region} {order.term_months} months, {order.quantity:f}"
    return re.sub(r"[^\w .,:/-]", "?", said)


def _plan_command(order: Order) -> list[str]:
    look = ["aws", "savingsplans", "describe-savings-plans-offerings", "--plan-types", _PLAN_TYPES[order.kind]]
    look += [
        "--durations",
        str(order.seconds),
        "--payment-options",
        _PAID[order.payment],
        "--currencies",
        order.currency,
    ]
    if order.kind == SP_EC2:
        look += ["--filters", f"name=region,values={order.region}", f"name=instanceFamily,values={order.instance_type}"]
    look += ["--query", "searchResults[0].offeringId", "--output", "text"]
    buy = [
        "aws",
        "savingsplans",
        "create-savings-plan",
        "--commitment",
        order.commitment,
        "--client-token",
        order.token,
    ]
    return [f"offering=$({_line(*look)})", *_asked(order), f'{_line(*buy)} --savings-plan-offering-id "$offering"']


def _reserved_command(order: Order) -> list[str]:
    region = ["--region", order.region]
    look = ["aws", "ec2", "describe-reserved-instances-offerings", *region, "--instance-type", order.instance_type]
    look += ["--product-description", product_of(order.system), "--offering-class", _CLASSES[order.kind]]
    look += ["--offering-type", _PAID[order.payment]]
    look += ["--min-duration", str(order.seconds), "--max-duration", str(order.seconds)]
    look += ["--no-include-marketplace", "--filters", "Name=scope,Values=Region"]
    look += ["--query", "ReservedInstancesOfferings[0].ReservedInstancesOfferingId", "--output", "text"]
    buy = ["aws", "ec2", "purchase-reserved-instances-offering", *region, "--instance-count", str(int(order.quantity))]
    if order.upfront:
        most = (order.upfront * (1 + PRICE_MAY_MOVE)).quantize(Decimal("0.01"))
        buy += ["--limit-price", f"Amount={most:f},CurrencyCode={order.currency}"]
    return [
        f"offering=$({_line(*look)})",
        *_asked(order),
        f'{_line(*buy)} --reserved-instances-offering-id "$offering"',
    ]


CSV_COLUMNS: Final = (
    *("request", "kind", "term_months", "payment", "region", "instance_type", "system", "quantity"),
    *("hourly", "upfront", "currency", "token"),
)


def rows(orders: Sequence[Order]) -> list[list[str]]:
    """The orders as rows of a sheet, with a header; amounts with every digit."""
    found = [list(CSV_COLUMNS)]
    for order in orders:
        values = [getattr(order, "number" if name == "request" else name) for name in CSV_COLUMNS]
        found.append([f"{value:f}" if isinstance(value, Decimal) else str(value) for value in values])
    return found


def as_csv(orders: Sequence[Order]) -> str:
    """`rows` as text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows(orders))
    return out.getvalue()
