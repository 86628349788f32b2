"""From a bill to findings: one rule over what it states, stored, renewed, gone and back."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from finops_site.registry import NightlyCheck, NightlyCheckFailed, registry
from tagging.models import OwnershipRule
from tests import bills
from tests.shared_fixtures import shared
from usage.calc import rules as rule_book
from usage.calc.rules.base import Effort, Lever, Risk, Rule
from usage.findings.evaluate import CannotEvaluate, evaluate
from usage.models import Evaluation, Finding, QuietRule
from usage.sources import imports
from usage.tasks import evaluate_resources

AS_OF = date(2026, 3, 31)
# Of every machine that is not of production and of which something is open: a tenth could be saved.
TENTH = Rule(
    "a-tenth",
    "A tenth of it",
    Lever.RIGHTSIZE,
    Effort.LOW,
    Risk.LOW,
    """SELECT provider, account, region, resource, 'compute' AS part, monthly_open_cost AS monthly_cost,
    monthly_open_cost * CAST(0.1 AS DECIMAL(2, 1)) AS saving, currency, 'likely' AS confidence,
    json_object('environment', environment) AS evidence, '{}' AS target
    FROM resources WHERE is_production IS DISTINCT FROM true AND monthly_open_cost > 0""",
    lambda finding: "",
    lambda finding: (),
    needs=("use",),
)


def machine_days(name, *, days=31, first=1, cost="2.40", **more):
    """A charge a day of a machine in March, from its first day on."""
    for day in range(first, first + days):
        start = date(2026, 3, day)
        yield {
            "ChargePeriodStart": f"{start}T00:00:00Z",
            "ChargePeriodEnd": f"{start + timedelta(days=1)}T00:00:00Z",
            "ResourceId": name,
            "ResourceName": f"{name} by name",
            "EffectiveCost": cost,
            "BilledCost": cost,
            **more,
        }


def deliver(folder, rows):
    (received,) = receive_bill("northwind", [bills.write(folder, "bill.csv", bills.focus_csv(rows))])
    assert load_bill(received.delivery).status == "current"


def march():
    committed = {"PricingCategory": "Committed", "CommitmentDiscountId": "sp-1", "CommitmentDiscountStatus": "Used"}
    return [
        *machine_days("i-dev", Tags='{"Team": "Payments", "Environment": "dev"}'),
        *machine_days("i-prod", Tags='{"Team": "Payments", "Environment": "Production"}'),
        *machine_days("i-covered", **committed),
        *machine_days("i-left", days=10),
        *machine_days("i-new", first=22, days=10, Tags='{"Team": "Data"}'),
    ]


@shared
def a_march(people, tmp_path):
    for order, name in enumerate(["Payments", "Data"]):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name, order=order)
    deliver(tmp_path, march())


def findings_by_resource():
    return {row.resource: row for row in Finding.objects.all()}


def test_what_a_bill_states_becomes_findings_of_the_teams_that_own_it(a_march):
    result = evaluate(AS_OF, rules=[TENTH])
    assert (result.first_day, result.last_day) == (date(2026, 3, 2), date(2026, 3, 31))
    # i-left ended on the 10th; i-prod is of production; nothing of i-covered is open.
    assert result.resources == 4
    findings = findings_by_resource()
    assert set(findings) == {"i-dev", "i-new"}
    dev = findings["i-dev"]
    # 30 days at 2.40, for a month of 730 hours: 72 * 730 / 720.
    assert dev.monthly_cost == Decimal("73")
    assert (dev.saving, dev.counted_saving, dev.currency) == (Decimal("7.3"), Decimal("7.3"), "USD")
    assert (dev.owner.name, dev.environment, dev.resource_name) == ("Payments", "dev", "i-dev by name")
    assert (dev.state, dev.sources, dev.evidence) == ("new", ["bill"], {"environment": "dev"})
    assert (dev.first_seen, dev.last_seen) == (AS_OF, AS_OF)
    # Ten days of it are the pace of a month, not a third of it.
    assert findings["i-new"].monthly_cost == Decimal("73")
    assert findings["i-new"].owner.name == "Data"


def test_the_same_evaluation_again_changes_nothing(a_march):
    evaluate(AS_OF, rules=[TENTH])
    before = list(Finding.objects.order_by("pk").values())
    result = evaluate(AS_OF, rules=[TENTH])
    assert list(Finding.objects.order_by("pk").values()) == before
    assert (result.outcome.new, result.outcome.renewed, result.outcome.gone) == (0, 2, 0)


def test_what_is_seen_no_longer_is_gone_and_what_no_rule_judged_stays(a_march):
    evaluate(AS_OF, rules=[TENTH])
    evaluate(AS_OF, rules=[])
    assert {row.state for row in findings_by_resource().values()} == {"new"}
    nothing = Rule(*[getattr(TENTH, name) if name != "sql" else f"{TENTH.sql} AND false" for name in TENTH.__slots__])
    evaluate(AS_OF, rules=[nothing])
    assert {row.state for row in findings_by_resource().values()} == {"gone"}
    assert [event.verb for event in findings_by_resource()["i-dev"].events.all()] == ["gone"]
    evaluate(AS_OF, rules=[TENTH])
    again = findings_by_resource()["i-dev"]
    assert (again.state, [event.verb for event in again.events.order_by("pk")]) == ("new", ["gone", "again"])


def test_a_machine_that_left_closes_its_findings_with_the_reason(a_march):
    # On the 10th i-left is still there; it ends on that day.
    evaluate(date(2026, 3, 10), rules=[TENTH])
    assert findings_by_resource()["i-left"].state == "new"
    evaluate(AS_OF, rules=[TENTH])
    left = findings_by_resource()["i-left"]
    assert left.state == "gone"
    assert left.events.get().note == "The resource left: bills have it no longer."
    assert findings_by_resource()["i-dev"].state == "new"


def test_what_was_mended_and_is_seen_by_the_days_after_it_is_back(a_march):
    evaluate(AS_OF, rules=[TENTH])
    Finding.objects.filter(resource="i-dev").update(state="mended", mended_day=date(2026, 3, 20))
    evaluate(AS_OF, rules=[TENTH])
    assert findings_by_resource()["i-dev"].state == "mended"
    Finding.objects.filter(resource="i-dev").update(mended_day=date(2026, 2, 20))
    evaluate(AS_OF, rules=[TENTH])
    assert findings_by_resource()["i-dev"].state == "back"


def test_what_was_mended_and_gone_for_a_night_is_back_when_it_is_seen_again(a_march):
    evaluate(AS_OF, rules=[TENTH])
    Finding.objects.filter(resource="i-dev").update(state="mended", mended_day=date(2026, 3, 20))
    # A night in which the rule could not judge is no proof of anything.
    evaluate(AS_OF, rules=[])
    evaluate(AS_OF, rules=[TENTH])
    assert findings_by_resource()["i-dev"].state == "mended"
    nothing = replace(TENTH, sql=f"{TENTH.sql} AND false")
    for _night in range(2):
        evaluate(AS_OF, rules=[nothing])
    assert [event.verb for event in findings_by_resource()["i-dev"].events.all()] == ["unseen"]
    evaluate(AS_OF, rules=[TENTH])
    assert findings_by_resource()["i-dev"].state == "back"


def test_what_was_put_off_waits_for_its_day(a_march):
    evaluate(AS_OF, rules=[TENTH])
    Finding.objects.filter(resource="i-dev").update(state="snoozed", snoozed_until=AS_OF + timedelta(days=1))
    evaluate(AS_OF, rules=[TENTH])
    assert findings_by_resource()["i-dev"].state == "snoozed"
    evaluate(AS_OF + timedelta(days=1), rules=[TENTH])
    assert findings_by_resource()["i-dev"].state == "new"


def test_a_dismissal_that_teaches_keeps_the_rule_quiet(a_march, fay):
    quiet = QuietRule.objects.create(rule="a-tenth", tag_key="Team", tag_value="Payments", reason="ours", made_by=fay)
    evaluate(AS_OF, rules=[TENTH])
    assert set(findings_by_resource()) == {"i-new"}
    quiet.until = AS_OF - timedelta(days=1)
    quiet.save()
    evaluate(AS_OF, rules=[TENTH])
    assert set(findings_by_resource()) == {"i-dev", "i-new"}


def test_what_is_kept_quiet_is_neither_gone_nor_back_and_is_what_it_was_when_the_rule_is_taken_back(a_march, fay):
    evaluate(AS_OF, rules=[TENTH])
    Finding.objects.filter(resource="i-dev").update(state="mended", mended_day=date(2026, 3, 20))
    Finding.objects.filter(resource="i-new").update(state="accepted")
    quiet = QuietRule.objects.create(rule="a-tenth", account=findings_by_resource()["i-dev"].account, made_by=fay)
    for _night in range(2):
        evaluate(AS_OF, rules=[TENTH])
    assert {name: row.state for name, row in findings_by_resource().items()} == {"i-dev": "mended", "i-new": "quiet"}
    quiet.delete()
    evaluate(AS_OF, rules=[TENTH])
    findings = findings_by_resource()
    assert {name: row.state for name, row in findings.items()} == {"i-dev": "mended", "i-new": "accepted"}
    assert [event.verb for event in findings["i-new"].events.all()] == ["loud", "quiet"]


def test_what_was_accepted_without_a_person_is_accepted_again_after_it_was_gone(a_march):
    nothing = replace(TENTH, sql=f"{TENTH.sql} AND false")
    evaluate(AS_OF, rules=[TENTH])
    Finding.objects.filter(resource="i-dev").update(state="accepted")
    Finding.objects.filter(resource="i-new").update(state="snoozed", snoozed_until=AS_OF + timedelta(days=9))
    for rule, states in ((nothing, ("gone", "gone")), (TENTH, ("accepted", "snoozed"))):
        evaluate(AS_OF, rules=[rule])
        findings = findings_by_resource()
        assert (findings["i-dev"].state, findings["i-new"].state) == states
    assert findings["i-new"].snoozed_until == AS_OF + timedelta(days=9)


def test_an_inventory_beside_an_old_bill_closes_nothing(a_march, tmp_path):
    reads_both = replace(TENTH, sql=f"{TENTH.sql} AND (SELECT count(*) FROM inventory) >= 0")
    evaluate(AS_OF, rules=[reads_both])
    account = findings_by_resource()["i-dev"].account
    path = tmp_path / "inventory.csv"
    path.write_text(f"provider,account,region,resource,kind,state\nAWS,{account},us-east-1,vol-1,disk,available\n")
    assert imports.receive(path, "inventory.csv").rows_rejected == 0
    evaluate(date(2026, 6, 1), rules=[reads_both])
    assert {row.state for row in findings_by_resource().values()} == {"new"}


def metrics_of(folder, account):
    folder.mkdir(exist_ok=True)
    path = folder / f"{account}.csv"
    points = [f"AWS,{account},us-east-1,i-{account},cpu,2026-03-{day:02}T00:00:00Z,1,Percent" for day in range(1, 31)]
    path.write_text("\n".join(["provider,account,region,resource,metric,time,value,unit", *points]))
    return imports.receive(path, path.name)


def test_without_the_metrics_of_its_account_a_finding_stays_whatever_other_accounts_have(a_march, tmp_path, fay):
    needy = replace(TENTH, needs=("metrics",), sql=f"{TENTH.sql} AND account IN (SELECT account FROM metrics)")
    evaluate(AS_OF, rules=[TENTH])
    account = findings_by_resource()["i-dev"].account
    Finding.objects.all().delete()
    own = metrics_of(tmp_path, account)
    metrics_of(tmp_path, "999999999999")
    evaluate(AS_OF, rules=[needy])
    assert len(findings_by_resource()) == 2
    own.state = "withdrawn"
    own.save()
    evaluate(AS_OF, rules=[needy])
    assert {row.state for row in findings_by_resource().values()} == {"new"}


def test_what_stands_on_metrics_stays_when_they_are_withdrawn_though_its_rule_needs_none(a_march, tmp_path, fay):
    by_metrics = replace(
        TENTH,
        needs=(),
        sql=TENTH.sql.replace("json_object(", "json_object('reason', 'metrics', ")
        + " AND account IN (SELECT account FROM metrics)",
    )
    evaluate(AS_OF, rules=[TENTH])
    account = findings_by_resource()["i-dev"].account
    Finding.objects.all().delete()
    own = metrics_of(tmp_path, account)
    metrics_of(tmp_path, "999999999999")
    evaluate(AS_OF, rules=[by_metrics])
    own.state = "withdrawn"
    own.save()
    evaluate(AS_OF, rules=[by_metrics])
    assert {row.state for row in findings_by_resource().values()} == {"new"}
    # Metrics that are there and show nothing any more are a reason to close.
    metrics_of(tmp_path / "again", account)
    evaluate(AS_OF, rules=[replace(by_metrics, sql=f"{by_metrics.sql} AND false")])
    assert {row.state for row in findings_by_resource().values()} == {"gone"}


def test_an_evaluation_stopped_by_hand_has_failed_and_the_next_one_runs(a_march, monkeypatch):
    def stop(*args, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("usage.findings.evaluate.gather_candidates", stop)
        with pytest.raises(KeyboardInterrupt):
            evaluate(AS_OF, rules=[TENTH])
    stopped = Evaluation.objects.get()
    assert (stopped.state, stopped.message) == ("failed", "It was stopped.")
    assert evaluate(AS_OF, rules=[TENTH]).findings == 2


def test_an_old_bill_proves_nothing_and_closes_nothing(a_march):
    evaluate(AS_OF, rules=[TENTH])
    result = evaluate(date(2026, 6, 1), rules=[TENTH])
    assert "The bill of AWS 111122223333 ends on 31 Mar 2026: what it runs now is not known." in result.notes
    assert {row.state for row in findings_by_resource().values()} == {"new"}


def test_a_rule_that_fails_is_named_and_stops_no_other(a_march):
    bad = Rule(*[getattr(TENTH, name) if name != "sql" else "SELECT nothing" for name in TENTH.__slots__])
    result = evaluate(AS_OF, rules=[bad, TENTH], dry_run=True)
    assert [note for note in result.notes if note.startswith("“A tenth of it” could not be judged")]
    assert result.findings == 2


def test_the_command_prints_what_it_saw_and_refuses_bad_input_in_one_line(a_march, monkeypatch):
    monkeypatch.setattr(rule_book, "RULES", (TENTH,))
    out = StringIO()
    call_command("find_waste", "--as-of", "2026-03-31", "--json", stdout=out)
    figures = json.loads(out.getvalue())
    assert figures["rules"] == [
        {"rule": "a-tenth", "currency": "USD", "findings": 2, "counted_saving": "14.6", "unknown_savings": 0}
    ]
    assert figures["stored"]["new"] == 2
    for words, message in {
        ("--as-of", "soon"): "--as-of: 'soon' is not a day: write it like 2026-03-15.",
        ("--as-of", "0001-01-01", "--dry-run"): "1 Jan 1 is too long ago: there are no bills of it.",
        ("--as-of", "2026-03-01"): "31 Mar 2026 was evaluated already, and findings do not go back to 1 Mar 2026; "
        "a dry run does.",
    }.items():
        with pytest.raises(CommandError) as refusal:
            call_command("find_waste", *words)
        assert (str(refusal.value), refusal.value.returncode) == (message, 2)
    call_command("find_waste", "--as-of", "2026-03-01", "--dry-run", stdout=out)


def test_metrics_by_another_name_make_an_idle_machine_a_finding_that_saves_its_open_cost(a_march, tmp_path):
    idle = {"CPUUtilization": (1, "Percent"), "NetworkIn": (10, "Bytes"), "NetworkOut": (10, "Bytes")}
    arn = "arn:aws:ec2:us-east-1:000000000042:instance/i-dev"
    points = [
        f"aws,000000000042,,{arn},{metric},{date(2026, 3, 1) + timedelta(days=hour // 24)}T{hour % 24:02}:00:00Z,"
        f"{value},{unit}"
        for metric, (value, unit) in idle.items()
        for hour in range(31 * 24)
    ]
    path = tmp_path / "metrics.csv"
    path.write_text("\n".join(["provider,account,region,resource,metric,time,value,unit", *points]))
    assert imports.receive(path, "metrics.csv").rows_rejected == 0
    evaluate(AS_OF)
    finding = Finding.objects.get(rule="machine_idle")
    assert (finding.resource, finding.owner.name, "metrics" in finding.sources) == ("i-dev", "Payments", True)
    assert finding.counted_saving == finding.saving == Decimal(73)
    # Whatever else is said of the machine, it costs 73.
    assert sum(row.counted_saving or 0 for row in Finding.objects.filter(resource="i-dev")) == Decimal(73)
    others = Finding.objects.filter(resource="i-dev").exclude(pk=finding.pk)
    assert [row.counted_after for row in others if row.saving] == [finding for row in others if row.saving]


def test_the_night_judges_and_says_so_and_fails_where_it_may_not(a_march, monkeypatch):
    monkeypatch.setattr(rule_book, "RULES", (TENTH,))
    (check,) = [check for check in registry.of(NightlyCheck) if check.name == "usage"]
    assert check.run(AS_OF) == "2 findings on 4 resources. 2 new, 0 gone."
    assert check.run(AS_OF) == "2 findings on 4 resources. 0 new, 0 gone."
    with pytest.raises(NightlyCheckFailed, match="findings do not go back"):
        check.run(AS_OF - timedelta(days=1))
    assert evaluate_resources(str(AS_OF)) == 2


def test_an_evaluation_that_died_does_not_hold_up_the_next(a_march):
    long_ago = timezone.now() - timedelta(hours=2)
    died = Evaluation.objects.create(as_of=AS_OF, heartbeat_at=long_ago)
    evaluate(AS_OF, rules=[TENTH])
    died.refresh_from_db()
    assert (died.state, died.message) == ("failed", "It stopped without an end.")


def test_lea_sees_the_findings_of_her_team_alone(a_march, lea, fay):
    evaluate(AS_OF, rules=[TENTH])
    assert {row.resource for row in Finding.objects.visible_to(fay)} == {"i-dev", "i-new"}
    assert {row.resource for row in Finding.objects.visible_to(lea)} == {"i-dev"}


def test_two_evaluations_do_not_run_at_once(a_march):
    Evaluation.objects.create(as_of=AS_OF)
    with pytest.raises(CannotEvaluate, match="running already"):
        evaluate(AS_OF, rules=[TENTH])
