"""The drill: the newest backup is brought back beside the running site, its books are proved, and it is thrown away.

It is the way of a real restore, `manage.py restore`, in a process of its own, with a scratch database and a scratch
folder; drill_settings.py keeps mail, tasks and kept answers of the site out of it.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from psycopg import sql

from finops_site.lib.backup_ages import moment_of
from finops_site.lib.words import number_text
from finops_site.models import Backup, RestoreDrill
from finops_site.ops.backup_targets import TargetProblem, split_address, target_of
from finops_site.ops.backups import LOOK_SECONDS, BackupProblem
from finops_site.ops.heartbeats import is_silent
from finops_site.ops.scheduled_backups import scratch_folder

SCRATCH = "finops_drill_"
SILENT_FOR = timedelta(minutes=15)


def run_drill(now: datetime, address: str = "") -> RestoreDrill | None:
    """Tries the newest backup, or the one at `address`; None where a drill runs. The row says what came of it."""
    row = _begin(now)
    if row is None:
        return None
    try:
        row.path = address or newest_backup()
        with scratch_folder("drill") as folder, scratch_database() as url:
            figures = _restore(_here(row.path, folder), folder, url, row)
        row.summary, row.outcome = _words(figures, now), RestoreDrill.Outcome.DONE
    except (BackupProblem, TargetProblem, OSError, psycopg.Error) as problem:
        row.summary, row.outcome = " ".join(str(problem).split())[:1000], RestoreDrill.Outcome.FAILED
    row.ended_at = row.heard_at = timezone.now()
    row.save()
    return row


def newest_backup() -> str:
    """Where the newest backup lies: at the target, else the last one that was made by hand. Raises BackupProblem."""
    if settings.FINOPS_BACKUP_TARGET:
        target = target_of(settings.FINOPS_BACKUP_TARGET)
        names = [name for name in target.sizes() if moment_of(name)]
        if names:
            return f"{target.address}/{max(names)}"
    by_hand = Backup.objects.filter(state=Backup.State.DONE, is_scheduled=False).first()
    if by_hand is None:
        raise BackupProblem(_("There is no backup to try."))
    return by_hand.path


def _begin(now: datetime) -> RestoreDrill | None:
    running = RestoreDrill.objects.filter(outcome=RestoreDrill.Outcome.RUNNING)
    running.filter(is_silent("heard_at", now, SILENT_FOR)).update(
        outcome=RestoreDrill.Outcome.FAILED, summary=_("Its worker died, or was stopped.")
    )
    try:
        with transaction.atomic():
            return RestoreDrill.objects.create(started_at=now, heard_at=now)
    except IntegrityError:
        return None


def _here(address: str, folder: Path) -> Path:
    """The file in a folder of this machine, fetched if it lies elsewhere."""
    target, name = split_address(address)
    if target.is_here:
        return Path(address)
    target.fetch(name, folder / name)
    return folder / name


def _restore(file: Path, folder: Path, url: str, row: RestoreDrill) -> dict[str, int]:
    """`manage.py restore` there; returns its figures. Raises BackupProblem with its last line where it failed."""
    var = folder / "var"
    var.mkdir()
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "finops_site.drill_settings",
        "DATABASE_URL": url,
        "FINOPS_VAR": str(var),
        # Never into the bucket of the running site.
        "FINOPS_FILES": "",
        "SECRET_KEY": settings.SECRET_KEY,
        "FINOPS_BACKUP_KEY": ",".join(settings.FINOPS_BACKUP_KEY),
        "FINOPS_BACKUP_KEY_FILE": str(settings.FINOPS_BACKUP_KEY_FILE),
    }
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "restore", str(file), "--json"]
    process = subprocess.Popen(
        command, env=env, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        while True:
            try:
                output, errors = process.communicate(timeout=LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                row.heard_at = timezone.now()
                row.save(update_fields=["heard_at", "path"])
            except BaseException:
                process.kill()
                raise
    if process.returncode:
        raise BackupProblem(" ".join(errors.strip().splitlines()[-1:]) or f"restore ended with {process.returncode}")
    figures: dict[str, int] = json.loads(output)
    return figures


def _words(figures: dict[str, int], began: datetime) -> str:
    seconds = int((timezone.now() - began).total_seconds())
    return ngettext(
        "All {checks} checks of its books hold; {count} file of bills; it took {seconds} s.",
        "All {checks} checks of its books hold; {count} files of bills; it took {seconds} s.",
        figures["files"],
    ).format(checks=figures["checks"], count=number_text(figures["files"]), seconds=number_text(seconds))


@contextmanager
def scratch_database() -> Iterator[str]:
    """The URL of an empty database on the site's own server, or on that of FINOPS_DRILL_DATABASE_URL; it goes again."""
    own = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    named = urlsplit(settings.FINOPS_DRILL_DATABASE_URL) if settings.FINOPS_DRILL_DATABASE_URL else own
    server = urlunsplit(named._replace(scheme="postgresql"))
    # A name of ours: what a killed drill left on the server is known by it.
    ours = f"{SCRATCH}{uuid.uuid5(uuid.NAMESPACE_URL, settings.SECRET_KEY).hex[:8]}_"
    name = f"{ours}{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as admin:
        left = admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [ours]).fetchall()
        for row in left:
            _drop(admin, row[0])
        try:
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:
            raise BackupProblem(
                _("The site's user may make no database: give it CREATEDB, or set FINOPS_DRILL_DATABASE_URL.")
            ) from None
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            _drop(admin, name)


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
