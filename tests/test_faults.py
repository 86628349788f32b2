"""Whatever dies, and at whichever statement: nothing is lost, nothing done twice, nothing runs for ever.

docs/operations.md has the table of these, and of the tests that kill real processes.
"""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.utils import timezone

from budgets.alerts import notifications
from budgets.evaluation import evaluate
from budgets.models import Alert, AlertDelivery
from costs import reconciliation
from costs.ingest import claims
from costs.ingest.load import load_bill, retry_delivery
from costs.models import CostLine, Delivery
from finops_site.exports import jobs
from finops_site.files.product import product_files
from finops_site.lib import sealed
from finops_site.mail import outbox
from finops_site.models import Backup, Export, OutgoingEmail, Team
from finops_site.ops import restore, scheduled_backups
from finops_site.tasks import write_export
from reservations.calc import purchase_rules
from reservations.purchases import execution
from tagging.chargeback import closing, draft_statements, invariants
from tagging.models import ChargebackPeriod, Statement
from tests.budgets.conftest import a_quarter, at, budget_of, deliver, payments  # noqa: F401
from tests.costs.ingest.test_ingest import assert_green, billed, receive
from tests.faults import full_disk, strikes
from tests.reservations.purchases.test_execution import aws, item, policy, row, started  # noqa: F401
from tests.tagging.chargeback.helpers import bill, company, split_support, usual

pytestmark = pytest.mark.django_db

ADDRESS = "/people/teams/?_export=csv"
LATER = timedelta(minutes=30)


@pytest.fixture
def export(ada, settings, tmp_path, monkeypatch):
    settings.FINOPS_VAR = tmp_path
    monkeypatch.setattr(write_export, "delay_or_wait", lambda pk: None)
    return jobs.ask(ada, ADDRESS, timezone.now())


@pytest.fixture
def target(tmp_path, settings):
    """Where backups go, of an installation with one file of bills."""
    settings.FINOPS_VAR = tmp_path / "var"
    (tmp_path / "var/bills").mkdir(parents=True)
    (tmp_path / "var/bills/march.csv").write_text("ChargeCategory,BilledCost\nUsage,12.50\n")
    (tmp_path / "target").mkdir()
    settings.FINOPS_BACKUP_TARGET, settings.FINOPS_BACKUP_KEY = str(tmp_path / "target"), [sealed.new_key()]
    return tmp_path / "target"


def test_a_file_that_a_job_makes_is_made_once_whatever_died(export):
    for fault, step in strikes(lambda: jobs.write_export(export.pk)):
        later = timezone.now() + LATER
        jobs.resume_silent(later)
        jobs.write_export(export.pk, lambda: later)  # noqa: B023 (it is called at once)
        export.refresh_from_db()
        assert (export.state, export.rows) == (Export.State.READY, Team.objects.count()), (fault, step)
        files = product_files().list(jobs._folder_of(export))
        assert list(files) == [jobs.place_of(export)], (fault, step)
        assert OutgoingEmail.objects.filter(key=f"export {export.pk}").count() <= 1


def test_a_disk_that_is_full_ends_an_export_in_words_and_it_is_made_later(export, ada):
    with full_disk(50):
        jobs.write_export(export.pk)
    export.refresh_from_db()
    assert (export.state, "no room to write it" in export.problem) == (Export.State.FAILED, True)
    assert list(product_files().folders(jobs.FOLDER)) == []
    again = jobs.ask(ada, ADDRESS, timezone.now())
    jobs.write_export(again.pk)
    again.refresh_from_db()
    assert again.state == Export.State.READY


def test_a_backup_is_made_once_whatever_died(target):
    for fault, step in strikes(lambda: scheduled_backups.back_up(timezone.now()), most=3):
        later = timezone.now() + LATER
        made = scheduled_backups.back_up(later)
        assert made is not None, (fault, step)
        assert (made.state, Backup.objects.filter(state="running").count()) == ("done", 0), (fault, step)
        assert restore.check_backup(target / made.path.rpartition("/")[2])["kind"] == "finops backup"
        assert list(target.parent.glob("var/scratch-*")) == []
        for path in target.iterdir():
            path.unlink()


def test_a_disk_that_is_full_ends_a_backup_in_words_and_leaves_no_half_one(target):
    with full_disk(1000):
        failed = scheduled_backups.back_up(timezone.now())
    assert failed.state == "failed"
    assert failed.problem.startswith("pg_dump failed")
    assert list(target.iterdir()) == list(target.parent.glob("var/scratch-*")) == []
    assert scheduled_backups.back_up(timezone.now() + timedelta(seconds=1)).state == "done"


def test_a_month_is_closed_whole_or_not_at_all_whatever_died(tmp_path, fay):
    split_support(company())
    bill(tmp_path, usual("2026-03"))
    now = datetime(2026, 4, 5, 9, tzinfo=UTC)
    draft_statements.refresh_stale_drafts(now)
    period = ChargebackPeriod.objects.get(billing_month=date(2026, 3, 1))

    def close():
        fresh = ChargebackPeriod.objects.get(pk=period.pk)
        return closing.close_month(fresh, fay, seen=fresh.fingerprint, now=now)

    for fault, step in strikes(close, most=4):
        period.refresh_from_db()
        if not period.is_closed:
            assert set(period.statements.values_list("number", flat=True)) == {None}, (fault, step)
            draft_statements.refresh_stale_drafts(now)
            close()
        numbers = Statement.objects.order_by("number").values_list("number", flat=True)
        assert list(numbers) == ["2026-03-0001", "2026-03-0002"], (fault, step)
        assert [check for check in invariants.check_statements(None) if not check.holds] == []


def test_a_night_tells_of_everything_once_whatever_died(a_quarter, payments, budget_of, lea):  # noqa: F811
    budget_of("Payments", "3000", team=payments)
    day = date(2026, 3, 20)

    def night(now=at(day)):  # noqa: B008 (a moment of the past)
        evaluate.evaluate_nights(day, now=now, catch_up=False)
        notifications.send_due_notifications(now)

    def outcome():
        alerts = Alert.objects.order_by("threshold", "kind").values_list("budget", "period", "threshold", "kind")
        mails = OutgoingEmail.objects.filter(key__startswith="alert ").order_by("to")
        return list(alerts), list(mails.values_list("to", flat=True)), AlertDelivery.objects.queued().count()

    expected = []
    for fault, step in strikes(night, most=3):
        night(at(day) + LATER)
        notifications.send_due_notifications(at(day) + timedelta(hours=2))
        expected = expected or outcome()
        assert outcome() == expected, (fault, step)
        assert expected[0]
        assert expected[1]


def test_a_purchase_is_made_once_or_in_doubt_whatever_died(row, fay, aws):  # noqa: F811
    from tests.reservations.purchases.test_execution import NOW, SOON

    def buy():
        aws.reserved.clear()
        execution.execute_purchase(row.pk, clock=lambda: NOW)

    started(row, fay)
    outcomes = set()
    for fault, step in strikes(buy, most=3):
        for moment in (SOON, SOON + LATER):
            for pk in execution.sweep_purchases(moment):
                execution.execute_purchase(pk, clock=lambda: moment)  # noqa: B023 (it is called at once)
        row.refresh_from_db()
        outcomes.add(row.state)
        assert row.state in (purchase_rules.BOUGHT, purchase_rules.DOUBTFUL), (fault, step, row.state)
        assert len(aws.reserved) <= 1, (fault, step)
    assert purchase_rules.BOUGHT in outcomes


def test_a_bill_that_kills_every_worker_is_given_up_with_a_word_and_may_be_retried(tmp_path):
    good = receive(tmp_path, "march.csv", [{"BilledCost": "10"}])
    load_bill(good)
    poisoned = receive(tmp_path, "newer.csv", [{"BilledCost": "11"}])
    for _attempt in range(claims.MOST_ATTEMPTS):
        claims.claim(poisoned)
        Delivery.objects.filter(pk=poisoned.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    with pytest.raises(claims.DeliveryTaken):
        load_bill(poisoned)
    poisoned.refresh_from_db()
    assert (poisoned.status, "ended 5 times" in poisoned.message) == (Delivery.Status.FAILED, True)
    assert list(claims.stalled_deliveries(timezone.now())) == []
    assert billed() == {"USD": 10}, "the last good month stands"
    assert retry_delivery(poisoned)
    assert load_bill(poisoned).status == Delivery.Status.CURRENT
    assert billed() == {"USD": 11}
    assert_green()


def test_a_clock_that_is_set_back_leaves_nothing_that_seems_alive_for_years(tmp_path, target, ada, monkeypatch):
    years = timezone.now() + timedelta(days=900)
    delivery = receive(tmp_path, "march.csv", [{"BilledCost": "10"}])
    claims.claim(delivery)
    Delivery.objects.filter(pk=delivery.pk).update(heartbeat_at=years)
    assert load_bill(delivery).status == Delivery.Status.CURRENT
    assert CostLine.objects.count() == 1
    Backup.objects.create(path="a", state="running", heard_at=years, made_at=years, is_scheduled=True)
    Backup.objects.create(path="b", state="done", heard_at=years, made_at=years, is_scheduled=True)
    assert scheduled_backups.back_up_if_due(timezone.now()).state == "done"
    monkeypatch.setattr(write_export, "delay_or_wait", lambda pk: None)
    job = jobs.ask(ada, ADDRESS, timezone.now())
    Export.objects.filter(pk=job.pk).update(state=Export.State.WRITING, heard_at=years, attempt=1)
    jobs.write_export(job.pk)
    job.refresh_from_db()
    assert job.state == Export.State.READY
    mail = OutgoingEmail.objects.create(
        key="x", to="ada@demo.example", subject="x", message_id="<x@y>", claimed_until=years, created_at=years
    )
    assert outbox._claim(timezone.now()) == mail
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def test_a_migration_that_is_interrupted_leaves_nothing_of_itself():
    """Each is one transaction, and what follows them (roles, triggers of the log) is done again by the next."""
    loader = MigrationLoader(None)
    ours = {"finops_site", "costs", "tagging", "budgets", "reservations", "usage", "programme"}
    assert [str(one) for (app, _), one in loader.disk_migrations.items() if app in ours and not one.atomic] == []

    def dies(apps, schema_editor):
        raise ZeroDivisionError

    broken = migrations.Migration("9999_broken", "finops_site")
    broken.operations = [
        migrations.CreateModel("Half", [("id", models.BigAutoField(primary_key=True))]),
        migrations.RunPython(dies),
    ]
    with pytest.raises(ZeroDivisionError), connection.schema_editor(atomic=True) as editor:
        broken.apply(ProjectState(), editor)
    assert "finops_site_half" not in connection.introspection.table_names()
    assert call_command("check", "--database", "default", verbosity=0) is None
