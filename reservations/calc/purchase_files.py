"""Orders as files, to be bought by hand: a script of the provider's CLI or steps for its console, and a sheet.

Pure: no Django.
"""

import csv
import io
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from finops_site.lib.language import gettext as _
from finops_site.lib.money import exact_text
from reservations.calc.aws_offerings import AwsCalls, ByHand, aws_calls
from reservations.calc.cloud_commands import NEEDED, azure_plan, azure_reservation, google_commitment
from reservations.calc.console_steps import console_steps
from reservations.calc.purchase_orders import Order

# A word of an API's name (botocore's xform_name): DBInstanceClass is --db-instance-class, MultiAZ is --multi-az.
WORDS: Final = re.compile(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])")
ASK: Final = 'read -r answer && test "$answer" = yes || exit 1'


def why_by_hand(order: Order) -> str:
    """Why no command buys it, so that somebody does in the console; empty where a script can."""
    try:
        _commands(order)
    except ByHand as reason:
        return str(reason)
    return ""


def cli_script(orders: Iterable[Order]) -> str:
    """A script that looks each offering up, shows it, asks, and buys once; what only a console sells is in comments.

    Every value is quoted for the shell, whatever a bill or a person wrote into it.
    """
    lines = ["#!/bin/sh", "set -euf", ""]
    for order in orders:
        lines.append(f"# Request {order.number}: {_printable(order.title)}")
        try:
            lines += _commands(order)
        except ByHand as reason:
            lines.append(f"# By hand in the console: {_printable(str(reason))}")
            lines += [f"# {number}. {_printable(step)}" for number, step in enumerate(console_steps(order), 1)]
        lines.append("")
    return "\n".join(lines)


def _printable(text: str) -> str:
    """One line without anything that a terminal or the shell would act on."""
    return re.sub(r"[^\w .,:/()×%>-]", "?", text)


def _commands(order: Order) -> list[str]:
    if order.cloud == "Azure":
        return _azure_commands(order)
    if order.cloud == "Google Cloud":
        return [_needs(order), *_confirm(order), shlex.join(google_commitment(order))]
    if order.cloud != "AWS":
        raise ByHand(
            _("We know no command that buys from {value}.").format(value=order.provider or _("an unknown provider"))
        )
    return _aws_commands(order, aws_calls(order))


def _confirm(order: Order, more: str = "") -> list[str]:
    """Shows the order in one line and asks."""
    values = f"{shlex.quote(_printable(order.title))}{' ' + more if more else ''}"
    return [f'printf "%s{": %s" if more else ""}: buy it? [yes/no] " {values}', ASK]


def _needs(order: Order) -> str:
    name, meaning = NEEDED[order.cloud]
    return f': "${{{name}:?Set {name}: {meaning}}}"'


def _azure_commands(order: Order) -> list[str]:
    scope = '"$AZURE_BILLING_SCOPE"'
    if order.is_plan:
        return [_needs(order), *_confirm(order), f"{shlex.join(azure_plan(order))} --billing-scope-id {scope}"]
    options = shlex.join(azure_reservation(order))
    total = "properties.billingCurrencyTotal"
    wanted = shlex.quote(f"[properties.reservationOrderId, {total}.amount, {total}.currencyCode]")
    ask = f"az reservations reservation-order calculate {options} --billing-scope {scope} --query {wanted} --output tsv"
    return [
        _needs(order),
        f"found=$({ask})",
        "set -- $found",
        'test $# -eq 3 || { echo "Azure calculates no price for it." >&2; exit 1; }',
        *_confirm(order, '"$2 $3"'),
        f'az reservations reservation-order purchase --reservation-order-id "$1" {options} --billing-scope {scope}',
    ]


def _aws_commands(order: Order, calls: AwsCalls) -> list[str]:
    fitting = f"{calls.rows}[?{_conditions(calls.wanted)}]"
    ask = [*_aws_words(calls.service, calls.find, calls.query, calls.region), "--query"]
    ids = shlex.join([*ask, f"{fitting}.{calls.identity}", "--output", "text"])
    buy = shlex.join(_aws_words(calls.service, calls.buy, calls.purchase, calls.region))
    return [
        f"found=$({ids})",
        "set -- $found",
        'test $# -eq 1 || { echo "AWS sells $# such offerings, and one is wanted: buy it by hand." >&2; exit 1; }',
        shlex.join([*ask, fitting, "--output", "table"]),
        *_confirm(order, '"offering $1"'),
        f'{buy} --{_option(calls.offering)} "$1"',
    ]


def _aws_words(service: str, operation: str, parameters: Mapping[str, object], region: str) -> list[str]:
    words = ["aws", service, _option(operation), *(["--region", region] if region else [])]
    for name, value in parameters.items():
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{_option(name)}")
        elif isinstance(value, list) and not any(isinstance(part, Mapping) for part in value):
            words += [f"--{_option(name)}", *map(str, value)]
        else:
            text = json.dumps(value) if isinstance(value, list | Mapping) else str(value)
            words += [f"--{_option(name)}", text]
    return words


def _option(name: str) -> str:
    return WORDS.sub("-", name).lower()


def _conditions(wanted: Mapping[str, object]) -> str:
    """What a row must say, in JMESPath."""
    return " && ".join(f"{name}==`{json.dumps(value)}`" for name, value in wanted.items())


CSV_COLUMNS: Final = (
    *("request", "title", "provider", "service", "kind", "term_months", "payment", "account", "region", "zone"),
    *("instance_type", "system", "tenancy", "quantity", "hourly", "upfront", "currency", "token"),
)


def order_rows(orders: Sequence[Order]) -> list[list[str]]:
    """The orders as rows of a sheet, with a header; amounts with the digits they have."""
    sheet = [list(CSV_COLUMNS)]
    for order in orders:
        values = [getattr(order, "number" if name == "request" else name) for name in CSV_COLUMNS]
        sheet.append([exact_text(value) or "" if isinstance(value, Decimal) else str(value) for value in values])
    return sheet


def orders_as_csv(orders: Sequence[Order]) -> str:
    """`order_rows` as text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(order_rows(orders))
    return out.getvalue()
