"""Restore: what backups.py wrote comes back, or nothing is changed.

Nothing is touched before the complete file has been read and agrees with its sums.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from redis.exceptions import RedisError

from finops_site.files.product import product_files
from finops_site.lib import sealed
from finops_site.models import Backup, RestoreDrill
from finops_site.ops.backups import (
    BILLS,
    CHUNK,
    DUMP,
    KIND,
    MANIFEST,
    SUMS,
    VERSION,
    BackupProblem,
    backup_keys,
    program,
    server_environment,
    server_options,
)
from finops_site.pillars import own_rows

EMPTY_DATABASE = b"SET LOCAL lock_timeout = '30s'; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;\n"


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive of a backup, in plain or encrypted, to be read from its beginning to its end."""
    with path.open("rb") as file:
        beginning = file.read(len(sealed.BEGINS))
        file.seek(0)
        source = sealed.OpeningReader(file, backup_keys()) if sealed.is_sealed(beginning) else file
        with tarfile.open(fileobj=source, mode="r|") as archive:  # type: ignore[call-overload]
            yield archive
        # What follows the archive's end is padding, and of an encrypted file the proof that nothing is missing.
        while source.read(CHUNK):
            pass


def check_backup(path: Path) -> dict[str, Any]:
    """Reads the whole backup and returns its manifest; raises BackupProblem when it is not one, or not complete."""
    try:
        with opened(path) as archive:
            digests: dict[str, str] = {}
            manifest: dict[str, Any] = {}
            expected = None
            for member in archive:
                check_member(member)
                content = archive.extractfile(member)
                assert content is not None
                if member.name == SUMS:
                    expected = json.load(content)
                    continue
                digest, text = hashlib.sha256(), b""
                while block := content.read(CHUNK):
                    digest.update(block)
                    text = text + block if member.name == MANIFEST else text
                digests[member.name] = digest.hexdigest()
                manifest = json.loads(text) if member.name == MANIFEST else manifest
    except FileNotFoundError:
        raise BackupProblem(f"there is no file {path}.") from None
    except IsADirectoryError:
        raise BackupProblem(f"{path} is a folder, and a backup is a file.") from None
    except sealed.SealProblem as problem:
        raise BackupProblem(f"{path} does not open: {problem}. Nothing was changed.") from None
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise BackupProblem(f"{path} is no backup, or was cut short: {error}.") from None
    check_agreement(path, manifest, digests, expected)
    return manifest


def check_member(member: tarfile.TarInfo) -> None:
    """Only files, and only under names that lead nowhere else."""
    parts = member.name.split("/")
    if not member.isfile() or ".." in parts or "" in parts:
        raise ValueError(f"{member.name!r} does not belong into a backup")
    if member.name not in (MANIFEST, DUMP, SUMS) and parts[0] != BILLS:
        raise ValueError(f"{member.name!r} does not belong into a backup")


def check_agreement(path: Path, manifest: object, digests: dict[str, str], expected: dict[str, str] | None) -> None:
    """The file is a backup of ours, of this version, with its end, and every member has the sum that the end lists."""
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise BackupProblem(f"{path} is no backup of this product.")
    if manifest.get("version") != VERSION:
        raise BackupProblem(f"{path} is a backup of version {manifest.get('version')}; this one reads {VERSION}.")
    if expected is None:
        raise BackupProblem(f"{path} was cut short: its end is missing. Nothing was changed.")
    wrong = sorted(name for name in {*digests, *expected} if digests.get(name) != expected.get(name))
    if wrong:
        raise BackupProblem(f"{path} is damaged at {wrong[0]} ({len(wrong)} in all). Nothing was changed.")


def existing_data() -> str:
    """What this installation has already, in words; empty when it is empty."""
    if product_files().folders(BILLS):
        return f"bills in {product_files().address}"
    # What Django, the packages and the apps themselves fill is nobody's data.
    ours = [config for config in apps.get_app_configs() if Path(config.path).is_relative_to(settings.BASE_DIR)]
    models = [model for config in ours if "site-packages" not in config.path for model in config.get_models()]
    own = own_rows()
    for model in (model for model in models if model._meta.managed and model._meta.label_lower not in own):
        try:
            with transaction.atomic():
                if model._default_manager.exists():
                    return str(model._meta.verbose_name_plural)
        except ProgrammingError:
            # The table is not there yet: nothing can be in it.
            continue
    return ""


def restore_backup(path: Path, *, replace: bool = False) -> dict[str, Any]:
    """Brings back database and bills, migrates them to this version, and empties the cache.

    The database changes in one transaction and the bills by a rename; what was there under `bills` is kept beside it.
    Raises BackupProblem before anything is changed, or when the database refused, which leaves it as it was.
    """
    psql, pg_restore = program("psql"), program("pg_restore")
    manifest = check_backup(path)
    if (there := existing_data()) and not replace:
        raise BackupProblem(f"there are {there} here already: --replace puts the backup in their place.")
    fresh = product_files().work_folder(f"bills.restored-{uuid.uuid4().hex[:8]}")
    try:
        dump, files = unpack(path, fresh)
        restore_database(psql, pg_restore, dump)
        dump.unlink()
        aside = swap_bills(fresh)
    except OSError as error:
        raise BackupProblem(f"the bills could not be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    call_command("migrate", verbosity=0, interactive=False)
    # In the backup the one that made it still ran.
    Backup.objects.filter(state=Backup.State.RUNNING).delete()
    RestoreDrill.objects.filter(outcome=RestoreDrill.Outcome.RUNNING).delete()
    # Results cached for other data could be taken for these; a cache that is down has none.
    with suppress(RedisError, OSError):
        cache.clear()
    return {"made_at": manifest["made_at"], "files": files, "kept_aside": aside}


def unpack(path: Path, folder: Path) -> tuple[Path, int]:
    """The bills in `folder`, the dump beside them; it was checked, so its names lead nowhere else."""
    folder.mkdir(parents=True)
    dump, files = folder / DUMP, 0
    with opened(path) as archive:
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


def restore_database(psql: str, pg_restore: str, dump: Path) -> None:
    """All of it in one transaction: COMMIT is sent only after pg_restore has ended well."""
    connection.close()
    command = [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", *server_options()]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, env=server_environment()
    ) as into:
        assert into.stdin is not None
        with suppress(BrokenPipeError):
            into.stdin.write(b"BEGIN;\n" + EMPTY_DATABASE)
            into.stdin.flush()
        read = subprocess.run(
            [pg_restore, "--no-owner", "--no-privileges", "--file=-", str(dump)], stdout=into.stdin, stderr=pipe
        )
        with suppress(BrokenPipeError):
            into.stdin.write(b"\nCOMMIT;\n" if read.returncode == 0 else b"\nROLLBACK;\n")
        _, why = into.communicate()
    if read.returncode or into.returncode:
        reason = (why or read.stderr).decode(errors="replace").strip().splitlines()[:1]
        raise BackupProblem(f"the database was not restored and is as it was: {' '.join(reason)}")


def swap_bills(fresh: Path) -> str | None:
    """Puts the restored bills in place; what was there is kept beside them, under the name that is returned."""
    place, aside = product_files(), None
    if place.folders(BILLS):
        aside = f"{BILLS}.before-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
        place.set_aside(BILLS, aside)
    restored = fresh / BILLS
    restored.mkdir(exist_ok=True)
    place.put_folder(restored, BILLS)
    return f"{place.address}/{aside}" if aside else None
