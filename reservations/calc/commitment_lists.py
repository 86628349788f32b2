"""The providers' own lists of what is owned, from their command lines, APIs and portals. Pure: no Django.

AWS: the answers of ``describe-reserved-instances`` (EC2), ``describe-reserved-db-instances``,
``describe-reserved-cache-nodes`` and ``describe-savings-plans``, by botocore's service models. Azure: ``az reservations
reservation list``, savings plans by the Billing Benefits API, and reservation transactions as JSON or CSV. Google:
``gcloud compute commitments list --format=json``.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from finops_site.lib.language import gettext as _
from finops_site.lib.periods import months_later
from reservations.calc.machine_pools import system_named
from reservations.calc.terms import (
    AWS_PAYMENTS,
    AZURE_PLAN,
    AZURE_RESERVATION,
    EC2,
    ELASTICACHE,
    GCP_CUD,
    GCP_FLEXIBLE,
    GOOGLE,
    RDS,
    RI_CONVERTIBLE,
    RI_STANDARD,
    SP_COMPUTE,
    SP_DATABASE,
    SP_EC2,
    SP_SAGEMAKER,
    VIRTUAL_MACHINES,
)

DAY_SECONDS = 86_400
ZERO: Final = Decimal(0)
PAYMENTS: Final = {name.lower(): key for key, name in AWS_PAYMENTS.items()}
AZURE_BILLING: Final = {"monthly": "none", "upfront": "all", "p1m": "none"}
PLAN_KINDS: Final = {
    "Compute": SP_COMPUTE,
    "EC2Instance": SP_EC2,
    "SageMaker": SP_SAGEMAKER,
    "Database": SP_DATABASE,
}
# What was never paid, or is no more of its own: an exchanged reservation lives on under another id. What is queued
# begins later and is bought; a plan whose return is pending holds until it is returned.
NOT_OWNED: Final = ("payment-failed", "queued-deleted", "payment-pending", "failed", "cancelled", "pending")
# What was owned and is no more, whatever end the list states.
OVER: Final = ("returned", "retired")
STATED_AMOUNTS: Final = ("count", "hourly_commitment", "upfront", "recurring_hourly")


class BadList(ValueError):
    """A list that cannot be read; the message names the entry and the reason."""


@dataclass(frozen=True, slots=True)
class ListedCommitment:
    """One commitment as its provider lists it; `values` are fields of a commitment, those that the list states.

    `state` as AWS writes it, in small letters; empty for others.
    """

    provider: str
    identity: str
    values: Mapping[str, Any] = field(default_factory=dict)
    state: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it was returned or has ended; the list may still state the end that it would have had."""
        return self.state in OVER

    @property
    def is_returning(self) -> bool:
        """Whether its return was asked for: it holds until that is granted."""
        return self.state == "pending-return"


def read_list(text: str) -> list[ListedCommitment]:
    """The commitments of a list, as JSON or CSV. Raises BadList where it is no known list, or an entry is wrong."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            document = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise BadList(_("It begins like JSON and is none.")) from None
        return read_answer(document)
    return [listed for entry in _transactions(text) for listed in entry]


def is_transaction_csv(header: Iterable[str]) -> bool:
    """Whether a CSV is Azure's list of reservation transactions."""
    return {"reservationorderid", "eventtype", "quantity"} <= {_plain(name) for name in header}


def read_answer(document: Any) -> list[ListedCommitment]:
    """The same of an answer that is parsed already. Raises BadList."""
    if isinstance(document, dict):
        for name, read in ANSWERS.items():
            if name in document:
                return list(_each_of(document[name], read))
        if "value" in document:
            document = document["value"]
    if not isinstance(document, list):
        raise BadList(
            _("None of {names}, no list of Azure's and none of Google's is in it.").format(names=", ".join(ANSWERS))
        )
    return list(_each_of(document, _read_other))


def _each_of(entries: Any, read: Callable[[Mapping[str, Any]], ListedCommitment | None]) -> Iterator[ListedCommitment]:
    if not isinstance(entries, Iterable) or isinstance(entries, str | dict):
        raise BadList(_("Where its commitments should be is no list."))
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            raise BadList(_("Entry {number}: it is no commitment with names and values.").format(number=number))
        try:
            listed = read(entry)
        except BadList as error:
            raise BadList(_("Entry {number}: {error}").format(number=number, error=error)) from None
        except KeyError as error:
            # A name that the entry lacks, or a value of it that nobody has heard of.
            name = error.args[0]
            problem = (
                _("{name!r} is no value known here").format(name=name)
                if name in _texts(entry)
                else _("it has no {name}").format(name=name)
            )
            raise BadList(_("Entry {number}: {problem}.").format(number=number, problem=problem)) from None
        except (TypeError, ValueError, InvalidOperation, AttributeError):
            raise BadList(
                _("Entry {number}: a value in it is of another kind than the provider writes there.").format(
                    number=number
                )
            ) from None
        if listed:
            start, end = listed.values.get("start"), listed.values.get("end")
            if start and end and end <= start:
                raise BadList(
                    _("Entry {number}: it ends ({end}) before it starts ({start}).").format(
                        number=number, end=end, start=start
                    )
                )
            for name in STATED_AMOUNTS:
                amount = listed.values.get(name, ZERO)
                if not amount.is_finite() or amount < 0:
                    raise BadList(
                        _("Entry {number}: {name} {amount} cannot be right.").format(
                            number=number, name=name.replace("_", " "), amount=amount
                        )
                    )
            yield replace(listed, state=str(entry.get("state") or entry.get("State") or "").lower())


def _texts(entry: Mapping[str, Any]) -> set[str]:
    return {text for value in entry.values() if isinstance(value, str) for text in (value, value.lower())}


def _plan(entry: Mapping[str, Any]) -> ListedCommitment | None:
    if str(entry.get("state", "")).lower() in NOT_OWNED:
        return None
    is_of_family = entry["savingsPlanType"] == "EC2Instance"
    return _listed(
        "AWS",
        entry["savingsPlanArn"],
        kind=PLAN_KINDS[entry["savingsPlanType"]],
        payment=PAYMENTS[entry["paymentOption"].lower()],
        hourly_commitment=_decimal(entry["commitment"]),
        currency=entry.get("currency", "USD"),
        upfront=_decimal(entry.get("upfrontPaymentAmount")),
        recurring_hourly=_decimal(entry.get("recurringPaymentAmount")),
        term_months=_months(int(entry["termDurationInSeconds"])),
        start=_day(entry["start"]),
        end=_past(entry.get("end")),
        region=entry.get("region", "") if is_of_family else "",
        instance_type=entry.get("ec2InstanceFamily", "") if is_of_family else "",
        service=EC2 if is_of_family else "",
    )


def _reserved(entry: Mapping[str, Any]) -> ListedCommitment | None:
    """EC2. The list has no ARN and no region: `Commitment` ids end with this id."""
    if str(entry.get("State", "")).lower() in NOT_OWNED:
        return None
    zone = entry.get("AvailabilityZone", "")
    return _listed(
        "AWS",
        entry["ReservedInstancesId"],
        kind=RI_CONVERTIBLE if entry.get("OfferingClass") == "convertible" else RI_STANDARD,
        instance_type=entry["InstanceType"],
        system=system_named(EC2, entry.get("ProductDescription", "")),
        scope="zonal" if entry.get("Scope") == "Availability Zone" or zone else "regional",
        region=re.sub("[a-z]$", "", zone),
        **_aws_terms(entry, count="InstanceCount", start="Start", service=EC2),
    )


def _database(entry: Mapping[str, Any]) -> ListedCommitment | None:
    if str(entry.get("State", "")).lower() in NOT_OWNED:
        return None
    deployed = " Multi-AZ" if entry.get("MultiAZ") else ""
    return _listed(
        "AWS",
        entry.get("ReservedDBInstanceArn") or entry["ReservedDBInstanceId"],
        kind=RI_STANDARD,
        instance_type=entry["DBInstanceClass"],
        system=system_named(RDS, entry.get("ProductDescription", "")) + deployed,
        **_aws_terms(entry, count="DBInstanceCount", start="StartTime", service=RDS),
    )


def _cache(entry: Mapping[str, Any]) -> ListedCommitment | None:
    if str(entry.get("State", "")).lower() in NOT_OWNED:
        return None
    return _listed(
        "AWS",
        entry.get("ReservationARN") or entry["ReservedCacheNodeId"],
        kind=RI_STANDARD,
        instance_type=entry["CacheNodeType"],
        system=system_named(ELASTICACHE, entry.get("ProductDescription", "")),
        **_aws_terms(entry, count="CacheNodeCount", start="StartTime", service=ELASTICACHE),
    )


def _aws_terms(entry: Mapping[str, Any], *, count: str, start: str, service: str) -> dict[str, Any]:
    """What AWS's lists of reservations have in common; what is charged by the hour is for each of them."""
    months, first = _months(int(entry["Duration"])), _day(entry[start])
    hourly = [
        _decimal(charge.get("Amount") or charge.get("RecurringChargeAmount"))
        for charge in entry.get("RecurringCharges", ())
    ]
    number = int(entry[count])
    fixed = _decimal(entry.get("FixedPrice"))
    return {
        "service": service,
        "count": Decimal(number),
        "term_months": months,
        "payment": PAYMENTS.get(str(entry.get("OfferingType", "")).lower(), ""),
        "start": first,
        # EC2 states the end; a reservation that was modified ends with the one it came from.
        "end": _past(entry["End"]) if entry.get("End") else months_later(first, months) if first and months else None,
        "currency": entry.get("CurrencyCode", "USD"),
        "upfront": fixed * number if fixed is not None else None,
        "recurring_hourly": sum((amount for amount in hourly if amount), Decimal(0)) * number if hourly else None,
    }


def _read_other(entry: Mapping[str, Any]) -> ListedCommitment | None:
    """An entry of a list without a name: Azure's have `properties`, Google's a `plan`."""
    if "properties" in entry:
        return _azure_savings_plan(entry) if "savingsplan" in entry["id"].lower() else _azure_reservation(entry)
    if "plan" in entry and "endTimestamp" in entry:
        return _google(entry)
    raise ValueError(_("it is no commitment of Azure or Google"))


def _azure_reservation(entry: Mapping[str, Any]) -> ListedCommitment | None:
    own = entry["properties"]
    if str(own.get("provisioningState", "")).lower() in NOT_OWNED:
        return None
    if "eventType" in own:
        return _transaction({_plain(name): value for name, value in own.items()})
    machine = (entry.get("sku") or {}).get("name") or own.get("skuName", "")
    is_machine = str(own.get("reservedResourceType", "VirtualMachines")) == "VirtualMachines"
    return _listed(
        "Azure",
        entry["id"].lower(),
        kind=AZURE_RESERVATION,
        name=own.get("displayName", ""),
        instance_type=machine,
        service=VIRTUAL_MACHINES if is_machine else own.get("reservedResourceType", ""),
        region=str(entry.get("location", "")).lower(),
        count=_decimal(own.get("quantity")),
        term_months=_azure_months(own.get("term")),
        payment=AZURE_BILLING.get(str(own.get("billingPlan", "")).lower(), ""),
        start=_day(own.get("effectiveDateTime") or own.get("purchaseDateTime") or own.get("benefitStartTime")),
        end=_past(own.get("expiryDateTime") or own.get("expiryDate")),
        scope=str(own.get("appliedScopeType") or own.get("userFriendlyAppliedScopeType") or "").lower(),
    )


def _azure_savings_plan(entry: Mapping[str, Any]) -> ListedCommitment | None:
    own = entry["properties"]
    if str(own.get("provisioningState", "")).lower() in NOT_OWNED:
        return None
    commitment = own.get("commitment") or {}
    return _listed(
        "Azure",
        entry["id"].lower(),
        kind=AZURE_PLAN,
        name=own.get("displayName", ""),
        hourly_commitment=_decimal(commitment.get("amount")),
        currency=commitment.get("currencyCode", "USD"),
        term_months=_azure_months(own.get("term")),
        payment=AZURE_BILLING.get(str(own.get("billingPlan", "")).lower(), ""),
        start=_day(own.get("effectiveDateTime") or own.get("benefitStartTime") or own.get("purchaseDateTime")),
        end=_past(own.get("expiryDateTime")),
        scope=str(own.get("appliedScopeType", "")).lower(),
    )


def _transactions(text: str) -> Iterator[Iterator[ListedCommitment]]:
    reader = csv.DictReader(io.StringIO(text))
    if not is_transaction_csv(reader.fieldnames or ()):
        raise BadList(
            _("It is no list of Azure's reservation transactions: it lacks ReservationOrderId and EventType.")
        )
    yield _each_of(({_plain(name): value for name, value in row.items() if name} for row in reader), _transaction)


def _transaction(row: Mapping[str, Any]) -> ListedCommitment | None:
    """A purchase; what was cancelled, refunded or exchanged ends another way, which the list of reservations states."""
    if str(row["eventtype"]).lower() != "purchase":
        return None
    start, months = _day(row["eventdate"]), _azure_months(row.get("term"))
    frequency = str(row.get("billingfrequency", "")).lower()
    order = str(row["reservationorderid"]).lower().rpartition("/")[2]
    return _listed(
        "Azure",
        f"/providers/microsoft.capacity/reservationorders/{order}/reservations/",
        kind=AZURE_RESERVATION,
        name=row.get("reservationordername", ""),
        instance_type=row.get("armskuname", ""),
        service=VIRTUAL_MACHINES if str(row.get("armskuname", "")).startswith("Standard_") else "",
        region=str(row.get("region", "")).lower(),
        count=_decimal(row["quantity"]),
        term_months=months,
        payment={"onetime": "all", "recurring": "none"}.get(frequency, ""),
        currency=row.get("currency") or "USD",
        start=start,
        end=months_later(start, months) if start and months else None,
    )


def _google(entry: Mapping[str, Any]) -> ListedCommitment | None:
    cores = [row for row in entry.get("resources", ()) if row.get("type") == "VCPU"]
    memory = [row for row in entry.get("resources", ()) if row.get("type") == "MEMORY"]
    what = (cores or memory)[:1]
    series = str(entry.get("type", "")).rpartition("_")[2].lower()
    months = {"TWELVE_MONTH": 12, "THIRTY_SIX_MONTH": 36, "SIXTY_MONTH": 60}.get(str(entry["plan"]))
    is_flexible = str(entry.get("type", "")).startswith("COMPUTE_FLEXIBLE")
    return _listed(
        GOOGLE,
        str(entry["id"]),
        kind=GCP_FLEXIBLE if is_flexible else GCP_CUD,
        name=entry.get("name", ""),
        service="Compute Engine",
        instance_type=f"{series or 'n1'}-{'vCPU' if cores else 'RAM'}" if what and not is_flexible else "",
        # Memory is listed in MB.
        count=Decimal(str(what[0]["amount"])) / (1 if cores else 1024) if what else None,
        region=str(entry.get("region", "")).rpartition("/")[2],
        term_months=months,
        payment="none",
        start=_day(entry.get("startTimestamp")),
        end=_past(entry["endTimestamp"]),
    )


ANSWERS: Final[Mapping[str, Callable[[Mapping[str, Any]], ListedCommitment | None]]] = {
    "savingsPlans": _plan,
    "ReservedInstances": _reserved,
    "ReservedDBInstances": _database,
    "ReservedCacheNodes": _cache,
}


def _listed(provider: str, identity: str, **values: Any) -> ListedCommitment:
    return ListedCommitment(
        provider, identity, {name: value for name, value in values.items() if value not in (None, "")}
    )


def _plain(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


def _decimal(value: Any) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))


def _months(seconds: int) -> int:
    """AWS states terms in seconds: a year of 365 days; three years have 94,608,000 of them."""
    return round(seconds / DAY_SECONDS / 365) * 12


def _azure_months(term: Any) -> int | None:
    years = re.search("[1-5]", str(term or ""))
    return 12 * int(years[0]) if years and "y" in str(term).lower() else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime) or value in (None, ""):
        return value or None
    text = re.sub(r"(\.\d{6})\d+", r"\1", str(value).replace("Z", "+00:00"))
    return datetime.fromisoformat(text) if "-" in text else datetime.strptime(text[:10], "%m/%d/%Y")


def _day(value: Any) -> date | None:
    moment = _moment(value)
    return moment.date() if moment else None


def _past(value: Any) -> date | None:
    """The first day that is not covered as a whole."""
    moment = _moment(value)
    if moment is None:
        return None
    return moment.date() if moment.time().replace(microsecond=0) == time() else moment.date() + timedelta(days=1)
