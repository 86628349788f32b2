"""Storage classes of objects: what storing, moving and reading cost, and from which size on a class pays. Pure.

Prices are the public ones of us-east-1, East US and us-east1 in USD (S3 pricing, Azure Blob pricing, Cloud Storage
pricing; read in May 2026). Storage is priced by the company's own rate where a bill has it, and these only say how
classes relate; fees for moving, reading and watching are taken as they are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from costs.calc.providers import AWS, AZURE, GOOGLE

# S3, Azure and Google alike bill colder objects as if they had at least this size, or never move smaller ones.
SMALLEST_BYTES = 128 * 1024
GIB = 1024**3
THOUSAND = Decimal(1000)
# What is moved stays for a year: the fee for moving is spread over it.
MONTHS = 12


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A class and its prices in USD: storage for a GiB and month, moving a thousand objects in, reading a GiB, and
    watching a thousand objects for a month. `minimum_days` are paid however soon an object goes; `overhead_bytes` are
    added to each object at this class's price."""

    provider: str
    name: str
    code: str
    storage: Decimal
    moving: Decimal = Decimal(0)
    reading: Decimal = Decimal(0)
    watching: Decimal = Decimal(0)
    minimum_days: int = 0
    overhead_bytes: int = 0
    is_instant: bool = True


def _d(text: str) -> Decimal:
    return Decimal(text)


STANDARD = StorageClass(AWS, "S3 Standard", "STANDARD", _d("0.023"))
STANDARD_IA = StorageClass(AWS, "S3 Standard-IA", "STANDARD_IA", _d("0.0125"), _d("0.01"), _d("0.01"), minimum_days=30)
ONE_ZONE_IA = StorageClass(AWS, "S3 One Zone-IA", "ONEZONE_IA", _d("0.01"), _d("0.01"), _d("0.01"), minimum_days=30)
GLACIER_INSTANT = StorageClass(
    AWS, "S3 Glacier Instant Retrieval", "GLACIER_IR", _d("0.004"), _d("0.02"), _d("0.03"), minimum_days=90
)
GLACIER_FLEXIBLE = StorageClass(
    AWS,
    "S3 Glacier Flexible Retrieval",
    "GLACIER",
    _d("0.0036"),
    _d("0.03"),
    _d("0.01"),
    minimum_days=90,
    overhead_bytes=40 * 1024,
    is_instant=False,
)
DEEP_ARCHIVE = StorageClass(
    AWS,
    "S3 Glacier Deep Archive",
    "DEEP_ARCHIVE",
    _d("0.00099"),
    _d("0.05"),
    _d("0.02"),
    minimum_days=180,
    overhead_bytes=40 * 1024,
    is_instant=False,
)
# What is not read for 30 days costs as Standard-IA there, for 90 days as Glacier Instant; reading costs nothing.
INTELLIGENT = StorageClass(
    AWS, "S3 Intelligent-Tiering", "INTELLIGENT_TIERING", _d("0.0125"), _d("0.01"), watching=_d("0.0025")
)
HOT = StorageClass(AZURE, "Blob Hot", "hot", _d("0.018"))
COOL = StorageClass(AZURE, "Blob Cool", "cool", _d("0.01"), _d("0.01"), _d("0.01"), minimum_days=30)
COLD = StorageClass(AZURE, "Blob Cold", "cold", _d("0.0036"), _d("0.018"), _d("0.03"), minimum_days=90)
ARCHIVE = StorageClass(
    AZURE, "Blob Archive", "archive", _d("0.00099"), _d("0.011"), _d("0.02"), minimum_days=180, is_instant=False
)
GCS_STANDARD = StorageClass(GOOGLE, "Standard", "STANDARD", _d("0.02"))
NEARLINE = StorageClass(GOOGLE, "Nearline", "NEARLINE", _d("0.01"), _d("0.01"), _d("0.01"), minimum_days=30)
COLDLINE = StorageClass(GOOGLE, "Coldline", "COLDLINE", _d("0.004"), _d("0.02"), _d("0.02"), minimum_days=90)
GCS_ARCHIVE = StorageClass(GOOGLE, "Archive", "ARCHIVE", _d("0.0012"), _d("0.05"), _d("0.05"), minimum_days=365)

CLASSES: dict[str, Sequence[StorageClass]] = {
    AWS: (STANDARD, STANDARD_IA, ONE_ZONE_IA, GLACIER_INSTANT, GLACIER_FLEXIBLE, DEEP_ARCHIVE, INTELLIGENT),
    AZURE: (HOT, COOL, COLD, ARCHIVE),
    GOOGLE: (GCS_STANDARD, NEARLINE, COLDLINE, GCS_ARCHIVE),
}
USUAL = {AWS: STANDARD, AZURE: HOT, GOOGLE: GCS_STANDARD}


def smallest_paying_bytes(usual: StorageClass, colder: StorageClass, months: int = MONTHS) -> int | None:
    """The size from which moving an object pays within so many months, if nobody reads it; None where it never does.

    moving fee of an object / (what a byte saves in a month x months), the overhead of the class added. S3 moves nothing
    below 128 KB, so no answer is smaller.
    """
    saved = (usual.storage - colder.storage) * months / GIB
    if saved <= 0:
        return None
    fixed = colder.moving / THOUSAND + colder.watching / THOUSAND * months
    fixed += colder.storage * months * colder.overhead_bytes / GIB
    return max(SMALLEST_BYTES, int((fixed / saved).to_integral_value(rounding="ROUND_CEILING")))


def most_reading(usual: StorageClass, colder: StorageClass) -> Decimal | None:
    """The share of the stored data that may be read in a month before the class costs more; None: any."""
    return None if not colder.reading else (usual.storage - colder.storage) / colder.reading


def monthly_saving(
    usual: StorageClass,
    colder: StorageClass,
    gigabytes: Decimal,
    objects: Decimal,
    read_share: Decimal,
    own_rate: Decimal | None = None,
) -> Decimal:
    """What moving all of it saves in an average month of the first year, in USD; negative where it costs more.

    `read_share` of the stored data is read each month. `own_rate` is what the bill charges for a GiB of the usual
    class: the colder one is taken to have the same discount.
    """
    rate = own_rate if own_rate is not None else usual.storage
    colder_rate = rate * colder.storage / usual.storage
    if colder is INTELLIGENT:
        # What is read within thirty days stays at the usual price.
        hot = min(Decimal(1), read_share)
        colder_rate = rate * hot + colder_rate * (1 - hot)
    stored = gigabytes + objects * colder.overhead_bytes / GIB
    cost = stored * colder_rate + gigabytes * read_share * colder.reading
    cost += objects / THOUSAND * colder.watching + objects / THOUSAND * colder.moving / MONTHS
    return gigabytes * rate - cost


def best_class(
    provider: str,
    gigabytes: Decimal,
    objects: Decimal,
    read_share: Decimal,
    own_rate: Decimal | None = None,
    *,
    must_be_instant: bool = True,
) -> tuple[StorageClass, Decimal] | None:
    """The class that saves most, and how much a month; None where nothing saves, or objects are too small to move.

    Only classes that answer at once, unless told otherwise: an archive that takes hours breaks what reads it. One
    Zone-IA is never proposed: it loses data that one zone loses.
    """
    if objects <= 0 or gigabytes * GIB / objects < SMALLEST_BYTES:
        return None
    usual = USUAL[provider]
    offers = [
        (monthly_saving(usual, one, gigabytes, objects, read_share, own_rate), one)
        for one in CLASSES[provider]
        if one is not usual and one is not ONE_ZONE_IA and (one.is_instant or not must_be_instant)
    ]
    saved, chosen = max(offers, key=lambda offer: offer[0])
    return (chosen, saved) if saved > 0 else None


def s3_policy(target: StorageClass | None, days: int = 0, *, versions_days: int = 0, multipart_days: int = 0) -> str:
    """A lifecycle configuration as ``aws s3api put-bucket-lifecycle-configuration`` takes it.

    A bucket has one configuration: the rules are to be added to those that it has. Standard-IA takes objects that are
    at least 30 days old, and nothing is moved below 128 KB.
    """
    rules: list[dict[str, Any]] = []
    if target is not None:
        age = max(days, 30) if target is STANDARD_IA else days
        rules.append(
            {
                "ID": f"to-{target.code.lower().replace('_', '-')}",
                "Status": "Enabled",
                "Filter": {"ObjectSizeGreaterThan": SMALLEST_BYTES},
                "Transitions": [{"Days": age, "StorageClass": target.code}],
            }
        )
    if versions_days:
        rules.append(
            {
                "ID": "old-versions",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": versions_days},
            }
        )
    if multipart_days:
        rules.append(
            {
                "ID": "incomplete-uploads",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": multipart_days},
            }
        )
    return json.dumps({"Rules": rules}, indent=2)


def azure_policy(target: StorageClass, days: int) -> str:
    """A management policy as ``az storage account management-policy create`` takes it."""
    action = {"cool": "tierToCool", "cold": "tierToCold", "archive": "tierToArchive"}[target.code]
    rule = {
        "name": f"to-{target.code}",
        "enabled": True,
        "type": "Lifecycle",
        "definition": {
            "filters": {"blobTypes": ["blockBlob"]},
            "actions": {"baseBlob": {action: {"daysAfterModificationGreaterThan": days}}},
        },
    }
    return json.dumps({"rules": [rule]}, indent=2)


def gcs_policy(target: StorageClass, days: int) -> str:
    """A lifecycle as ``gcloud storage buckets update --lifecycle-file`` takes it."""
    action = {"type": "SetStorageClass", "storageClass": target.code}
    condition = {"age": days, "matchesStorageClass": ["STANDARD"]}
    return json.dumps({"rule": [{"action": action, "condition": condition}]}, indent=2)
