"""Backups that make themselves: ada's settings say where to, how often, and what stays."""

import os
from datetime import timedelta

import boto3
import pytest
from django.utils import timezone
from moto import mock_aws

from finops_site.lib import sealed
from finops_site.lib.backup_ages import name_of
from finops_site.models import Backup, RestoreDrill
from finops_site.ops import backups, health, restore, scheduled_backups
from finops_site.ops.backups import BackupProblem
from finops_site.tasks import back_up_if_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(tmp_path, settings):
    """A folder that takes backups of an installation with one file of bills."""
    settings.FINOPS_VAR = tmp_path / "var"
    (tmp_path / "var/bills").mkdir(parents=True)
    (tmp_path / "var/bills/march.csv").write_text("ChargeCategory,BilledCost\nUsage,12.50\n")
    folder = tmp_path / "target"
    folder.mkdir()
    settings.FINOPS_BACKUP_TARGET = str(folder)
    settings.FINOPS_BACKUP_KEY = [sealed.new_key()]
    return folder


def statuses():
    groups = {group.title: group.statuses for group in health.groups(timezone.now())}
    return {status.label: (str(status.state), status.message) for status in groups["Backup and room"]}


def test_a_backup_is_made_when_it_is_due_and_opens_with_the_key_only(target, settings):
    assert back_up_if_due() == "done"
    assert back_up_if_due() == "none is due"
    (file,) = target.iterdir()
    row = Backup.objects.get()
    assert (row.path, row.bytes, row.is_encrypted) == (str(file), file.stat().st_size, True)
    assert b"12.50" not in file.read_bytes()
    assert restore.check_backup(file)["kind"] == "finops backup"
    settings.FINOPS_BACKUP_KEY = [sealed.new_key()]
    with pytest.raises(BackupProblem, match="FINOPS_BACKUP_KEY"):
        restore.check_backup(file)
    assert not [path for path in settings.FINOPS_VAR.iterdir() if path.name.startswith("scratch")]
    Backup.objects.update(made_at=timezone.now() - timedelta(hours=23, minutes=45))
    assert back_up_if_due() == "done"


def test_an_encrypted_backup_that_was_cut_is_refused(target):
    back_up_if_due()
    (file,) = target.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BackupProblem, match="does not open: it was cut short"):
        restore.check_backup(file)


def test_older_ones_go_by_the_rule_and_what_is_not_ours_stays(target, settings):
    settings.FINOPS_BACKUP_KEEP = "2 0 0"
    now = timezone.now()
    for days in (1, 2, 3):
        (target / name_of(now - timedelta(days=days))).write_bytes(b"x" * days)
    # Cut short on its way: the file differs from what was noted.
    Backup.objects.create(path=str(target / name_of(now - timedelta(days=1))), bytes=9, made_at=now, is_scheduled=True)
    (target / "letters.txt").write_text("dear ada")
    Backup.objects.update(made_at=now - timedelta(days=1))
    row = scheduled_backups.back_up(now)
    staying = {os.path.basename(row.path), name_of(now - timedelta(days=2)), "letters.txt"}
    assert {path.name for path in target.iterdir()} == staying
    assert Backup.objects.filter(state="removed").count() == 1


def test_a_bucket_takes_backups_that_are_encrypted_and_no_others(target, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ada")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    settings.FINOPS_BACKUP_TARGET = "s3://northwind-backups/finops"
    with mock_aws():
        row = scheduled_backups.back_up(timezone.now())
        assert row.state == "failed"
        assert "s3://northwind-backups/finops answered" in row.problem
        where = {"LocationConstraint": "eu-central-1"}
        boto3.client("s3").create_bucket(Bucket="northwind-backups", CreateBucketConfiguration=where)
        row = scheduled_backups.back_up(timezone.now() + timedelta(seconds=1))
        assert (row.state, row.problem) == ("done", "")
        place, name = scheduled_backups.target_of(settings.FINOPS_BACKUP_TARGET), row.path.rpartition("/")[2]
        assert place.sizes() == {name: row.bytes}
        place.fetch(name, tmp_path / name)
        assert restore.check_backup(tmp_path / name)["version"] == 1
        settings.FINOPS_BACKUP_KEY = []
        refused = scheduled_backups.back_up(timezone.now() + timedelta(seconds=2))
        assert "FINOPS_BACKUP_KEY is not set" in refused.problem
        assert list(place.sizes()) == [name]


def test_one_that_fails_is_red_and_the_last_good_one_is_named_still(target, settings, tmp_path):
    back_up_if_due()
    settings.FINOPS_BACKUP_TARGET = str(tmp_path / "unplugged")
    row = scheduled_backups.back_up(timezone.now() + timedelta(hours=25))
    assert row.problem == f"there is no folder {tmp_path}/unplugged."
    shown = statuses()
    assert shown["Backup that failed"][0] == "bad"
    assert "unplugged" in shown["Backup that failed"][1]
    assert str(target) in shown["Last backup"][1]


def test_only_one_runs_and_one_whose_worker_died_makes_room(target):
    now = timezone.now()
    Backup.objects.create(path="a", state="running", percent=40, made_at=now, heard_at=now)
    assert scheduled_backups.back_up(now) is None
    assert statuses()["Backup that runs"] == ("busy", "40% of a")
    later = now + timedelta(minutes=20)
    assert scheduled_backups.back_up(later).state == "done"
    assert Backup.objects.get(path="a").problem == "its worker died, or was stopped."


def test_a_key_that_is_none_keeps_a_backup_from_being_made_in_plain(target, settings, tmp_path):
    settings.FINOPS_BACKUP_KEY = ["short"]
    assert "FINOPS_BACKUP_KEY" in scheduled_backups.back_up(timezone.now()).problem
    settings.FINOPS_BACKUP_KEY, settings.FINOPS_BACKUP_KEY_FILE = [], str(tmp_path / "key")
    with pytest.raises(BackupProblem, match="cannot be read"):
        backups.backup_keys()
    (tmp_path / "key").write_text(sealed.new_key() + "\n")
    assert len(backups.backup_keys()) == 1


def test_a_backup_that_nobody_ever_tried_is_told_and_so_is_an_old_trial(target):
    assert statuses()["Last restore drill"][0] == "warn"
    assert "No backup was ever tried" in statuses()["Last restore drill"][1]
    drill = RestoreDrill.objects.create(path="/b/a.finops", outcome="done", summary="All 30 checks hold.")
    assert statuses()["Last restore drill"][0] == "good"
    RestoreDrill.objects.update(started_at=timezone.now() - timedelta(days=41))
    state, words = statuses()["Last restore drill"]
    assert (state, "41 days ago, /b/a.finops: All 30 checks hold." in words) == ("warn", True)
    RestoreDrill.objects.filter(pk=drill.pk).update(outcome="failed", summary="damaged")
    assert statuses()["Last restore drill"][0] == "bad"
