"""The terms of commitments: kinds, lengths, payments, pools and normalised units. Pure: no Django.

Normalised units are AWS's (EC2 user guide, "How Reserved Instances are applied"): nano 0.25 ... xlarge 8, n xlarge 8n.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from costs.calc import providers
from finops_site.lib.language import gettext as _
from finops_site.lib.language import gettext_noop

HOURS_A_YEAR: Final = 8760
HOURS_A_MONTH: Final = 730

RI_STANDARD: Final = "ri_standard"
RI_CONVERTIBLE: Final = "ri_convertible"
SP_EC2: Final = "sp_ec2"
SP_COMPUTE: Final = "sp_compute"
ON_DEMAND: Final = "on_demand"
SP_DATABASE: Final = "sp_database"
SP_SAGEMAKER: Final = "sp_sagemaker"
AZURE_RESERVATION: Final = "azure_reservation"
AZURE_PLAN: Final = "azure_plan"
GCP_CUD: Final = "gcp_cud"
GCP_FLEXIBLE: Final = "gcp_flexible"
# What is bought in machines, nodes or capacity units; the rest is bought as an amount an hour.
RESERVED: Final = (RI_STANDARD, RI_CONVERTIBLE, AZURE_RESERVATION, GCP_CUD)
PLANS: Final = (SP_EC2, SP_COMPUTE, SP_SAGEMAKER, SP_DATABASE, AZURE_PLAN, GCP_FLEXIBLE)
OPTIONS: Final = (*RESERVED, *PLANS)
# They follow usage through all regions (and services, as far as they reach).
WIDE_PLANS: Final = (SP_COMPUTE, SP_SAGEMAKER, SP_DATABASE, AZURE_PLAN, GCP_FLEXIBLE)
KINDS: Final = {
    RI_STANDARD: "Standard RI",
    RI_CONVERTIBLE: "Convertible RI",
    SP_EC2: "EC2 Instance SP",
    SP_COMPUTE: "Compute SP",
    SP_DATABASE: "Database SP",
    SP_SAGEMAKER: "SageMaker SP",
    AZURE_RESERVATION: gettext_noop("Azure reservation"),
    AZURE_PLAN: gettext_noop("Azure savings plan"),
    GCP_CUD: gettext_noop("Google Cloud committed use discount"),
    GCP_FLEXIBLE: gettext_noop("Google Cloud flexible committed use discount"),
    "other": gettext_noop("Commitment"),
}
AWS: Final = providers.AWS
AZURE: Final = providers.AZURE
GOOGLE: Final = providers.GOOGLE
# The provider as pools and cost lines name it, however it is written.
provider_of: Final = providers.provider_name
KIND_PROVIDERS: Final = {
    **dict.fromkeys((RI_STANDARD, RI_CONVERTIBLE, SP_EC2, SP_COMPUTE, SP_DATABASE, SP_SAGEMAKER), AWS),
    **dict.fromkeys((AZURE_RESERVATION, AZURE_PLAN), AZURE),
    **dict.fromkeys((GCP_CUD, GCP_FLEXIBLE), GOOGLE),
}
TERMS: Final = (12, 36)
# Units as they are stored; counted_text says them.
LOTS: Final = "lots of 100 capacity units"
AN_HOUR: Final = " an hour"
PAYMENTS: Final = {
    "none": gettext_noop("No upfront"),
    "partial": gettext_noop("Partial upfront"),
    "all": gettext_noop("All upfront"),
}
# AWS's names, in its price lists and its API.
AWS_PAYMENTS: Final = {"none": "No Upfront", "partial": "Partial Upfront", "all": "All Upfront"}
AWS_CLASSES: Final = {RI_STANDARD: "standard", RI_CONVERTIBLE: "convertible"}
# What is paid for the whole term on its first day.
UPFRONT_SHARE: Final = {"none": Decimal(0), "partial": Decimal("0.5"), "all": Decimal(1)}

_SMALL = {"nano": "0.25", "micro": "0.5", "small": "1", "medium": "2", "large": "4", "xlarge": "8"}
_MANY = re.compile(r"(\d+)xlarge\Z")
EC2: Final = "EC2"
RDS: Final = "RDS"
ELASTICACHE: Final = "ElastiCache"
OPENSEARCH: Final = "OpenSearch"
REDSHIFT: Final = "Redshift"
MEMORYDB: Final = "MemoryDB"
DYNAMODB: Final = "DynamoDB"
FARGATE: Final = "Fargate"
LAMBDA: Final = "Lambda"
SAGEMAKER: Final = "SageMaker"
VIRTUAL_MACHINES: Final = "Virtual Machines"
COMPUTE_ENGINE: Final = "Compute Engine"
# Databases that have no reservations, or none that is read here: a Database Savings Plan covers them.
OTHER_DATABASES: Final = ("DocumentDB", "Neptune", "Keyspaces", "Timestream", "DMS")
# Whose usage a plan may cover. What it covers of it is what its price list has a rate for.
PLAN_SERVICES: Final = {
    SP_EC2: (AWS, (EC2,)),
    SP_COMPUTE: (AWS, (EC2, FARGATE, LAMBDA)),
    SP_SAGEMAKER: (AWS, (SAGEMAKER,)),
    SP_DATABASE: (AWS, (RDS, ELASTICACHE, DYNAMODB, OPENSEARCH, *OTHER_DATABASES)),
    AZURE_PLAN: (AZURE, None),
    GCP_FLEXIBLE: (GOOGLE, (COMPUTE_ENGINE,)),
}
# Their nodes have no operating system and no engine to choose.
_WITHOUT_SYSTEM = (OPENSEARCH, REDSHIFT, DYNAMODB, FARGATE, LAMBDA)


@dataclass(frozen=True, slots=True, order=True)
class MachinePool:
    """Machines that one price list entry covers: what demand is counted by.

    An empty account means all accounts; an empty zone, any zone of the region.
    """

    provider: str
    region: str
    type: str
    system: str = "Linux"
    tenancy: str = "default"
    account: str = ""
    service: str = "EC2"
    zone: str = ""

    @property
    def family(self) -> str:
        series = azure_series(self.type) if self.provider == AZURE else None
        return series[0] if series else family_of(self.type)

    def __str__(self) -> str:
        """``m5.large Linux in us-east-1``; what is unusual of it is added. `from_text` reads it again."""
        usual = (self.provider, self.service) == ("AWS", service_of_type(self.type))
        service = "" if usual else f"{self.provider}/{self.service}: "
        system = f" {self.system}" if self.system else ""
        tenancy = "" if self.tenancy == "default" else f", {self.tenancy}"
        zone = f", zone {self.zone}" if self.zone else ""
        account = f", account {self.account}" if self.account else ""
        return f"{service}{self.type}{system}{tenancy} in {self.region}{zone}{account}"

    @classmethod
    def from_text(cls, text: str) -> "MachinePool | None":
        """The pool that `str` wrote; None where it did not."""
        match = _POOL.match(text)
        if match is None:
            return None
        parts = match.groupdict(default="")
        return cls(
            parts["provider"] or "AWS",
            parts["region"],
            parts["type"],
            parts["system"],
            parts["tenancy"] or "default",
            parts["account"],
            parts["service"] or service_of_type(parts["type"]),
            parts["zone"],
        )


_POOL = re.compile(
    r"(?:(?P<provider>[^/:]*)/(?P<service>[^:]+): )?(?P<type>[^\s,]+)(?: (?P<system>.+?))?"
    r"(?:, (?P<tenancy>dedicated|host))? in (?P<region>[^\s,]*)"
    r"(?:, zone (?P<zone>\S+?))?(?:, account (?P<account>.+))?\Z"
)


def service_of_type(type_: str) -> str:
    """The service of AWS whose types are named so: ``db.r5.large`` is of RDS, ``m5.large`` of EC2.

    MemoryDB names its nodes as RDS does: there a charge's own service decides.
    """
    prefix = type_.partition(".")[0]
    if type_.endswith(".search"):
        return "OpenSearch"
    return _SERVICES.get(prefix, "EC2")


_SERVICES = {
    "db": "RDS",
    "cache": "ElastiCache",
    "ml": "SageMaker",
    **dict.fromkeys(("ra3", "dc1", "dc2", "ds1", "ds2", "rg"), "Redshift"),
}


def family_of(type_: str) -> str:
    """``m5`` of ``m5.large``, ``db.r5`` of ``db.r5.2xlarge``, ``r6g.search`` of ``r6g.large.search``."""
    family, _ignored, size = type_.rpartition(".")
    if size == "search" and "." in family:
        return f"{family.rpartition('.')[0]}.search"
    return family or type_


def units(type_: str) -> Decimal | None:
    """Normalised units of a size; bare metal has those of its family's largest size. None where AWS gives none."""
    family, _ignored, size = type_.removesuffix(".search").rpartition(".")
    if size in _SMALL:
        return Decimal(_SMALL[size])
    many = _MANY.fullmatch(size)
    if many:
        return Decimal(8 * int(many[1]))
    metal = _METAL_SIZE.fullmatch(size)
    if metal:
        return Decimal(8 * int(metal[1]))
    return Decimal(_METAL[family]) if size == "metal" and family in _METAL else None


_METAL_SIZE = re.compile(r"metal-(\d+)xl")
# EC2 user guide, "How Reserved Instance discounts are applied": the normalisation factors of bare metal.
_METAL = {
    "a1": 32,
    **dict.fromkeys(("m5zn", "x2iezn", "z1d"), 96),
    **dict.fromkeys(("c6g", "c6gd", "i3", "m6g", "m6gd", "r6g", "r6gd", "x2gd", "c7g", "c7gd", "m7g", "m7gd"), 128),
    **dict.fromkeys(("r7g", "r7gd"), 128),
    "c5n": 144,
    **dict.fromkeys(("c5", "c5d", "i3en", "m5", "m5d", "m5dn", "m5n", "r5", "r5b", "r5d", "r5dn", "r5n"), 192),
    **dict.fromkeys(("c6i", "c6id", "c6in", "i4i", "m6i", "m6id", "m6idn", "m6in"), 256),
    **dict.fromkeys(("r6i", "r6id", "r6idn", "r6in", "x2idn", "x2iedn"), 256),
}
# The same page: families whose regional RIs cover their own size only (accelerators, HPC, high memory, Mac).
_ONE_SIZE = re.compile(
    r"(g4ad|g4dn|g5g?|g6[ef]?|g7e?|gr6f?|p[4-9]\w*|inf\d|trn\d\w*|dl\d\w*|vt\d|hpc\d\w*|u-?\d\w*|u\d\w*|mac\d.*)(-.*)?\Z"
)
# RDS user guide, "Size-flexible reserved DB instances": these engines; others cover their own size only.
_FLEXIBLE_ENGINES = ("MySQL", "MariaDB", "PostgreSQL", "Aurora MySQL", "Aurora PostgreSQL")
MULTI_AZ: Final = "multi-az"
MULTI_AZ_SYSTEM: Final = " Multi-AZ"
CLUSTER_SYSTEM: Final = " Multi-AZ cluster"
IO_OPTIMISED: Final = " I/O-Optimized"


def engine_of(pool: MachinePool) -> str:
    """What a reservation must match of the system: a database's engine with its licence, however it is deployed."""
    engine = pool.system
    for deployed in (CLUSTER_SYSTEM, MULTI_AZ_SYSTEM, IO_OPTIMISED):
        engine = engine.removesuffix(deployed)
    return engine


def size_of(pool: MachinePool) -> Decimal | None:
    """Normalised units of a pool's machine in its family; None where it has no other sizes.

    A Multi-AZ database counts double, a cluster of three instances three times, and Aurora I/O-Optimized 1.3 times
    (RDS user guide). Of an Azure machine it is the number of its cores.
    """
    if pool.provider == AZURE:
        series = azure_series(pool.type)
        return Decimal(series[1]) if series else None
    own = units(pool.type)
    if own is None or pool.service != RDS:
        return own
    factor = 3 if pool.system.endswith(CLUSTER_SYSTEM) else 2 if pool.system.endswith(MULTI_AZ_SYSTEM) else 1
    return own * factor * (Decimal("1.3") if IO_OPTIMISED in pool.system else 1)


def is_size_flexible(pool: MachinePool) -> bool:
    """Whether a reservation of its region covers other sizes of its family.

    EC2: Linux without licence on default tenancy, but not accelerators. RDS: engines without a licence of theirs.
    ElastiCache (since October 2024) and MemoryDB: all nodes. OpenSearch and Redshift: none. Azure: within a series.
    """
    if size_of(pool) is None:
        return False
    if pool.provider == AZURE:
        return pool.service == VIRTUAL_MACHINES
    if pool.service == EC2:
        return pool.system == "Linux" and pool.tenancy == "default" and not _ONE_SIZE.match(pool.family)
    if pool.service == RDS:
        engine = engine_of(pool)
        return engine in _FLEXIBLE_ENGINES or (engine.startswith("Oracle") and engine.endswith("BYOL"))
    return pool.service in (ELASTICACHE, MEMORYDB)


def reservation_reach(pool: MachinePool) -> tuple[str, ...]:
    """Pools with the same answer are covered by the same regional reservations, each by its size."""
    flexible = is_size_flexible(pool)
    type_, system = (pool.family, engine_of(pool)) if flexible else (pool.type, pool.system)
    return (pool.provider, pool.service, pool.region, pool.account, type_, system, pool.tenancy)


def azure_series(type_: str) -> tuple[str, int] | None:
    """(series, cores) of an Azure machine whose reservations are size-flexible by cores: (Dsv5, 4) of Standard_D4s_v5.

    None where cores are not what its ratio goes by (B series, the first two generations, constrained cores).
    """
    match = _AZURE.fullmatch(type_)
    if match is None or match["letters"] == "B":
        return None
    by_cores = int(match["version"]) >= 3 or match["letters"] == "F"
    return (f"{match['letters']}{match['extras']}v{match['version']}", int(match["cores"])) if by_cores else None


_AZURE = re.compile(r"Standard_(?P<letters>[A-Z]+)(?P<cores>\d+)(?P<extras>[a-z]*)_v(?P<version>\d+)")


def lot_of(pool: MachinePool) -> int:
    """How many units are bought together: DynamoDB sells reserved capacity in lots of 100 units."""
    return 100 if pool.service == DYNAMODB else 1


def unit_of(pool: MachinePool) -> str:
    """What a reservation of the pool is counted in."""
    if pool.service == DYNAMODB:
        return LOTS
    if pool.provider == GOOGLE and pool.service == COMPUTE_ENGINE:
        return "GB" if pool.type.endswith("-RAM") else "vCPUs"
    return "machines" if is_one_machine(pool) or pool.service == RDS else "nodes"


def is_plan_eligible(pool: MachinePool, kind: str = SP_COMPUTE) -> bool:
    """Whether a plan of the kind may cover it; of EC2 all systems and tenancies, never databases by a Compute SP."""
    provider, services = PLAN_SERVICES[kind]
    return pool.provider == provider and (services is None or pool.service in services)


def is_one_machine(pool: MachinePool) -> bool:
    """Whether a resource of the pool is one machine: a cluster or a service without servers is many."""
    return pool.service in (EC2, VIRTUAL_MACHINES)


def system_in(service: str, system: str) -> str:
    """The system as pools of a service have it: none where there is nothing to choose."""
    return "" if service in _WITHOUT_SYSTEM else system


def kind_objection(provider: str, kind: str) -> str:
    """Why nobody buys such a commitment of a provider, however it is written; empty where one does."""
    seller = KIND_PROVIDERS.get(kind)
    if seller is None or provider_of(provider) == seller:
        return ""
    return _("provider {provider!r} sells no {kind}: that is {seller}'s.").format(
        provider=provider, kind=kind, seller=seller
    )


def end_of_id(identity: str) -> str:
    """What an id ends with, in small letters: an ARN ends with the id itself, after a slash (EC2, savings plans) or a
    colon (databases, caches).
    """
    return re.split("[/:]", identity)[-1].lower()


def is_same_id(identity: str, other: str) -> bool:
    """Whether two ids name the same commitment: spelled alike, or one of them what the other, an ARN, ends with."""
    first, second = identity.lower(), other.lower()
    return (
        first == second or (bool(second) and end_of_id(first) == second) or (bool(first) and first == end_of_id(second))
    )
