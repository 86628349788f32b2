"""AWS's counters: what savings plans and reserved instances it sells now, at which price, and buying one.

Each counter speaks to one API and knows nothing of requests and their states. An error leaves as one of two: `Refused`,
when AWS certainly sold nothing, and `Unknown`, when it may have. Neither holds AWS's own text: it may name accounts.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from costs.sources import storage
from reservations.calc import purchase_orders
from reservations.calc.purchase_orders import Order
from reservations.calc.terms import MachinePool

SECONDS_AN_HOUR = 3600
# A plan or reservation whose payment failed was not sold.
FAILED = "payment-failed"
WORDS = {
    "UnauthorizedOperation": "the role may not buy (ec2:PurchaseReservedInstancesOffering).",
    "AccessDeniedException": "the role may not buy (savingsplans:CreateSavingsPlan).",
    "ServiceQuotaExceededException": "the account may not buy more of these.",
    "ReservedInstancesLimitExceeded": "the account may not buy more of these this month.",
}


class PurchaseRefused(Exception):
    """AWS sold nothing, and says why; or could not be asked at all."""


class OutcomeUnknown(Exception):
    """No answer came, or none that says whether it was sold."""


@dataclass(frozen=True, slots=True)
class Offering:
    """What AWS sells now: its id, and the effective price of an hour by machine ("m5.large Linux in us-east-1")."""

    identity: str
    prices: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Where and as whom a client speaks: what costs.sources.storage asks of a source."""

    region: str
    endpoint: str
    credential: Any


class PurchaseClient(Protocol):
    def find(self, order: Order, pools: Iterable[MachinePool]) -> Offering:
        """What is sold under the words of the order. Raises Refused when it is nothing, or not one thing."""

    def rehearse(self, order: Order, offering: str) -> None:
        """Asks whether we may buy it, without buying; where AWS offers no such question, nothing."""

    def known(self, order: Order) -> list[str]:
        """Ids of what is owned already and looks like the order, so that what is new can be told."""

    def buy(self, order: Order, offering: str) -> str:
        """Buys it, once, and returns the provider's id. Raises Refused or Unknown."""

    def bought(self, order: Order, known: Sequence[str]) -> list[str]:
        """Ids of what was bought by this order, as far as AWS shows it."""


def client_for(order: Order, endpoint: str, credential: Any) -> PurchaseClient:
    """The counter that sells this. Raises Refused when we cannot speak to it."""
    service, region = ("savingsplans", "us-east-1") if order.is_plan else ("ec2", order.region)
    try:
        # Tried once: a lost answer to a purchase must not become a second purchase.
        client = storage.aws_client(service, AwsAccess(region, endpoint, credential), tries=1)
    except storage.StorageProblem as problem:
        raise PurchaseRefused(str(problem)) from None
    return SavingsPlanClient(client) if order.is_plan else ReservationClient(client)


@contextmanager
def _words() -> Iterator[None]:
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        said = error.response
        code = str(said.get("Error", {}).get("Code", "an error"))
        if said.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
            raise OutcomeUnknown(f"AWS answered {code}.") from None
        raise PurchaseRefused(f"AWS answered {code}{': ' + WORDS[code] if code in WORDS else '.'}") from None
    except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError, exceptions.NoCredentialsError) as error:
        raise PurchaseRefused(f"AWS could not be reached: {type(error).__name__}.") from None
    except exceptions.ParamValidationError:
        raise PurchaseRefused("AWS does not sell anything by such a name.") from None
    except exceptions.BotoCoreError as error:
        raise OutcomeUnknown(f"No answer came: {type(error).__name__}.") from None


@contextmanager
def _asking() -> Iterator[None]:
    """Errors of a question: whatever went wrong, nothing was bought."""
    try:
        with _words():
            yield
    except OutcomeUnknown as unknown:
        raise PurchaseRefused(str(unknown)) from None


def _all(ask: Any, name: str, token: str, **asked: Any) -> Iterator[dict[str, Any]]:
    """Every row of a paged answer."""
    with _asking():
        while True:
            page = ask(**asked)
            yield from page.get(name, ())
            if not page.get(token):
                return
            asked[token] = page[token]


def _only(found: Sequence[str]) -> str:
    if not found:
        raise PurchaseRefused("AWS sells no such offering now.")
    if len(found) > 1:
        raise PurchaseRefused(f"AWS sells {len(found)} such offerings: buy it by hand, where one can be chosen.")
    return found[0]


class SavingsPlanClient:
    """Savings plans: a client token makes a purchase happen once, a tag finds it again."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def find(self, order: Order, pools: Iterable[MachinePool]) -> Offering:
        asked = purchase_orders.plan_offering_query(order)
        rows = list(_all(self.client.describe_savings_plans_offerings, "searchResults", "nextToken", **asked))
        identity = _only([row["offeringId"] for row in rows if row["durationSeconds"] == order.seconds])
        return Offering(identity, self._prices(identity, list(pools)))

    def _prices(self, identity: str, pools: Sequence[MachinePool]) -> dict[str, Decimal]:
        filters = [
            {"name": "region", "values": sorted({pool.region for pool in pools})},
            {"name": "instanceType", "values": sorted({pool.type for pool in pools})},
            {"name": "tenancy", "values": ["shared"]},
        ]
        asked = {"savingsPlanOfferingIds": [identity], "products": ["EC2"], "filters": filters}
        rows = _all(self.client.describe_savings_plans_offering_rates, "searchResults", "nextToken", **asked)
        sold = {}
        for row in rows:
            said = {each["name"]: each["value"] for each in row.get("properties", ())}
            # Capacity that is reserved and stands idle has rates of its own.
            if "BoxUsage" in row.get("usageType", "BoxUsage"):
                named = (said.get("region"), said.get("instanceType"), said.get("productDescription"))
                sold[named] = Decimal(row["rate"])
        keys = {str(pool): (pool.region, pool.type, purchase_orders.aws_product(pool.system)) for pool in pools}
        return {name: sold[key] for name, key in keys.items() if key in sold}

    def rehearse(self, order: Order, offering: str) -> None:
        """AWS has no dry run for savings plans."""

    def known(self, order: Order) -> list[str]:
        return []

    def buy(self, order: Order, offering: str) -> str:
        with _words():
            return str(
                self.client.create_savings_plan(**purchase_orders.plan_purchase(order, offering))["savingsPlanId"]
            )

    def bought(self, order: Order, known: Sequence[str]) -> list[str]:
        rows = _all(self.client.describe_savings_plans, "savingsPlans", "nextToken")
        mine = [row for row in rows if row.get("tags", {}).get(purchase_orders.TAG) == order.token]
        return [row["savingsPlanId"] for row in mine if row.get("state") != FAILED]


class ReservationClient:
    """Reserved instances: AWS takes no token here, so that only what is new afterwards tells what was bought."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def find(self, order: Order, pools: Iterable[MachinePool]) -> Offering:
        asked = purchase_orders.reservation_offering_query(order)
        rows = _all(
            self.client.describe_reserved_instances_offerings, "ReservedInstancesOfferings", "NextToken", **asked
        )
        fitting = {row["ReservedInstancesOfferingId"]: row for row in rows if _is_regional(row) and _fits(row, order)}
        identity = _only(sorted(fitting))
        name = str(MachinePool("AWS", order.region, order.instance_type, order.system))
        return Offering(identity, {name: _effective(fitting[identity])})

    def rehearse(self, order: Order, offering: str) -> None:
        from botocore.exceptions import ClientError

        asked = {**purchase_orders.reservation_purchase(order, offering), "DryRun": True}
        with _asking():
            try:
                self.client.purchase_reserved_instances_offering(**asked)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "DryRunOperation":
                    raise

    def known(self, order: Order) -> list[str]:
        return sorted(row["ReservedInstancesId"] for row in self._owned(order))

    def buy(self, order: Order, offering: str) -> str:
        with _words():
            asked = purchase_orders.reservation_purchase(order, offering)
            return str(self.client.purchase_reserved_instances_offering(**asked)["ReservedInstancesId"])

    def bought(self, order: Order, known: Sequence[str]) -> list[str]:
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
        with _asking():
            return list(self.client.describe_reserved_instances(Filters=filters).get("ReservedInstances", ()))


def _is_regional(row: dict[str, Any]) -> bool:
    return row.get("Scope", "Region") == "Region" and not row.get("AvailabilityZone")


def _fits(row: dict[str, Any], order: Order) -> bool:
    """Whether an offering or a reservation is what was ordered, whatever the filters were worth."""
    asked = purchase_orders.reservation_offering_query(order)
    return (
        row.get("InstanceType") == order.instance_type
        and row.get("ProductDescription", "").removesuffix(" (Amazon VPC)") == purchase_orders.aws_product(order.system)
        and row.get("OfferingClass") == asked["OfferingClass"]
        and row.get("OfferingType") == asked["OfferingType"]
        and row.get("Duration") == order.seconds
        and row.get("CurrencyCode", order.currency) == order.currency
        and row.get("InstanceTenancy", "default") == "default"
        and not row.get("Marketplace")
    )


def _effective(row: dict[str, Any]) -> Decimal:
    """An hour of it: what is paid at once spread over the term, and what is paid each hour."""
    hourly = sum((Decimal(str(each["Amount"])) for each in row.get("RecurringCharges", ())), Decimal(0))
    fixed = Decimal(str(row.get("FixedPrice") or 0)) * SECONDS_AN_HOUR / row["Duration"]
    return fixed + hourly + Decimal(str(row.get("UsagePrice") or 0))
