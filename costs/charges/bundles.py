"""Which of the given files are one delivery, and of which stream: by the layouts that sources know. Pure: no Django."""

import filecmp
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os.path import commonpath
from pathlib import Path

from costs.charges import files, layouts
from costs.charges.layouts import BILLS, Entry, Package, packages
from costs.charges.layouts.file_names import A_COPY, base_of, part_of, view_of
from costs.charges.layouts.manifests import BadManifest, Manifest, read, read_json
from costs.formats.base import BadBill
from finops_site.lib.language import gettext as _

# Bigger texts are not compared row by row.
LARGEST_COMPARED = 256 << 20


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files that are one delivery: the parts a manifest names, a run of an export, or the loose files of one call.

    The rest is what the layout shows, as in a `Package`; all empty where files are loose. An `is_snapshot` is what a
    folder holds: one that was replaced by a later one does not count again when the folder is read again, unless it
    changed. `name` is its place in the folder, which a source that adds knows it by. `notes` are sentences for its
    delivery.
    """

    files: tuple[Path, ...]
    export: str = ""
    part: str = ""
    partition: str = ""
    format: str = ""
    rows: int | None = None
    is_snapshot: bool = False
    notes: tuple[str, ...] = ()
    view: str = ""
    name: str = ""


def find_bundles(paths: Iterable[Path], *, together: bool = False) -> tuple[list[Bundle], list[str]]:
    """(the deliveries in each folder, each manifest, and all loose files together; what of a folder is not complete).

    A folder is read as a source reads it. Where it holds one export alone, that is delivered like a loose file: it
    replaces what covers the same accounts and days, wherever in the folder's tree the next call begins.
    With `together`, the loose files of folders are one delivery as well.
    Raises BadBill for what is not there or cannot be a bill, and for a manifest given by itself that lacks a file.
    """
    given = list(paths)
    loose: list[Path] = []
    manifests: list[Path] = []
    bundles: list[Bundle] = []
    problems: list[str] = []
    for path in given:
        if path.is_dir():
            of_folder, incomplete = _bundles_of_folder(path)
            bundles += [bundle for bundle in of_folder if bundle.export or bundle.part or not together]
            loose += [
                file for bundle in of_folder if together and not (bundle.export or bundle.part) for file in bundle.files
            ]
            problems += incomplete
        elif not path.exists():
            raise BadBill(_("{path}: no such file or folder.").format(path=path))
        else:
            (manifests if path.name.lower().endswith("manifest.json") else loose).append(path)
    bundles += [_bundle_of_manifest(path) for path in _latest_manifests(manifests)]
    parts = {part.resolve() for bundle in bundles for part in bundle.files}
    rest = [path for path in loose if path.resolve() not in parts]
    reports = [path for path in rest if layouts.report_number(path.name)]
    bundles += [Bundle((path,), part=layouts.report_number(path.name)) for path in reports]
    others, notes = _without_copies([path for path in rest if path not in reports])
    if others:
        bundles.append(Bundle(tuple(others), notes=tuple(notes)))
    return bundles, problems


def _without_copies(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """(the files without those that hold the same bytes as another one, a sentence for each of these).

    Parts of one run are no copies of each other, whatever they hold.
    """
    distinct: list[Path] = []
    notes: list[str] = []
    for path in sorted(paths, key=lambda path: bool(A_COPY.search(base_of(path.name)))):
        same = next((other for other in distinct if filecmp.cmp(path, other, shallow=False)), None)
        if same is None or _are_parts(path, same):
            distinct.append(path)
        else:
            notes.append(
                _("{path} holds the same bytes as {same}: they count once.").format(path=path.name, same=same.name)
            )
    return [path for path in paths if path in distinct], notes


def without_earlier_versions(bundle: Bundle) -> Bundle:
    """The bundle without files all of whose rows stand in another one too: that is the same month, some days later.

    Whether a file's first rows do is seen at once; only then all of them are compared. One row may be alike by chance.
    """
    heads = {path: _lines(path, one_chunk=True) for path in bundle.files} if len(bundle.files) > 1 else {}
    notes: list[str] = []
    earlier: set[Path] = set()
    for path, lines in heads.items():
        for other in heads:
            if other == path or other in earlier or len(lines) < 2 or not set(lines[:20]) <= set(heads[other]):
                continue
            rows, of_other = Counter(_lines(path)), Counter(_lines(other))
            if rows < of_other:
                notes.append(
                    _("All rows of {path} are in {other} too: it is an earlier version of it.").format(
                        path=path.name, other=other.name
                    )
                )
                earlier.add(path)
                break
    remaining = tuple(path for path in bundle.files if path not in earlier)
    return replace(bundle, files=remaining, notes=(*bundle.notes, *notes))


def _lines(path: Path, *, one_chunk: bool = False) -> list[bytes]:
    """The lines of a text below its first one, with `one_chunk` those of its first megabyte; none of other files."""
    try:
        kind = files.kind(path, path.name)
        if kind == "gzip":
            chunks = files.unpacked(path, path.name, LARGEST_COMPARED)
            text = next(chunks, b"") if one_chunk else b"".join(chunks)
        elif kind in ("csv", "jsonl") and (one_chunk or path.stat().st_size <= LARGEST_COMPARED):
            with path.open("rb") as stream:
                text = stream.read(files.CHUNK if one_chunk else -1)
        else:
            return []
    except BadBill:
        # Its load says what is wrong with it.
        return []
    return [line for line in text.splitlines()[1:] if line]


def _are_parts(one: Path, other: Path) -> bool:
    part, of_other = part_of(one.name), part_of(other.name)
    return bool(part and of_other and part.is_certain and part.run == of_other.run)


def _bundles_of_folder(folder: Path) -> tuple[list[Bundle], list[str]]:
    """(the deliveries of a folder, those that a source would find there; what is not complete)."""
    root = _root_of(folder)
    entries = list(_entries(folder, root))
    if not entries:
        endings = ", ".join(BILLS)
        raise BadBill(
            _("{folder}: the folder holds no bill ({endings} or a manifest).").format(folder=folder, endings=endings)
        )
    deliveries, problems = packages(entries, lambda key: read_json(key, root / key))
    loose = [package for package in deliveries if not package.export]
    # Each may be the whole month so far, so that a later one counts instead; days of their own stand beside each other.
    packed = [*loose, *_by_hand([package for package in deliveries if package.export])]
    return [_bundle(root, package) for package in packed], problems


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
    view = package.view or view_of(folder.name)
    layout = (package.export, package.part, package.partition, package.format, package.rows)
    return Bundle(files, *layout, is_snapshot=True, view=view, name=package.name)


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


def _read_manifest(path: Path) -> Manifest:
    try:
        return read(path.name, read_json(path.name, path))
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
        raise BadBill(_("{path}: the manifest is of an export that is no bill.").format(path=path.name))
    folders = (path.parent, *list(path.parents)[1:6])
    files = []
    for key in manifest.names:
        steps = [step for step in key.split("://")[-1].split("/") if step]
        if ".." in steps:
            raise BadBill(_("{path}: the key {key!r} climbs out of its folder.").format(path=path.name, key=key))
        candidates = (folder.joinpath(*steps[start:]) for start in range(len(steps)) for folder in folders)
        file = next((candidate for candidate in candidates if candidate.is_file()), None)
        if file is None:
            raise BadBill(
                _("{path}: the file {key!r} that the manifest names is not here.").format(path=path.name, key=key)
            )
        files.append(file)
    return Bundle(tuple(files), format=manifest.format, rows=manifest.rows)
