"""Orders as files, to be bought by hand: a script of the AWS CLI, or a sheet. Pure: no Django."""

import csv
import io
import re
import shlex
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from reservations.calc.purchase_orders import _CLASSES, _PAID, _PLAN_TYPES, Order, aws_product
from reservations.calc.purchase_rules import PRICE_MAY_MOVE
from reservations.calc.terms import SP_EC2


def cli_script(orders: Iterable[Order]) -> str:
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
    look += ["--product-description", aws_product(order.system), "--offering-class", _CLASSES[order.kind]]
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


def order_rows(orders: Sequence[Order]) -> list[list[str]]:
    """The orders as rows of a sheet, with a header; amounts with every digit."""
    found = [list(CSV_COLUMNS)]
    for order in orders:
        values = [getattr(order, "number" if name == "request" else name) for name in CSV_COLUMNS]
        found.append([f"{value:f}" if isinstance(value, Decimal) else str(value) for value in values])
    return found


def orders_as_csv(orders: Sequence[Order]) -> str:
    """`rows` as text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(order_rows(orders))
    return out.getvalue()
