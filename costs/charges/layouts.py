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
BILLS = (".csv", ".gz", ".parquet", ".json", ".jsonl", ".ndjson")


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


def packages(entries: Iterable[Entry], manifest: Callable[[str], Any]) -> tuple[list[Package], list[str]]:
    """(the newest version of every delivery, oldest period first; what could not be followed).

    `manifest` reads the JSON object of a key.
    """
    every = {entry.key: entry for entry in entries}
    periods: dict[str, list[Entry]] = {}
    loose = []
    for entry in every.values():
        period = _period(entry.key)
        if period:
            periods.setdefault(period, []).append(entry)
        elif _is_bill(entry.key):
            loose.append(entry)
    found, problems = [_package(entry.key, [entry]) for entry in loose], []
    for name, members in sorted(periods.items()):
        try:
            found += _newest(name, members, every, manifest)
        except BadManifest as error:
            problems.append(str(error))
    return sorted(found, key=lambda each: each.name), problems


def _period(key: str) -> str:
    """The export and period an object belongs to; manifests under ``metadata/`` belong to their ``data/``."""
    found = PERIOD.search(key)
    return re.sub(r"(^|/)metadata/", r"\1data/", key[: found.end()]) if found else ""


def _is_bill(key: str) -> bool:
    name = key.rpartition("/")[2].lower()
    return name.endswith(BILLS) and not name.startswith(".") and not _is_manifest(key)


def _is_manifest(key: str) -> bool:
    return key.lower().endswith("manifest.json")


def _newest(
    name: str, members: Sequence[Entry], every: Mapping[str, Entry], manifest: Callable[[str], Any]
) -> list[Package]:
    manifests = [entry for entry in members if _is_manifest(entry.key)]
    if manifests:
        # AWS keeps pointing with the topmost at the newest assembly; of manifests side by side the last written counts.
        top = min(entry.key.count("/") for entry in manifests)
        chosen = max((each for each in manifests if each.key.count("/") == top), key=lambda e: (e.modified, e.key))
        return [_package(name, _named(chosen.key, manifest(chosen.key), every))]
    bills = [entry for entry in members if _is_bill(entry.key)]
    return [_package(name, _last_run(bills))] if bills else []


def _last_run(bills: Sequence[Entry]) -> list[Entry]:
    """Every run is a whole copy of the period so far: only the last one counts."""
    runs: dict[str, list[Entry]] = {}
    for entry in bills:
        runs.setdefault(entry.key.rpartition("/")[0], []).append(entry)
    return max(runs.values(), key=lambda run: max((entry.modified, entry.key) for entry in run))


def _named(key: str, manifest: Any, every: Mapping[str, Entry]) -> list[Entry]:
    wanted = _keys(manifest)
    if not wanted:
        raise BadManifest(f"{key}: the manifest names no files.")
    return [_find(each, key, every) for each in wanted]


def _keys(manifest: Any) -> list[str]:
    if not isinstance(manifest, Mapping):
        return []
    for name in ("reportKeys", "dataFiles", "files", "blobs"):
        listed = manifest.get(name)
        if isinstance(listed, list):
            keys = [each.get("blobName") if isinstance(each, Mapping) else each for each in listed]
            return [key for key in keys if isinstance(key, str) and key]
    return []


def _find(wanted: str, manifest: str, every: Mapping[str, Entry]) -> Entry:
    """The object a manifest means, which may say its whole address and not only its key."""
    key = re.sub(r"^[a-z0-9]+://[^/]+/", "", wanted).lstrip("/")
    found = every.get(key) or next((entry for name, entry in every.items() if key.endswith(f"/{name}")), None)
    if found is None:
        raise BadManifest(f"{manifest}: the file {wanted!r} that the manifest names is not there yet.")
    return found


def _package(name: str, entries: Sequence[Entry]) -> Package:
    said = "\n".join(f"{entry.key} {entry.mark} {entry.size}" for entry in sorted(entries, key=lambda e: e.key))
    return Package(name, tuple(entry.key for entry in entries), hashlib.sha256(said.encode()).hexdigest())
