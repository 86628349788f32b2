"""Loaded months are owned anew in place: exact, whole or not at all, and closed months never."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costs import reconciliation
from costs.calc.allocation_rules import OwnerRule, VirtualTag
from costs.ingest.load import load_bill
from costs.ingest.reallocate import preview_moves, reallocate_month
from costs.ingest.receive import receive_bill
from costs.ingest.republish import republish_month
from costs.ingest.withdraw import withdraw_delivery
from costs.models import CostLine, DayRollup, DeliveryMonth, Dimension, MonthRollup, Pool, TagSet
from costs.query import drilldown, spend
from costs.query.question import Question
from costs.query.scope import NOBODY
from costs.signals import cost_data_changed
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import ChargebackPeriod, OwnershipRule
from tagging.ownership import rule_application
from tests import bills
from tests.shared_fixtures import shared

MARCH, APRIL = Month(2026, 3), Month(2026, 4)


@shared
def payments(db):
    return Team.objects.create(name="Payments")


@shared
def data(db):
    return Team.objects.create(name="Data")


def load(folder, rows, month=MARCH, source="northwind", **defaults):
    end = f"{month.next.start}T00:00:00Z"
    dates = {"BillingPeriodStart": f"{month.start}T00:00:00Z", "BillingPeriodEnd": end, **defaults}
    path = bills.write(folder, f"{source}-{month}.csv", bills.focus_csv(rows, **dates))
    (received,) = receive_bill(source, [path])
    delivery = load_bill(received.delivery)
    assert delivery.status == delivery.Status.CURRENT, delivery.message
    return delivery.months.get(is_current=True)


def reown(row, rules=(), tags=()):
    return reallocate_month(row, lambda: (rules, tags))


def owners():
    lines = CostLine.objects.current().select_related("owner", "pool").order_by("resource", "charge_date")
    return [(line.resource, str(line.owner or line.pool or ""), line.owner_rule) for line in lines]


def broken():
    return [check for check in reconciliation.reconcile() if not check.holds]


@pytest.mark.django_db
def test_a_month_owned_in_place_is_the_month_loaded_under_the_same_rules(tmp_path, payments, data):
    pool = Pool.objects.create(name="Support")
    rows = [
        {"ResourceId": "a", "ResourceName": "card-7", "Tags": '{"Team": "Data", "x": null}'},
        {"ResourceId": "b", "Tags": '{"TEAM": "data", "team": "other"}'},
        {"ResourceId": "", "ResourceName": "", "ServiceName": "AWS Support", "Tags": ""},
        {"ResourceId": "d", "ChargePeriodStart": "2026-03-20T00:00:00Z", "Tags": '{"Owner": "O\'Brien, \\"lea\\""}'},
        {"ResourceId": "e", "ChargePeriodStart": "2026-03-21T00:00:00Z", "ServiceName": "S3", "Tags": '{"Owner": ""}'},
    ]
    rules = [
        OwnerRule(None, "Support", pool=pool.pk, service="AWS Support"),
        OwnerRule(payments.pk, "Cards", resource_pattern="^card-[0-9]+$"),
        OwnerRule(data.pk, 'The "data", team', tag_key="team", tag_value="DATA"),
        OwnerRule(payments.pk, "Until the 21st", tag_key="owner", end=date(2026, 3, 21)),
        OwnerRule(data.pk, "From the 21st", service="S3", start=date(2026, 3, 21)),
    ]
    row = load(tmp_path, rows)
    assert reown(row, rules) == 5
    in_place = owners()
    with _rules_at_load(rules):
        republish_month(row)
    assert owners() == in_place
    assert [owner for _, owner, _ in in_place] == ["Support", "Payments", "Data", "Payments", "Data"]
    assert broken() == []


class _rules_at_load:
    """Loads bills under these rules instead of those of tagging."""

    def __init__(self, rules, tags=()):
        self.decision = (rules, tags)

    def __enter__(self):
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(rule_application, "rules_and_tags_in_force", lambda: self.decision)

    def __exit__(self, *_):
        self.patch.undo()


@pytest.mark.django_db
def test_nothing_is_written_when_nothing_changes(tmp_path, payments):
    row = load(tmp_path, [{"ResourceId": "a"}])
    rules = [OwnerRule(payments.pk, "Tag", tag_key="Team")]
    assert (reown(row, rules), reown(row, rules)) == (1, 0)
    row.refresh_from_db()
    assert row.revision == 1


@pytest.mark.django_db
def test_pages_answer_anew_as_soon_as_a_month_is_owned_anew(tmp_path, fay):
    payments = Team.objects.get(name="Payments")
    row = load(tmp_path, [{"ResourceId": "a"}])
    question = Question(MARCH.period, ("team",))
    assert [cost.group for cost in spend.find_spend(fay, question)] == [(NOBODY,)]
    reown(row, [OwnerRule(payments.pk, "Tag", tag_key="Team")])
    tomorrow = type(fay).objects.get(pk=fay.pk)
    assert [cost.group for cost in spend.find_spend(tomorrow, question)] == [(str(payments.pk),)]


@pytest.mark.django_db
def test_a_virtual_tag_is_seen_by_rules_rollups_and_the_explorer_and_the_charges_are_still_found(tmp_path, fay):
    data = Team.objects.get(name="Data")
    rows = [
        {"ResourceId": "i-1", "Tags": '{"environment": "", "Team": "Payments"}'},
        {"ResourceId": "i-1", "ChargePeriodStart": "2026-03-09T00:00:00Z", "Tags": '{"Team": "Payments"}'},
        {"ResourceId": "i-2", "Tags": '{"Team": "Payments"}'},
    ]
    rules = [OwnerRule(data.pk, "Production", tag_key="Environment", tag_value="Production")]
    tags = [VirtualTag("AWS", "000000000042", "i-1", "Environment", "Production", date(2026, 1, 1), date(2026, 3, 9))]
    row = load(tmp_path, rows)
    assert reown(row, rules, tags) == 1
    line = CostLine.objects.get(owner=data)
    assert line.tag_set.tags == {"Environment": "Production", "Team": "Payments"}
    assert line.tag_set.virtual == {"Environment": "Production"}
    assert line.tag_set.as_delivered == {"environment": "", "Team": "Payments"}
    assert drilldown.charges_of(line).count == 1
    by_environment = spend.find_spend(fay, Question(MARCH.period, ("tag:Environment",)))
    assert {cost.group: cost.amount for cost in by_environment} == {("Production",): 1, ("",): 2}
    assert Dimension.objects.filter(name="tag", value="Environment").exists()
    assert broken() == []
    assert reown(row) == 1
    assert not MonthRollup.objects.exclude(tag_set__delivered=None).exists(), "without it the bill's own tags stand"


@pytest.mark.django_db
def test_a_bill_that_is_loaded_gets_the_same_tag_sets_as_one_that_is_there(tmp_path, data):
    rows = [{"ResourceId": "i-1"}, {"ResourceId": "i-2"}, {"ResourceId": "i-3", "Tags": '{"Team": "Data"}'}]
    tags = [
        VirtualTag("AWS", "000000000042", "i-1", "team", "Ledger", date(2026, 1, 1)),
        VirtualTag("AWS", "000000000042", "i-1", "Team", "Data", date(2026, 1, 1)),
        VirtualTag("AWS", "000000000042", "i-3", "Team", "Data", date(2026, 1, 1)),
    ]
    rules = [OwnerRule(data.pk, "Data", tag_key="team", tag_value="data")]
    row = load(tmp_path, rows)
    reown(row, rules, tags)
    in_place = dict(CostLine.objects.current().values_list("resource", "tag_set"))
    with _rules_at_load(rules, tags):
        republish_month(row)
    assert dict(CostLine.objects.current().values_list("resource", "tag_set")) == in_place
    assert TagSet.objects.get(pk=in_place["i-1"]).tags == {"Team": "Data"}
    assert TagSet.objects.get(pk=in_place["i-3"]).delivered is None, "a tag that says what the bill says is not ours"
    assert [owner for _, owner, _ in owners()] == ["Data", "", "Data"]


@pytest.mark.django_db
def test_tags_of_any_script_and_size_survive(tmp_path, data):
    wide = {f"key {number:02} " + "k" * 240: "v" * 256 for number in range(49)} | {"עברית": "مرحبا 🚀"}
    row = load(tmp_path, [{"ResourceId": "i-1", "Tags": json.dumps(wide)}])
    tag = VirtualTag("AWS", "000000000042", "i-1", "Émoji 🏷", '"; DROP TABLE costs_tagset; --\n\\', date(2026, 1, 1))
    assert reown(row, [OwnerRule(data.pk, "rtl", tag_key="עברית", tag_value="مرحبا 🚀")], [tag]) == 1
    line = CostLine.objects.get(owner=data)
    assert line.tag_set.tags == wide | {tag.key: tag.value}
    assert drilldown.charges_of(line).count == 1


@pytest.mark.django_db
def test_closed_months_are_left_as_they_are(tmp_path, payments, data):
    rule = OwnershipRule.objects.create(name="Tag", team=payments, tag_key="Team")
    march = load(tmp_path, [{"ResourceId": "a"}])
    april = load(tmp_path, [{"ResourceId": "a", "ChargePeriodStart": "2026-04-02T00:00:00Z"}], APRIL)
    ChargebackPeriod.objects.create(billing_month=MARCH.start, state=ChargebackPeriod.State.CLOSED)
    before = list(CostLine.objects.filter(delivery_month=march).values())
    OwnershipRule.objects.filter(pk=rule.pk).update(team=data)
    assert [change.row.pk for change in rule_application.reallocate_open_months()] == [april.pk]
    assert list(CostLine.objects.filter(delivery_month=march).values()) == before
    assert CostLine.objects.get(delivery_month=april).owner == data


@pytest.mark.django_db(transaction=True)
def test_pillars_hear_that_the_cost_data_changed_and_one_that_fails_harms_nobody(tmp_path, payments, caplog):
    heard = []

    def listen(rows, **_):
        heard.append({Month.of(row.billing_month) for row in rows})

    def fail(**_):
        raise RuntimeError("not today")

    cost_data_changed.connect(fail)
    cost_data_changed.connect(listen)
    try:
        row = load(tmp_path, [{"ResourceId": "a"}])
        reown(row, [OwnerRule(payments.pk, "Tag", tag_key="Team")])
        reown(row, [OwnerRule(payments.pk, "Tag", tag_key="Team")])
        withdraw_delivery(row.delivery)
    finally:
        cost_data_changed.disconnect(fail)
        cost_data_changed.disconnect(listen)
    assert heard == [{MARCH}, {MARCH}, {MARCH}]
    assert "failed after the cost data changed" in caplog.text


@pytest.mark.django_db
def test_a_bill_that_was_replaced_meanwhile_is_not_touched(tmp_path, payments):
    row = load(tmp_path, [{"ResourceId": "a"}])
    DeliveryMonth.objects.filter(pk=row.pk).update(is_current=False)
    assert reown(row, [OwnerRule(payments.pk, "Tag", tag_key="Team")]) is None
    assert not CostLine.objects.filter(owner=payments).exists()


@pytest.mark.django_db
def test_what_would_move_is_said_without_moving_it(tmp_path, payments, data):
    pool = Pool.objects.create(name="Support")
    rows = [
        {"ResourceId": "a", "BilledCost": "2"},
        {"ResourceId": "b", "ServiceName": "AWS Support", "BilledCost": "3"},
        {"ResourceId": "c", "Tags": "", "BilledCost": "5"},
    ]
    row = load(tmp_path, rows)
    reown(row, [OwnerRule(payments.pk, "Tag", tag_key="Team")])
    decision = [
        OwnerRule(None, "Support", pool=pool.pk, service="AWS Support"),
        OwnerRule(payments.pk, "Renamed", tag_key="Team"),
        OwnerRule(data.pk, "Rest", provider="AWS"),
    ]
    moves = preview_moves([row], (decision, []))
    assert [(move.owner_before, move.owner, move.pool, move.billed_cost, move.charges) for move in moves] == [
        (payments.pk, None, pool.pk, Decimal(3), 1),
        (None, data.pk, None, Decimal(5), 1),
    ]
    named = [*decision, OwnerRule(data.pk, "Names", resource_pattern="zzz")]
    assert preview_moves([row], (named, [])) == moves, "rollups and lines say the same"
    assert {owner for _, owner, _ in owners()} == {"Payments", ""}


days = st.one_of(st.none(), st.integers(1, 31).map(lambda day: date(2026, 3, day)))
some_rules = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "service": st.sampled_from(["S3", "Glue"]),
            "sub_account": st.sampled_from(["1", "2"]),
            "tag_key": st.sampled_from(["Team", "team", "Owner"]),
            "tag_value": st.sampled_from(["a", "B", ""]),
            "resource_pattern": st.sampled_from(["^r1", "r[23]$", "(?i)R"]),
            "charge_category": st.sampled_from(["Usage", "Credit"]),
            "start": days,
            "end": days,
        },
    ),
    max_size=6,
)
some_charges = st.lists(
    st.fixed_dictionaries(
        {
            "ResourceId": st.sampled_from(["r1", "r2", "r3", ""]),
            "ServiceName": st.sampled_from(["S3", "Glue", "Tax"]),
            "SubAccountId": st.sampled_from(["1", "2"]),
            "Tags": st.sampled_from(["", '{"Team": "a"}', '{"team": "b"}', '{"Owner": ""}', '{"Owner": "x"}']),
            "ChargeCategory": st.sampled_from(["Usage", "Credit"]),
            "BillingCurrency": st.sampled_from(["USD", "EUR"]),
            "BilledCost": st.decimals(-1000, 1000, places=12).map(str),
            "EffectiveCost": st.decimals(-1000, 1000, places=12).map(str),
            "ChargePeriodStart": st.integers(1, 31).map(lambda day: f"2026-03-{day:02}T00:00:00Z"),
        }
    ),
    min_size=1,
    max_size=25,
)


def expected(rules, line):
    """The first rule that matches, by the words of the documentation and not by SQL."""
    tags = {}
    for key, value in sorted(line.tag_set.tags.items()):
        tags.setdefault(key.lower(), value)
    for rule in rules:
        plain = ("service", "sub_account", "charge_category")
        holds = [
            all(getattr(rule, name) in ("", getattr(line, name)) for name in plain),
            not rule.resource_pattern or re.search(rule.resource_pattern, line.resource),
            (rule.start or date.min) <= line.charge_date < (rule.end or date.max),
            not rule.tag_key or (tags.get(rule.tag_key.lower()) or ""),
            not rule.tag_value or (tags.get(rule.tag_key.lower()) or "").lower() == rule.tag_value.lower(),
        ]
        conditions = any(getattr(rule, name) for name in (*plain, "tag_key", "resource_pattern"))
        if conditions and all(holds):
            return rule
    return None


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(charges=some_charges, drawn=some_rules, again=some_rules)
@pytest.mark.django_db
def test_direct_and_shared_and_unowned_are_the_bill_by_currency_and_day(
    tmp_path, payments, data, charges, drawn, again
):
    pool, _ = Pool.objects.get_or_create(name="Pool")
    DeliveryMonth.objects.update(is_current=False)
    name = f"s{os.urandom(6).hex()}"
    row = load(tmp_path, [{"ResourceName": "", **charge} for charge in charges], source=name)
    bill = _by_day(DayRollup.objects.filter(delivery_month=row))
    for conditions in (drawn, again):
        rules = _rules(conditions, payments, pool)
        reown(row, rules)
        _check_sides(row, bill)
        for line in CostLine.objects.filter(delivery_month=row).select_related("tag_set"):
            rule = expected(rules, line)
            assert (line.owner_id, line.pool_id) == ((rule.team, rule.pool) if rule else (None, None))
            assert line.owner_rule == (rule.label if rule else "")
    assert broken() == []


def _rules(drawn, payments, pool):
    rules = []
    for number, conditions in enumerate(drawn):
        if "tag_value" in conditions and "tag_key" not in conditions:
            conditions = {**conditions, "tag_value": ""}
        target = {"team": payments.pk} if number % 2 else {"team": None, "pool": pool.pk}
        rules.append(OwnerRule(label=f"rule {number}", **target, **conditions))
    return rules


def _by_day(rows):
    sums = rows.order_by().values("currency", "charge_date").annotate(b=Sum("billed_cost"), e=Sum("effective_cost"))
    return {(row["currency"], row["charge_date"]): (row["b"], row["e"]) for row in sums}


def _check_sides(row, bill):
    for model in (CostLine, DayRollup):
        rows = model.objects.filter(delivery_month=row)
        sides = [_by_day(rows.of_side(side)) for side in ("direct", "shared", "unowned")]
        added = {
            place: tuple(sum((side[place][n] for side in sides if place in side), Decimal(0)) for n in (0, 1))
            for place in {key for side in sides for key in side}
        }
        assert added == bill


KILLED = """
import os, django
django.setup()
from django.db import connection
from django.db.models import Sum
from costs.calc.allocation_rules import OwnerRule
from costs.ingest import reallocate
from costs.models import DeliveryMonth

def stop(row):
    print("half way", flush=True)
    import time
    time.sleep(60)

reallocate.roll_up = stop
row = DeliveryMonth.objects.get(pk=int(os.environ["ROW"]))
reallocate.reallocate_month(row, lambda: ([OwnerRule(int(os.environ["TEAM"]), "Tag", tag_key="Team")], []))
"""


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_half_way_leaves_the_month_whole_and_it_can_be_done_again(tmp_path, payments):
    row = load(tmp_path, [{"ResourceId": name} for name in "abc"])
    process = _half_way(row, payments)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [owner for _, owner, _ in owners()] == ["", "", ""]
    assert broken() == []
    assert reown(row, [OwnerRule(payments.pk, "Tag", tag_key="Team")]) == 3
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_readers_never_see_half_a_month(tmp_path, payments):
    row = load(tmp_path, [{"ResourceId": name} for name in "abc"])
    process = _half_way(row, payments)
    try:
        seen = []
        reader = threading.Thread(target=lambda: seen.append(_read()))
        reader.start()
        reader.join(10)
        assert seen == [({"": 3}, {None: Decimal(3)})], "neither blocked nor half"
    finally:
        process.kill()
        process.wait()


def _read():
    try:
        lines = [owner for _, owner, _ in owners()]
        rollup = {row.owner_id: row.billed_cost for row in MonthRollup.objects.current()}
        return {owner: lines.count(owner) for owner in lines}, rollup
    finally:
        connection.close()


def _half_way(row, team):
    """Another process that has updated the lines of the month and not yet committed."""
    name = connection.settings_dict
    url = f"postgres://{name['USER']}:{name['PASSWORD']}@{name['HOST']}:{name['PORT']}/{name['NAME']}"
    env = {**os.environ, "DATABASE_URL": url, "ROW": str(row.pk), "TEAM": str(team.pk)}
    process = subprocess.Popen([sys.executable, "-c", KILLED], env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "half way\n"
    return process
