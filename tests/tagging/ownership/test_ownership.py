"""Rules name owners; the first that matches wins, and the line says which it was."""

import json
from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from costs import reconciliation
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, MonthRollup, Pool
from costs.query import spend
from costs.query.question import Question
from costs.query.scope import NOBODY, POOLED
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import OwnershipRule
from tagging.ownership import rule_application
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db


@shared
def payments():
    return Team.objects.create(name="Payments")


@shared
def data():
    return Team.objects.create(name="Data")


def load(folder, rows):
    (received,) = receive_bill("northwind", [bills.write(folder, "march.csv", bills.focus_csv(rows))])
    return load_bill(received.delivery)


def owners():
    lines = CostLine.objects.current().order_by("resource")
    return {line.resource: (line.owner and line.owner.name, line.owner_rule) for line in lines}


def test_the_first_rule_that_matches_owns_the_line(tmp_path, payments, data):
    OwnershipRule.objects.create(order=2, name="Tag Team", team=data, tag_key="team", tag_value="DATA")
    OwnershipRule.objects.create(order=1, name="Card machines", team=payments, resource_pattern="^card-[0-9]+$")
    OwnershipRule.objects.create(order=3, name="Any owner tag", team=payments, tag_key="Owner")
    rows = [
        {"ResourceId": "a", "ResourceName": "card-7", "Tags": '{"Team": "Data"}'},
        {"ResourceId": "b", "ResourceName": "x", "Tags": '{"TEAM": "data"}'},
        {"ResourceId": "c", "ResourceName": "x", "Tags": '{"owner": "lea"}'},
        {"ResourceId": "d", "ResourceName": "x", "Tags": '{"owner": ""}'},
        {"ResourceId": "e", "ResourceName": "x", "Tags": ""},
    ]
    load(tmp_path, rows)
    assert owners() == {
        "a": ("Payments", "Card machines"),
        "b": ("Data", "Tag Team"),
        "c": ("Payments", "Any owner tag"),
        "d": (None, ""),
        "e": (None, ""),
    }


def test_blanks_around_a_tag_value_and_capitals_make_no_other_value(tmp_path, payments, fay):
    """Owned by one rule and one group of the explorer; the line still shows the value as it was delivered."""
    OwnershipRule.objects.create(name="Team tag", team=payments, tag_key="team", tag_value="payments")
    OwnershipRule.objects.create(name="Any cost centre", team=payments, tag_key="cost-centre")
    values = ["payments", " payments", "payments\u00a0", "\tpayments \u3000", "PAYMENTS "]
    rows = [
        {"ResourceId": f"r{number}", "Tags": json.dumps({"team": value}), "BilledCost": "10"}
        for number, value in enumerate(values)
    ]
    load(tmp_path, [*rows, {"ResourceId": "x", "Tags": json.dumps({"cost-centre": " \u00a0"})}])
    assert owners() == {**{f"r{number}": ("Payments", "Team tag") for number in range(5)}, "x": (None, "")}
    delivered = CostLine.objects.filter(resource__startswith="r").order_by("resource")
    assert [line.tag_set.tags["team"] for line in delivered] == values
    question = Question(Month(2026, 3).period, ("tag:team",))
    assert {row.group: row.amount for row in spend.find_spend(fay, question)} == {
        ("payments",): Decimal(50),
        ("",): Decimal(1),
    }
    chosen = Question(Month(2026, 3).period, (), "", "billed_cost", {"tag:team": ["payments"]})
    assert spend.total_spend(fay, chosen) == {"USD": Decimal(50)}


def test_every_condition_of_a_rule_must_hold(tmp_path, payments):
    OwnershipRule.objects.create(name="S3 of production", team=payments, service="S3", sub_account="000000000042")
    rows = [
        {"ResourceId": "a", "ServiceName": "S3"},
        {"ResourceId": "b", "ServiceName": "S3", "SubAccountId": "7"},
        {"ResourceId": "c"},
    ]
    load(tmp_path, rows)
    assert [resource for resource, (team, _) in owners().items() if team] == ["a"]


def test_a_changed_rule_can_be_asked_of_months_that_are_loaded(tmp_path, payments, data):
    rule = OwnershipRule.objects.create(name="All S3", team=payments, service="S3")
    load(tmp_path, [{"ResourceId": "a", "ServiceName": "S3"}])
    OwnershipRule.objects.filter(pk=rule.pk).update(team=data)
    assert owners() == {"a": ("Payments", "All S3")}
    assert [month.lines for month in rule_application.reallocate_open_months()] == [1]
    assert [month.lines for month in rule_application.reallocate_open_months()] == [0]
    assert owners() == {"a": ("Data", "All S3")}
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


def test_a_rule_that_is_not_in_force_owns_nothing(tmp_path, payments):
    OwnershipRule.objects.create(name="All S3", team=payments, service="S3", is_active=False)
    load(tmp_path, [{"ResourceId": "a", "ServiceName": "S3"}])
    assert owners() == {"a": (None, "")}


def test_a_rule_may_name_a_pool_and_what_a_pool_holds_is_not_unowned(tmp_path, payments, fay):
    support = Pool.objects.create(name="Support")
    OwnershipRule.objects.create(order=1, name="Support plan", pool=support, service="AWS Support")
    OwnershipRule.objects.create(order=2, name="Credits", pool=support, charge_category="Credit")
    OwnershipRule.objects.create(order=3, name="Tag Team", team=payments, tag_key="Team")
    rows = [
        {"ResourceId": "a"},
        {"ResourceId": "b", "ServiceName": "AWS Support", "BilledCost": "2"},
        {"ResourceId": "c", "ChargeCategory": "Credit", "BilledCost": "-0.5"},
        {"ResourceId": "d", "Tags": "", "BilledCost": "4"},
    ]
    load(tmp_path, rows)
    sides = {side: _billed(CostLine.objects.current().of_side(side)) for side in ("direct", "shared", "unowned")}
    assert sides == {"direct": Decimal(1), "shared": Decimal("1.5"), "unowned": Decimal(4)}
    assert _billed(MonthRollup.objects.filter(pool=support, owner_rule="Credits")) == Decimal("-0.5")
    assert [check for check in reconciliation.reconcile() if not check.holds] == []
    march = Month.parse("2026-03").period
    by_team = {row.group[0]: row.amount for row in spend.find_spend(fay, Question(march, ("team",)))}
    assert by_team == {str(payments.pk): 1, POOLED: Decimal("1.5"), NOBODY: 4}
    unowned = spend.total_spend(fay, Question(march, filters={"team": [NOBODY]}))
    assert unowned == {"USD": 4}
    by_rule = {row.group[0]: row.amount for row in spend.find_spend(fay, Question(march, ("rule",)))}
    assert by_rule == {"Support plan": 2, "Credits": Decimal("-0.5"), "Tag Team": 1, "": 4}


def _billed(rows):
    return rows.totals(["billed_cost"])["USD"]["billed_cost"]


def test_a_rule_holds_from_its_first_day_up_to_its_last(tmp_path, payments, data):
    march = date(2026, 3, 6)
    OwnershipRule.objects.create(order=1, name="Moved", team=data, service="S3", start=march, end=date(2026, 3, 8))
    OwnershipRule.objects.create(order=2, name="Before", team=payments, service="S3")
    days = {f"day-{day}": f"2026-03-{day:02}" for day in range(5, 10)}
    load(
        tmp_path,
        [
            {"ResourceId": name, "ServiceName": "S3", "ChargePeriodStart": f"{day}T00:00:00Z"}
            for name, day in days.items()
        ],
    )
    assert {name: rule for name, (_, rule) in owners().items()} == {
        "day-5": "Before",
        "day-6": "Moved",
        "day-7": "Moved",
        "day-8": "Before",
        "day-9": "Before",
    }


def test_a_quote_in_a_rule_is_only_a_quote(tmp_path, payments):
    OwnershipRule.objects.create(name="O'Brien's", team=payments, tag_key="o'wner", tag_value="o'brien")
    load(tmp_path, [{"ResourceId": "a", "Tags": '{"O\'wner": "O\'Brien"}'}])
    assert owners() == {"a": ("Payments", "O'Brien's")}


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ({}, "at least one condition"),
        ({"tag_value": "x"}, "Which tag"),
        ({"resource_pattern": "(a"}, "Not a regular expression"),
        ({"resource_pattern": "(?=a)b"}, "Not a regular expression"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(payments, conditions, says):
    with pytest.raises(ValidationError, match=says):
        OwnershipRule(name="r", team=payments, **conditions).full_clean()


def test_a_pattern_that_would_explode_elsewhere_runs_in_linear_time(tmp_path, payments):
    OwnershipRule.objects.create(name="(a+)+$", team=payments, resource_pattern="^(a+)+$")
    load(tmp_path, [{"ResourceId": "a" * 1500 + "!"}])
    assert list(owners().values()) == [(None, "")]
