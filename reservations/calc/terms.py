"""The terms of commitments: kinds, lengths, payments, pools and normalised units. Pure: no Django.

Normalised units are AWS's (EC2 user guide, "How Reserved Instances are applied"): nano 0.25 ... xlarge 8, n xlarge 8n.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

HOURS_A_YEAR: Final = 8760
HOURS_A_MONTH: Final = 730

RI_STANDARD: Final = "ri_standard"
RI_CONVERTIBLE: Final = "ri_convertible"
SP_EC2: Final = "sp_ec2"
SP_COMPUTE: Final = "sp_compute"
ON_DEMAND: Final = "on_demand"
OPTIONS: Final = (RI_STANDARD, RI_CONVERTIBLE, SP_EC2, SP_COMPUTE)
RESERVED: Final = (RI_STANDARD, RI_CONVERTIBLE)
KINDS: Final = {
    RI_STANDARD: "Standard RI",
    RI_CONVERTIBLE: "Convertible RI",
    SP_EC2: "EC2 Instance SP",
    SP_COMPUTE: "Compute SP",
    "sp_database": "Database SP",
    "sp_sagemaker": "SageMaker SP",
    "azure_reservation": "Azure reservation",
    "azure_plan": "Azure savings plan",
    "gcp_cud": "GCP committed use discount",
    "other": "Commitment",
}
KIND_CHOICES: Final = list(KINDS.items())
TERMS: Final = (12, 36)
PAYMENTS: Final = {"none": "No upfront", "partial": "Partial upfront", "all": "All upfront"}
# AWS's names, in its price lists and its API.
AWS_PAYMENTS: Final = {"none": "No Upfront", "partial": "Partial Upfront", "all": "All Upfront"}
AWS_CLASSES: Final = {RI_STANDARD: "standard", RI_CONVERTIBLE: "convertible"}
# What is paid for the whole term on its first day.
UPFRONT_SHARE: Final = {"none": Decimal(0), "partial": Decimal("0.5"), "all": Decimal(1)}

_SMALL = {"nano": "0.25", "micro": "0.5", "small": "1", "medium": "2", "large": "4", "xlarge": "8"}
_MANY = re.compile(r"(\d+)xlarge\Z")
# Licences that come with the machine are no part of a reservation's size.
_LICENSED = ("windows", "rhel", "red hat", "suse", "sles", "sql")


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
        return family_of(self.type)

    def __str__(self) -> str:
        """``m5.large Linux in us-east-1``; what is unusual of it is added. `from_text` reads it again."""
        usual = (self.provider, self.service) == ("AWS", service_of_type(self.type))
        service = "" if usual else f"{self.provider}/{self.service}: "
        tenancy = "" if self.tenancy == "default" else f", {self.tenancy}"
        zone = f", zone {self.zone}" if self.zone else ""
        account = f", account {self.account}" if self.account else ""
        return f"{service}{self.type} {self.system}{tenancy} in {self.region}{zone}{account}"

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
    r"(?:(?P<provider>[^/:]*)/(?P<service>[^:]+): )?(?P<type>\S+) (?P<system>.+?)(?:, (?P<tenancy>dedicated|host))?"
    r" in (?P<region>[^\s,]*)(?:, zone (?P<zone>\S+?))?(?:, account (?P<account>.+))?\Z"
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
    family, _, size = type_.rpartition(".")
    if size == "search" and "." in family:
        return f"{family.rpartition('.')[0]}.search"
    return family or type_


def units(type_: str) -> Decimal | None:
    """Normalised units of a size; None for a type that AWS gives none, like ``metal``."""
    size = type_.rpartition(".")[2]
    if size in _SMALL:
        return Decimal(_SMALL[size])
    many = _MANY.fullmatch(size)
    return Decimal(8 * int(many[1])) if many else None


def is_size_flexible(pool: MachinePool) -> bool:
    """Whether a regional RI covers other sizes of its family: EC2, Linux without licence, default tenancy."""
    licensed = any(word in pool.system.lower() for word in _LICENSED)
    plain = pool.tenancy == "default" and not licensed
    return is_plan_eligible(pool) and plain and units(pool.type) is not None


def is_plan_eligible(pool: MachinePool) -> bool:
    """Whether savings plans for compute cover it: EC2 machines, not databases or caches."""
    return pool.provider == "AWS" and pool.service == "EC2"


# In this order: a licence that comes with Windows is recognised before Windows.
SYSTEM_WORDS: Final = {
    "sql server enterprise": "Windows with SQL Server Enterprise",
    "sql server standard": "Windows with SQL Server Standard",
    "sql server web": "Windows with SQL Server Web",
    "windows": "Windows",
    "rhel": "RHEL",
    "red hat": "RHEL",
    "suse": "SUSE",
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
}
MULTI_AZ: Final = "multi-az"


def system_of(operation: str, description: str) -> str:
    """The operating system by a charge's description or CUR operation; Linux where neither names another."""
    lower = description.lower()
    for word, name in SYSTEM_WORDS.items():
        if word in lower:
            return f"{name} Multi-AZ" if MULTI_AZ in lower else name
    return _OPERATIONS.get(operation.partition(":")[2], "Linux")


# EC2 user guide, "AMI billing information": the code after RunInstances.
_OPERATIONS = {
    "0002": "Windows",
    "0006": "Windows with SQL Server Standard",
    "0102": "Windows with SQL Server Enterprise",
    "0202": "Windows with SQL Server Web",
    "0010": "RHEL",
    "000g": "SUSE",
}
