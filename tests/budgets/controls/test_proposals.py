"""What a threshold or an anomaly proposes: which resources, which are left alone, and once for each."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from budgets.calc.controls.rules import CannotControl
from budgets.controls import approvals, proposals
from budgets.models import Alert, Anomaly, Control, ControlChangeSet
from finops_site.models import OutgoingEmail, Team
from tests.budgets.controls.conftest import (
    ACCOUNT,
    BARE,
    DATABASE,
    DAY,
    DEV,
    ELSEWHERE,
    MACHINES,
    NOW,
    OTHER,
    POOLED,
    PROD,
    RESERVED,
)

pytestmark = pytest.mark.django_db


def targets(row):
    return {step.target for step in row.steps.all()}


def left_out(row):
    return {item["resource"]: item["why"] for item in row.left_out}


def test_a_threshold_proposes_to_stop_what_says_dev_or_test(proposed):
    row = proposed()
    assert row.state == "proposed"
    assert targets(row) == {DEV, "orders-dev"}
    assert (row.team.name, row.proposed_by.email, row.is_automatic) == ("Payments", "fay@demo.example", True)
    assert row.why.startswith("Payments: spent 50% is reached, ")


def test_everything_else_of_the_scope_is_left_alone_with_its_reason(proposed):
    why = left_out(proposed())
    assert why[PROD] == "its tag Environment says production (Production)"
    assert why[BARE] == "it has no tag of an environment: unknown is not dev or test"
    assert why[RESERVED] == "it saves nothing: a commitment covers it, and is paid for all the same"
    assert why[POOLED] == "it belongs to a group, which would start another one: scale the group down"
    assert why[ELSEWHERE] == "its account is not among those that the control may touch"


def test_the_estimate_is_exact_and_counts_what_stops_when_the_machine_does(proposed):
    steps = {step.target: step for step in proposed().steps.all()}
    # Eleven a day, and one of them is its disk.
    assert (steps[DEV].cost, steps[DEV].saving, steps[DEV].currency) == (Decimal(11), Decimal(10), "USD")
    assert (steps["orders-dev"].saving, steps["orders-dev"].kind) == (Decimal(6), "rds")
    assert steps[DEV].name == "build-1"


def test_an_alert_proposes_once_however_often_it_is_evaluated(proposed, night):
    row = proposed()
    night(DAY + timedelta(days=1))
    night(DAY + timedelta(days=2))
    approvals.refuse(row.pk, user=row.proposed_by, comment="Not now", now=NOW)
    alert = Alert.objects.get(pk=row.alert_id)
    assert proposals.propose_for_alerts([alert], NOW) == 0
    assert ControlChangeSet.objects.count() == 1


def test_approvers_get_one_mail_with_what_why_and_undo(proposed, lea, fay):
    proposed()
    mails = OutgoingEmail.objects.filter(key__contains="control-proposed")
    # Fay defined the control: her approval would be her own.
    assert [mail.to for mail in mails] == [lea.email]
    text = bytes(mails[0].content).decode()
    for words in (
        "Stop dev machines: stop dev and test machines",
        "16.00 USD a day",
        "build-1",
        "Undo:",
        "approve it or refuse it",
    ):
        assert words in text.replace("=\r\n", ""), words


def test_a_tag_exempts_and_another_environment_may_be_named(proposed):
    row = proposed(exempt_tags=["Environment=test"], dev_values=["dev", "test"])
    assert targets(row) == {DEV}
    assert left_out(row)[DATABASE.rpartition(":")[0] + ":orders-dev"] == "its tag Environment=test exempts it"


def test_what_is_named_and_says_production_is_left_out_however_it_came_in(control_of, night):
    control = control_of(action="scale", targets=f"asg {ACCOUNT}/us-east-1/agents")
    Control.objects.filter(pk=control.pk).update(targets=f"asg {ACCOUNT}/us-east-1/web-prod")
    night(DAY + timedelta(days=1))
    control.refresh_from_db()
    assert not control.change_sets.exists()
    assert "web-prod says production" in control.last_result


def test_an_account_that_says_production_is_left_alone(bill, proposed):
    tags, service = MACHINES[DATABASE][1:]
    bill(machines={**MACHINES, DATABASE: ("6.00", tags, {**service, "SubAccountId": "production"})})
    row = proposed()
    assert targets(row) == {DEV}
    assert left_out(row)["arn:aws:rds:us-east-1:000000000042:db:orders-dev"] == "production says production"


def test_what_saves_less_than_nothing_or_is_committed_is_left_out(bill, proposed):
    machines = dict(MACHINES)
    machines[DEV] = ("-3.00", {"Environment": "dev"}, {})
    machines[RESERVED] = ("4.00", {"Environment": "dev"}, {"PricingCategory": "Committed"})
    bill(machines=machines)
    row = proposed()
    assert targets(row) == {"orders-dev"}
    assert left_out(row)[DEV] == "it saves nothing: it costs nothing by the hour"
    assert left_out(row)[RESERVED] == "it saves nothing: a commitment covers it, and is paid for all the same"


def test_limits_keep_what_saves_most_and_say_so(proposed):
    row = proposed(most_resources=1)
    assert targets(row) == {DEV}
    assert row.is_beyond_limits
    assert "more than 1 at once" in left_out(row).values()


def test_a_share_of_the_scopes_cost_is_the_blast_radius(proposed):
    # The scope costs 51 a day; a fifth of it is 10.20, which is less than the dev machine costs.
    row = proposed(most_share=Decimal("0.2"))
    assert targets(row) == {"orders-dev"}
    assert "beyond 20% of what the scope costs a day" in left_out(row).values()


def test_a_group_is_scaled_as_a_whole(proposed):
    row = proposed(action="scale", wanted=0)
    (step,) = row.steps.all()
    assert (step.kind, step.target, step.saving) == ("asg", "agents", Decimal(3))
    row.control.wanted = 1


def test_what_a_smaller_group_saves_is_not_known(proposed):
    (step,) = proposed(action="scale", wanted=1).steps.all()
    assert step.saving is None


def test_another_account_may_be_allowed(proposed):
    assert ELSEWHERE in targets(proposed(accounts=[ACCOUNT, OTHER]))


def test_where_nothing_is_left_nothing_is_proposed_and_the_control_says_why(control_of, night):
    control = control_of(accounts=["999999999999"])
    night(DAY + timedelta(days=1))
    control.refresh_from_db()
    assert not control.change_sets.exists()
    assert "Nothing is proposed: " in control.last_result
    assert "left out" in control.last_result


def test_what_is_under_way_is_not_proposed_again(proposed, budget):
    row = proposed()
    with pytest.raises(CannotControl, match="Nothing new: Stop dev machines, 15 Mar 2026 is proposed already"):
        proposals.propose_by_hand(row.control, user=row.proposed_by, now=NOW)


def test_a_control_that_fails_holds_no_alert_back(control_of, night, monkeypatch):
    control = control_of()

    def fail(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(proposals, "find_targets", fail)
    report = night(DAY + timedelta(days=1))
    assert report.alerts_made
    assert Alert.objects.filter(threshold=control.threshold).exists()
    control.refresh_from_db()
    assert "it failed and proposed nothing" in control.last_result


def test_a_broken_database_question_holds_no_alert_back(control_of, night, monkeypatch):
    control_of()

    def fail(*args, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("select 1 / 0")

    monkeypatch.setattr(proposals, "find_targets", fail)
    assert night(DAY + timedelta(days=1)).alerts_made
    assert Alert.objects.exists()


def test_alerts_without_controls_cost_one_question(budget, night):
    night(DAY + timedelta(days=1))
    alerts = list(Alert.objects.all())
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert proposals.propose_for_alerts(alerts * 50, NOW) == 0
    assert len([query for query in queries if query["sql"].startswith("SELECT")]) == 1


def anomaly_of(team, **fields):
    values = {"kind": "service", "service": "Amazon Elastic Compute Cloud", "account": ACCOUNT, "currency": "USD"}
    values |= {"day": DAY, "last_day": DAY, "actual": Decimal(30), "expected": Decimal(10), "found_as_of": DAY}
    return Anomaly.objects.create(team=team, **values | fields)


@pytest.fixture
def watching(budget, fay):
    def make(**fields):
        values = {
            "name": "After anomalies",
            "trigger": "anomaly",
            "action": "stop",
            "accounts": [ACCOUNT],
            "most_share": 1,
        }
        control = Control(**values | fields)
        control.full_clean(exclude=["changed_by"])
        return approvals.save_control(control, user=fay, now=NOW)

    return make


def test_an_anomaly_proposes_what_its_own_lines_show(watching, payments):
    control, anomaly = watching(team=payments), anomaly_of(payments)
    assert proposals.propose_for_anomalies([anomaly], NOW) == 1
    row = control.change_sets.get()
    # The database is another service.
    assert targets(row) == {DEV}
    assert row.why == f"Anomaly: {anomaly.scope_name} cost 20.00 USD more than expected on 14 Mar 2026"
    assert proposals.propose_for_anomalies([anomaly], NOW) == 0


@pytest.mark.parametrize("fields", [{"least_excess": Decimal(21)}, {"service": "AWS Lambda"}, {"account": OTHER}])
def test_an_anomaly_out_of_scope_proposes_nothing(watching, payments, fields):
    watching(team=payments, **fields)
    assert proposals.propose_for_anomalies([anomaly_of(payments)], NOW) == 0


def test_another_teams_anomaly_is_not_this_controls(watching, payments):
    watching(team=Team.objects.get(name="Data"))
    assert proposals.propose_for_anomalies([anomaly_of(payments)], NOW) == 0


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"accounts": []}, "Name the accounts"),
        ({"action": "quota"}, "No bill shows what to act on"),
        ({"action": "quota", "targets": "aws-quota L-1216C47A"}, "never lowered"),
        ({"action": "quota", "targets": "lambda 999999999999/us-east-1/resize"}, "not among those that it may touch"),
        ({"action": "key", "targets": f"lambda {ACCOUNT}/us-east-1/resize"}, "is nothing to disable keys"),
        ({"dev_values": ["prod"]}, "says production"),
        ({"dev_values": ["dev", "prod1"]}, "says production"),
        ({"action": "scale", "targets": f"asg {ACCOUNT}/us-east-1/web-prod"}, "web-prod says production"),
        ({"dev_values": []}, "mean dev or test"),
        ({"box_hours": None}, "every action ends"),
        ({"most_resources": 0}, "greater than or equal to 1"),
        ({"quiet_from": "22:00"}, "a beginning and an end"),
    ],
)
def test_a_control_that_cannot_be_right_is_refused(control_of, fields, problem):
    with pytest.raises(ValidationError, match=problem):
        control_of(**fields)


def test_what_is_named_is_proposed_without_a_line_of_the_bill(proposed):
    row = proposed(action="quota", wanted=5, targets=f"lambda {ACCOUNT}/us-east-1/resize")
    (step,) = row.steps.all()
    assert (step.kind, step.target, step.saving, step.saving_note) == (
        *("lambda", "resize", None),
        "no bill shows beforehand what it saves",
    )
