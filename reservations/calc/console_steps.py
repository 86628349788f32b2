"""Steps for what is bought by hand in the provider's console. Pure: no Django."""

from typing import Final

from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.money import exact_text, formatted
from finops_site.lib.words import in_sentence
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
    terms = f"{term_text(order.term_months)}, {in_sentence(_(PAYMENTS[order.payment]))}"
    price = _("{hourly} {currency} an hour for all of it")
    if order.upfront:
        price = _("{hourly} {currency} an hour for all of it, of which {upfront} {currency} are paid on the first day")
    upfront = formatted(order.upfront, order.currency) if order.upfront else ""
    price = price.format(hourly=exact_text(order.hourly), currency=order.currency, upfront=upfront)
    return [
        *opening,
        _("Choose the term and the payment: {terms}.").format(terms=terms),
        _("Compare the price with what was approved: {price}. Where it differs by more than 1%, do not buy.").format(
            price=price
        ),
        _("Buy it once, and record here the id that the provider gives it: by it the first bill is found."),
    ]


def _aws(order: Order) -> list[str]:
    console = (
        _("AWS's console of account {account}").format(account=order.account) if order.account else _("AWS's console")
    )
    if order.kind in AWS_PLAN_TYPES:
        what = _("{kind} Savings Plan, {commitment} {currency} an hour").format(
            kind=AWS_PLAN_TYPES[order.kind], commitment=order.commitment, currency=order.currency
        )
        return [
            _("Open {console}: Billing > Savings Plans > Purchase Savings Plans.").format(console=console),
            _("Choose {what}.").format(what=what),
        ]
    place = AWS_PLACES.get(order.service, f"{order.service} > Reserved capacity")
    what = f"{exact_text(order.quantity)} × {order.instance_type} {order.system}".strip()
    steps = [
        _("Open {console} in {region}: {place}.").format(
            console=console, region=order.zone or order.region, place=place
        )
    ]
    if order.service == "DynamoDB":
        lots = ngettext(
            "{quantity} lot of 100 units of {instance_type}",
            "{quantity} lots of 100 units of {instance_type}",
            1 if order.quantity == 1 else 2,
        ).format(quantity=exact_text(order.quantity), instance_type=order.instance_type)
        return [*steps, _("Choose read or write capacity, and as many units: {lots}.").format(lots=lots)]
    choose = _("Choose {what}, in zone {zone}.") if order.zone else _("Choose {what}.")
    return [*steps, choose.format(what=what, zone=order.zone)]


def _azure(order: Order) -> list[str]:
    if order.is_plan:
        what = _("Savings plan for compute, {commitment} {currency} an hour, shared scope").format(
            commitment=order.commitment, currency=order.currency
        )
        return [_("Open Azure's portal: Savings plans > Add."), _("Choose {what}.").format(what=what)]
    return [
        _("Open Azure's portal: Reservations > Add."),
        _("Choose {service}, {instance_type} in {region}, quantity {quantity}, shared scope.").format(
            service=order.service,
            instance_type=order.instance_type,
            region=order.region,
            quantity=exact_text(order.quantity),
        ),
    ]


def _google(order: Order) -> list[str]:
    if order.is_plan:
        return [
            _("Open Google's console: Billing > Committed use discounts > Purchase > Flexible commitment."),
            _("Commit to {commitment} {currency} an hour.").format(
                commitment=order.commitment, currency=order.currency
            ),
        ]
    return [
        _("Open Google's console: Compute Engine > Committed use discounts > Purchase commitment > Hardware."),
        _("Choose {quantity} × {instance_type} in {region}, vCPUs with their memory.").format(
            quantity=exact_text(order.quantity), instance_type=order.instance_type, region=order.region
        ),
    ]
