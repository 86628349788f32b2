"""Bills that come in a ZIP: the files in it, unpacked beside it. Pure: no Django."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from costs.charges import files
from costs.formats.base import BadBill
from finops_site.lib.language import gettext as _
from finops_site.lib.language import ngettext
from finops_site.lib.words import number_text

ENDINGS = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".json", ".jsonl", ".ndjson")
MAX_MEMBERS = 10_000


def unpacked(
    bundle: Sequence[tuple[str, Path]], scratch: Path, *, limit: int
) -> tuple[list[tuple[str, Path]], list[str]]:
    """(the named files, with what is in a ZIP in its place; what was left out, in words).

    Raises BadBill for a ZIP that cannot be read or unfolds to more than `limit` bytes.
    """
    plain: list[tuple[str, Path]] = []
    notes = []
    for name, path in bundle:
        if files.kind(path, name) != "zip":
            plain.append((name, path))
            continue
        members, others = bills_of(path, name)
        room = limit
        for number, member in enumerate(members):
            target = scratch / f"member-{len(plain)}-{number}"
            room -= _extract(path, member, target, name, room=room, limit=limit)
            plain.append((f"{name}: {member.filename}", target))
        if others:
            notes.append(
                ngettext(
                    "{name}: {others} in it is no bill.", "{name}: {others} in it are no bill.", len(others)
                ).format(name=name, others=", ".join(others[:5]))
            )
    return plain, notes


def bills_of(path: Path, name: str) -> tuple[list[zipfile.ZipInfo], list[str]]:
    """(the files of a ZIP that are read, the names of the others); raises BadBill when there are none to read."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadBill(
            _("{name}: the ZIP is damaged or cut off ({error}). Fetch it again.").format(name=name, error=error)
        ) from None
    names = {info.filename for info in infos}
    if "[Content_Types].xml" in names:
        raise BadBill(
            _("{name}: this is an Office document; save the sheet as CSV and deliver that.").format(name=name)
        )
    present = [info for info in infos if info.file_size and not info.is_dir() and not _is_of_the_system(info.filename)]
    if len(present) > MAX_MEMBERS:
        raise BadBill(
            _("{name}: {files} files in one ZIP are more than the {most} that are read.").format(
                name=name, files=number_text(len(present)), most=number_text(MAX_MEMBERS)
            )
        )
    if any(info.flag_bits & 1 for info in present):
        raise BadBill(_("{name}: the ZIP is encrypted; deliver it without a password.").format(name=name))
    if nested := [info.filename for info in present if info.filename.lower().endswith(".zip")]:
        raise BadBill(
            _("{name}: there is a ZIP in the ZIP ({nested}); unpack the outer one and deliver what is in it.").format(
                name=name, nested=nested[0]
            )
        )
    bills = [info for info in present if _is_bill(info.filename)]
    # A text beside files of data is about them.
    bills = [info for info in bills if not info.filename.lower().endswith(".txt")] or bills
    if not bills:
        raise BadBill(_("{name}: no bill is in the ZIP (.csv, .csv.gz, .json, .jsonl or .parquet).").format(name=name))
    return bills, [info.filename for info in present if info not in bills]


def _is_of_the_system(member: str) -> bool:
    return "__MACOSX" in PurePosixPath(member).parts or PurePosixPath(member).name.startswith(".")


def _is_bill(member: str) -> bool:
    low = member.lower()
    return low.endswith(ENDINGS) and not low.endswith("manifest.json") and "readme" not in low


def head_of(path: Path, target: Path, name: str) -> str:
    """Unpacks the beginning of the first bill in a ZIP into `target`; returns what to call it."""
    member = bills_of(path, name)[0][0]
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
            target.write_bytes(packed.read(2 * files.MAX_HEADER))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise _damaged(name, error) from None
    return f"{name}: {member.filename}"


def _extract(path: Path, member: zipfile.ZipInfo, target: Path, name: str, *, room: int, limit: int) -> int:
    """Unpacks a file of a ZIP and returns its size; what the ZIP states of sizes is not trusted."""
    size = 0
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed, target.open("wb") as plain:
            while chunk := packed.read(files.CHUNK):
                size += len(chunk)
                if size > room:
                    raise BadBill(
                        _("{name}: unfolds to more than {limit} bytes and was not read further.").format(
                            name=name, limit=number_text(limit)
                        )
                    )
                plain.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(name, error) from None
    return size


def _damaged(name: str, error: Exception) -> BadBill:
    return BadBill(
        _("{name}: the ZIP is damaged or packed in a way that is not read ({error}). Fetch it again.").format(
            name=name, error=error
        )
    )
