"""How providers lay bills out in buckets: which objects are one delivery, and which of several is the newest. Pure.

AWS writes ``<period>/<assembly>/<files>`` with a manifest beside the period (legacy reports), or
``data/BILLING_PERIOD=2026-03/[<run>/]<files>`` with manifests under ``metadata/`` (Data Exports, CUR 2.0 and FOCUS);
Azure writes ``<period>/<run>/<files>`` with a manifest in each run. Whatever lies elsewhere is a bill by itself.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

PERIOD = re.compile(r"(^|/)(\d{8}-\d{8}|billing_period=\d{4}-\d{2})(?=/)", re.IGNORECASE)
# The lists of files in the manifests of AWS and Azure.
FILE_LISTS = ("reportKeys", "dataFiles", "files", "blobs")
BILLS = (".csv", ".gz", ".zip", ".parquet", ".json", ".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Entry:
    """An object of a bucket: its key, a mark that changes with its content (ETag), its size and when it was written."""

    key: str
    mark: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Package:
    """Objects that are one delivery. `name` is the same for every version of it, `mark` is another for each."""

    name: str
    keys: tuple[str, ...]
    mark: str


class BadManifest(ValueError):
    """A manifest that cannot be followed; the message names it."""


def packages(entries: Iterable[Entry], read_manifest: Callable[[str], Any]) -> tuple[list[Package], list[str]]:
    """(the newest version of every delivery, oldest period first; what could not be followed).

    `read_manifest` returns the JSON object of a key.
    """
    by_key = {entry.key: entry for entry in entries}
    periods: dict[str, list[Entry]] = {}
    newest, problems = [], []
    for entry in by_key.values():
        if match := PERIOD.search(entry.key):
            # Manifests under ``metadata/`` belong to their ``data/``.
            name = re.sub(r"(^|/)metadata/", r"\1data/", entry.key[: match.end()])
            periods.setdefault(name, []).append(entry)
        elif _is_bill(entry.key):
            newest.append(_package(entry.key, [entry]))
    for name, members in sorted(periods.items()):
        try:
            if chosen := _newest_version(members, by_key, read_manifest):
                newest.append(_package(name, chosen))
        except BadManifest as error:
            problems.append(str(error))
    return sorted(newest, key=lambda package: package.name), problems


def _is_bill(key: str) -> bool:
    name = key.rpartition("/")[2].lower()
    return name.endswith(BILLS) and not name.startswith(".") and not _is_manifest(key)


def _is_manifest(key: str) -> bool:
    return key.lower().endswith("manifest.json")


def _newest_version(
    members: Sequence[Entry], by_key: Mapping[str, Entry], read_manifest: Callable[[str], Any]
) -> list[Entry]:
    """The objects of a period that count; empty when there is no bill among them."""
    manifests = [entry for entry in members if _is_manifest(entry.key)]
    if manifests:
        # AWS keeps pointing with the topmost at the newest assembly; of manifests side by side the last written counts.
        depth = min(entry.key.count("/") for entry in manifests)
        topmost = [entry for entry in manifests if entry.key.count("/") == depth]
        chosen = max(topmost, key=lambda entry: (entry.modified, entry.key))
        return _files_of_manifest(chosen.key, read_manifest(chosen.key), by_key)
    # Every run is a full copy of the period so far: only the last one counts.
    runs: dict[str, list[Entry]] = {}
    for entry in members:
        if _is_bill(entry.key):
            runs.setdefault(entry.key.rpartition("/")[0], []).append(entry)
    return max(runs.values(), key=lambda run: max((entry.modified, entry.key) for entry in run), default=[])


def _files_of_manifest(key: str, manifest: object, by_key: Mapping[str, Entry]) -> list[Entry]:
    """The objects a manifest names, by their keys or by their full addresses; raises BadManifest."""
    lists = [manifest.get(name) for name in FILE_LISTS] if isinstance(manifest, Mapping) else []
    listed = next((items for items in lists if isinstance(items, list)), [])
    keys = [item.get("blobName") if isinstance(item, Mapping) else item for item in listed]
    names = [name for name in keys if isinstance(name, str) and name]
    if not names:
        raise BadManifest(f"{key}: the manifest names no files.")
    files = []
    for name in names:
        path = re.sub(r"^[a-z0-9]+://[^/]+/", "", name).lstrip("/")
        file = by_key.get(path) or next((entry for known, entry in by_key.items() if path.endswith(f"/{known}")), None)
        if file is None:
            raise BadManifest(f"{key}: the file {name!r} that the manifest names is not there yet.")
        files.append(file)
    return files


def _package(name: str, entries: Sequence[Entry]) -> Package:
    versions = "\n".join(f"{entry.key} {entry.mark} {entry.size}" for entry in sorted(entries, key=lambda e: e.key))
    return Package(name, tuple(entry.key for entry in entries), hashlib.sha256(versions.encode()).hexdigest())
