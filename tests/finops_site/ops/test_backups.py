"""Backup and restore: everything comes back to the last digit, and what is not whole is noticed."""

import json
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Backup, NightlyRun, RestoreDrill
from finops_site.ops import backups, nightly, restore, restore_drill
from finops_site.ops.commands import BadInput
from tests import bills
from tests.people import person

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def house(transactional_db, tmp_path, settings):
    """Ada's installation with one bill, in a folder of its own."""
    settings.FINOPS_VAR = tmp_path / "var"
    person("ada")
    rows = [{"BilledCost": "1234567890.123456789012345678", "ResourceId": "i-1"}, {"BilledCost": "-0.5"}]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    assert load_bill(received.delivery).status == "current"
    return settings.FINOPS_VAR


@pytest.fixture
def made(house, tmp_path):
    path = tmp_path / "tuesday.finops"
    backups.make_backup(path, timezone.now())
    return path


@pytest.fixture
def elsewhere(transactional_db, tmp_path):
    """Runs a command in an installation that is empty, tables and all: ``elsewhere("restore", path)``."""
    name = f"{settings.DATABASES['default']['NAME']}_elsewhere"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    env = os.environ | {"DATABASE_URL": url, "FINOPS_VAR": str(folder), "SECRET_KEY": "other", "EMBEDDED": "1"}
    env["DJANGO_SETTINGS_MODULE"] = "finops_site.settings"

    def command(*args):
        arguments = [sys.executable, str(ROOT / "manage.py"), *map(str, args)]
        return subprocess.run(arguments, capture_output=True, text=True, env=env, cwd=ROOT)

    command.folder = folder
    yield command
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.slow
def test_what_was_backed_up_comes_back_to_the_last_digit_and_only_into_an_empty_house(made, elsewhere):
    restored = elsewhere("restore", made, "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["green"] is True
    there = json.loads(elsewhere("check_books", "--json").stdout)
    assert there["totals"] == json.loads(json.dumps(reconciliation.current_totals()))
    assert "1234567889.623456789012345678" in json.dumps(there["totals"])
    again = elsewhere("restore", made)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "--replace" in again.stderr
    second = elsewhere("backup", elsewhere.folder / "wednesday.finops", "--json")
    assert second.returncode == 0, second.stderr
    replaced = elsewhere("restore", json.loads(second.stdout)["path"], "--replace", "--json")
    assert replaced.returncode == 0, replaced.stderr
    figures = json.loads(replaced.stdout)
    assert figures["green"] is True
    assert Path(figures["kept_aside"]).is_dir()


def test_a_backup_is_for_its_owner_only_and_is_noted(made, house):
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert Backup.objects.get().bytes == made.stat().st_size
    assert [path.name for path in made.parent.glob(".*")] == []


def test_a_backup_cut_short_is_noticed_before_anything_is_touched(made, house):
    content, before = made.read_bytes(), sorted(house.rglob("*"))
    for share in (0, 0.01, 0.3, 0.6, 0.9, 0.97):
        made.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(backups.BackupProblem, match=r"cut short|is no backup"):
            restore.restore_backup(made, replace=True)
    assert sorted(house.rglob("*")) == before
    assert all(check.holds for check in reconciliation.reconcile())


def test_one_changed_byte_is_noticed(made):
    with tarfile.open(made) as archive:
        place = archive.getmember("database.dump").offset_data + 1000
    content = bytearray(made.read_bytes())
    content[place] ^= 1
    made.write_bytes(content)
    with pytest.raises(backups.BackupProblem, match=r"damaged at database\.dump"):
        restore.restore_backup(made, replace=True)


def test_a_name_that_leads_elsewhere_is_refused(tmp_path):
    path = tmp_path / "evil.finops"
    for name in ("../evil", "bills/../../evil", "/etc/evil", "other/evil", "bills//evil"):
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo(name))
        with pytest.raises(backups.BackupProblem, match="does not belong"):
            restore.check_backup(path)


def test_neither_a_house_in_use_nor_another_backup_is_overwritten(made, house, tmp_path):
    with pytest.raises(BadInput, match=r"bills in .* here already"):
        call_command("restore", str(made))
    (house / "bills").rename(house / "elsewhere")
    with pytest.raises(BadInput, match="here already"):
        call_command("restore", str(made))
    with pytest.raises(BadInput, match="is there already"):
        call_command("backup", str(made))


@pytest.mark.django_db
def test_without_the_programs_of_postgres_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(backups.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="pg_dump is not installed") as refused:
        call_command("backup", str(tmp_path / "x.finops"))
    assert refused.value.returncode == 2
    assert not (tmp_path / "x.finops").exists()


@pytest.mark.django_db
def test_what_is_no_file_is_named(tmp_path):
    for path, output in (("nothing.finops", "there is no file"), (".", "is a folder")):
        with pytest.raises(BadInput, match=output):
            call_command("restore", str(tmp_path / path))


@pytest.mark.django_db
def test_what_an_installation_holds_by_itself_is_nobodys(settings, tmp_path):
    """The rules of the first day, and what a night leaves behind where nobody is yet."""
    settings.FINOPS_VAR = tmp_path / "var"
    assert restore.existing_data() == ""
    nightly.run_checks(timezone.now().date())
    assert NightlyRun.objects.exists()
    assert restore.existing_data() == ""
    person("ada")
    assert restore.existing_data() == "users"


def test_a_drill_brings_the_backup_back_beside_the_house_and_leaves_nothing(made, house, monkeypatch, settings):
    settings.FINOPS_BACKUP_TARGET = ""
    with connection.cursor() as cursor:
        drill = restore_drill.run_drill(timezone.now())
        assert (drill.outcome, drill.path) == ("done", str(made)), drill.summary
        assert "checks of its books hold; 2 files of bills" in drill.summary
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'finops_drill_%%'")
        assert cursor.fetchone() == (0,)
    assert not list(house.glob("scratch-*"))
    content = bytearray(made.read_bytes())
    content[len(content) // 2] ^= 1
    made.write_bytes(content)
    failed = restore_drill.run_drill(timezone.now())
    assert failed.outcome == "failed"
    assert "Nothing was changed" in failed.summary or "no backup" in failed.summary
    assert RestoreDrill.objects.filter(outcome="running").count() == 0
