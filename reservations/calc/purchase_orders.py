"""What is to be bought, as an order, and as the parameters that AWS takes. Pure: no Django."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from reservations.calc.purchase_rules import PRICE_MAY_MOVE
from reservations.calc.terms import AWS_CLASSES, AWS_PAYMENTS, SP_COMPUTE, SP_EC2

AWS_PLAN_TYPES: Final = {SP_COMPUTE: "Compute", SP_EC2: "EC2Instance"}
YEAR_SECONDS: Final = 31_536_000
TAG: Final = "finops-purchase"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be bought; its `token` makes AWS sell a plan only once."""

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
        return self.kind in AWS_PLAN_TYPES

    @property
    def seconds(self) -> int:
        return self.term_months // 12 * YEAR_SECONDS

    @property
    def commitment(self) -> str:
        """What a savings plan commits to an hour, as AWS takes it."""
        return f"{self.quantity.quantize(Decimal('0.001')):f}"


def plan_offering_query(order: Order) -> dict[str, object]:
    """The parameters by which AWS finds the offering of a savings plan."""
    query: dict[str, object] = {
        "planTypes": [AWS_PLAN_TYPES[order.kind]],
        "durations": [order.seconds],
        "paymentOptions": [AWS_PAYMENTS[order.payment]],
        "currencies": [order.currency],
    }
    if order.kind == SP_EC2:
        query["filters"] = [
            {"name": "region", "values": [order.region]},
            {"name": "instanceFamily", "values": [order.instance_type]},
        ]
    return query


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


def reservation_offering_query(order: Order) -> dict[str, object]:
    """The parameters by which AWS finds the offering of a reserved instance; without offers of the marketplace."""
    return {
        "Filters": [
            {"Name": "instance-type", "Values": [order.instance_type]},
            {"Name": "product-description", "Values": [aws_product(order.system)]},
        ],
        "OfferingClass": AWS_CLASSES[order.kind],
        "OfferingType": AWS_PAYMENTS[order.payment],
        "MinDuration": order.seconds,
        "MaxDuration": order.seconds,
        "IncludeMarketplace": False,
    }


def aws_product(system: str) -> str:
    """AWS's name of an operating system in reservations."""
    names = {"Linux": "Linux/UNIX", "RHEL": "Red Hat Enterprise Linux", "SUSE": "SUSE Linux"}
    return names.get(system, system)


def reservation_purchase(order: Order, offering: str) -> dict[str, object]:
    """The parameters of PurchaseReservedInstancesOffering; AWS refuses an upfront payment above the limit price."""
    parameters: dict[str, object] = {"ReservedInstancesOfferingId": offering, "InstanceCount": int(order.quantity)}
    if order.upfront:
        most = float(order.upfront * (1 + PRICE_MAY_MOVE))
        parameters["LimitPrice"] = {"Amount": most, "CurrencyCode": order.currency}
    return parameters
