"""Clients of AWS: which savings plans and reservations it sells now, at which price, and buying one.

A client speaks to one API and knows nothing of requests and their states. It raises one of two errors:
`PurchaseRefused`, when AWS certainly sold nothing, and `OutcomeUnknown`, when it may have. Neither holds AWS's own
text: it may name accounts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.utils.translation import gettext as _

from costs.models import Credential
from costs.sources.aws import aws_client
from costs.sources.aws_calls import AwsAddress, NoSuchCall, NotDone, OutcomeUnknown, call_errors
from costs.sources.storage import StorageProblem
from finops_site.translation import gettext_lazy as _lazy
from reservations.calc import purchase_orders
from reservations.calc.aws_offerings import (
    EC2_PRODUCTS,
    RESERVATION_APIS,
    AwsCalls,
    ByHand,
    ReservationApi,
    aws_calls,
)
from reservations.calc.purchase_orders import Order
from reservations.calc.terms import RESERVED, SP_COMPUTE, SP_EC2, MachinePool

if TYPE_CHECKING:
    from botocore.client import BaseClient

SECONDS_AN_HOUR = 3600
# Plans whose rates for machines AWS tells, so that they can be compared with the approved ones.
COMPARED_PLANS = (SP_COMPUTE, SP_EC2)
# A plan or reservation whose payment failed was not sold.
FAILED = "payment-failed"
REASONS = {
    "UnauthorizedOperation": _lazy("the role may not buy (ec2:PurchaseReservedInstancesOffering)."),
    "AccessDeniedException": _lazy("the role may not buy (savingsplans:CreateSavingsPlan)."),
    "ServiceQuotaExceededException": _lazy("the account may not buy more of these."),
    "ReservedInstancesLimitExceeded": _lazy("the account may not buy more of these this month."),
}


class PurchaseRefused(Exception):
    """AWS sold nothing, with its reason; or it could not be asked at all."""


@dataclass(frozen=True, slots=True)
class Offering:
    """What AWS sells now: its id, and the effective price of an hour by machine ("m5.large Linux in us-east-1")."""

    identity: str
    prices: dict[str, Decimal]


class PurchaseClient(Protocol):
    def find_offering(self, order: Order, pools: Iterable[MachinePool]) -> Offering:
        """What AWS sells for the order. Raises PurchaseRefused when it is nothing, or not one thing."""

    def check_permission(self, order: Order, offering: str) -> None:
        """Asks whether we may buy it, without buying; does nothing where AWS offers no such question."""

    def owned_ids(self, order: Order) -> list[str]:
        """Ids of what is owned already and looks like the order, so that what is new is recognised."""

    def buy(self, order: Order, offering: str) -> str:
        """Buys it, once, and returns the provider's id. Raises PurchaseRefused or OutcomeUnknown."""

    def bought_ids(self, order: Order, known: Sequence[str]) -> list[str]:
        """Ids of what was bought by this order, as far as AWS shows it."""


def client_for(order: Order, endpoint: str, credential: Credential | None) -> PurchaseClient:
    """The client of the API that sells this. Raises PurchaseRefused when none does or we cannot connect to it."""
    if objection := api_objection(order):
        raise PurchaseRefused(objection)
    calls = aws_calls(order)
    region = calls.region or "us-east-1"
    try:
        # Tried once: a lost answer to a purchase must not become a second purchase.
        client = aws_client(calls.service, AwsAddress(region, endpoint, credential), tries=1)
    except StorageProblem as problem:
        raise PurchaseRefused(str(problem)) from None
    if order.is_plan:
        return SavingsPlanClient(client)
    if order.service in RESERVATION_APIS:
        return ServiceClient(client, RESERVATION_APIS[order.service])
    return ReservationClient(client)


def api_objection(order: Order) -> str:
    """Why no API of ours buys it; empty where one does."""
    if order.cloud != "AWS":
        return _("Through the API only AWS's commitments are bought, and this is {cloud}'s: export it.").format(
            cloud=order.cloud
        )
    if order.kind not in (*COMPARED_PLANS, *RESERVED):
        return _("The API does not tell what this plan costs for what it covers: export it and buy it by hand.")
    try:
        aws_calls(order)
    except ByHand as reason:
        return _("{reason} Export it and buy it by hand.").format(reason=reason)
    return ""


@contextmanager
def _purchase_errors() -> Iterator[None]:
    """Turns what botocore raises into PurchaseRefused or OutcomeUnknown."""
    try:
        with call_errors():
            yield
    except NoSuchCall:
        raise PurchaseRefused(_("AWS does not sell anything by such a name.")) from None
    except NotDone as refusal:
        reason = REASONS.get(refusal.code)
        raise PurchaseRefused(
            _("AWS answered {code}: {reason}").format(code=refusal.code, reason=reason) if reason else str(refusal)
        ) from None


@contextmanager
def _query_errors() -> Iterator[None]:
    """Errors of a question: whatever went wrong, nothing was bought."""
    try:
        with _purchase_errors():
            yield
    except OutcomeUnknown as doubt:
        raise PurchaseRefused(str(doubt)) from None


def _all_rows(
    operation: Callable[..., dict[str, Any]], name: str, token: str, **query: object
) -> Iterator[dict[str, Any]]:
    """Every row of a paged answer."""
    with _query_errors():
        while True:
            page = operation(**query)
            yield from page.get(name, ())
            if not page.get(token):
                return
            query[token] = page[token]


def _only_one(identities: Sequence[str]) -> str:
    if not identities:
        raise PurchaseRefused(_("AWS sells no such offering now."))
    if len(identities) > 1:
        raise PurchaseRefused(
            _("AWS sells {identities_count} such offerings: buy it by hand, where one can be chosen.").format(
                identities_count=len(identities)
            )
        )
    return identities[0]


class SavingsPlanClient:
    """Savings plans: a client token makes a purchase happen once, a tag finds it again."""

    def __init__(self, client: "BaseClient") -> None:
        self.client = client

    def find_offering(self, order: Order, pools: Iterable[MachinePool]) -> Offering:
        row = _offering(self.client.describe_savings_plans_offerings, "nextToken", aws_calls(order))
        return Offering(row["offeringId"], self._prices(row["offeringId"], list(pools)))

    def _prices(self, identity: str, pools: Sequence[MachinePool]) -> dict[str, Decimal]:
        filters = [
            {"name": "region", "values": sorted({pool.region for pool in pools})},
            {"name": "instanceType", "values": sorted({pool.type for pool in pools})},
            {"name": "tenancy", "values": ["shared"]},
        ]
        query = {"savingsPlanOfferingIds": [identity], "products": ["EC2"], "filters": filters}
        rows = _all_rows(self.client.describe_savings_plans_offering_rates, "searchResults", "nextToken", **query)
        sold = {}
        for row in rows:
            properties = {item["name"]: item["value"] for item in row.get("properties", ())}
            # Capacity that is reserved and stands idle has rates of its own.
            if "BoxUsage" in row.get("usageType", "BoxUsage"):
                key = tuple(properties.get(name) for name in ("region", "instanceType", "productDescription"))
                sold[key] = Decimal(row["rate"])
        keys = {str(pool): (pool.region, pool.type, EC2_PRODUCTS.get(pool.system, pool.system)) for pool in pools}
        return {name: sold[key] for name, key in keys.items() if key in sold}

    def check_permission(self, order: Order, offering: str) -> None:
        """AWS has no dry run for savings plans."""

    def owned_ids(self, order: Order) -> list[str]:
        return []

    def buy(self, order: Order, offering: str) -> str:
        with _purchase_errors():
            return str(self.client.create_savings_plan(**_purchase(order, offering))["savingsPlanId"])

    def bought_ids(self, order: Order, known: Sequence[str]) -> list[str]:
        rows = _all_rows(self.client.describe_savings_plans, "savingsPlans", "nextToken")
        tagged = [row for row in rows if row.get("tags", {}).get(purchase_orders.TAG) == order.token]
        return [row["savingsPlanId"] for row in tagged if row.get("state") != FAILED]


class ReservationClient:
    """Reserved instances: AWS takes no token here, so that only what is new afterwards shows what was bought."""

    def __init__(self, client: "BaseClient") -> None:
        self.client = client

    def find_offering(self, order: Order, pools: Iterable[MachinePool]) -> Offering:
        calls = aws_calls(order)
        row = _offering(self.client.describe_reserved_instances_offerings, "NextToken", calls, order)
        return Offering(row[calls.identity], {str(order.pool): _effective_hourly(row)})

    def check_permission(self, order: Order, offering: str) -> None:
        from botocore.exceptions import ClientError

        parameters = {**_purchase(order, offering), "DryRun": True}
        with _query_errors():
            try:
                self.client.purchase_reserved_instances_offering(**parameters)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "DryRunOperation":
                    raise

    def owned_ids(self, order: Order) -> list[str]:
        return sorted(row["ReservedInstancesId"] for row in self._owned(order))

    def buy(self, order: Order, offering: str) -> str:
        with _purchase_errors():
            answer = self.client.purchase_reserved_instances_offering(**_purchase(order, offering))
            return str(answer["ReservedInstancesId"])

    def bought_ids(self, order: Order, known: Sequence[str]) -> list[str]:
        return [
            row["ReservedInstancesId"]
            for row in self._owned(order)
            if row["ReservedInstancesId"] not in known
            and row.get("InstanceCount") == int(order.quantity)
            and row.get("State") != FAILED
            and _fits(row, order)
        ]

    def _owned(self, order: Order) -> list[dict[str, Any]]:
        """Reservations of this machine; EC2 answers this question in one page."""
        filters = [{"Name": "instance-type", "Values": [order.instance_type]}]
        with _query_errors():
            return list(self.client.describe_reserved_instances(Filters=filters).get("ReservedInstances", ()))


class ServiceClient:
    """Reserved databases, caches, search instances and warehouse nodes.

    Where the service takes our own name, what is bought under it is found by it, and a second purchase is refused.
    """

    def __init__(self, client: "BaseClient", api: ReservationApi) -> None:
        self.client, self.api = client, api
        self.token = next(name for name in ("NextToken", "Marker") if name in self._members(api.find))

    def find_offering(self, order: Order, pools: Iterable[MachinePool]) -> Offering:
        row = _offering(self._operation(self.api.find), self.token, aws_calls(order))
        return Offering(row[self.api.identity], {str(order.pool): _effective_hourly(row)})

    def check_permission(self, order: Order, offering: str) -> None:
        """These services have no dry run."""

    def owned_ids(self, order: Order) -> list[str]:
        return sorted(row[self.api.owned_id] for row in self._owned())

    def buy(self, order: Order, offering: str) -> str:
        with _purchase_errors():
            answer: Any = self._operation(self.api.buy)(**_purchase(order, offering))
            for name in self.api.sold:
                answer = answer[name]
            return str(answer)

    def bought_ids(self, order: Order, known: Sequence[str]) -> list[str]:
        wanted = {self.api.machine: order.instance_type, self.api.count: int(order.quantity), "Duration": order.seconds}
        rows = [row for row in self._owned() if wanted.items() <= row.items() and row.get("State") != FAILED]
        if self.api.named:
            rows = [row for row in rows if row.get(self.api.named) == order.name]
        return [row[self.api.owned_id] for row in rows if row[self.api.owned_id] not in known]

    def _owned(self) -> list[dict[str, Any]]:
        return list(_all_rows(self._operation(self.api.owned), self.api.owned_rows, self.token))

    def _operation(self, name: str) -> Callable[..., dict[str, Any]]:
        from botocore import xform_name

        return cast(Callable[..., dict[str, Any]], getattr(self.client, xform_name(name)))

    def _members(self, operation: str) -> Iterable[str]:
        return cast(Iterable[str], self.client.meta.service_model.operation_model(operation).input_shape.members)


def _purchase(order: Order, offering: str) -> dict[str, object]:
    calls = aws_calls(order)
    return {**calls.purchase, calls.offering: offering}


def _offering(
    operation: Callable[..., dict[str, Any]], token: str, calls: AwsCalls, ec2_order: Order | None = None
) -> dict[str, Any]:
    """The one offering that is what was ordered, whatever the filters were worth. Raises PurchaseRefused."""
    rows = _all_rows(operation, calls.rows, token, **calls.query)
    wanted = calls.wanted.items()
    fitting = {row[calls.identity]: row for row in rows if all(row.get(name, value) == value for name, value in wanted)}
    if ec2_order:
        fitting = {identity: row for identity, row in fitting.items() if _fits(row, ec2_order)}
    return fitting[_only_one(sorted(fitting))]


def _fits(row: dict[str, Any], order: Order) -> bool:
    """Whether an EC2 offering or reservation is what was ordered."""
    query = aws_calls(order).query
    return (
        row.get("InstanceType") == order.instance_type
        and row.get("ProductDescription", "").removesuffix(" (Amazon VPC)") == EC2_PRODUCTS[order.system]
        and row.get("OfferingClass") == query["OfferingClass"]
        and row.get("OfferingType") == query["OfferingType"]
        and row.get("Duration") == order.seconds
        and row.get("CurrencyCode", order.currency) == order.currency
        and row.get("InstanceTenancy", "default") == order.tenancy
        and (row.get("AvailabilityZone") or "") == order.zone
        and not row.get("Marketplace")
    )


def _effective_hourly(row: dict[str, Any]) -> Decimal:
    """An hour of it: what is paid at once spread over the term, and what is paid each hour."""
    names = ("Amount", "RecurringChargeAmount")
    charges = [charge[name] for charge in row.get("RecurringCharges", ()) for name in names if name in charge]
    hourly = sum((Decimal(str(amount)) for amount in charges), Decimal(0))
    fixed = Decimal(str(row.get("FixedPrice") or 0)) * SECONDS_AN_HOUR / row["Duration"]
    return fixed + hourly + Decimal(str(row.get("UsagePrice") or 0))
