"""What is to be bought: an order, and what keeps it from being one. Pure: no Django."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from finops_site.lib.language import gettext as _
from reservations.calc.purchase_titles import PLAN_UNIT, Terms
from reservations.calc.terms import PLANS, SP_COMPUTE, SP_DATABASE, SP_EC2, SP_SAGEMAKER, MachinePool, provider_of

AWS_PLAN_TYPES: Final = {
    SP_COMPUTE: "Compute",
    SP_EC2: "EC2Instance",
    SP_SAGEMAKER: "SageMaker",
    SP_DATABASE: "Database",
}
YEAR_SECONDS: Final = 31_536_000
TAG: Final = "finops-purchase"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be bought; its `token` makes it happen only once, wherever the provider takes a name or a token."""

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
    provider: str = "AWS"
    service: str = "EC2"
    zone: str = ""
    tenancy: str = "default"
    account: str = ""

    @property
    def is_plan(self) -> bool:
        """Whether it commits to money an hour, not to machines."""
        return self.kind in PLANS

    @property
    def cloud(self) -> str:
        """Whose console and CLI sell it, however the bill writes the provider's name."""
        return provider_of(self.provider)

    @property
    def seconds(self) -> int:
        return self.term_months // 12 * YEAR_SECONDS

    @property
    def commitment(self) -> str:
        """What a savings plan commits to an hour, as AWS takes it."""
        return f"{self.quantity.quantize(PLAN_UNIT):f}"

    @property
    def name(self) -> str:
        """Its own name at the provider, where one can be given: what is bought under it twice is refused there."""
        return f"finops-{self.token}"

    @property
    def pool(self) -> MachinePool:
        """The machines that a reservation covers, as price lists know them: of no account."""
        place = {"tenancy": self.tenancy, "service": self.service, "zone": self.zone}
        return MachinePool(self.provider, self.region, self.instance_type, self.system, **place)

    @property
    def title(self) -> str:
        return Terms(
            self.kind,
            self.term_months,
            self.payment,
            self.quantity,
            self.currency if self.is_plan else "",
            self.service,
            self.region,
            self.instance_type,
            self.system,
            self.zone,
            self.tenancy,
        ).title


def order_objection(order: Order) -> str:
    """Why nobody could buy this, whatever the door; empty when it can be bought somehow."""
    if order.quantity <= 0 or (order.is_plan and order.quantity < PLAN_UNIT):
        return _("There is nothing to buy in it.")
    if order.term_months % 12 or not order.term_months:
        return _("A commitment is for whole years, and this is for {months} months.").format(months=order.term_months)
    if not order.is_plan and order.quantity != order.quantity.to_integral_value():
        return _("Machines are bought as a whole number, and this is for {quantity}.").format(
            quantity=f"{order.quantity.normalize():f}"
        )
    if not order.is_plan and not (order.region and order.instance_type):
        return _("It names no region or no machine: what to buy is not fully specified.")
    if order.kind == SP_EC2 and not (order.region and order.instance_type):
        return _("An EC2 Instance savings plan is for a family in a region, and this names none.")
    return ""
