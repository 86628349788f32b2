"""What the manifests of AWS and Azure state about a delivery. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finops_site.lib.language import gettext as _

# The lists of files in the manifests of AWS and Azure.
FILE_LISTS = ("reportKeys", "dataFiles", "files", "blobs")
# What Azure's exports are of, and the format that their files have; of other types the files are no bills.
AZURE_TYPES = {
    "actualcost": "azure-actual",
    "usage": "azure-actual",
    "amortizedcost": "azure-amortized",
    "focuscost": "focus",
}


class BadManifest(ValueError):
    """A manifest that cannot be followed; the message names it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest states about its delivery."""

    key: str
    names: tuple[str, ...]
    bill: str
    submitted: str = ""
    format: str = ""
    partition: str = ""
    rows: int | None = None


def read_json(key: str, path: Path) -> Any:
    """The JSON of a manifest whose text lies at `path`; raises BadManifest."""
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except RecursionError:
        raise BadManifest(_("{key}: the manifest is nested too deeply.").format(key=key)) from None
    except (ValueError, OSError) as error:
        raise BadManifest(_("{key}: not a readable manifest ({error}).").format(key=key, error=error)) from None


def read(key: str, manifest: object) -> Manifest:
    """What a manifest states; raises BadManifest. An Azure export that is no bill (a price sheet) names no files."""
    if not isinstance(manifest, Mapping):
        raise BadManifest(_("{key}: the manifest names no files.").format(key=key))
    config = manifest.get("exportConfig")
    config = config if isinstance(config, Mapping) else {}
    kind = str(config.get("type") or "").lower()
    if kind and kind not in AZURE_TYPES:
        return Manifest(key, (), key)
    lists = [manifest.get(name) for name in FILE_LISTS]
    listed = next((items for items in lists if isinstance(items, list)), None)
    if listed == []:
        # A month in which nothing has happened yet.
        return Manifest(key, (), key)
    keys = [item.get("blobName") if isinstance(item, Mapping) else item for item in listed or ()]
    names = tuple(name for name in keys if isinstance(name, str) and name)
    if not names:
        raise BadManifest(_("{key}: the manifest names no files.").format(key=key))
    scope = re.fullmatch(r"/subscriptions/([^/]+)", str(config.get("resourceId") or "").rstrip("/"), re.IGNORECASE)
    rows = manifest.get("dataRowCount")
    export = manifest.get("reportName") or manifest.get("exportArn") or config.get("exportName")
    period, run = manifest.get("billingPeriod"), manifest.get("runInfo")
    start = period.get("start") if isinstance(period, Mapping) else period
    start = start or (run.get("startDate") if isinstance(run, Mapping) else None)
    return Manifest(
        key,
        names,
        bill=f"{export} {start}" if export and start else key,
        submitted=str((run.get("submittedTime") if isinstance(run, Mapping) else None) or ""),
        format=AZURE_TYPES.get(kind, ""),
        partition=scope[1].lower() if scope else "",
        rows=rows if isinstance(rows, int) else None,
    )
