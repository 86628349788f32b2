"""Findings on the inventory that the product started from, against a reckoning over its files that knows no rule.

The files are nobody's to copy: where they are not beside the project these tests are skipped.
"""

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import Count, Sum

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month
from usage.findings.evaluate import evaluate
from usage.models import Finding
from usage.sources.imports import receive

PLACES = [folder / "shared/data/bills/seed-inventory" for folder in Path(__file__).resolve().parents]
SEED = next((folder for folder in PLACES if folder.exists()), None)
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(SEED is None, reason="the seed inventory is not here: ../shared/data/bills/seed-inventory"),
]
NOVEMBER = Month(2025, 11)
AS_OF = date(2025, 11, 30)
MONTH_HOURS = 730
# Twelve hours of five days are 60 of a week's 168.
OUTSIDE_WORK = Decimal(108) / Decimal(168)
# 30 days of a bill, for a month of 730 hours.
PACE = Decimal(730) / Decimal(720)


def rows_of(name):
    with (SEED / name).open(encoding="utf-8-sig") as file:
        return [row for row in csv.DictReader(file) if any(row.values())]


@dataclass(frozen=True)
class Machine:
    type: str
    state: str
    rate: Decimal
    is_production: bool

    @property
    def month(self):
        return self.rate * MONTH_HOURS


@pytest.fixture
def machines():
    return [
        Machine(row["InstanceType"], row["State"], Decimal(row["CostUSD"]), "Environment=Prod" in row["Tags"])
        for row in rows_of("aws_resources_compute.csv")
    ]


@pytest.fixture
def buckets():
    return rows_of("aws_resources_S3.csv")


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.FINOPS_VAR = str(tmp_path)


def judge(*, bill_stopped):
    for received in receive_bill("inventory", [SEED], month=NOVEMBER, bill_stopped=bill_stopped):
        assert load_bill(received.delivery).status == "current"
    imports = [receive(path, path.name) for path in sorted(SEED.glob("*.csv"))]
    assert [(row.kind, row.rows_read, row.rows_rejected) for row in imports] == [
        ("inventory", 80, 0),
        ("inventory", 120, 0),
    ]
    return evaluate(AS_OF)


def figures():
    """{rule: (findings, sum of what counts, how many of unknown saving)}"""
    rows = Finding.objects.order_by().values("rule").annotate(n=Count("pk"), counted=Sum("counted_saving"))
    unknown = Finding.objects.filter(counted_saving=None).order_by().values_list("rule").annotate(Count("pk"))
    known = dict(unknown)
    return {row["rule"]: (row["n"], row["counted"], known.get(row["rule"], 0)) for row in rows}


def near(judged, reckoned):
    """Savings that a ratio made are rounded to six digits each."""
    return abs(judged - reckoned) < Decimal("0.001")


def tiering(buckets):
    """What Intelligent-Tiering saves where nobody states how much is read, by the public prices of S3."""
    saved = []
    for row in buckets:
        gigabytes, objects = Decimal(row["TotalSizeGB"]), Decimal(row["ObjectCount"])
        if row["StorageClass"] == "STANDARD" and gigabytes * PACE >= 100:
            large = gigabytes * PACE * 1024**3 / objects >= 128 * 1024
            fees = objects / 1000 * (Decimal("0.0025") + Decimal("0.01") / 12)
            less = Decimal(row["CostUSD"]) * PACE * (1 - Decimal("0.0125") / Decimal("0.023")) - fees
            saved += [less] if large and less > 0 else []
    return saved


def test_what_is_charged_though_it_is_stopped_is_found_to_the_cent(machines, buckets):
    """The source's own reading: every machine costs its rate for every hour, whatever its state."""
    result = judge(bill_stopped=True)
    assert result.resources == 200
    judged = figures()
    idle = [one for one in machines if one.state in ("stopped", "terminated")]
    assert len([one for one in idle if one.state == "stopped"]) == 25
    assert len(idle) == 38
    assert judged["machine_stopped"] == (38, sum(one.month for one in idle), 0)
    assert set(Finding.objects.filter(rule="machine_stopped").values_list("confidence", flat=True)) == {"certain"}
    # What is stopped saves all of itself: office hours count only for what runs.
    at_night = [one for one in machines if not one.is_production]
    count, counted, unknown = judged["schedule"]
    assert (count, unknown) == (len(at_night), 0)
    assert near(counted, sum(one.month * OUTSIDE_WORK for one in at_night if one.state == "running"))
    check_buckets(judged, buckets)


def test_as_a_provider_bills_it_only_what_runs_costs_anything(machines, buckets):
    judge(bill_stopped=False)
    judged = figures()
    # Nothing states what the disks of the 25 cost, which is not zero.
    assert judged["machine_stopped"] == (25, None, 25)
    at_night = [one for one in machines if not one.is_production and one.state == "running"]
    count, counted, _unknown = judged["schedule"]
    assert count == len(at_night)
    assert near(counted, sum(one.month * OUTSIDE_WORK for one in at_night))
    # c5, m5, r5 and t3 are on no list of previous generations; Graviton's prices are on no list that is loaded.
    assert "machine_generation" not in judged
    assert judged["machine_arm"] == (82, None, 82)
    assert {one.type.partition(".")[0] for one in machines} == {"c5", "m5", "r5", "t3"}
    check_buckets(judged, buckets)


def check_buckets(judged, buckets):
    saved = tiering(buckets)
    count, counted, unknown = judged["bucket_tiering"]
    assert (len(buckets), count, unknown) == (80, len(saved), 0)
    assert near(counted, sum(saved))
    # How much is read is on no bill: it needs a look, and is no waste yet.
    assert set(Finding.objects.filter(rule="bucket_tiering").values_list("confidence", flat=True)) == {"needs a look"}
