"""The same questions of charges, asked of DuckDB and of a Spark cluster of two workers: the same decimals."""

import os
import shutil
import socket
import subprocess
import time
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from costs.charges import charge_queries
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from costs.query import drilldown
from costs.query.query_backends import charges_in
from finops_site.models import Team
from reservations.calc.charge_queries import machine_use
from tagging.models import OwnershipRule
from tests import bills

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("engines")]

SPARK = find_spec("pyspark") and shutil.which("java")
NO_SPARK = "no Spark here: it needs requirements-scale.txt and Java 17"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A master and two workers on loopback: its address."""
    if not SPARK:
        pytest.skip(NO_SPARK)
    home, folder = Path(find_spec("pyspark").origin).parent, tmp_path_factory.mktemp("spark")
    env = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_DIR": str(folder)}
    env |= {"SPARK_DAEMON_MEMORY": "256m"}
    port, started = free_port(), []

    def start(name, *args):
        log = folder / f"{name}.log"
        command = [home / "bin" / "spark-class", f"org.apache.spark.deploy.{args[0]}", *args[1:]]
        with log.open("w") as out:
            started.append(subprocess.Popen(list(map(str, command)), env=env, stdout=out, stderr=out, process_group=0))
        return log

    address = f"spark://127.0.0.1:{port}"
    wait_for(
        start("master", "master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", free_port()), "ALIVE"
    )
    for name in ("one", "two"):
        options = ["--host", "127.0.0.1", "--webui-port", free_port(), "-c", 1, "-m", "1g", address]
        wait_for(start(name, "worker.Worker", *options), "Successfully registered")
    yield address
    for process in reversed(started):
        os.killpg(process.pid, 15)
        process.wait(20)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(log, word, seconds=60):
    deadline = time.monotonic() + seconds
    while word not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()[-500:]
        time.sleep(0.2)


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def engine(request, settings):
    if request.param == "spark":
        settings.FINOPS_CHARGES_ENGINE = request.getfixturevalue("cluster")
        settings.FINOPS_SPARK_OPTIONS = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        settings.FINOPS_SPARK_OPTIONS |= {"spark.executor.memory": "512m", "spark.sql.shuffle.partitions": "4"}
    return request.param


@pytest.fixture
def load(tmp_path):
    def load(*rows, **more):
        (received,) = receive_bill("northwind", [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows, **more))])
        delivery = load_bill(received.delivery)
        assert delivery.status == "current", delivery.message
        return delivery.months.get()

    return load


HOUR = {"ChargePeriodStart": "2026-03-05T07:00:00Z", "SkuPriceDetails": '{"InstanceType": "m5.large"}'}


def test_a_line_is_followed_down_to_its_charges_to_the_last_digit(engine, load):
    amounts = ["0.123456789012345678", "1E-18", "12345678901234567.000000000000000001"]
    load(*({"BilledCost": amount} for amount in amounts), {"BilledCost": "5", "ResourceId": "i-2"})
    charges = drilldown.charges_of(CostLine.objects.get(resource="i-1"))
    assert (charges.count, charges.billed_cost) == (3, Decimal("12345678901234567.123456789012345680"))
    assert sorted(row["BilledCost"] for row in charges.rows) == sorted(map(Decimal, amounts))


@pytest.mark.parametrize(
    "tags", ['{"Team": "Pay\\u0000ments", "n": 1.50, "on": true, "no": null}', "", '{"b": "1", "a": "2"}']
)
def test_the_tags_of_a_line_find_its_charges_whatever_they_hold(engine, load, tags):
    load({"Tags": tags}, {"Tags": '{"other": "one"}'}, {"Tags": tags})
    line = CostLine.objects.get(charges=2)
    assert drilldown.charges_of(line).count == 2


def test_names_with_percent_signs_and_null_bytes_find_their_charges(engine, load):
    load({"ServiceName": "100% a\x00b_c"}, {"ServiceName": "100x axbxc"})
    for line in CostLine.objects.all():
        assert drilldown.charges_of(line).count == 1


def test_names_with_quotes_and_backslashes_find_their_charges(engine, load):
    odd = "it's \\ \"blank from.\" 'blank from.' -- x"
    load({"ServiceName": odd, "Tags": '{"Team": "O\'Neil \\\\"}'}, {"ServiceName": "it"}, {"RegionId": "r" * 300})
    for line in CostLine.objects.all():
        assert drilldown.charges_of(line).count == 1


def test_the_questions_of_a_second_line_are_compiled_already(load, monkeypatch):
    load({}, {"ResourceId": "", "ServiceName": "Amazon S3", "Tags": '{"Team": "Data"}'})
    first, second = CostLine.objects.all()
    assert drilldown.charges_of(first).count == 1
    monkeypatch.setattr(charge_queries, "to_sql", None)
    assert drilldown.charges_of(second).count == 1


def test_more_charges_than_a_page_shows_are_reached_behind_the_first(engine, load):
    load(*({"BilledCost": str(number)} for number in range(1, 6)))
    charges = drilldown.charges_of(CostLine.objects.get(), 3, 10)
    assert ([row["BilledCost"] for row in charges.rows], charges.count) == ([4, 5], 5)
    chosen = drilldown.charge_of(CostLine.objects.get(), charges.rows[1]["key"])
    assert (chosen["BilledCost"], chosen["alike"]) == (5, 1)


def test_the_hours_of_machines_are_summed_by_pool_and_price_and_their_machines_counted_once(engine, load):
    licensed = {"ChargeDescription": "On Demand Windows with SQL Server Web, Multi-AZ"}
    month = load(
        {**HOUR, **licensed, "ConsumedQuantity": "0.5"},
        {**HOUR, **licensed, "ConsumedQuantity": "0.25"},
        {**HOUR, "ChargeDescription": "Windows", "ConsumedQuantity": "1", "ResourceId": "i-2"},
        {**HOUR, "ChargeDescription": "anything", "ConsumedQuantity": "1", "ResourceId": "i-3"},
    )
    question = machine_use(datetime(2026, 3, 1), datetime(2026, 4, 1))
    with charges_in(month.charges_glob) as charges:
        rows = charges.ask(question)
    assert {row["start"] for row in rows} == {datetime(2026, 3, 5, 7)}
    assert [(row["description"], row["hours"], row["machines"]) for row in rows] == [
        ("", 1, 1),
        # Of each choice of words the first that is there: systems, engines, deployments.
        (" sql server web sql server multi-az", Decimal("0.75"), 1),
        (" windows", 1, 1),
    ]


def test_a_resource_is_followed_through_the_days_of_its_bill_as_far_as_one_may_see(load, lea, fay):
    payments = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag", team=payments, tag_key="Team", tag_value="Payments")
    another = {"Tags": '{"Team": "Data"}', "EffectiveCost": "7"}
    load({"EffectiveCost": "0.1"}, another, {"EffectiveCost": "0.2", "ChargePeriodStart": "2026-03-06T00:00:00Z"})
    line = CostLine.objects.filter(owner=payments).first()
    seen = {user: [row["effective_cost"] for row in drilldown.resource_by_day(user, line)] for user in (lea, fay)}
    assert seen == {lea: [Decimal("0.1"), Decimal("0.2")], fay: [Decimal("7.1"), Decimal("0.2")]}


def test_the_page_of_a_line_shows_its_charges_and_its_resource_by_day(load, fay, client_of):
    load({}, {"ChargePeriodStart": "2026-03-06T00:00:00Z"})
    url = reverse("costs:line", args=[CostLine.objects.first().pk])
    page = client_of(fay).get(url, follow=True).content.decode()
    assert "Charges as delivered" in page
    assert "web-1 in this bill, by day" in page


def test_a_cluster_without_its_packages_is_said(load, settings, monkeypatch):
    month = load({})
    settings.FINOPS_CHARGES_ENGINE = "spark://127.0.0.1:1"
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql", None)
    with pytest.raises(ImproperlyConfigured, match=r"requirements-scale\.txt"), charges_in(month.charges_glob):
        pass
