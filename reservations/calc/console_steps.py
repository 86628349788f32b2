"""Steps for what is bought by hand in the provider's console. Pure: no Django."""

from typing import Final

from finops_site.lib.money import exact_text, formatted
from reservations.calc.purchase_orders import AWS_PLAN_TYPES, Order
from reservations.calc.purchase_titles import term_text
from reservations.calc.terms import PAYMENTS

# Where AWS's console sells reservations of each service.
AWS_PLACES: Final = {
    "EC2": "EC2 > Reserved Instances > Purchase Reserved Instances",
    "RDS": "RDS > Reserved instances > Purchase reserved DB instance",
    "ElastiCache": "ElastiCache > Reserved nodes > Purchase reserved nodes",
    "OpenSearch": "OpenSearch Service > Reserved Instance leases > Order Reserved Instance",
    "Redshift": "Redshift > Reserved nodes > Purchase reserved nodes",
    "MemoryDB": "MemoryDB > Reserved nodes > Purchase reserved nodes",
    "DynamoDB": "DynamoDB > Reserved capacity > Purchase reserved capacity",
}


def console_steps(order: Order) -> list[str]:
    """What to do in the console, in order, ending with the id that the first bill is found by."""
    opening = {"Azure": _azure, "Google Cloud": _google}.get(order.cloud, _aws)(order)
    terms = f"{term_text(order.term_months)}, {PAYMENTS[order.payment].lower()}"
    price = f"{exact_text(order.hourly)} {order.currency} an hour for all of it"
    if order.upfront:
        price += f", of which {formatted(order.upfront, order.currency)} {order.currency} are paid on the first day"
    return [
        *opening,
        f"Choose the term and the payment: {terms}.",
        f"Compare the price with what was approved: {price}. Where it differs by more than 1%, do not buy.",
        "Buy it once, and record here the id that the provider gives it: by it the first bill is found.",
    ]


def _aws(order: Order) -> list[str]:
    account = f" of account {order.account}" if order.account else ""
    if order.kind in AWS_PLAN_TYPES:
        what = f"{AWS_PLAN_TYPES[order.kind]} Savings Plan, {order.commitment} {order.currency} an hour"
        return [f"Open AWS's console{account}: Billing > Savings Plans > Purchase Savings Plans.", f"Choose {what}."]
    place = AWS_PLACES.get(order.service, f"{order.service} > Reserved capacity")
    what = f"{exact_text(order.quantity)} × {order.instance_type} {order.system}".strip()
    steps = [f"Open AWS's console{account} in {order.zone or order.region}: {place}."]
    if order.service == "DynamoDB":
        lots = f"{exact_text(order.quantity)} lots of 100 units of {order.instance_type}"
        return [*steps, f"Choose read or write capacity, and as many units: {lots}."]
    return [*steps, f"Choose {what}{', in zone ' + order.zone if order.zone else ''}."]


def _azure(order: Order) -> list[str]:
    if order.is_plan:
        what = f"Savings plan for compute, {order.commitment} {order.currency} an hour, shared scope"
        return ["Open Azure's portal: Savings plans > Add.", f"Choose {what}."]
    return [
        "Open Azure's portal: Reservations > Add.",
        f"Choose {order.service}, {order.instance_type} in {order.region}, quantity {exact_text(order.quantity)}, "
        "shared scope.",
    ]


def _google(order: Order) -> list[str]:
    if order.is_plan:
        return [
            "Open Google's console: Billing > Committed use discounts > Purchase > Flexible commitment.",
            f"Commit to {order.commitment} {order.currency} an hour.",
        ]
    return [
        "Open Google's console: Compute Engine > Committed use discounts > Purchase commitment > Hardware.",
        f"Choose {exact_text(order.quantity)} × {order.instance_type} in {order.region}, vCPUs with their memory.",
    ]
