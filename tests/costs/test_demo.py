"""The demo company looks like one: its bills, its steady machines, its habits of tagging."""

import csv
import gzip
import json
import re
from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from costs import reconciliation
from costs.demo import bills
from costs.demo.services import resources
from costs.ingest import demo as ingest_demo
from costs.invoices.comparison import compare
from costs.invoices.demo import make_invoices
from costs.models import CostLine, Delivery, Invoice
from finops_site.models import Team, User
from finops_site.people import demo as people_demo
from tagging.ownership.demo import make_ownership_rules

AS_OF = date(2026, 11, 23)
FIVE = {"Owner", "Environment", "Team", "CostCenter", "Project"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("bills")
    bills.write_bills(path, as_of=AS_OF)
    return path


@pytest.fixture(scope="module")
def rows(folder):
    return {path.name[10:17]: list(csv.DictReader(gzip.open(path, "rt"))) for path in sorted(folder.iterdir())}


def total(rows):
    return sum(Decimal(row["BilledCost"]) for row in rows)


def test_the_same_day_gives_the_same_bytes(folder, tmp_path):
    again = bills.write_bills(tmp_path, as_of=AS_OF)
    assert [path.read_bytes() for path in again] == [(folder / path.name).read_bytes() for path in again]


def test_thirteen_months_end_yesterday(rows):
    assert (min(rows), max(rows), len(rows)) == ("2025-11", "2026-11", 13)
    assert max(row["ChargePeriodStart"] for row in rows["2026-11"]) == "2026-11-22T00:00:00Z"


def test_on_the_first_of_a_month_the_last_bill_is_the_month_before(tmp_path):
    paths = bills.write_bills(tmp_path, as_of=date(2026, 3, 1))
    assert (paths[0].name, paths[-1].name) == ("northwind-2025-02.csv.gz", "northwind-2026-02.csv.gz")


def test_about_65_000_dollars_a_month_rising_slowly(rows):
    full_months = [total(rows[month]) for month in sorted(rows)[:-1]]
    assert all(52_000 < amount < 70_000 for amount in full_months)
    assert sum(full_months[-3:]) / 3 > sum(full_months[:3]) / 3 * Decimal("1.03")
    assert 62_000 < full_months[-1] < 68_000


def test_120_machines_of_which_82_ran_every_hour_of_yesterday():
    everything = resources(AS_OF)
    machines = {resource.name for resource in everything if resource.kind in ("Instance", "Volume")}
    yesterday = date(2026, 11, 22)
    running = [resource for resource in everything if resource.kind == "Instance" and resource.stands_on(yesterday)]
    assert len({name.removesuffix("-data") for name in machines}) == 120
    assert [resource.quantity for resource in running] == [24] * 82
    assert len([resource for resource in everything if resource.kind == "Bucket"]) == 80


def test_one_in_five_resources_carries_all_five_tags():
    named = [resource for resource in resources(AS_OF) if resource.id]
    compliant = [resource for resource in named if set(resource.tags) >= FIVE]
    assert 0.17 < len(compliant) / len(named) < 0.23
    owned = [resource for resource in named if "Owner" in resource.tags]
    assert len(owned) / len(named) > 0.85


def test_every_price_times_its_quantity_is_the_cost(rows):
    for row in rows["2026-10"]:
        cost = Decimal(row["PricingQuantity"]) * Decimal(row["ContractedUnitPrice"])
        assert cost == Decimal(row["BilledCost"]) == Decimal(row["EffectiveCost"]) == Decimal(row["ListCost"])
        assert row["Tags"] == "" or isinstance(json.loads(row["Tags"]), dict)
    assert "CommitmentDiscountId" not in rows["2026-10"][0]


def test_a_runaway_job_stands_out(rows):
    days = defaultdict(Decimal)
    for row in rows["2026-11"]:
        if row["ServiceName"] == "AWS Glue":
            days[row["ChargePeriodStart"][:10]] += Decimal(row["BilledCost"])
    ordinary = sorted(days.values())[len(days) // 2]
    assert [day for day, amount in sorted(days.items()) if amount > 3 * ordinary] == [
        "2026-11-14",
        "2026-11-15",
        "2026-11-16",
        "2026-11-17",
    ]


@pytest.mark.slow
@pytest.mark.django_db
def test_the_demo_comes_in_by_the_road_every_bill_takes(settings, tmp_path, rows):
    settings.FINOPS_VAR = tmp_path
    people_demo.make_people("a-long-enough-password")
    output = []
    make_ownership_rules(output.append, as_of=AS_OF)
    ingest_demo.load_demo_bills(output.append, as_of=AS_OF)
    assert Delivery.objects.filter(status=Delivery.Status.CURRENT).count() == 13
    expected = sum(total(month) for month in rows.values())
    assert CostLine.objects.current().totals(["billed_cost"])["USD"]["billed_cost"] == expected
    assert [check for check in reconciliation.reconcile() if not check.holds] == []
    _every_team_owns_something_and_some_of_it_nobody(expected)
    ingest_demo.load_demo_bills(output.append, as_of=AS_OF)
    assert Delivery.objects.count() == 13, "the second time everything is here already"
    for _ in range(2):
        make_invoices(output.append, as_of=AS_OF)
        ingest_demo.load_short_bill(output.append, as_of=AS_OF)
    _fay_has_an_invoice_and_a_held_bill_to_decide(output)
    assert CostLine.objects.current().totals(["billed_cost"])["USD"]["billed_cost"] == expected
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def _fay_has_an_invoice_and_a_held_bill_to_decide(output):
    """Of six invoices four agree to the cent; one lacks a credit, explained and signed; October's waits for her."""
    fay = User.objects.get(email="fay@demo.example")
    invoices = Invoice.objects.order_by("billing_month")
    comparisons = compare(invoices)
    months = [(f"{row.billing_month:%m}", str(comparisons[row.pk].state), row.signed_by == fay) for row in invoices]
    agreed = [(month, "agrees", True) for month in ("05", "06", "07", "09")]
    assert sorted(months) == sorted([*agreed, ("08", "explained", True), ("10", "differs", False)])
    gaps = {round(comparisons[row.pk].difference, 2) for row in invoices}
    assert gaps == {Decimal("0.00"), Decimal("-412.50"), Decimal("1284.00")}
    (held,) = Delivery.objects.filter(status=Delivery.Status.HELD)
    assert [str(month.billing_month) for month in held.months.all()] == ["2026-10-01"]
    assert not held.months.filter(is_current=True).exists()
    assert any("Cost on the same days" in reason for reason in held.held_because)
    assert re.fullmatch(r"  northwind-2026-10-again.csv.gz: 5,\d{3} charges, held", output[-1])
    assert Delivery.objects.count() == 14, "and the second time it is here already"


def _every_team_owns_something_and_some_of_it_nobody(expected):
    owned = {
        team.name: CostLine.objects.filter(owner=team).totals(["billed_cost"])["USD"]["billed_cost"]
        for team in Team.objects.all()
    }
    assert set(owned) == {"Payments", "Data", "Storefront", "Platform"}
    assert all(amount > expected / 20 for amount in owned.values())
    sides = {
        side: CostLine.objects.current().of_side(side).totals(["billed_cost"])["USD"]["billed_cost"]
        for side in ("direct", "shared", "unowned")
    }
    assert sum(sides.values()) == expected
    assert Decimal("0.05") < sides["shared"] / expected < Decimal("0.30")
    assert Decimal("0.05") < sides["unowned"] / expected < Decimal("0.30")
