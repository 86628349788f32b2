"""A big delivery's cost lines have a table of their own: attached when complete, dropped when they count no longer."""

import random
from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from costs.calc.allocation_rules import OwnerRule
from costs.ingest.leftovers import remove_leftovers
from costs.ingest.load import load_bill
from costs.ingest.partitions import OWN_TABLES
from costs.ingest.reallocate import reallocate_month
from costs.ingest.republish import republish_month
from costs.ingest.withdraw import withdraw_delivery
from costs.models import CostLine, DayRollup, Delivery, DeliveryMonth, MonthRollup, ResourceRollup
from finops_site.models import Team
from tests.costs.ingest.test_faults import ROWS, assert_whole, receive, resumed, worker  # noqa: F401
from tests.costs.ingest.test_ingest import assert_green, billed, load

FEBRUARY = {"ChargePeriodStart": "2026-02-10T00:00:00Z", "ChargePeriodEnd": "2026-02-11T00:00:00Z"}


@pytest.fixture(autouse=True)
def three_lines_are_many(settings):
    settings.OWN_TABLE_FROM_LINES = 3


def rows(number, cost="1", **more):
    return [{"BilledCost": cost, "ResourceId": f"i-{n}", **more} for n in range(number)]


def own_tables():
    with connection.cursor() as cursor:
        cursor.execute(OWN_TABLES)
        return sorted(name for (name,) in cursor.fetchall())


@pytest.mark.django_db
def test_many_lines_of_a_month_of_use_have_a_table_of_their_own_and_few_share_one(tmp_path):
    big = load(tmp_path, "big.csv", [*rows(3), *rows(2, "0.5", **FEBRUARY)])
    load(tmp_path, "small.csv", rows(2), source="southwind")
    month = big.months.get()
    assert own_tables() == [f"costs_costline_y2026m03_own{month.pk}"]
    lines = CostLine.objects.order_by("charge_date", "pk").values_list("own_table", "charge_date__month")
    assert sorted(lines) == [(0, 2), (0, 2), (0, 3), (0, 3), (month.pk, 3), (month.pk, 3), (month.pk, 3)]
    assert CostLine.objects.values("pk").distinct().count() == 7
    assert billed() == {"USD": Decimal(6)}
    assert_green()


@pytest.mark.django_db
def test_a_table_has_every_index_that_the_cost_lines_have(tmp_path):
    load(tmp_path, "big.csv", rows(3))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
            "WHERE c.relname = ANY(%s) GROUP BY 1",
            [["costs_costline", *own_tables()]],
        )
        counts = dict(cursor.fetchall())
    assert len(counts) == 2
    assert counts["costs_costline"] >= 5
    assert len(set(counts.values())) == 1


@pytest.mark.django_db
def test_what_counts_no_longer_loses_its_table(tmp_path):
    older = load(tmp_path, "one.csv", rows(3))
    newer = load(tmp_path, "two.csv", rows(4, "2"), is_accepted=True)
    month = newer.months.get()
    assert own_tables() == [f"costs_costline_y2026m03_own{month.pk}"]
    assert billed() == {"USD": 8}
    fresh = republish_month(month)
    assert own_tables() == [f"costs_costline_y2026m03_own{fresh.pk}"]
    assert billed() == {"USD": 8}
    assert_green()
    withdraw_delivery(newer)
    older = load_bill(Delivery.objects.get(pk=older.pk))
    assert own_tables() == [f"costs_costline_y2026m03_own{older.months.get().pk}"]
    assert billed() == {"USD": 3}
    withdraw_delivery(older)
    assert own_tables() == []
    assert not CostLine.objects.exists()


@pytest.mark.django_db
def test_owners_are_assigned_again_in_a_table_of_its_own(tmp_path):
    payments = Team.objects.create(name="Payments")
    month = load(tmp_path, "big.csv", rows(3)).months.get()
    rule = OwnerRule(payments.pk, "Everything", provider="AWS")
    assert reallocate_month(month, lambda: ([rule], [])) == 3
    for model in (CostLine, MonthRollup, ResourceRollup, DayRollup):
        assert set(model.objects.values_list("owner__name", flat=True)) == {"Payments"}, model
    assert_green()


@pytest.mark.django_db(transaction=True)
def test_lines_that_somebody_reads_are_deleted_and_their_table_goes_at_night(tmp_path):
    """A backup holds every table for minutes: nothing waits for it."""
    load(tmp_path, "one.csv", rows(3))
    old = own_tables()
    server = connection.settings_dict
    address = {name.lower(): server[name] for name in ("HOST", "PORT", "USER", "PASSWORD")}
    with psycopg.connect(dbname=server["NAME"], **address) as reader:
        assert reader.execute("SELECT sum(billed_cost) FROM costs_costline").fetchone() == (3,)
        load(tmp_path, "two.csv", rows(4, "2"), is_accepted=True)
        assert set(old) < set(own_tables())
        assert billed() == {"USD": 8}
        assert CostLine.objects.count() == 4
    remove_leftovers(timezone.now())
    assert len(own_tables()) == 1
    assert not set(old) & set(own_tables())
    assert_green()


@pytest.mark.django_db
def test_a_table_whose_month_is_gone_goes_at_night(tmp_path):
    month = load(tmp_path, "one.csv", rows(3)).months.get()
    DeliveryMonth.objects.filter(pk=month.pk).delete()
    assert len(own_tables()) == 1
    remove_leftovers(timezone.now() + timedelta(hours=2))
    assert own_tables() == []


@pytest.mark.django_db(transaction=True)
def test_tables_of_months_become_lists_of_tables_and_back_again_with_their_lines(tmp_path):
    load(tmp_path, "big.csv", rows(3))
    load(tmp_path, "small.csv", rows(2), source="southwind")
    try:
        migration = import_module("costs.migrations.0031_tables_of_big_deliveries").Migration
        call_command("migrate", *migration.dependencies[0], verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("SELECT sum(billed_cost), count(*) FROM costs_costline_y2026m03")
            assert cursor.fetchone() == (5, 5)
    finally:
        call_command("migrate", verbosity=0)
    assert own_tables() == []
    assert billed() == {"USD": 5}
    assert_green()
    load(tmp_path, "newer.csv", rows(4), is_accepted=True)
    assert len(own_tables()) == 1
    assert billed() == {"USD": 6}
    assert_green()


@pytest.mark.slow
@pytest.mark.xdist_group("faults")
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_fills_a_table_costs_nothing_but_time(tmp_path, monkeypatch, request):
    monkeypatch.setenv("OWN_TABLE_FROM_LINES", "3")
    killable = request.getfixturevalue("worker")
    chance = random.Random(20261129)
    good = receive(tmp_path, "1")
    began = timezone.now()
    assert killable(good, 60) == "ended 0"
    undisturbed = (timezone.now() - began).total_seconds()
    before = 1
    for cost in range(2, 22):
        delivery = receive(tmp_path, str(cost))
        # Most of the time goes into reading; the tables are filled at the end.
        killable(delivery, chance.uniform(undisturbed / 3, undisturbed))
        delivery.refresh_from_db()
        loaded = delivery.status == Delivery.Status.CURRENT
        assert billed() == {"USD": (cost if loaded else before) * ROWS}, "the last good month stands"
        assert_whole(resumed(killable, delivery), cost)
        assert len(own_tables()) == 1
        before = cost
    assert_green()
