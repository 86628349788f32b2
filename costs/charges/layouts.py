"""How providers lay bills out in folders and buckets: which objects are one delivery, of which export, and which of
several versions is the newest. Pure.

AWS writes ``<period>/<assembly>/<files>`` with a manifest beside the period (legacy reports), with Athena the files
under ``year=2026/month=3`` instead, or ``data/BILLING_PERIOD=2026-03/[<run>/]<files>`` with manifests under
``metadata/`` (Data Exports, CUR 2.0 and FOCUS). Azure writes ``<period>/[<run>/]<files>``, with a manifest in each run
since 2024. Oracle writes several numbered reports a day, which add up. BigQuery writes a table in numbered shards.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

# A folder that holds one period of an export. `month=` alone is a column of a table that is partitioned by it.
PERIOD = re.compile(
    r"(^|/)(\d{8}-\d{8}|year=\d{4}/month=\d{1,2}"
    r"|(?:billing_?period|invoice_?month|usage_?month|billing_?month|month|period)=\d{4}-?\d{2}(?:-\d{2})?)(?=/)",
    re.IGNORECASE,
)
# The lists of files in the manifests of AWS and Azure.
FILE_LISTS = ("reportKeys", "dataFiles", "files", "blobs")
BILLS = (".csv", ".gz", ".parquet", ".json", ".jsonl", ".ndjson", ".zip")
# AWS writes beside a report for Athena whether a refresh is under way.
NO_BILL = re.compile(r"(^|/)cost_and_usage_data_status/|(^|/)usage-csv/", re.IGNORECASE)
# Oracle's reports: a number that grows, and the part of a report that is big.
REPORT_NUMBER = re.compile(r"\d{13,19}(-\d{5})?")
NUMBERED_REPORT = re.compile(rf"(^|/){REPORT_NUMBER.pattern}\.csv(\.gz)?$")
# What Azure's exports are of, and the format that their files have; of other types the files are no bills.
AZURE_TYPES = {
    "actualcost": "azure-actual",
    "usage": "azure-actual",
    "amortizedcost": "azure-amortized",
    "focuscost": "focus",
}
# When a run was written, in the name of its folder: ``202603051200`` or ``20260305T000000Z``.
STAMP = re.compile(r"(?:^|/)(20\d{2}(?:0[1-9]|1[0-2])\d{2}T?\d{4,6}Z?)(?=[-_./]|$)")
COPIED_TOGETHER = timedelta(minutes=10)
DATE_IN_NAME = re.compile(
    r"(?<!\d)20\d{2}[-_.]?(?:0[1-9]|1[0-2])[-_.]?[0-3]\d(?:[T_-]?\d{2}[-_.]?\d{2}(?:[-_.]?\d{2})?Z?)?(?!\d)"
)
DATE_AT_THE_END = re.compile(r"20\d{2}([-_.]?(0[1-9]|1[0-2])([-_.]?[0-3]\d)?)?$")
# Numbers by which the files of one run are told apart: part_0_0001, rep-00002, table-000000000001, x_1_of_3.
PART_NUMBER = re.compile(r"^(.*?)[-_. ]?(\d+)((?:_\d{4})?|[-_ ]of[-_ ]\d+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """An object of a bucket: its key, a mark that changes with its content (ETag), its size and when it was written."""

    key: str
    mark: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Package:
    """Objects that are one delivery. `name` is the same for every version of it, `mark` is another for each.

    `export` is where its stream lies, empty for loose files; `part` is the period or the object that each version of it
    replaces. `format` and `rows` are what a manifest states: the format's name and the number of rows.
    """

    name: str
    keys: tuple[str, ...]
    mark: str
    export: str = ""
    part: str = ""
    partition: str = ""
    format: str = ""
    rows: int | None = None


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


def packages(entries: Iterable[Entry], read_manifest: Callable[[str], Any]) -> tuple[list[Package], list[str]]:
    """(the newest version of every delivery, oldest first; what could not be followed).

    `read_manifest` returns the JSON object of a key.
    """
    by_key = {entry.key: entry for entry in entries if not NO_BILL.search(entry.key)}
    manifests, bills = _by_folder(by_key.values())
    newest: list[Package] = []
    problems: list[str] = []
    # What lies beside a manifest or the files it names, and is not named by it, is left over from an older version.
    with_manifest = {name for name, entries in manifests.items()}
    for name, candidates in sorted(manifests.items()):
        with_manifest |= {_folder(entry.key) for entry in candidates}
        try:
            chosen = _chosen(name, candidates, read_manifest)
        except BadManifest as error:
            problems.append(str(error))
            continue
        for manifest in chosen:
            try:
                files = _files_of_manifest(manifest, by_key)
            except BadManifest as error:
                problems.append(str(error))
                continue
            with_manifest |= {_folder(file.key) for file in files}
            if files:
                package = _package(name, files)
                if not package.part:
                    package = replace(package, name=manifest.key, part=manifest.bill)
                newest.append(
                    replace(package, format=manifest.format, partition=manifest.partition, rows=manifest.rows)
                )
    loose: list[Package] = []
    for name, members in sorted(bills.items()):
        members = [entry for entry in members if not ({name, _folder(entry.key)} & with_manifest)]
        try:
            if PERIOD.search(f"{name}/"):
                newest += [_package(name, run) for run in _newest_run(members)]
            else:
                loose += [_loose_package(run) for run in runs(members, loose=True, gaps=problems)]
        except BadManifest as error:
            problems.append(str(error))
    # Of loose files that bill the same days the last counts: they come in the order of the dates in their names.
    modified = {package.name: max(by_key[key].modified for key in package.keys) for package in loose}
    loose.sort(key=lambda package: (date_in_name(package.name), modified[package.name], package.name))
    return [*loose, *sorted(newest, key=lambda package: package.name)], problems


def date_in_name(key: str) -> str:
    """The digits of the date, and of the time behind it, in a file's name; empty without one."""
    name = key.rpartition("/")[2].partition(".")[0]
    match = DATE_AT_THE_END.search(name) or DATE_IN_NAME.search(name)
    return re.sub(r"\D", "", match[0]).ljust(14, "0") if match else ""


def _by_folder(entries: Iterable[Entry]) -> tuple[dict[str, list[Entry]], dict[str, list[Entry]]]:
    """({folder of a period, or of manifests: its manifests}, {folder of a period, or of loose files: its bills})."""
    manifests: dict[str, list[Entry]] = {}
    bills: dict[str, list[Entry]] = {}
    for entry in entries:
        match = PERIOD.search(entry.key)
        # Manifests under ``metadata/`` belong to their ``data/``.
        name = re.sub(r"(^|/)metadata/", r"\1data/", entry.key[: match.end()]) if match else _folder(entry.key)
        if entry.key.lower().endswith("manifest.json"):
            manifests.setdefault(name, []).append(entry)
        elif _is_bill(entry.key):
            bills.setdefault(name, []).append(entry)
    return manifests, bills


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def _is_bill(key: str) -> bool:
    name = key.rpartition("/")[2].lower()
    return name.endswith(BILLS) and not name.startswith((".", "_"))


def _newest_manifests(candidates: Sequence[Entry]) -> list[Entry]:
    """AWS keeps pointing with the topmost at the newest assembly; of manifests side by side the last written counts.

    Of those that were copied within the same minutes, and whose folders name no time, all: the newest last.
    """
    depth = min(entry.key.count("/") for entry in candidates)
    topmost = [entry for entry in candidates if entry.key.count("/") == depth]
    topmost.sort(key=lambda entry: (_stamp_of(entry.key), entry.modified, entry.key))
    newest = topmost[-1]
    if _stamp_of(newest.key):
        return [newest]
    return [entry for entry in topmost if newest.modified - entry.modified <= COPIED_TOGETHER]


def _chosen(name: str, candidates: Sequence[Entry], read_manifest: Callable[[str], Any]) -> list[Manifest]:
    """The manifests of a folder that count: one of a period, and outside of periods one for each they state."""
    if PERIOD.search(f"{name}/"):
        rivals = _newest_manifests(candidates)
        manifests = [read(entry.key, read_manifest(entry.key)) for entry in rivals]
        return [max(manifests, key=lambda manifest: manifest.submitted)]
    newest: dict[str, Manifest] = {}
    for entry in sorted(candidates, key=lambda entry: (entry.modified, entry.key)):
        manifest = read(entry.key, read_manifest(entry.key))
        newest[manifest.bill] = manifest
    return list(newest.values())


def _stamp_of(key: str) -> str:
    """When the run that wrote it began, if its path shows that: of copies, the time on the disk is that of copying."""
    stamps = STAMP.findall(PERIOD.sub("/", key))
    return re.sub(r"\D", "", stamps[-1]).ljust(14, "0") if stamps else ""


def read_json(key: str, path: Path) -> Any:
    """The JSON of a manifest whose text lies at `path`; raises BadManifest."""
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except (ValueError, OSError) as error:
        raise BadManifest(f"{key}: not a readable manifest ({error}).") from None


def read(key: str, manifest: object) -> Manifest:
    """What a manifest states; raises BadManifest. An Azure export that is no bill (a price sheet) names no files."""
    if not isinstance(manifest, Mapping):
        raise BadManifest(f"{key}: the manifest names no files.")
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
        raise BadManifest(f"{key}: the manifest names no files.")
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


def _files_of_manifest(manifest: Manifest, by_key: Mapping[str, Entry]) -> list[Entry]:
    """The objects a manifest names, by their keys or by their full addresses; raises BadManifest."""
    files = []
    for name in manifest.names:
        path = re.sub(r"^[a-z0-9]+://[^/]+/", "", name).lstrip("/")
        file_name = path.rpartition("/")[2]
        # The listing may begin above or below where the manifest's paths begin, and a download may be flat.
        tails = [known for known in by_key if f"/{known}".endswith(f"/{path}") or f"/{path}".endswith(f"/{known}")]
        beside = f"{_folder(manifest.key)}/{file_name}".lstrip("/")
        file = by_key.get(path) or (by_key[max(tails, key=len)] if tails else by_key.get(beside))
        if file is None:
            raise BadManifest(f"{manifest.key}: the file {name!r} that the manifest names is not there yet.")
        files.append(file)
    return files


def _newest_run(members: Sequence[Entry]) -> list[list[Entry]]:
    """The run that counts, if there is a bill: every run is a full copy of the period so far.

    A run has a folder of its own, or its own name: a run that writes into the folder of the run before adds a file.
    Folders like ``account=12`` are partitions of one run.
    """
    folders: dict[str, list[Entry]] = {}
    for entry in members:
        folder = re.sub(r"/[^/=]+=[^/]*(?=/|$)", "", _folder(PERIOD.sub("/", entry.key)))
        folders.setdefault(folder, []).append(entry)
    candidates = []
    for files in folders.values():
        partitions: dict[str, list[Entry]] = {}
        for entry in files:
            partitions.setdefault(_folder(entry.key), []).append(entry)
        newest = [max(runs(partition), key=_age) for partition in partitions.values()]
        candidates += [[entry for run in newest for entry in run]] if len(newest) > 1 else runs(files)
    return [max(candidates, key=_age)] if candidates else []


def _age(run: Sequence[Entry]) -> tuple[str, datetime, int, str]:
    """What orders runs: the stamp in the path, the time of writing, and of files written together the bigger one."""
    latest = max(run, key=lambda entry: (entry.modified, entry.key))
    return (
        _stamp_of(latest.key),
        latest.modified.replace(microsecond=0),
        sum(entry.size for entry in run),
        latest.key,
    )


def runs(files: Iterable[Entry], *, loose: bool = False, gaps: list[str] | None = None) -> list[list[Entry]]:
    """Files of a folder put together where their names number the parts of one run; raises BadManifest for a gap.

    With `gaps`, a run that lacks a part is left out and noted there.

    Of `loose` files, ``bill-1`` and ``bill-2`` may as well be two versions: only ``part-1`` or ``bill-0001`` are parts.
    """
    numbered: dict[tuple[str, str], dict[int, list[Entry]]] = {}
    alone = []
    for entry in files:
        name, _, endings = entry.key.rpartition("/")[2].partition(".")
        match = PART_NUMBER.match(name)
        is_part = match and (not loose or len(match[2]) > 2 or match[3] or "part" in match[1].lower())
        if not match or not is_part or NUMBERED_REPORT.search(entry.key) or date_in_name(entry.key):
            alone.append([entry])
        else:
            numbered.setdefault((match[1], endings), {}).setdefault(int(match[2]), []).append(entry)
    for (stem, _), parts in numbered.items():
        first, last, count = min(parts), max(parts), len(parts)
        if count == 1 or first > 1 or last - first >= 2 * count:
            alone += [[entry] for entries in parts.values() for entry in entries]
        elif lacking := sorted(set(range(first, last)) - set(parts)):
            sample = next(iter(parts.values()))[0].key
            width = len(PART_NUMBER.match(sample.rpartition("/")[2].partition(".")[0])[2])  # type: ignore[index]
            if loose and width < 5 and "part" not in stem.lower():
                # invoice-0001, -0002, -0004 are bills of their own.
                alone += [[entry] for entries in parts.values() for entry in entries]
                continue
            where = f"{_folder(sample)}/{stem}".lstrip("/")
            words = (
                f"{where}: part {lacking[0]} is not there yet, and part {last} is. They are read once all are there."
            )
            if gaps is None:
                raise BadManifest(words)
            gaps.append(words)
        else:
            alone.append([entry for number in sorted(parts) for entry in parts[number]])
    return alone


def report_number(key: str) -> str:
    """The number of one of Oracle's reports, whatever folder it lies in and whether it is packed; else empty."""
    match = NUMBERED_REPORT.search(key)
    return match[0].lstrip("/").partition(".")[0] if match else ""


def _loose_package(run: Sequence[Entry]) -> Package:
    name = run[0].key
    if number := report_number(name):
        return replace(_package(name, run), export=_folder(name) or "/", part=number)
    return replace(_package(name, run), export="", part="")


def _package(name: str, entries: Sequence[Entry]) -> Package:
    """The delivery of these objects; in the folder of a period, the period is the part and the export lies above."""
    versions = "\n".join(f"{entry.key} {entry.mark} {entry.size}" for entry in sorted(entries, key=lambda e: e.key))
    mark = hashlib.sha256(versions.encode()).hexdigest()
    match = PERIOD.search(f"{name}/")
    export = re.sub(r"(^|/)data$", "", name[: match.start()]) if match else name
    part = match[2].lower() if match else ""
    return Package(name, tuple(entry.key for entry in entries), mark, export.strip("/") or "/", part)
