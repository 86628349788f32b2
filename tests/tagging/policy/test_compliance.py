"""The resources of a month, what is wrong with them, and what cannot carry tags."""

from datetime import date
from decimal import Decimal

import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from finops_site.celery import app
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import ComplianceMonth, ComplianceRollup, OwnershipRule, TaggedResource, TagRequirement, TagVerdict
from tagging.ownership import rule_application
from tagging.policy import compliance
from tests import bills

pytestmark = pytest.mark.django_db
MARCH = Month(2026, 3)
ALL_FIVE = '{"Owner": "lea", "env": "prod", "Team": "Payments", "CostCenter": "CC-1", "Project": "apollo"}'


@pytest.fixture
def at_once():
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def load(folder, rows, name="march.csv", **defaults):
    (received,) = receive_bill(
        "northwind", [bills.write(folder, name, bills.focus_csv(rows, **defaults))], is_accepted=True
    )
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    return delivery


def resources(**wanted):
    return {row.resource: row for row in TaggedResource.objects.filter(why_not="", **wanted)}


def on(day):
    return {"ChargePeriodStart": f"2026-03-{day:02}T00:00:00Z", "ChargePeriodEnd": f"2026-03-{day + 1:02}T00:00:00Z"}


def test_a_resource_has_its_last_tags_its_cost_and_its_days(tmp_path):
    rows = [
        {"ResourceId": "i-1", "Tags": "", **on(3)},
        {"ResourceId": "i-1", "Tags": ALL_FIVE, "EffectiveCost": "2.50", **on(4)},
        {"ResourceId": "i-1", "Tags": "", "EffectiveCost": "9", "ServiceName": "AWS Data Transfer", **on(4)},
        {"ResourceId": "i-2", "Tags": ALL_FIVE, **on(3)},
        {"ResourceId": "i-2", "Tags": '{"Owner": ""}', **on(5)},
    ]
    load(tmp_path, rows)
    (built,) = compliance.refresh_compliance()
    rows_by_id = resources()
    assert (built.month, built.resources) == (MARCH, 2)
    assert rows_by_id["i-1"].verdict.is_compliant
    assert (rows_by_id["i-1"].cost, rows_by_id["i-1"].billed_cost) == (Decimal("12.50"), Decimal(3))
    assert (rows_by_id["i-1"].first_day, rows_by_id["i-1"].last_day) == (date(2026, 3, 3), date(2026, 3, 4))
    assert rows_by_id["i-1"].service == "AWS Data Transfer"
    assert not rows_by_id["i-2"].verdict.is_compliant
    assert rows_by_id["i-2"].verdict.facts["Owner"] == ["empty", True]
    assert rows_by_id["i-2"].verdict.facts["Project"] == ["missing", True]
    assert rows_by_id["i-2"].verdict.facts["Application"] == ["missing", False]


def test_what_cannot_carry_tags_stands_apart_with_its_reason(tmp_path):
    rows = [
        {"ResourceId": "i-1"},
        {"ResourceId": "", "ChargeCategory": "Tax", "ServiceName": "Tax"},
        {"ResourceId": "i-1", "ChargeCategory": "Tax", "ServiceName": "Tax"},
        {"ResourceId": "", "ChargeCategory": "Credit", "EffectiveCost": "-5", "BilledCost": "-5"},
        {"ResourceId": "", "ChargeCategory": "Purchase", "ServiceName": "AWS Support (Business)"},
        {"ResourceId": "", "ChargeDescription": "Data Transfer out to the internet"},
        {"ResourceId": "", "ServiceName": "Amazon Route 53"},
        {"ResourceId": "sp-1", "ChargeCategory": "Purchase", "CommitmentDiscountId": "sp-1"},
    ]
    load(tmp_path, rows)
    compliance.refresh_compliance()
    counts = TaggedResource.objects.values_list("why_not", "cost").order_by("why_not")
    assert list(counts) == [
        ("", Decimal(1)),
        ("commitment", Decimal(1)),
        ("credit", Decimal(-5)),
        ("no_resource", Decimal(1)),
        ("support", Decimal(1)),
        ("tax", Decimal(2)),
        ("transfer", Decimal(1)),
    ]
    assert TaggedResource.objects.exclude(why_not="").exclude(verdict=None).count() == 0


def test_what_is_told_apart_sums_to_the_cost_lines(tmp_path):
    payments = Team.objects.create(name="Payments")
    OwnershipRule.objects.create(name="Tag", team=payments, tag_key="Team", tag_value="Payments")
    rows = [
        {"ResourceId": f"i-{n % 7}", "Tags": ALL_FIVE if n % 3 else "", "EffectiveCost": f"0.{n}7", **on(n % 20 + 1)}
        for n in range(60)
    ]
    load(tmp_path, [*rows, {"ResourceId": "", "EffectiveCost": "3.000000000000000001"}])
    compliance.refresh_compliance()
    for owner in (None, payments):
        lines = CostLine.objects.current().filter(owner=owner).totals(["effective_cost"])["USD"]["effective_cost"]
        assert sum(row.cost for row in TaggedResource.objects.filter(owner=owner)) == lines


def test_resources_that_are_alike_are_summed_and_none_is_lost(tmp_path):
    rows = [{"ResourceId": f"i-{n}", "Tags": ALL_FIVE if n % 3 else "", "EffectiveCost": f"0.{n}7"} for n in range(30)]
    load(tmp_path, [*rows, {"ChargeCategory": "Tax", "ResourceId": "", "EffectiveCost": "3.000000000000000001"}])
    compliance.refresh_compliance()
    by_verdict = {}
    for row in TaggedResource.objects.all():
        count, cost = by_verdict.get((row.why_not, row.verdict_id), (0, Decimal(0)))
        by_verdict[(row.why_not, row.verdict_id)] = (count + 1, cost + row.cost)
    assert {
        (row.why_not, row.verdict_id): (row.resources, row.cost) for row in ComplianceRollup.objects.all()
    } == by_verdict
    assert len(by_verdict) == 3


def test_a_resource_that_changed_hands_has_a_row_for_each_owner_and_its_last_tags_for_both(tmp_path):
    payments = Team.objects.create(name="Payments")
    OwnershipRule.objects.create(name="Tag", team=payments, tag_key="Team", tag_value="Payments")
    load(tmp_path, [{"Tags": "", **on(2)}, {"Tags": ALL_FIVE, **on(3)}])
    compliance.refresh_compliance()
    rows = TaggedResource.objects.order_by("first_day")
    assert [(row.owner, row.cost, row.verdict.is_compliant) for row in rows] == [
        (None, Decimal(1), True),
        (payments, Decimal(1), True),
    ]
    assert len({row.key for row in rows}) == 1


def test_a_month_is_worked_out_again_only_when_its_books_or_the_policy_change(tmp_path):
    load(tmp_path, [{}])
    assert [built.month for built in compliance.refresh_compliance()] == [MARCH]
    assert compliance.refresh_compliance() == []
    TagRequirement.objects.filter(key="Owner").update(starts_on=date(2026, 4, 1))
    assert compliance.stale_months() == [MARCH]
    compliance.refresh_compliance()
    assert "Owner" not in resources()["i-1"].verdict.facts
    TagRequirement.objects.filter(key="Team").update(starts_on=date(2026, 3, 20))
    compliance.refresh_compliance()
    assert "Team" in resources()["i-1"].verdict.facts
    load(tmp_path, [{"ResourceId": "i-9"}], "again.csv")
    compliance.refresh_compliance()
    assert set(resources()) == {"i-9"}


def test_a_month_that_no_bill_knows_any_more_is_forgotten(tmp_path):
    delivery = load(tmp_path, [{}])
    compliance.refresh_compliance()
    delivery.months.update(is_current=False)
    compliance.refresh_compliance()
    assert not TaggedResource.objects.exists()
    assert not ComplianceMonth.objects.exists()


def test_outcomes_are_kept_once_however_many_resources_have_them(tmp_path):
    load(tmp_path, [{"ResourceId": f"i-{n}", "Tags": f'{{"Owner": "p{n}"}}'} for n in range(50)])
    (built,) = compliance.refresh_compliance()
    assert (built.resources, built.decisions, TagVerdict.objects.count()) == (50, 50, 1)


def test_keys_that_differ_only_by_case_and_long_right_to_left_values_are_kept_and_decided(tmp_path):
    many = ", ".join(f'"Key{n}": "{"é" * 256}"' for n in range(48))
    rows = [
        {"ResourceId": "a", "Tags": f'{{"owner": "", "Owner": "צוות 💸", {many}}}'},
        {"ResourceId": "b", "Tags": '{"OWNER": "   "}'},
    ]
    load(tmp_path, rows)
    compliance.refresh_compliance()
    rows_by_id = resources()
    assert rows_by_id["a"].verdict.facts["Owner"][0] == "ok"
    assert len(rows_by_id["a"].tag_set.tags) == 50
    assert rows_by_id["b"].verdict.facts["Owner"][0] == "empty"


@pytest.mark.django_db(transaction=True)
def test_a_bill_that_is_loaded_or_owned_anew_is_worked_out_at_once(tmp_path, lea, at_once):
    load(tmp_path, [{"ResourceId": "i-1", "Tags": ALL_FIVE}])
    assert resources()["i-1"].owner is None
    payments = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag Team", team=payments, tag_key="Team", tag_value="Payments")
    assert [month.lines for month in rule_application.reallocate_open_months()] == [1]
    assert resources()["i-1"].owner == payments
    assert not compliance.stale_months()
