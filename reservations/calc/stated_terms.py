"""What the charges of one commitment state of it: kind, term, payment, count, days, machines. Pure: no Django.

Each value has an origin, and one of a lower rank never replaces one of a higher: what was guessed, what a bill states,
what the provider's own list states, what a person wrote.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from typing import Any, Final

from finops_site.lib.money import EXACT
from finops_site.lib.periods import months_later
from reservations.calc.machine_pools import read_use, service_of
from reservations.calc.terms import (
    AWS,
    AWS_PAYMENTS,
    AZURE,
    AZURE_PLAN,
    AZURE_RESERVATION,
    EC2,
    GCP_CUD,
    GCP_FLEXIBLE,
    GOOGLE,
    PLAN_SERVICES,
    PLANS,
    RESERVED,
    RI_CONVERTIBLE,
    RI_STANDARD,
    SP_COMPUTE,
    SP_DATABASE,
    SP_EC2,
    SP_SAGEMAKER,
    WIDE_PLANS,
    family_of,
    provider_of,
    units,
)

GUESS, BILL, API, PERSON = "guess", "bill", "api", "person"
RANKS: Final = {GUESS: 0, BILL: 1, API: 2, PERSON: 3}
# Months: nobody sells a longer one.
LONGEST_TERM = 120
# What a bill calls a kind, and how sure that is: a plan that is only called one may be of any kind.
_KIND_WORDS: Final = (
    (r"ec2 ?instance ?s(p|avings)|ec2instancesp", SP_EC2, BILL),
    (r"sagemaker|machine ?learning ?savings", SP_SAGEMAKER, BILL),
    (r"database ?s(p|avings)", SP_DATABASE, BILL),
    (r"compute ?s(p|avings)", SP_COMPUTE, BILL),
    (r"saving", SP_COMPUTE, GUESS),
    (r"convertible", RI_CONVERTIBLE, BILL),
    (r"standard reserved|offeringclass\W+standard", RI_STANDARD, BILL),
    (r"reserved|reservation|reserved[-_ ]?(node|cache|instance)", RI_STANDARD, GUESS),
)


@dataclass(frozen=True, slots=True)
class StatedValue:
    """A value of a field of a commitment, and where it comes from."""

    value: Any
    origin: str = BILL


def outranks(new: str, old: str) -> bool:
    """Whether a value of one origin replaces a known one of another. Lists and persons also replace their own."""
    return RANKS[new] > RANKS[old] or (new == old and new in (API, PERSON))


def kind_of(provider: str, words: str, identity: str) -> StatedValue:
    """The kind of commitment, by what the bill calls it and by its id."""
    text, issuer = f"{words} {identity}".lower(), provider_of(provider)
    if issuer == AZURE:
        return StatedValue(AZURE_PLAN if "saving" in text else AZURE_RESERVATION)
    if issuer == GOOGLE:
        return StatedValue(GCP_FLEXIBLE if "flexible" in text or "dollar based" in text else GCP_CUD)
    for pattern, kind, origin in _KIND_WORDS:
        if re.search(pattern, text):
            return StatedValue(kind, origin)
    return StatedValue("other", GUESS)


def stated_terms(
    provider: str, identity: str, rows: Sequence[Mapping[str, Any]], capacities: Sequence[Mapping[str, Any]] = ()
) -> dict[str, StatedValue]:
    """{field of a commitment: what its charges state}; what they do not state is left out.

    `rows` are those of `charge_queries.commitment_use`, `capacities` those of `charge_queries.commitment_capacity`.
    """
    words = " ".join(sorted({row[name] for row in rows for name in ("type", "words") if row[name]}))
    kind = _proved_kind(kind_of(provider, words, identity), rows)
    values = {**_machines(provider, kind.value, rows), **_days(rows), **_payment(provider, rows)}
    if kind == StatedValue(RI_STANDARD, GUESS) and values["service"].value != EC2:
        # Reservations of other services have no class.
        kind = StatedValue(RI_STANDARD)
    values["kind"] = kind
    machine = values["instance_type"].value if "instance_type" in values else ""
    values |= _capacity(kind.value, machine, rows, capacities)
    if _is_zonal(provider, kind.value, rows):
        values["scope"] = StatedValue("zonal")
    values["account"] = StatedValue(_account(identity, rows))
    for name in ("name", "unit", "currency"):
        values[name] = StatedValue(_first(rows, name))
    return {name: stated for name, stated in values.items() if stated.value not in (None, "")}


def service_name(provider: str, service: str) -> str:
    """EC2, RDS, Fargate and so on for AWS; for others the service as the bill writes it. Empty for AWS's plans."""
    if provider_of(provider) != AWS:
        return service
    return service_of(service) or ("" if "savings" in service.lower() else service)


def _proved_kind(kind: StatedValue, rows: Sequence[Mapping[str, Any]]) -> StatedValue:
    """A plan that covers two families, two regions, or what is no machine of EC2 is a Compute plan, whatever it is
    called.
    """
    if kind != StatedValue(SP_COMPUTE, GUESS):
        return kind
    used = [row for row in rows if row["status"] == "Used"]
    families = {family_of(row[name]) for row in used for name in ("machine", "first_machine") if row[name]}
    regions = {row["region"] for row in used if row["region"]}
    services = {service_name(row["provider"], row["service"] or "") for row in used}
    _, reach = PLAN_SERVICES[SP_COMPUTE]
    is_wide = len(families) > 1 or len(regions) > 1 or bool((services & set(reach or ())) - {EC2})
    return StatedValue(SP_COMPUTE) if is_wide else kind


def _bought_first(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The charges of the commitment itself before those of what used it, which may be of another size or account."""
    return sorted(rows, key=lambda row: row["category"] != "Purchase" and row["status"] != "Unused")


def _first(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    return next((str(row[name]) for row in _bought_first(rows) if row[name]), "")


def _machines(provider: str, kind: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, StatedValue]:
    """Which machines it is for; a plan for all of them has none of this."""
    if kind in WIDE_PLANS:
        return {}
    own = [row for row in _bought_first(rows) if row["machine"]]
    exact = next((row for row in own if row["category"] == "Purchase" or row["status"] == "Unused"), None)
    types = {row[name] for row in own for name in ("machine", "first_machine")}
    families = {family_of(type_) for type_ in types}
    if kind == SP_EC2:
        machine = families.pop() if len(families) == 1 else ""
    elif exact is not None:
        machine = exact["machine"]
    else:
        # Sizes that use a reservation of one size may be others of its family.
        machine = types.pop() if len(types) == 1 else families.pop() if len(families) == 1 else ""
    return {
        "service": StatedValue(service_name(provider, _first(rows, "service"))),
        "instance_type": StatedValue(machine),
        "region": StatedValue(_first(rows, "region")),
        "system": StatedValue("" if kind == SP_EC2 else _system(rows)),
    }


def _is_zonal(provider: str, kind: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it is for one zone: then AWS's own charges of it name that. What uses it always runs in one."""
    own = [row for row in rows if row["category"] == "Purchase" or row["status"] == "Unused"]
    return (
        provider_of(provider) == AWS and kind in (RI_STANDARD, RI_CONVERTIBLE) and any(row.get("zone") for row in own)
    )


def _system(rows: Sequence[Mapping[str, Any]]) -> str:
    """The operating system or the engine; empty where no charge says anything of it."""
    for row in _bought_first(rows):
        if row["machine"] and (row["operation"] or row["description"]):
            pool = read_use({**row, "type": row["machine"]}).pool
            if pool:
                return pool.system
    return ""


def _days(rows: Sequence[Mapping[str, Any]]) -> dict[str, StatedValue]:
    """Term, start and end; the end is the first day that is not covered as a whole. Two of them give the third."""
    stated = {name: max((row[name] for row in rows if row[name] is not None), default=None) for name in ("term", "end")}
    # A reservation that was bought once more under the same id would start anew: the first day stands.
    start = min((row["start"] for row in rows if row["start"] is not None), default=None)
    end, term = stated["end"], stated["term"]
    months = int(term) if term is not None and 0 < term <= LONGEST_TERM else None
    first = start.date() if start else None
    past = (end.date() if end.time() == time() else end.date() + timedelta(days=1)) if end else None
    if first and past and past <= first:
        first = past = None
    if months and first and past is None:
        past = months_later(first, months)
    elif months and past and first is None:
        first = months_later(past, -months)
    return {"term_months": StatedValue(months), "start": StatedValue(first), "end": StatedValue(past)}


def _payment(provider: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, StatedValue]:
    """As written; else by how often its purchase is charged: once, again and again, or both.

    What is charged again and again may have been paid in part when it was bought, in a month that is not here.
    """
    words = next((row["payment"] for row in rows if row["payment"]), "").lower()
    written = next((key for key, name in AWS_PAYMENTS.items() if name.lower() == words), "")
    bought = [row for row in rows if row["category"] == "Purchase"]
    frequencies = {row[name] for row in bought for name in ("frequency", "first_frequency") if row[name]}
    if not written and frequencies == {"One-Time", "Recurring"}:
        written = "partial"
    elif not written and frequencies == {"One-Time"}:
        written = "all"
    elif not written and frequencies == {"Recurring"} and provider_of(provider) == AZURE:
        # Azure sells nothing that is paid in part.
        written = "none"
    return {"payment": StatedValue(written)}


def _account(identity: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Who bought it: AWS's names have the account; what used it may be another's."""
    of_arn = re.match(r"arn:aws[^:]*:[^:]*:[^:]*:(\d+):", identity)
    return of_arn[1] if of_arn else _first(rows, "account")


def _capacity(
    kind: str, machine: str, rows: Sequence[Mapping[str, Any]], capacities: Sequence[Mapping[str, Any]]
) -> dict[str, StatedValue]:
    """How many machines, or how much money an hour: as stated, else what its hours add up to."""
    count = max((row["count"] for row in rows if row["count"] is not None), default=None)
    size = units(machine) or Decimal(1)
    hourly = []
    has_units = False
    for row in capacities:
        is_in_units = "normali" in (row["unit"] or "").lower()
        has_units = has_units or is_in_units
        amount = row["quantity"] if kind not in PLANS else _money(row)
        if amount is not None and row["hours"]:
            one = size if is_in_units else Decimal(1)
            hourly.append(EXACT.divide(amount, row["hours"] * one))
    most = max(hourly, default=None)
    if most is None or most <= 0:
        return {"count": StatedValue(count)}
    if kind in PLANS:
        return {"hourly_commitment": StatedValue(most)}
    if kind not in RESERVED:
        return {"count": StatedValue(count)}
    if machine not in {row[name] for row in rows for name in ("machine", "first_machine")}:
        # Of a family no machines can be counted, only normalised units.
        return {"count": StatedValue(most if has_units else None)}
    return {"count": StatedValue(count if count is not None else most)}


def _money(row: Mapping[str, Any]) -> Decimal | None:
    """What a plan commits to is in its own currency; where the bill counts no units, in effective cost."""
    amount: Decimal | None = row["quantity"] if row["quantity"] is not None else row["effective"]
    return amount
