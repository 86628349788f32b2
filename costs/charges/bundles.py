"""Which of the given files are one delivery, and of which stream: by the layouts that sources know. Pure: no Django."""

import filecmp
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os.path import commonpath
from pathlib import Path

from costs.charges import layouts
from costs.charges.layouts import BILLS, BadManifest, Entry, Package, date_in_name, packages
from costs.formats.base import BadBill

# What is appended to the name of a file that was downloaded or copied once more.
A_COPY = re.compile(r"( ?\(\d+\)|[ _-]+copy( ?\d+)?)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files that are one delivery: the parts a manifest names, a run of an export, or the loose files of one call.

    The rest is what the layout shows, as in a `Package`; all empty where files are loose. An `is_snapshot` is one of
    several dated files in a folder: one that was replaced by a later date does not count again when the folder is read
    again.
    """

    files: tuple[Path, ...]
    export: str = ""
    part: str = ""
    partition: str = ""
    format: str = ""
    rows: int | None = None
    is_snapshot: bool = False


def find_bundles(paths: Iterable[Path]) -> tuple[list[Bundle], list[str]]:
    """(the deliveries in each folder, each manifest, and all loose files together; what of a folder is not complete).

    A folder is read as a source reads it. Where it holds one export alone, that is delivered like a loose file: it
    replaces what covers the same accounts and days, wherever in the folder's tree the next call begins.
    Raises BadBill for what is not there or cannot be a bill, and for a manifest given by itself that lacks a file.
    """
    given = list(paths)
    loose: list[Path] = []
    manifests: list[Path] = []
    bundles: list[Bundle] = []
    problems: list[str] = []
    for path in given:
        if path.is_dir():
            of_layout, of_none, incomplete = _bundles_of_folder(path)
            bundles += of_layout
            loose += of_none
            problems += incomplete
        elif not path.exists():
            raise BadBill(f"{path}: no such file or folder.")
        else:
            (manifests if path.name.lower().endswith("manifest.json") else loose).append(path)
    bundles += [_bundle_of_manifest(path) for path in _latest_manifests(manifests)]
    parts = {part.resolve() for bundle in bundles for part in bundle.files}
    rest = [path for path in loose if path.resolve() not in parts]
    reports = [path for path in rest if layouts.report_number(path.name)]
    bundles += [Bundle((path,), part=layouts.report_number(path.name)) for path in reports]
    if together := _without_copies([path for path in rest if path not in reports]):
        bundles.append(Bundle(tuple(together)))
    return bundles, problems


def _without_copies(paths: Sequence[Path]) -> list[Path]:
    """The files without what a browser or a desktop made of a second download: ``bill (1).csv`` with the same bytes."""
    distinct: list[Path] = []
    for path in sorted(paths, key=lambda path: bool(A_COPY.search(path.name.partition(".")[0]))):
        is_copy = A_COPY.search(path.name.partition(".")[0])
        if not (is_copy and any(filecmp.cmp(path, other, shallow=False) for other in distinct)):
            distinct.append(path)
    return [path for path in paths if path in distinct]


def _bundles_of_folder(folder: Path) -> tuple[list[Bundle], list[Path], list[str]]:
    """(the deliveries of a folder by its layout, the files in it that are loose, what is not complete)."""
    root = _root_of(folder)
    entries = list(_entries(folder, root))
    if not entries:
        endings = ", ".join(BILLS)
        raise BadBill(f"{folder}: the folder holds no bill ({endings} or a manifest).")
    deliveries, problems = packages(entries, lambda key: layouts.read_json(key, root / key))
    of_layout = [package for package in deliveries if package.export]
    of_none = [package for package in deliveries if not package.export]
    bundles = [_bundle(root, package) for package in _by_hand(of_layout)]
    if all(date_in_name(package.name) for package in of_none):
        # bill-2026-03-01, bill-2026-03-02: each may be the whole month so far, so the later one counts.
        bundles += [replace(_bundle(root, package), is_snapshot=True) for package in of_none]
        of_none = []
    return bundles, [root / key for package in of_none for key in package.keys], problems


def _by_hand(delivered: Sequence[Package]) -> list[Package]:
    """Exports are named below the folder they have in common; a single one has no name, and its periods are no parts.

    Objects that add up stay parts, by the name of the file.
    """
    exports = {package.export for package in delivered}
    if len(exports) == 1:
        return [
            replace(package, export="", partition="", part=package.part if _adds_up(package) else "")
            for package in delivered
        ]
    common = commonpath(exports) if exports and "/" not in exports else ""
    return [
        replace(package, export=package.export.removeprefix(f"{common}/") if common else package.export)
        for package in delivered
    ]


def _adds_up(package: Package) -> bool:
    return layouts.report_number(package.name) != ""


def _bundle(folder: Path, package: Package) -> Bundle:
    files = tuple(folder / key for key in package.keys)
    return Bundle(files, package.export, package.part, package.partition, package.format, package.rows)


def _root_of(folder: Path) -> Path:
    """Where keys begin: above the folder of a period, if the given folder is one or lies in one."""
    path = folder.resolve()
    periods = list(layouts.PERIOD.finditer(f"{path.as_posix()}/"))
    return Path(path.as_posix()[: periods[-1].start()] or "/") if periods else path


def _entries(folder: Path, root: Path) -> Iterable[Entry]:
    for path in sorted(folder.resolve().rglob("*")):
        key = path.relative_to(root).as_posix()
        is_hidden = any(step.startswith(".") for step in path.relative_to(folder.resolve()).parts)
        if path.is_file() and not is_hidden and path.name.lower().endswith(BILLS):
            stat = path.stat()
            yield Entry(key, "", stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))


def _read_manifest(path: Path) -> layouts.Manifest:
    try:
        return layouts.read(path.name, layouts.read_json(path.name, path))
    except BadManifest as error:
        raise BadBill(str(error)) from None


def _latest_manifests(manifests: list[Path]) -> list[Path]:
    """One manifest for each bill they state: the topmost, which AWS keeps pointing at the newest assembly."""
    latest: dict[str, Path] = {}
    for path in sorted(manifests, key=lambda manifest: (len(manifest.parts), str(manifest))):
        bill = _read_manifest(path).bill
        latest.setdefault(str(path) if bill == path.name else bill, path)
    return list(latest.values())


def _bundle_of_manifest(path: Path) -> Bundle:
    """The files a manifest names.

    Keys are bucket paths: the longest tail that exists beside or above the manifest is the file.
    """
    manifest = _read_manifest(path)
    if not manifest.names:
        raise BadBill(f"{path.name}: the manifest is of an export that is no bill.")
    folders = (path.parent, *list(path.parents)[1:6])
    files = []
    for key in manifest.names:
        steps = [step for step in key.split("://")[-1].split("/") if step]
        if ".." in steps:
            raise BadBill(f"{path.name}: the key {key!r} climbs out of its folder.")
        candidates = (folder.joinpath(*steps[start:]) for start in range(len(steps)) for folder in folders)
        file = next((candidate for candidate in candidates if candidate.is_file()), None)
        if file is None:
            raise BadBill(f"{path.name}: the file {key!r} that the manifest names is not here.")
        files.append(file)
    return Bundle(tuple(files), format=manifest.format, rows=manifest.rows)
