"""What the CLIs of Azure and Google take to buy an order. Pure: no Django.

Azure: `az reservations reservation-order` and the extension `billing-benefits`; Google: `gcloud compute commitments`.
Who is charged is not in a bill's row: the shell must name it, in the variables of `NEEDED`.
"""

import re
from decimal import Decimal
from typing import Final

from finops_site.lib.language import gettext as _
from reservations.calc.aws_offerings import ByHand
from reservations.calc.purchase_orders import Order

# Azure's types of what is reserved, by the service of the bill (az reservations catalog show).
AZURE_RESOURCES: Final = {
    "Virtual Machines": "VirtualMachines",
    "SQL Database": "SqlDatabases",
    "Azure Database for PostgreSQL": "PostgreSql",
    "Azure Database for MySQL": "MySql",
    "Azure Database for MariaDB": "MariaDb",
    "Azure Cache for Redis": "RedisCache",
    "Redis Cache": "RedisCache",
    "Azure App Service": "AppService",
}
AZURE_BILLING: Final = {"all": "Upfront", "none": "Monthly"}
# A plan that is paid at once has no billing plan.
AZURE_PLAN_BILLING: Final = {"all": "", "none": "P1M"}
NEEDED: Final = {
    "Azure": ("AZURE_BILLING_SCOPE", "the subscription that is charged, as /subscriptions/<id>"),
    "Google Cloud": ("CLOUDSDK_CORE_PROJECT", "the project that is charged"),
}
# Google's type of commitment by the series of the machine, and its gigabytes for each vCPU by the machine's shape.
GCP_SERIES: Final = {
    "n1": ("general-purpose", {"standard": "3.75", "highmem": "6.5"}),
    "n2": ("general-purpose-n2", {"standard": "4", "highmem": "8", "highcpu": "1"}),
    "n2d": ("general-purpose-n2d", {"standard": "4", "highmem": "8", "highcpu": "1"}),
    "e2": ("general-purpose-e2", {"standard": "4", "highmem": "8", "highcpu": "1"}),
    "t2d": ("general-purpose-t2d", {"standard": "4"}),
    "c2": ("compute-optimized", {"standard": "4"}),
    "c2d": ("compute-optimized-c2d", {"standard": "4", "highmem": "8", "highcpu": "2"}),
    "c3": ("compute-optimized-c3", {"standard": "4", "highmem": "8", "highcpu": "2"}),
}
GCP_MACHINE: Final = re.compile(r"(?P<series>[a-z]\d[a-z]?)-(?P<shape>standard|highmem|highcpu)-(?P<cpus>\d+)\Z")
GCP_PLANS: Final = {12: "12-month", 36: "36-month"}


def azure_reservation(order: Order) -> list[str]:
    """The options of both `reservation-order calculate` and `purchase`, but for who is charged. Raises ByHand."""
    resource = AZURE_RESOURCES.get(order.service)
    if resource is None:
        raise ByHand(
            _("Which reservation Azure sells for {value} is chosen in its portal.").format(
                value=order.service or _("this")
            )
        )
    if resource == "VirtualMachines" and not order.instance_type.startswith("Standard_"):
        raise ByHand(
            _("Azure's name (SKU) of {value} is not in the bill.").format(value=order.instance_type or _("the machine"))
        )
    if order.payment not in AZURE_BILLING:
        raise ByHand(_("Azure is paid at once or monthly, and this is partly upfront."))
    options = ["--reserved-resource-type", resource, "--sku", order.instance_type, "--location", order.region]
    options += ["--quantity", f"{int(order.quantity)}", "--term", f"P{order.term_months // 12}Y"]
    options += ["--billing-plan", AZURE_BILLING[order.payment], "--applied-scope-type", "Shared"]
    options += ["--display-name", order.name]
    return options + (["--instance-flexibility", "On"] if resource == "VirtualMachines" else [])


def azure_plan(order: Order) -> list[str]:
    """The command that creates a savings plan, but for who is charged; its alias makes it happen once."""
    if order.payment not in AZURE_PLAN_BILLING:
        raise ByHand(_("Azure is paid at once or monthly, and this is partly upfront."))
    words = ["az", "billing-benefits", "savings-plan-order-aliases", "create", "--order-alias-name", order.name]
    words += ["--display-name", order.name, "--sku", "Compute_Savings_Plan", "--applied-scope-type", "Shared"]
    words += ["--commitment", f"{{amount:{order.commitment},currency-code:{order.currency},grain:Hourly}}"]
    words += ["--term", f"P{order.term_months // 12}Y"]
    billing = AZURE_PLAN_BILLING[order.payment]
    return words + (["--billing-plan", billing] if billing else [])


def google_commitment(order: Order) -> list[str]:
    """The command that creates a commitment for the vCPUs and the memory of the machines. Raises ByHand."""
    if order.is_plan:
        raise ByHand(_("Google sells flexible committed use discounts in its console only."))
    if order.instance_type.upper().endswith(("-RAM", "-VCPU")):
        raise ByHand(
            _("Google sells vCPUs and memory in one commitment: buy this with the other part of the same plan.")
        )
    match = GCP_MACHINE.match(order.instance_type)
    series, shapes = GCP_SERIES.get(match["series"], ("", {})) if match else ("", {})
    if match is None or match["shape"] not in shapes:
        machine = order.instance_type or _("the machine")
        raise ByHand(_("How many vCPUs and how much memory {machine} has is not known here.").format(machine=machine))
    if order.term_months not in GCP_PLANS:
        raise ByHand(_("Google commits for one or three years."))
    cpus = int(match["cpus"]) * int(order.quantity)
    megabytes = int(Decimal(shapes[match["shape"]]) * 1024 * cpus)
    words = ["gcloud", "compute", "commitments", "create", order.name, "--region", order.region]
    words += ["--plan", GCP_PLANS[order.term_months], "--type", series]
    return [*words, "--resources", f"vcpu={cpus},memory={megabytes}MB"]
