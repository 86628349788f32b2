"""Which of the given files are one delivery: the parts a manifest names, or loose files together. Pure: no Django."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costs.formats.base import BadBill

BILL_ENDINGS = (".csv", ".gz", ".zip", ".parquet", ".jsonl", ".ndjson", "manifest.json")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files that are one delivery: the parts a manifest names, or the loose files of one call."""

    files: tuple[Path, ...]
    manifest: Path | None = None


def find_bundles(paths: Iterable[Path]) -> list[Bundle]:
    """What a person means by these paths: each manifest is a delivery, and all loose files together are one more.

    A folder stands for the bills in it. Raises BadBill for what is not there or cannot be a bill.
    """
    given = list(paths)
    manifests: list[Path] = []
    loose: list[Path] = []
    for path in given:
        for file in _expand(path):
            (manifests if file.name.lower().endswith("manifest.json") else loose).append(file)
    bundles = [Bundle(_parts(path), manifest=path) for path in _latest_manifests(manifests)]
    parts = {part for bundle in bundles for part in bundle.files}
    rest = [path for path in loose if path not in parts]
    if bundles:
        # Beside a manifest, data files it does not name are superseded versions, unless somebody named them.
        named_by_hand = {path.resolve() for path in given}
        rest = [path for path in rest if path.resolve() in named_by_hand]
    return [*bundles, Bundle(tuple(rest))] if rest else bundles


def _expand(path: Path) -> list[Path]:
    if not path.exists():
        raise BadBill(f"{path}: no such file or folder.")
    if path.is_file():
        return [path]
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not file.name.startswith(".") and file.name.lower().endswith(BILL_ENDINGS)
    ]
    if not files:
        raise BadBill(f"{path}: the folder holds no bill (.csv, .csv.gz, .parquet, .jsonl or a manifest).")
    return files


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, OSError) as error:
        raise BadBill(f"{path.name}: not a readable manifest ({error}).") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("reportKeys"), list):
        raise BadBill(f"{path.name}: not a Cost and Usage Report manifest, it names no reportKeys.")
    return manifest


def _latest_manifests(manifests: list[Path]) -> list[Path]:
    """One manifest for each billing period: the topmost, which AWS keeps pointing at the newest assembly."""
    latest: dict[str, Path] = {}
    for path in sorted(manifests, key=lambda manifest: (len(manifest.parts), str(manifest))):
        manifest = _read_manifest(path)
        period = manifest.get("billingPeriod")
        start = period.get("start", "") if isinstance(period, dict) else ""
        latest.setdefault(f"{manifest.get('reportName')} {start or path}", path)
    return list(latest.values())


def _parts(manifest: Path) -> tuple[Path, ...]:
    """The files a manifest names.

    Keys are bucket paths: the longest tail that exists beside or above the manifest is the file.
    """
    keys = [str(key) for key in _read_manifest(manifest)["reportKeys"]]
    if not keys:
        raise BadBill(f"{manifest.name}: the manifest names no files.")
    folders = (manifest.parent, *list(manifest.parents)[1:4])
    files = []
    for key in keys:
        steps = [step for step in key.split("/") if step]
        if ".." in steps:
            raise BadBill(f"{manifest.name}: the key {key!r} climbs out of its folder.")
        candidates = (folder.joinpath(*steps[start:]) for start in range(len(steps)) for folder in folders)
        file = next((candidate for candidate in candidates if candidate.is_file()), None)
        if file is None:
            raise BadBill(f"{manifest.name}: the file {key!r} that the manifest names is not here.")
        files.append(file)
    return tuple(files)
