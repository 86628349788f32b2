"""How providers lay bills out in folders and buckets: which objects are one delivery, of which export, and which of
several versions is the newest. Pure.

AWS writes ``<period>/<assembly>/<files>`` with a manifest beside the period (legacy reports), with Athena the files
under ``year=2026/month=3`` instead, or ``data/BILLING_PERIOD=2026-03/[<run>/]<files>`` with manifests under
``metadata/`` (Data Exports, CUR 2.0 and FOCUS). Azure writes ``<period>/[<run>/]<files>``, with a manifest in each run
since 2024. Oracle writes several numbered reports a day, which add up. BigQuery writes a table in numbered shards.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from costs.charges.layouts.file_names import Part, base_of, date_of, part_of, version_of, view_of, without_values
from costs.charges.layouts.manifests import BadManifest, Manifest, read
from finops_site.lib.language import gettext as _

# A folder that holds one period of an export. `month=` alone is a column of a table that is partitioned by it.
PERIOD = re.compile(
    r"(^|/)(\d{8}-\d{8}|year=\d{4}/month=\d{1,2}"
    r"|(?:billing_?period|invoice_?month|usage_?month|billing_?month|month|period)=\d{4}-?\d{2}(?:-\d{2})?)(?=/)",
    re.IGNORECASE,
)
BILLS = (".csv", ".gz", ".parquet", ".json", ".jsonl", ".ndjson", ".zip")
# AWS writes beside a report for Athena whether a refresh is under way.
NO_BILL = re.compile(r"(^|/)cost_and_usage_data_status/|(^|/)usage-csv/", re.IGNORECASE)
# Oracle's reports: a number that grows, and the part of a report that is big.
REPORT_NUMBER = re.compile(r"\d{13,19}(-\d{5})?")
NUMBERED_REPORT = re.compile(rf"(^|/){REPORT_NUMBER.pattern}\.csv(\.gz)?$")
DELTA_LOG = re.compile(r"(?:^|/)_delta_log/.+")
# When a run was written, in the name of its folder: ``202603051200`` or ``20260305T000000Z``.
STAMP = re.compile(r"(?:^|/)(20\d{2}(?:0[1-9]|1[0-2])\d{2}T?\d{4,6}Z?)(?=[-_./]|$)")
COPIED_TOGETHER = timedelta(minutes=10)
# Files that were written one after the other so soon were copied: their times do not say which is newer.
COPIED_AT_ONCE = timedelta(seconds=10)


# Databricks has usage in one table (system.billing.usage) and its prices in another.
PRICES = re.compile(r"(?<![a-z])list[-_ .]?prices?(?![a-z])", re.IGNORECASE)


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
    replaces. `format` and `rows` are what a manifest states: the format's name and the number of rows. `view` is the
    half of the bill that its folders and names show, which counts where its rows show none.
    """

    name: str
    keys: tuple[str, ...]
    mark: str
    export: str = ""
    part: str = ""
    partition: str = ""
    format: str = ""
    rows: int | None = None
    view: str = ""


def packages(entries: Iterable[Entry], read_manifest: Callable[[str], Any]) -> tuple[list[Package], list[str]]:
    """(the newest version of every delivery, oldest first; what could not be followed).

    `read_manifest` returns the JSON object of a key.
    """
    by_key = {entry.key: entry for entry in entries if not NO_BILL.search(entry.key)}
    problems: list[str] = []
    for table in sorted({key[: match.start()] for key in by_key if (match := DELTA_LOG.search(key))}):
        by_key = {
            key: entry for key, entry in by_key.items() if not f"/{key}".startswith(f"/{table}/".replace("//", "/"))
        }
        problems.append(
            _(
                "{folder} is a Delta table: which of its files count stands in _delta_log, which is not read. "
                "Write the bill as Parquet or CSV files."
            ).format(folder=table or _("This folder"))
        )
    manifests, bills = _by_folder(by_key.values())
    newest: list[Package] = []
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
    return [*_with_prices(_oldest_first(loose, by_key)), *sorted(newest, key=lambda package: package.name)], problems


def _oldest_first(loose: Iterable[Package], by_key: Mapping[str, Entry]) -> list[Package]:
    """Of loose files that bill the same days the last one counts: they come in the order in which they were written.

    Where they were all copied at once, the dates and versions in their names decide.
    """
    written = {package.name: max(by_key[key].modified for key in package.keys) for package in loose}
    ordered = sorted(loose, key=lambda package: (written[package.name], package.name))
    copied: dict[str, datetime] = {}
    before = start = None
    for package in ordered:
        moment = written[package.name]
        if before is None or start is None or moment - before > COPIED_AT_ONCE:
            start = moment
        copied[package.name] = start
        before = moment
    return sorted(
        ordered,
        key=lambda package: (
            copied[package.name],
            date_of(package.name),
            version_of(package.name),
            written[package.name],
            package.name,
        ),
    )


def _with_prices(loose: Sequence[Package]) -> list[Package]:
    """Usage without cost of its own together with the price list beside it, of several lists the newest."""
    lists = {home: package for package in loose if (home := _home_of_prices(package.name)) is not None}
    together, joined = [], set()
    for package in loose:
        homes = [home for home in lists if package.name.startswith(f"{home}/" if home else "")]
        if not homes or _home_of_prices(package.name) is not None:
            together.append(package)
            continue
        prices = lists[max(homes, key=len)]
        joined.add(max(homes, key=len))
        mark = hashlib.sha256(f"{package.mark} {prices.mark}".encode()).hexdigest()
        together.append(replace(package, keys=(*package.keys, *prices.keys), mark=mark))
    return [package for package in together if _home_of_prices(package.name) not in joined]


def _home_of_prices(key: str) -> str | None:
    """The folder for whose usage a price list holds; None for what is no price list by its name or its folder's."""
    if PRICES.search(base_of(key)):
        return _folder(key)
    folder = _folder(key)
    return _folder(folder) if PRICES.search(folder.rpartition("/")[2]) else None


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
            # Files in folders like region=eu are parts of what one run wrote above them.
            bills.setdefault(name if match else without_values(name), []).append(entry)
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
            raise BadManifest(
                _("{key}: the file {name!r} that the manifest names is not there yet.").format(
                    key=manifest.key, name=name
                )
            )
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
    """Files put together where their names are those of the parts of one run; raises BadManifest for a gap.

    With `gaps`, a run that lacks a part is left out and noted there. Of `loose` files, ``bill-1`` and ``bill-2`` may as
    well be two versions: only certain names are parts. Files of one name in several folders are parts too.
    """
    parts_of_runs: dict[tuple[str, str], list[tuple[Part, Entry]]] = {}
    alone: dict[str, list[Entry]] = {}
    for entry in files:
        name = entry.key.rpartition("/")[2]
        endings = name.removeprefix(base_of(name))
        part = part_of(name)
        # Pages of an API are saved as JSON and numbered.
        is_part = part and (part.is_certain or not loose or endings in (".json", ".json.gz"))
        if part and is_part and not NUMBERED_REPORT.search(entry.key):
            parts_of_runs.setdefault((part.run, endings), []).append((part, entry))
        else:
            alone.setdefault(name if loose else entry.key, []).append(entry)
    put_together = list(alone.values())
    for parts in parts_of_runs.values():
        parts.sort(key=lambda item: (item[0].numbers, item[1].key))
        entries = [entry for _ignored, entry in parts]
        first, numbers = parts[0][0], {part.numbers[0] for part, _ignored in parts}
        lacking = _lacking(first, numbers)
        if not _is_run(first, numbers, [part for part, _ignored in parts]) or (lacking and loose and not first.waits):
            # invoice-0001, -0002, -0004 are bills of their own.
            put_together += [[entry] for entry in entries]
        elif lacking:
            where = entries[0].key if first.of else f"{_folder(entries[0].key)}/{first.run}".lstrip("/")
            if first.of:
                words = _("{where}: part {part} of {all} is not there yet. They are read once all are there.").format(
                    where=where, part=lacking[0], all=first.of
                )
            else:
                words = _(
                    "{where}: part {part} is not there yet, and part {last} is. They are read once all are there."
                ).format(where=where, part=lacking[0], last=max(numbers))
            if gaps is None:
                raise BadManifest(words)
            gaps.append(words)
        else:
            put_together.append(entries)
    return put_together


def _is_run(first: Part, numbers: set[int], parts: Sequence[Part]) -> bool:
    """Whether these numbers are those of parts, and not of things of their own."""
    if first.of or not first.is_counted:
        # The last number of Snowflake's names counts the files of one thread.
        return len(first.numbers) < 3 or min(part.numbers[-1] for part in parts) == 0
    return len(numbers) > 1 and min(numbers) <= 1 and max(numbers) - min(numbers) < 2 * len(numbers)


def _lacking(part: Part, numbers: set[int]) -> list[int]:
    if not part.is_counted:
        return []
    start = min(numbers) if min(numbers) == 0 or not part.of else 1
    end = start + part.of if part.of else max(numbers)
    return sorted(set(range(start, end)) - numbers)


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
    keys = tuple(entry.key for entry in entries)
    return Package(name, keys, mark, export.strip("/") or "/", part, view=view_of(keys[0]))
