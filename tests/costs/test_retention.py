"""How long files are kept of bills that no longer count: what goes, what stays whatever its age, what is said of it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from costs import health, retention
from costs.ingest.load import load_bill, retry_delivery
from costs.ingest.receive import receive_bill
from costs.ingest.withdraw import withdraw_delivery
from costs.models import Delivery
from costs.reconciliation import reconcile
from finops_site.ops.backups import bill_files
from finops_site.registry import NightlyCheck, NightlyCheckFailed, registry
from tests import bills

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def deliver(folder, cost, age=0, source="northwind", **row):
    """A bill of March that was received and loaded so many days ago."""
    content = bills.focus_csv([{"BilledCost": str(cost), "EffectiveCost": str(cost), **row}])
    (received,) = receive_bill(source, [bills.write(folder, f"{source}.csv", content)], is_accepted=True)
    delivery = load_bill(received.delivery)
    moment = timezone.now() - age * DAY
    Delivery.objects.filter(pk=delivery.pk).update(received_at=moment, order_at=moment, loaded_at=moment)
    delivery.refresh_from_db()
    return delivery


def prune(**options):
    pruning = retention.prune_files(timezone.now(), **options)
    assert pruning.problems == {}
    return [row.delivery.pk for row in pruning.removed]


def has_files(delivery):
    delivery.refresh_from_db()
    present = delivery.folder.exists()
    assert present == (delivery.files_removed_at is None)
    return present


@pytest.fixture
def versions(tmp_path):
    """Four versions of March, 400, 300, 200 and 100 days old; the last one counts."""
    return [deliver(tmp_path, cost, age) for cost, age in ((1, 400), (2, 300), (3, 200), (4, 100))]


def test_what_stopped_counting_long_ago_goes_and_the_version_before_stays(versions):
    assert prune() == [versions[0].pk, versions[1].pk]
    assert [has_files(version) for version in versions] == [False, False, True, True]
    assert all(check.holds for check in reconcile())
    # A second run has nothing left to do.
    assert prune() == []


def test_the_time_begins_when_a_bill_stops_counting(tmp_path):
    """A bill of last year that counted until ten days ago is not old."""
    old, newer = deliver(tmp_path, 1, 400), deliver(tmp_path, 2, 10)
    deliver(tmp_path, 3, 5)
    assert prune() == []
    Delivery.objects.filter(pk=newer.pk).update(loaded_at=timezone.now() - 91 * DAY)
    assert prune() == [old.pk]


def test_without_a_limit_everything_is_kept(versions, settings):
    settings.FINOPS_KEEP_SUPERSEDED_DAYS = 0
    assert prune() == []
    assert all(has_files(version) for version in versions)
    assert "FINOPS_KEEP_SUPERSEDED_DAYS is 0" in health.prune_nightly(timezone.now().date())


@pytest.mark.parametrize("status", ["received", "loading", "held"])
def test_what_waits_or_is_held_is_kept(versions, status):
    Delivery.objects.filter(pk=versions[0].pk).update(status=status)
    assert versions[0].pk not in prune()
    assert has_files(versions[0])


def test_a_withdrawn_bill_and_the_one_before_it_can_both_be_counted_again(versions):
    withdraw_delivery(versions[3])
    # The one before counts again, and has one before it.
    assert load_bill(versions[2]).status == "current"
    assert prune() == [versions[0].pk]
    assert all(has_files(version) for version in versions[1:])


def test_every_subscription_keeps_its_version_before(tmp_path):
    """Two accounts by loose files of one source: the bill of one is not the version before the other's."""
    first = [deliver(tmp_path, cost, age, SubAccountId="one") for cost, age in ((1, 400), (2, 390))]
    other = [deliver(tmp_path, cost, age, SubAccountId="two") for cost, age in ((3, 300), (4, 290))]
    assert list(Delivery.objects.order_by("pk").values_list("status", flat=True)) == ["superseded", "current"] * 2
    assert prune() == []
    deliver(tmp_path, 5, 100, SubAccountId="two")
    assert prune() == [other[0].pk]
    assert has_files(first[0])


def test_what_another_app_stands_on_stays_and_the_page_says_why(versions, fay, client_of, monkeypatch):
    reason = "a figure of ours stands on it"
    monkeypatch.setattr(retention, "PROTECTIONS", [lambda months: {versions[0].pk: reason}])
    assert prune() == [versions[1].pk]
    assert has_files(versions[0])
    assert reason in client_of(fay).get(f"/deliveries/{versions[0].pk}/").content.decode()


def test_fay_reads_until_when_files_are_kept_and_when_they_went(versions, fay, client_of):
    client = client_of(fay)
    Delivery.objects.filter(pk=versions[1].pk).update(loaded_at=timezone.now() - 80 * DAY)
    page = f"/deliveries/{versions[0].pk}/"
    download = f"{page}files/{versions[0].files.get().pk}/"
    until = timezone.now() + 10 * DAY
    assert f"Kept until {until:%-d %b %Y}" in client.get(page).content.decode()
    assert client.get(download).status_code == 200
    Delivery.objects.filter(pk=versions[1].pk).update(loaded_at=timezone.now() - 100 * DAY)
    assert versions[0].pk in prune()
    text = client.get(page).content.decode()
    assert f"Removed on {timezone.now():%-d %b %Y}" in text
    assert download not in text
    assert versions[0].files.get().sha256 in text
    assert client.get(download).status_code == 404
    assert (
        "the newest version before the one that counts" in client.get(f"/deliveries/{versions[2].pk}/").content.decode()
    )
    assert "given up so far" in client.get("/deliveries/").content.decode()
    answer = client.get(f"/api/v1/deliveries/{versions[0].pk}/").json()
    assert answer["files_removed_at"].startswith(f"{timezone.now():%Y-%m-%d}")


def test_the_same_bill_again_counts_again_after_its_files_went(versions, tmp_path):
    prune()
    again = deliver(tmp_path, 1)
    assert again.pk not in [version.pk for version in versions]
    assert (again.status, again.fingerprint) == ("current", versions[0].fingerprint)
    assert has_files(again)


def test_a_failed_bill_without_files_is_not_tried_again(people, tmp_path, fay, client_of):
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "bad.csv", b"name,age\nada,36\n")], format="focus")
    delivery = load_bill(received.delivery)
    assert delivery.status == "failed"
    Delivery.objects.filter(pk=delivery.pk).update(received_at=timezone.now() - 91 * DAY)
    assert prune() == [delivery.pk]
    with pytest.raises(retention.FilesRemoved, match="Deliver the same files again"):
        retry_delivery(delivery)
    client = client_of(fay)
    assert "Try again" not in client.get(f"/deliveries/{delivery.pk}/").content.decode()
    answer = client.post(f"/deliveries/{delivery.pk}/retry/", follow=True)
    assert "Deliver the same files again to count them." in answer.content.decode()
    delivery.refresh_from_db()
    assert delivery.status == "failed"


class TestArchive:
    @pytest.fixture
    def archive(self, tmp_path, settings):
        folder = tmp_path / "archive"
        folder.mkdir()
        settings.FINOPS_ARCHIVE_FOLDER = str(folder)
        return folder

    def test_files_are_moved_with_their_sums(self, versions, archive):
        delivered = versions[0].files.get()
        content = delivered.full_path.read_bytes()
        assert prune() == [versions[0].pk, versions[1].pk]
        folder = archive / str(versions[0].pk)
        assert (folder / delivered.path).read_bytes() == content
        assert list((folder / "charges").rglob("*.parquet"))
        assert (folder / "sha256sums.txt").read_text() == f"{delivered.sha256}  {delivered.path}\n"
        assert not has_files(versions[0])
        assert versions[0].files_moved_to == str(folder)

    def test_a_file_that_is_not_what_was_delivered_stays_where_it_is(self, versions, archive):
        versions[0].files.get().full_path.write_bytes(b"altered")
        pruning = retention.prune_files(timezone.now())
        assert [row.delivery.pk for row in pruning.removed] == [versions[1].pk]
        assert "is not what was delivered" in pruning.problems[versions[0].pk]
        assert has_files(versions[0])
        with pytest.raises(NightlyCheckFailed, match="could not be given up"):
            health.prune_nightly(timezone.now().date())

    def test_an_archive_that_is_not_there_leaves_everything(self, versions, archive):
        archive.rmdir()
        with pytest.raises(NightlyCheckFailed, match="there is no folder"):
            health.prune_nightly(timezone.now().date())
        assert all(has_files(version) for version in versions)

    def test_an_archive_among_the_bills_is_refused(self, versions, settings):
        settings.FINOPS_ARCHIVE_FOLDER = str(versions[0].folder / "archive")
        with pytest.raises(CommandError, match="lies among the bills"):
            call_command("prune_bills")
        assert all(has_files(version) for version in versions)


class ProcessKill(BaseException):
    """What ends a process in the middle of its work."""


@pytest.mark.parametrize("archived", [False, True])
@pytest.mark.parametrize("step", ["_archive_files", "_copy_to_archive", "shutil.rmtree"])
def test_a_run_that_was_killed_is_finished_by_the_next(versions, tmp_path, settings, monkeypatch, archived, step):
    if archived:
        settings.FINOPS_ARCHIVE_FOLDER = str(tmp_path)
    with monkeypatch.context() as patched:

        def kill(*args, **options):
            raise ProcessKill

        patched.setattr(f"costs.retention.{step}", kill)
        if step == "_copy_to_archive" and not archived:
            pytest.skip("nothing is copied without an archive")
        with pytest.raises(ProcessKill):
            retention.prune_files(timezone.now())
    versions[0].refresh_from_db()
    assert versions[0].files_removed_at
    assert versions[0].folder.exists()
    assert prune() == [versions[1].pk]
    assert [has_files(version) for version in versions] == [False, False, True, True]
    if archived:
        assert (Path(versions[0].files_moved_to) / versions[0].files.get().path).exists()


def test_prune_bills_says_first_what_would_go(versions, capsys):
    call_command("prune_bills", "--dry-run", "--json")
    planned = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in planned["removed"]] == [versions[0].pk, versions[1].pk]
    assert planned["bytes"] == sum(version.files.get().bytes for version in versions[:2])
    assert all(has_files(version) for version in versions)
    call_command("prune_bills")
    assert "Removed the files of 2 deliveries" in capsys.readouterr().out
    assert not has_files(versions[0])
    call_command("check_books")
    assert "2 deliveries that do not count: files removed by retention." in capsys.readouterr().out


def test_a_backup_holds_what_is_left(versions):
    prune()
    folders = {file.name.split("/")[1] for file in bill_files()}
    assert str(versions[0].pk) not in folders
    assert {str(versions[2].pk), str(versions[3].pk)} <= folders


def test_health_and_the_night_know_of_it(versions, ada, client_of):
    assert health.prune_nightly in [check.run for check in registry.of(NightlyCheck)]
    assert health.prune_nightly(timezone.now().date()).startswith("Removed the files of 2 deliveries")
    text = client_of(ada).get("/health/").content.decode()
    assert "Files of bills" in text
    assert "no longer count" in text
    assert "kept for 90 days" in text
