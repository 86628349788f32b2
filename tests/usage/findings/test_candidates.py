"""What rules select is checked, merged with what providers advise, and named as bills name it."""

import json
from decimal import Decimal

import duckdb
import pytest

from usage.calc.candidates import Quiet, gather_candidates
from usage.calc.environments import production_sql
from usage.calc.facts import insert_rows, make_tables
from usage.calc.identities import speak_as_bills
from usage.calc.rules.base import Effort, Lever, Risk, Rule

MACHINE = {"provider": "AWS", "account": "1", "region": "eu-west-1", "resource": "i-0a1b2c3d4e", "currency": "USD"}
PLACE = {name: MACHINE[name] for name in ("provider", "account", "region", "resource")}


def rule(saving, name="shrink", **more):
    sql = f"""SELECT provider, account, region, resource, '' AS part, monthly_open_cost AS monthly_cost,
        CAST({saving} AS DECIMAL(38, 10)) AS saving, currency, 'certain' AS confidence,
        '{{}}' AS evidence, '{{}}' AS target FROM resources"""
    usual = {"needs": ("use", "metrics"), **more}
    return Rule(name, name, Lever.RIGHTSIZE, Effort.LOW, Risk.LOW, sql, lambda f: "", lambda f: (), **usual)


@pytest.fixture
def db():
    db = duckdb.connect()
    make_tables(db)
    insert_rows(db, "use", [{**PLACE, "cost": 100}])
    insert_rows(db, "metrics", [{**PLACE, "metric": "cpu"}])
    insert_rows(
        db,
        "resources",
        [{**MACHINE, "name": "web-1", "monthly_open_cost": Decimal(100), "owner": 7, "tags": json.dumps({"App": "x"})}],
    )
    return db


def candidates(db, *rules, quiet=()):
    judgement = gather_candidates(db, rules, quiet)
    rows = db.execute("SELECT rule, saving, sources, evidence, part FROM candidates ORDER BY rule, part").fetchall()
    return [(*row[:3], json.loads(row[3]), row[4]) for row in rows], judgement


def advise(db, **row):
    insert_rows(db, "provider_advice", [{**PLACE, "currency": "USD", "source": "Compute Optimizer", **row}])


def test_a_saving_above_the_cost_counts_as_the_cost_and_somebody_is_told(db):
    rows, judgement = candidates(db, rule("250"))
    assert rows == [("shrink", Decimal(100), ["bill", "metrics"], {}, "")]
    assert judgement.notes == ["1 finding of shrink claims more than the cost: counted as the cost."]


@pytest.mark.parametrize("saving", ["-5", "0"])
def test_what_would_save_nothing_is_no_finding(db, saving):
    rows, judgement = candidates(db, rule(saving))
    assert rows == []
    assert judgement.notes == ["1 finding would save nothing or cost more: left out."]


def test_an_unknown_saving_is_a_finding_of_unknown_saving(db):
    assert candidates(db, rule("NULL"))[0] == [("shrink", None, ["bill", "metrics"], {}, "")]


def test_a_rule_whose_facts_are_missing_is_not_judged_and_closes_nothing(db):
    rows, judgement = candidates(db, rule("5", needs=("inventory",)))
    assert (rows, judgement.rules) == ([], [])
    assert judgement.notes == ["“shrink” was not judged: there is nothing of an inventory."]


def test_two_providers_tools_and_a_rule_that_word_it_differently_are_one_finding_with_the_careful_saving(db):
    advise(db, rule="shrink", title="Rightsize to m5.large", monthly_saving=Decimal(40))
    advise(db, rule="shrink", title="Over-provisioned", monthly_saving=Decimal(30), source="Cost Optimization Hub")
    rows, _judgement = candidates(db, rule("50"))
    assert len(rows) == 1
    name, saving, sources, evidence, _part = rows[0]
    assert (name, saving) == ("shrink", Decimal(30))
    assert sorted(sources) == ["Compute Optimizer", "Cost Optimization Hub", "bill", "metrics"]
    assert Decimal(evidence["own_saving"]) == 50
    assert Decimal(evidence["provider_saving"]) == 30
    assert evidence["provider_says"] == "Over-provisioned"


def test_what_only_the_provider_says_is_a_finding_and_never_above_the_cost(db):
    advise(db, title="Turn on something", monthly_saving=Decimal(400))
    ((name, saving, sources, evidence, _part),) = candidates(db)[0]
    assert (name, saving, sources) == ("provider-advice", Decimal(100), ["Compute Optimizer"])
    assert Decimal(evidence["provider_saving"]) == 400


def test_advice_about_what_no_bill_knows_saves_an_unknown_amount_and_advice_that_saves_nothing_is_none(db):
    advise(db, title="Delete it", resource="i-in-no-bill", monthly_saving=Decimal("1e20"))
    advise(db, title="Delete it too", resource="i-other", monthly_saving=Decimal(-5))
    ((name, saving, _sources, evidence, _part),) = candidates(db)[0]
    assert (name, saving) == ("provider-advice", None)
    assert Decimal(evidence["provider_saving"]) == Decimal("1e20")


def test_advice_on_a_rule_that_knows_no_saving_is_held_against_the_cost(db):
    advise(db, rule="shrink", title="Rightsize", monthly_saving=Decimal(400))
    assert candidates(db, rule("NULL"))[0][0][1] == Decimal(100)


def test_a_saving_of_a_cost_that_nobody_knows_is_unknown(db):
    db.execute("UPDATE resources SET monthly_open_cost = NULL")
    assert candidates(db, rule("5"))[0][0][1] is None


def test_advice_in_another_currency_is_shown_and_not_compared(db):
    advise(db, rule="shrink", title="Rightsize", monthly_saving=Decimal(4), currency="EUR")
    ((_name, saving, sources, _evidence, _part),) = candidates(db, rule("50"))[0]
    assert (saving, "Compute Optimizer" in sources) == (Decimal(50), True)


@pytest.mark.parametrize(
    ("quiet", "stays"),
    [
        (Quiet("shrink", account="1"), 0),
        (Quiet("shrink", account="2"), 1),
        (Quiet("shrink", teams=(3, 7)), 0),
        (Quiet("shrink", name_begins="WEB"), 0),
        (Quiet("shrink", tag_key="App", tag_value="x"), 0),
        (Quiet("shrink", tag_key="App", tag_value="y"), 1),
        (Quiet("shrink", tag_key="App"), 0),
        (Quiet("other", account="1"), 1),
    ],
)
def test_a_quiet_rule_is_quiet_where_it_was_taught_and_nowhere_else(db, quiet, stays):
    assert len(candidates(db, rule("5"), quiet=[quiet])[0]) == stays


@pytest.mark.parametrize(
    ("other", "resource"),
    [
        ({"resource": "arn:aws:ec2:eu-west-1:1:instance/i-0a1b2c3d4e"}, "i-0a1b2c3d4e"),
        ({"resource": "I-0A1B2C3D4E", "region": ""}, "i-0a1b2c3d4e"),
        # The machine is made in one account and billed to another.
        ({"account": "2"}, "i-0a1b2c3d4e"),
        # A name is no id: the same name in another account is another thing.
        ({"account": "2", "resource": "web"}, "web"),
    ],
)
def test_metrics_name_a_resource_as_its_bill_does(db, other, resource):
    insert_rows(db, "metrics", [{**PLACE, "metric": "network", **other}])
    speak_as_bills(db)
    ((account, name),) = db.execute("SELECT account, resource FROM metrics WHERE metric = 'network'").fetchall()
    assert (account, name) == ("1" if resource == "i-0a1b2c3d4e" else "2", resource)


@pytest.mark.parametrize(
    ("word", "is_production"),
    [
        *(("production", True), ("prod", True), ("web-prd", True), ("non-prod", False), ("preprod", False)),
        *(("dev", False), ("staging", False), ("customer a", None), ("", None), ("reproduction", None)),
    ],
)
def test_an_environment_is_production_or_not_or_nobody_knows(word, is_production):
    assert duckdb.execute(f"SELECT {production_sql('word')} FROM (SELECT ? AS word)", [word]).fetchone() == (
        is_production,
    )
