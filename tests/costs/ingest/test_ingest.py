"""The life of a delivery: replaced whole, resumed after a crash, never half a bill."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from costs import reconciliation
from costs.charges import build_cost_lines
from costs.ingest import store_cost_lines as store_cost_lines_module
from costs.ingest.activate import activate_delivery
from costs.ingest.claims import DeliveryTaken, claim, stalled_deliveries
from costs.ingest.leftovers import remove_leftovers
from costs.ingest.load import load_bill, mark_failed, retry_delivery
from costs.ingest.postgres_copy import copy_in
from costs.ingest.receive import receive_bill
from costs.ingest.republish import republish_month, swap_publications
from costs.ingest.rollups import roll_up
from costs.ingest.store_cost_lines import store_cost_lines
from costs.models import CostLine, DayRollup, Delivery, DeliveryMonth, Dimension, MonthRollup, ResourceRollup
from costs.querysets import METRICS
from costs.versions.streams import stream_of
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills

ROOT = Path(__file__).resolve().parents[3]


def receive(folder, name, rows, source="northwind", **options):
    (received,) = receive_bill(source, [bills.write(folder, name, bills.focus_csv(rows))], **options)
    return received.delivery


def load(folder, name, rows, **options):
    delivery = load_bill(receive(folder, name, rows, **options))
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    return delivery


def billed():
    return {code: sums["billed_cost"] for code, sums in CostLine.objects.current().totals(["billed_cost"]).items()}


def fall_silent():
    """What loads has not been heard of for an hour: another worker may take it over."""
    Delivery.objects.filter(status=Delivery.Status.LOADING).update(heartbeat_at=timezone.now() - timedelta(hours=1))


def assert_green():
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


@pytest.mark.django_db
def test_charges_of_a_day_become_one_line_and_nothing_is_taken_for_a_duplicate(tmp_path):
    load(tmp_path, "march.csv", [{"BilledCost": "0.1"}] * 3 + [{"BilledCost": "0.2", "ResourceId": "i-2"}])
    lines = CostLine.objects.order_by("resource").values_list("resource", "billed_cost", "charges", "quantity", "unit")
    assert list(lines) == [("i-1", Decimal("0.3"), 3, 72, "Hours"), ("i-2", Decimal("0.2"), 1, 24, "Hours")]


@pytest.mark.django_db
def test_what_a_bill_does_not_say_stays_unknown_and_is_never_zero(tmp_path):
    load(tmp_path, "march.csv", [{"ListCost": "", "ContractedCost": "null"}])
    line = CostLine.objects.get()
    assert (line.list_cost, line.contracted_cost, line.effective_cost) == (None, None, Decimal(1))
    assert CostLine.objects.totals()["USD"]["list_cost"] is None


@pytest.mark.django_db
def test_a_newer_delivery_replaces_its_months_and_leaves_the_others(tmp_path):
    april = {"BillingPeriodStart": "2026-04-01"}
    first = load(tmp_path, "one.csv", [{"BilledCost": "10"}, {"BilledCost": "20", **april}])
    second = load(tmp_path, "two.csv", [{"BilledCost": "25", **april}])
    assert billed() == {"USD": 35}
    first.refresh_from_db()
    assert (first.status, second.status) == (Delivery.Status.CURRENT, Delivery.Status.CURRENT)
    third = load(tmp_path, "three.csv", [{"BilledCost": "11"}])
    first.refresh_from_db()
    assert (first.status, third.status) == (Delivery.Status.SUPERSEDED, Delivery.Status.CURRENT)
    assert billed() == {"USD": 36}
    assert_green()


@pytest.mark.django_db
def test_a_source_that_appends_adds_up(tmp_path):
    load(tmp_path, "one.csv", [{"BilledCost": "10"}], mode="append")
    load(tmp_path, "two.csv", [{"BilledCost": "5"}], mode="append")
    assert billed() == {"USD": 15}
    assert_green()


@pytest.mark.django_db
def test_a_bill_that_was_replaced_may_come_back(tmp_path):
    load(tmp_path, "one.csv", [{"BilledCost": "10"}])
    load(tmp_path, "two.csv", [{"BilledCost": "11"}])
    load(tmp_path, "one.csv", [{"BilledCost": "10"}])
    assert billed() == {"USD": 10}
    assert Delivery.objects.count() == 3


@pytest.mark.django_db
def test_the_bill_received_last_wins_in_whatever_order_the_loads_end(tmp_path):
    earlier = receive(tmp_path, "earlier.csv", [{"BilledCost": "10"}])
    later = receive(tmp_path, "later.csv", [{"BilledCost": "12"}])
    load_bill(later)
    late = load_bill(earlier)
    assert late.status == Delivery.Status.SUPERSEDED
    assert billed() == {"USD": 12}
    assert_green()


@pytest.mark.django_db
def test_a_correction_keeps_its_two_months_apart(tmp_path):
    """Used in February, invoiced in March."""
    late = {"ChargePeriodStart": "2026-02-10T00:00:00Z", "ChargeClass": "Correction", "BilledCost": "-4"}
    load(tmp_path, "march.csv", [{"BilledCost": "10"}, late])
    line = CostLine.objects.get(charge_class="Correction")
    assert (line.billing_month, line.charge_date) == (date(2026, 3, 1), date(2026, 2, 10))
    assert sorted(MonthRollup.objects.values_list("charge_month", "billed_cost")) == [
        (date(2026, 2, 1), -4),
        (date(2026, 3, 1), 10),
    ]


@pytest.mark.django_db
def test_a_purchase_for_three_years_is_charged_on_its_first_day(tmp_path):
    load(tmp_path, "march.csv", [{"ChargeCategory": "Purchase", "ChargePeriodEnd": "2029-03-05T00:00:00Z"}])
    assert CostLine.objects.get().charge_date == date(2026, 3, 5)


@pytest.mark.django_db
def test_drop_downs_know_the_values_and_what_people_call_them(tmp_path):
    load(tmp_path, "march.csv", [{}, {"SubAccountId": "7", "SubAccountName": "development"}])
    assert dict(Dimension.objects.filter(name="sub_account").values_list("value", "label")) == {
        "000000000042": "production",
        "7": "development",
    }
    assert list(Dimension.objects.filter(name="tag").values_list("value", flat=True)) == ["Team"]


@pytest.mark.django_db
def test_the_rollups_can_be_thrown_away_and_made_again(tmp_path):
    load(tmp_path, "march.csv", [{"BilledCost": "0.1"}, {"BilledCost": "0.2", "ServiceName": "S3"}])
    MonthRollup.objects.all().delete()
    DayRollup.objects.update(billed_cost=7)
    assert {check.invariant for check in reconciliation.reconcile() if not check.holds} == {
        "month rollups = charges",
        "day rollups = charges",
    }
    roll_up(DeliveryMonth.objects.get())
    assert_green()


@pytest.mark.django_db
def test_the_books_notice_a_line_that_was_changed(tmp_path):
    load(tmp_path, "march.csv", [{"BilledCost": "0.1"}, {"BilledCost": "0.2", "ResourceId": "i-2"}])
    CostLine.objects.filter(resource="i-2").update(billed_cost=Decimal("0.200000000000000001"))
    broken = [check for check in reconciliation.reconcile() if not check.holds]
    assert {check.invariant for check in broken} == {"cost lines = charges", "direct + shared + unowned = the bill"}


@pytest.mark.django_db
def test_lines_published_again_are_the_same_lines(tmp_path):
    load(tmp_path, "march.csv", [{"BilledCost": "0.1"}, {"BilledCost": "0.2", "ResourceId": "i-2"}])
    before = CostLine.objects.current().totals()
    old = DeliveryMonth.objects.get()
    fresh = republish_month(old)
    assert fresh.pk != old.pk
    assert CostLine.objects.current().totals() == before
    assert CostLine.objects.count() == 2, "the old lines are gone"
    assert_green()


@pytest.mark.django_db
def test_a_load_that_died_starts_again_and_leaves_nothing_twice(tmp_path):
    delivery = receive(tmp_path, "march.csv", [{"BilledCost": "10"}])
    claimed = claim(delivery)
    (claimed.folder / "scratch-1").mkdir()
    DeliveryMonth.objects.create(delivery=claimed, stream=stream_of(claimed, ""), billing_month=date(2026, 3, 1))
    with pytest.raises(DeliveryTaken):
        load_bill(delivery)
    silent = timezone.now() - timedelta(seconds=settings.LOAD_STALLED_AFTER_SECONDS + 1)
    Delivery.objects.update(heartbeat_at=silent)
    assert list(stalled_deliveries(timezone.now())) == [delivery]
    loaded = load_bill(delivery)
    assert (loaded.status, loaded.attempt) == (Delivery.Status.CURRENT, 2)
    assert billed() == {"USD": 10}
    assert DeliveryMonth.objects.count() == 1
    assert not list(loaded.folder.glob("scratch-*"))
    assert_green()


@pytest.mark.django_db
def test_a_worker_that_was_taken_over_changes_nothing_any_more(tmp_path):
    delivery = receive(tmp_path, "march.csv", [{"BilledCost": "10"}])
    zombie = claim(delivery)
    fall_silent()
    load_bill(delivery)
    with pytest.raises(DeliveryTaken):
        activate_delivery(zombie, [])
    assert billed() == {"USD": 10}


@pytest.mark.django_db
def test_a_bill_that_counts_meanwhile_takes_nothing_from_one_that_still_loads(tmp_path, monkeypatch):
    april = {"BillingPeriodStart": "2026-04-01T00:00:00Z", "ChargePeriodStart": "2026-04-02T00:00:00Z"}
    slow = receive(tmp_path, "march.csv", [{"BilledCost": "10"}])
    quick = receive(tmp_path, "april.csv", [{**april, "BilledCost": "5"}])

    def overtaken(delivery, months):
        monkeypatch.setattr("costs.ingest.load.activate_delivery", activate_delivery)
        assert load_bill(quick).status == Delivery.Status.CURRENT
        activate_delivery(delivery, months)

    monkeypatch.setattr("costs.ingest.load.activate_delivery", overtaken)
    assert load_bill(slow).status == Delivery.Status.CURRENT
    assert billed() == {"USD": 15}
    assert_green()


@pytest.mark.django_db
def test_what_a_worker_copied_while_it_was_taken_over_does_not_stay(tmp_path, monkeypatch):
    delivery = receive(tmp_path, "march.csv", [{"BilledCost": "10"}])

    def taken_over(path, table, columns, *form):
        """The other looks for remains before these lines are there; this file is open and goes in all the same."""
        if table == CostLine._meta.db_table:
            monkeypatch.setattr(store_cost_lines_module, "copy_in", copy_in)
            content = path.read_bytes()
            fall_silent()
            load_bill(delivery)
            path = tmp_path / "open.csv"
            path.write_bytes(content)
        copy_in(path, table, columns, *form)

    monkeypatch.setattr(store_cost_lines_module, "copy_in", taken_over)
    with pytest.raises(duckdb.IOException):
        load_bill(delivery)
    current = DeliveryMonth.objects.get()
    for model in (CostLine, MonthRollup, DayRollup):
        assert set(model.objects.values_list("delivery_month", flat=True)) == {current.pk}, model
    assert_green()


@pytest.mark.django_db
def test_the_failure_of_a_worker_that_was_taken_over_touches_nothing_of_the_other(tmp_path):
    delivery = receive(tmp_path, "march.csv", [{"BilledCost": "10"}])
    zombie = claim(delivery)
    fall_silent()
    other = claim(delivery)
    DeliveryMonth.objects.create(delivery=other, stream=stream_of(other, ""), billing_month=date(2026, 3, 1))
    mark_failed(zombie, "the disk is full")
    other.refresh_from_db()
    assert (other.status, other.message, other.months.count()) == (Delivery.Status.LOADING, "", 1)


@pytest.mark.django_db
def test_tidying_up_leaves_a_month_alone_that_is_made_anew_just_then(tmp_path, monkeypatch):
    load(tmp_path, "march.csv", [{"BilledCost": "10"}])

    def tidied(old, fresh):
        remove_leftovers(timezone.now())
        return swap_publications(old, fresh)

    monkeypatch.setattr("costs.ingest.republish.swap_publications", tidied)
    republish_month(DeliveryMonth.objects.get())
    assert billed() == {"USD": 10}
    assert_green()


@pytest.mark.django_db
def test_the_sums_of_new_lines_are_those_that_are_made_of_the_lines_stored(tmp_path):
    payments = Team.objects.create(name="Payments")
    OwnershipRule.objects.create(name="Payments", team=payments, tag_key="team", tag_value="payments")
    rows = [
        {"BilledCost": "1.1", "Tags": '{"team":"payments"}', "ResourceId": "i-1", "ResourceName": "one\ttab"},
        {"BilledCost": "2", "ListCost": "", "ResourceId": "i-2", "RegionId": "", "SubAccountId": "", "Tags": "{}"},
        {"BilledCost": "3", "ChargePeriodStart": "2026-02-28T23:00:00Z", "ResourceId": "i-1", "ResourceName": "a,b"},
    ]
    month = load(tmp_path, "march.csv", rows).months.get()

    def stored():
        return {
            model: sorted(map(str, model.objects.values_list(*(f.name for f in model._meta.fields if f.name != "id"))))
            for model in (MonthRollup, ResourceRollup, DayRollup)
        }

    at_first = stored()
    assert all(at_first.values())
    roll_up(month)
    assert stored() == at_first
    assert set(DayRollup.objects.values_list("owner__name", flat=True)) == {"Payments", None}


@pytest.mark.django_db
def test_texts_that_share_a_hash_are_numbered_anew(tmp_path, monkeypatch):
    number = build_cost_lines._number
    tries = []

    def unlucky(columns, salt):
        tries.append(salt)
        return "0::UBIGINT" if salt == 0 else number(columns, salt)

    monkeypatch.setattr(build_cost_lines, "_number", unlucky)
    load(tmp_path, "march.csv", [{"BilledCost": "1", "ResourceId": "i-1"}, {"BilledCost": "2", "ResourceId": "i-2"}])
    assert set(tries) == {0, 1}
    assert dict(CostLine.objects.values_list("resource", "billed_cost")) == {"i-1": 1, "i-2": 2}
    assert_green()


@pytest.mark.django_db
def test_a_full_disk_is_said_and_the_load_can_be_tried_again(tmp_path, monkeypatch):
    load(tmp_path, "good.csv", [{"BilledCost": "10"}])
    delivery = receive(tmp_path, "newer.csv", [{"BilledCost": "11"}])
    with monkeypatch.context() as full:
        full.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
        failed = load_bill(delivery)
    assert failed.message == "The disk is full: free some space and try again. Nothing was changed."
    assert billed() == {"USD": 10}
    retry_delivery(failed)
    load_bill(failed)
    assert billed() == {"USD": 11}


@pytest.mark.django_db
def test_what_nobody_knows_is_tidied_up(tmp_path):
    delivery = load(tmp_path, "march.csv", [{"BilledCost": "10"}])
    orphan = Path(settings.FINOPS_VAR) / "bills" / "999999"
    orphan.mkdir(parents=True)
    hour_ago = time.time() - 4000
    os.utime(orphan, (hour_ago, hour_ago))
    os.utime(delivery.folder, (hour_ago, hour_ago))
    remove_leftovers(timezone.now())
    assert not orphan.exists()
    assert delivery.folder.exists()


LOADER = """
import django, sys
django.setup()
from costs.ingest.load import load_bill
from costs.models import Delivery
print("loading", flush=True)
load_bill(Delivery.objects.get(pk=int(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", [0.0, 0.15, 0.3, 0.45, 0.6, 0.9])
def test_a_worker_killed_in_the_middle_costs_nothing_but_time(tmp_path, seconds):
    """kill -9 a real process at several moments of a real load; the load that follows is whole."""
    load(tmp_path, "good.csv", [{"BilledCost": "10"}])
    rows = [{"BilledCost": "0.001", "ResourceId": f"i-{n}"} for n in range(30_000)]
    delivery = receive(tmp_path, "newer.csv.gz", rows, is_accepted=True)
    worker = subprocess.Popen(
        [sys.executable, "-c", LOADER, str(delivery.pk)], cwd=ROOT, env=_environment(), stdout=subprocess.PIPE
    )
    assert worker.stdout.readline() == b"loading\n"
    time.sleep(seconds)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    delivery.refresh_from_db()
    if delivery.status != Delivery.Status.CURRENT:
        assert billed() == {"USD": 10}, "the last good month stands"
        fall_silent()
        load_bill(delivery)
    assert billed() == {"USD": 30}
    remove_leftovers(timezone.now())
    assert CostLine.objects.count() == 30_000
    assert_green()


def _environment():
    server = connection.settings_dict
    url = f"postgres://{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT']}/{server['NAME']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url,
        "FINOPS_VAR": str(settings.FINOPS_VAR),
    }


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_reader_sees_the_old_bill_or_the_new_one_and_nothing_else(tmp_path):
    load(tmp_path, "bill-0.csv", [{"BilledCost": "1", "ResourceId": f"i-{n}"} for n in range(300)])
    seen, wrong, stop = set(), [], threading.Event()

    def read():
        while not stop.is_set():
            sums = [
                model.objects.current().totals(["billed_cost"])["USD"]["billed_cost"] for model in (CostLine, DayRollup)
            ]
            seen.add(sums[0])
            wrong.extend(total for total in sums if total not in (300, 600))
        connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 7):
        cost = "2" if number % 2 else "1.0"
        rows = [{"BilledCost": cost, "ResourceId": f"i-{n}"} for n in range(300)]
        load(tmp_path, f"bill-{number}.csv", rows, is_accepted=True)
    stop.set()
    reader.join()
    assert wrong == []
    assert seen == {300, 600}
    assert_green()


@pytest.mark.django_db
def test_the_totals_know_every_metric(tmp_path):
    load(tmp_path, "march.csv", [{}])
    assert set(CostLine.objects.totals()["USD"]) == set(METRICS)


@pytest.mark.django_db
def test_a_folder_left_by_a_restored_database_is_put_aside_and_not_lost(tmp_path):
    first = receive(tmp_path, "march.csv", [{}])
    left = first.folder.with_name(str(first.pk + 1))
    left.mkdir()
    (left / "kept.csv").write_text("from before")
    second = load(tmp_path, "april.csv", [{"BilledCost": "2"}])
    assert second.folder == left
    (aside,) = left.parent.glob(f"{left.name}.left-*")
    assert (aside / "kept.csv").read_text() == "from before"


@pytest.mark.django_db(transaction=True)
def test_a_second_bill_that_comes_while_the_first_loads_counts_in_the_end(tmp_path, monkeypatch):
    first = receive(tmp_path, "march.csv", [{"BilledCost": "1"}])
    second = receive(tmp_path, "corrected.csv", [{"BilledCost": "2"}])
    inside, go_on = threading.Event(), threading.Event()

    def slowly(db, delivery, *args, **kwargs):
        if delivery.pk == first.pk:
            inside.set()
            assert go_on.wait(30)
        return store_cost_lines(db, delivery, *args, **kwargs)

    def load_first():
        load_bill(first)
        connections.close_all()

    monkeypatch.setattr("costs.ingest.load.store_cost_lines", slowly)
    worker = threading.Thread(target=load_first)
    worker.start()
    assert inside.wait(30)
    assert load_bill(second).status == Delivery.Status.CURRENT
    go_on.set()
    worker.join()
    first.refresh_from_db()
    assert (billed(), first.status) == ({"USD": Decimal(2)}, Delivery.Status.SUPERSEDED)
    assert_green()
