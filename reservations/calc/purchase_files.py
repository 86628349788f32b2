"""Orders as files, to be bought by hand: a script of the AWS CLI, or a sheet. Pure: no Django."""

import csv
import io
import re
import shlex
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from reservations.calc.purchase_orders import AWS_PLAN_TYPES, Order, aws_product
from reservations.calc.purchase_rules import PRICE_MAY_MOVE
from reservations.calc.terms import AWS_CLASSES, AWS_PAYMENTS, SP_EC2


def cli_script(orders: Iterable[Order]) -> str:
    """A script for the AWS CLI: it looks the offering up, shows it, asks, and buys once.

    Every value is quoted for the shell, whatever a bill or a person wrote into it.
    """
    lines = ["#!/bin/sh", "set -eu", ""]
    for order in orders:
        lines += [f"# Request {order.number}", *_command(order), ""]
    return "\n".join(lines)


def _command(order: Order) -> list[str]:
    """Looks the offering up, shows the order in one line without anything a terminal would act on, asks, and buys."""
    look_up, buy, flag = _plan_words(order) if order.is_plan else _reservation_words(order)
    summary = f"{order.kind} {order.instance_type} {order.region} {order.term_months} months, {order.quantity:f}"
    printable = re.sub(r"[^\w .,:/-]", "?", summary)
    return [
        f"offering=$({shlex.join(look_up)})",
        'test -n "$offering" && test "$offering" != None || { echo "No such offering is sold." >&2; exit 1; }',
        f'printf "%s, offering %s: buy it? [yes/no] " {shlex.quote(printable)} "$offering"',
        'read -r answer && test "$answer" = yes || exit 1',
        f'{shlex.join(buy)} {flag} "$offering"',
    ]


def _plan_words(order: Order) -> tuple[list[str], list[str], str]:
    """(the command that looks the offering up, the one that buys, its option for the offering's id)."""
    look_up = ["aws", "savingsplans", "describe-savings-plans-offerings", "--plan-types", AWS_PLAN_TYPES[order.kind]]
    look_up += ["--durations", str(order.seconds), "--payment-options", AWS_PAYMENTS[order.payment]]
    look_up += ["--currencies", order.currency]
    if order.kind == SP_EC2:
        look_up += ["--filters", f"name=region,values={order.region}"]
        look_up += [f"name=instanceFamily,values={order.instance_type}"]
    look_up += ["--query", "searchResults[0].offeringId", "--output", "text"]
    buy = ["aws", "savingsplans", "create-savings-plan", "--commitment", order.commitment]
    return look_up, [*buy, "--client-token", order.token], "--savings-plan-offering-id"


def _reservation_words(order: Order) -> tuple[list[str], list[str], str]:
    """The same of a reserved instance; AWS refuses an upfront payment above the limit price."""
    region = ["--region", order.region]
    look_up = ["aws", "ec2", "describe-reserved-instances-offerings", *region, "--instance-type", order.instance_type]
    look_up += ["--product-description", aws_product(order.system), "--offering-class", AWS_CLASSES[order.kind]]
    look_up += ["--offering-type", AWS_PAYMENTS[order.payment]]
    look_up += ["--min-duration", str(order.seconds), "--max-duration", str(order.seconds)]
    look_up += ["--no-include-marketplace", "--filters", "Name=scope,Values=Region"]
    look_up += ["--query", "ReservedInstancesOfferings[0].ReservedInstancesOfferingId", "--output", "text"]
    buy = ["aws", "ec2", "purchase-reserved-instances-offering", *region, "--instance-count", str(int(order.quantity))]
    if order.upfront:
        most = (order.upfront * (1 + PRICE_MAY_MOVE)).quantize(Decimal("0.01"))
        buy += ["--limit-price", f"Amount={most:f},CurrencyCode={order.currency}"]
    return look_up, buy, "--reserved-instances-offering-id"


CSV_COLUMNS: Final = (
    *("request", "kind", "term_months", "payment", "region", "instance_type", "system", "quantity"),
    *("hourly", "upfront", "currency", "token"),
)


def order_rows(orders: Sequence[Order]) -> list[list[str]]:
    """The orders as rows of a sheet, with a header; amounts with every digit."""
    sheet = [list(CSV_COLUMNS)]
    for order in orders:
        values = [getattr(order, "number" if name == "request" else name) for name in CSV_COLUMNS]
        sheet.append([f"{value:f}" if isinstance(value, Decimal) else str(value) for value in values])
    return sheet


def orders_as_csv(orders: Sequence[Order]) -> str:
    """`rows` as text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(order_rows(orders))
    return out.getvalue()
