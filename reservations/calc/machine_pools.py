"""Which pool a charge's use belongs to: service, type, system, tenancy. Pure: no Django.

AWS names an hour's machine in the usage type (``EUC1-DedicatedUsage:m5.large``), its system or engine in the operation
(``RunInstances:0002``, the same code means another thing for each service), and both in the description; an export
lacks one or the other. What carries a machine's type and hours and is no machine (fees of EMR, of software, of
monitoring) is a fee.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final, NamedTuple

from costs.calc.system_words import SYSTEM_WORDS
from reservations.calc.terms import (
    AWS,
    AZURE,
    CLUSTER_SYSTEM,
    COMPUTE_ENGINE,
    DYNAMODB,
    EC2,
    ELASTICACHE,
    FARGATE,
    GOOGLE,
    IO_OPTIMISED,
    LAMBDA,
    MEMORYDB,
    MULTI_AZ_SYSTEM,
    OPENSEARCH,
    RDS,
    REDSHIFT,
    SAGEMAKER,
    VIRTUAL_MACHINES,
    MachinePool,
    provider_of,
    service_of_type,
    system_in,
)

ENGINE_WORDS: Final = {
    "aurora postgresql": "Aurora PostgreSQL",
    "aurora mysql": "Aurora MySQL",
    "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "oracle": "Oracle",
    "sql server": "SQL Server",
    "db2": "Db2",
    "valkey": "Valkey",
    "memcached": "Memcached",
    "redis": "Redis",
}
_LICENCES = {"byol": "BYOL", "bring your own license": "BYOL", "license included": "(LI)", "(li)": "(LI)"}
_EDITIONS = {
    "enterprise": "Enterprise",
    "standard two": "Standard Two",
    "standard one": "Standard One",
    "standard edition": "Standard",
    "web edition": "Web",
    "express edition": "Express",
}
_DEPLOYMENTS = {"multi-az cluster": CLUSTER_SYSTEM, "readable standbys": CLUSTER_SYSTEM, "multi-az": MULTI_AZ_SYSTEM}
_TENANCIES = {"dedicated host": "host", "dedicated": "dedicated"}
_FEES = ("ebs-optimized", "ebs optimized", "cpu credit", "software", "monitoring", "emr ", "elastic mapreduce")
# What is looked for in an AWS description, of each choice the first: whole texts would make a group of each price.
DESCRIPTION_WORDS: Final = tuple(
    tuple(words) for words in (SYSTEM_WORDS, ENGINE_WORDS, _EDITIONS, _LICENCES, _DEPLOYMENTS, _TENANCIES, _FEES)
)

# EC2 user guide, "AMI billing information": the code after RunInstances. 0800 is Windows under one's own licence.
_EC2_OPERATIONS = {
    "": "Linux",
    "0002": "Windows",
    "0800": "Windows BYOL",
    "0006": "Windows with SQL Server Standard",
    "0102": "Windows with SQL Server Enterprise",
    "0202": "Windows with SQL Server Web",
    "0010": "RHEL",
    "000g": "SUSE",
    "0g00": "Ubuntu Pro",
    "0004": "Linux with SQL Server Standard",
    "0100": "Linux with SQL Server Enterprise",
    "0200": "Linux with SQL Server Web",
    "0014": "RHEL with SQL Server Standard",
    "0110": "RHEL with SQL Server Enterprise",
    "0210": "RHEL with SQL Server Web",
    "1010": "RHEL with HA",
    "1014": "RHEL with HA and SQL Server Standard",
    "1110": "RHEL with HA and SQL Server Enterprise",
}
# The code after CreateDBInstance.
_RDS_OPERATIONS = {
    "0002": "MySQL",
    "0003": "Oracle Standard One BYOL",
    "0004": "Oracle Standard BYOL",
    "0005": "Oracle Enterprise BYOL",
    "0006": "Oracle Standard One (LI)",
    "0008": "SQL Server Standard BYOL",
    "0009": "SQL Server Enterprise BYOL",
    "0010": "SQL Server Express (LI)",
    "0011": "SQL Server Web (LI)",
    "0012": "SQL Server Standard (LI)",
    "0014": "PostgreSQL",
    "0015": "SQL Server Enterprise (LI)",
    "0016": "Aurora MySQL",
    "0018": "MariaDB",
    "0019": "Oracle Standard Two BYOL",
    "0020": "Oracle Standard Two (LI)",
    "0021": "Aurora PostgreSQL",
    "0028": "Db2 BYOL",
}
# The code after CreateCacheCluster.
_CACHE_OPERATIONS = {"0001": "Memcached", "0002": "Redis", "0003": "Valkey"}

_SERVICES = {
    **dict.fromkeys(("ec2", "elasticcomputecloud", "elasticcomputecloudcompute"), EC2),
    **dict.fromkeys(("rds", "relationaldatabaseservice", "aurora"), RDS),
    "elasticache": ELASTICACHE,
    **dict.fromkeys(("es", "opensearchservice", "opensearch", "elasticsearchservice"), OPENSEARCH),
    "redshift": REDSHIFT,
    **dict.fromkeys(("memorydb", "memorydbforredis"), MEMORYDB),
    "dynamodb": DYNAMODB,
    **dict.fromkeys(("ecs", "eks", "fargate", "elasticcontainerservice", "elastickubernetesservice"), FARGATE),
    "elasticcontainerserviceforkubernetes": FARGATE,
    "lambda": LAMBDA,
    **dict.fromkeys(("sagemaker", "sagemakerai"), SAGEMAKER),
    **dict.fromkeys(("docdb", "documentdb", "documentdbwithmongodbcompatibility"), "DocumentDB"),
    "neptune": "Neptune",
    **dict.fromkeys(("mcs", "keyspaces", "keyspacesforapachecassandra"), "Keyspaces"),
    "timestream": "Timestream",
    **dict.fromkeys(("databasemigrationsvc", "databasemigrationservice"), "DMS"),
}

TYPE: Final = (
    r"(?:(?:db|cache|ml|dms)\.)?[a-z][a-z0-9-]*\.(?:nano|micro|small|medium|large|\d*xlarge|metal[a-z0-9-]*)"
    r"(?:\.search)?"
)
# What a usage type of EC2 says of tenancy; capacity that is reserved and empty can be covered like a machine.
_USAGES = {
    "boxusage": "default",
    "spotusage": "default",
    "heavyusage": "default",
    "unusedbox": "default",
    "dedicatedusage": "dedicated",
    "dedicatedspotusage": "dedicated",
    "unusedded": "dedicated",
    "hostusage": "host",
}
_OTHER_USAGES = re.compile(
    r"ebsoptimized|cpucredits|softwareusage|monitor|hostboxusage|datatransfer|elasticip|natgateway|loadbalancer",
    re.IGNORECASE,
)
# What is metered in something else than machines: how its pools call it.
METERED: Final = r"Fargate-|Lambda-(?:Edge-)?(?:Provisioned-)?GB-Second|[CU]apacityUnit-Hrs|Serverless(?:V2)?Usage"
_GOOGLE_PART = re.compile(r"\b(core|ram|cpu)\b", re.IGNORECASE)
_GOOGLE_SERIES = re.compile(r"\b([a-z]\d+[a-z]*)\b")
# What is cheaper anyway, is a commitment itself, or is paid beside the machine.
_GOOGLE_OTHER = re.compile(r"spot|preemptible|commitment|licens|sole tenancy")
# Compute Engine's price list names these by what they are for.
_GOOGLE_NAMES = {"compute optimized": "c2", "memory-optimized": "m1", "memory optimized": "m1"}
_AZURE_LICENCES = {"windows": "Windows", "sql server": "SQL Server", "red hat": "RHEL", "rhel": "RHEL", "suse": "SUSE"}


class ReadUse(NamedTuple):
    """The pool of a use; without one `is_fee` says that it is no machine at all, else nobody can tell which."""

    pool: MachinePool | None
    is_fee: bool = False


def read_use(row: Mapping[str, Any]) -> ReadUse:
    """The pool of a row of `charge_queries.machine_use`; an account or a zone where the row names one."""
    names = ("provider", "service", "region", "type", "usage_type", "operation", "description")
    read = _read(*((row.get(name) or "") for name in names))
    account, zone = row.get("account") or "", row.get("zone") or ""
    if read.pool is None or not (account or zone):
        return read
    return ReadUse(replace(read.pool, account=account, zone=zone))


@cache
def _read(
    provider: str, service: str, region: str, type_: str, usage_type: str, operation: str, description: str
) -> ReadUse:
    issuer, lower = provider_of(provider), description.lower()
    if issuer == AZURE:
        return _read_azure(service, region, type_, f"{operation} {description}".lower())
    if issuer == GOOGLE:
        return _read_google(service, region, type_, lower)
    if issuer != AWS:
        pool = MachinePool(issuer, region, type_, _first(SYSTEM_WORDS, lower) or "Linux", service=service)
        return ReadUse(pool if type_ else None)
    own = service_of(service) if service else EC2
    return _read_aws(own, region, type_, usage_type, operation, lower) if own else ReadUse(None, is_fee=True)


def ec2_system(operation: str) -> str:
    """The operating system by an operation of EC2 (``RunInstances:0002``); Linux where it names none."""
    return _EC2_OPERATIONS.get(operation.partition(":")[2], "Linux")


def system_named(service: str, text: str) -> str:
    """The system or engine of a pool by what a commitment states of it (``Linux/UNIX``, ``postgresql``)."""
    lower = text.lower()
    if service == EC2:
        return _first(SYSTEM_WORDS, lower) or "Linux"
    # A database's machines have an operating system, and it is no engine: which engine is not stated then.
    is_engine = service != RDS or not re.search("linux|unix|windows", lower)
    return system_in(service, _system(service, "", "", lower) or (text if is_engine else ""))


def service_of(name: str) -> str | None:
    """The service of AWS by its code or its title; None for one that sells nothing a commitment covers."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return _SERVICES.get(plain.removeprefix("amazon").removeprefix("aws"))


def _read_aws(service: str, region: str, type_: str, usage_type: str, operation: str, words: str) -> ReadUse:
    metered = re.search(METERED, usage_type, re.IGNORECASE)
    if metered and service in (FARGATE, LAMBDA, DYNAMODB, RDS, "Neptune", "DocumentDB", ELASTICACHE):
        return ReadUse(MachinePool(AWS, region, _metered_type(usage_type), "", service=service))
    if service in (FARGATE, LAMBDA, DYNAMODB):
        return ReadUse(None, is_fee=True)
    usage, _, used = re.sub(r"^[A-Z]{2,4}\d?-", "", usage_type).partition(":")
    if not type_:
        written = re.search(TYPE, used)
        # A dedicated host is of a family; BoxUsage without a type is of the first type there was.
        first = "m1.small" if usage == "BoxUsage" and not used else ""
        type_ = written[0] if written else used if usage == "HostUsage" else first
    if not type_:
        return ReadUse(None)
    if _OTHER_USAGES.search(usage_type) or (usage.lower() not in _USAGES and any(word in words for word in _FEES)):
        return ReadUse(None, is_fee=True)
    if service == EC2 and service_of_type(type_) != EC2:
        service = service_of_type(type_)
    if service == OPENSEARCH and not type_.endswith(".search"):
        type_ += ".search"
    tenancy = "default"
    if service == EC2:
        tenancy = _USAGES.get(usage.lower()) or _first(_TENANCIES, words) or "default"
    system = system_in(service, _system(service, usage, operation, words))
    return ReadUse(MachinePool(AWS, region, type_, system, tenancy, service=service))


def _system(service: str, usage: str, operation: str, words: str) -> str:
    """A machine's operating system, a database's engine with licence and deployment, a notebook's or endpoint's use."""
    code = operation.partition(":")[2]
    if service == EC2:
        named = _EC2_OPERATIONS.get(code) if code else None
        return named or _first(SYSTEM_WORDS, words) or "Linux"
    if service == SAGEMAKER:
        return usage
    if service in (ELASTICACHE, MEMORYDB):
        return _first(ENGINE_WORDS, words) or _CACHE_OPERATIONS.get(code, "Redis")
    engine = _RDS_OPERATIONS.get(code) or _first(ENGINE_WORDS, words) or (f"engine {code}" if code else "")
    if engine in ("Oracle", "SQL Server", "Db2"):
        edition, licence = _first(_EDITIONS, words), _first(_LICENCES, words) or "(LI)"
        engine = " ".join(part for part in (engine, edition, licence) if part)
    if not engine:
        return ""
    lower = usage.lower()
    if lower.startswith("multi-azcluster"):
        deployed = CLUSTER_SYSTEM
    else:
        deployed = MULTI_AZ_SYSTEM if lower.startswith("multi-az") else _first(_DEPLOYMENTS, words)
    return f"{engine}{IO_OPTIMISED if 'iooptimized' in lower else ''}{deployed}"


def _metered_type(usage_type: str) -> str:
    """``vCPU``, ``GB-ARM``, ``GB-Second``, ``ReadCapacityUnit``: the unit that is metered, without the region."""
    lower, arm = usage_type.lower(), "-ARM" if "arm" in usage_type.lower() else ""
    if "fargate" in lower:
        windows = "-Windows" if "windows" in lower else ""
        part = "vCPU" if "vcpu" in lower else "storage" if "storage" in lower else "GB"
        return f"{part}{arm}{windows}"
    if "gb-second" in lower:
        return f"{'Provisioned-' if 'provisioned' in lower else ''}GB-Second{arm}"
    if "capacityunit" in lower:
        table = "-IA" if lower.rpartition("capacityunit")[0].endswith("ia-") else ""
        return f"{'Write' if 'write' in lower else 'Read'}CapacityUnit{table}"
    return "ACU"


def _read_azure(service: str, region: str, type_: str, text: str) -> ReadUse:
    if not type_ or "licens" in service.lower():
        return ReadUse(None, is_fee=True)
    system = _first(_AZURE_LICENCES, text) or "Linux"
    own = service or VIRTUAL_MACHINES
    return ReadUse(MachinePool(AZURE, region, type_, system if own == VIRTUAL_MACHINES else "", service=own))


def _read_google(service: str, region: str, type_: str, text: str) -> ReadUse:
    """Cores and memory of a machine series: what resource-based commitments are made of."""
    part = _GOOGLE_PART.search(text)
    if _GOOGLE_OTHER.search(text):
        return ReadUse(None, is_fee=True)
    if service != COMPUTE_ENGINE or part is None:
        return ReadUse(MachinePool(GOOGLE, region, type_, "", service=service) if type_ else None, is_fee=not type_)
    named = next((name for words, name in _GOOGLE_NAMES.items() if words in text), "")
    series = _GOOGLE_SERIES.search(text)
    unit = "RAM" if part[1].lower() == "ram" else "vCPU"
    own = series[1] if series else named or "n1"
    return ReadUse(MachinePool(GOOGLE, region, f"{own}-{unit}", "", service=COMPUTE_ENGINE))


def _first(words: Mapping[str, str], text: str) -> str:
    """What the first of the words that is in a text stands for; empty where none is."""
    return next((name for word, name in words.items() if word in text), "")
