"""Pages and API of controls: who sees what, and that every door refuses what the service refuses."""

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from budgets.controls import approvals, running
from budgets.models import Control, ControlChangeSet, ControlPolicy
from programme.savings_model.kpis import avoidance_measure
from tests.budgets.controls.conftest import ACCOUNT, DEV, NOW
from tests.people import person, signed_in, waiting_for
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db


@shared
def row(proposed):
    return proposed()


@shared
def lively(row):
    """The same, as if proposed now: pages ask the clock."""
    from datetime import timedelta

    from django.utils import timezone

    ControlChangeSet.objects.update(expires_at=timezone.now() + timedelta(days=3))
    row.refresh_from_db()
    return row


def text(response):
    return response.content.decode()


def post(name, row, **values):
    return signed_in(person(name)).post(row.get_absolute_url(), values, follow=True)


def test_lea_sees_her_teams_controls_and_ola_none_of_them(row):
    for url in (reverse("budgets:controls"), reverse("budgets:control_changes")):
        assert "Stop dev machines" in text(signed_in(person("lea")).get(url))
        assert "Stop dev machines" not in text(signed_in(person("ola")).get(url))
    for url in (row.get_absolute_url(), row.control.get_absolute_url()):
        assert signed_in(person("eli")).get(url).status_code == 200
        assert signed_in(person("ola")).get(url).status_code == 404


def test_the_lists_can_be_had_as_csv(row):
    for name, words in (("budgets:controls", "Stop dev machines"), ("budgets:control_changes", "Stop dev machines")):
        response = signed_in(person("fay")).get(reverse(name), {"_export": "csv"})
        body = b"".join(response.streaming_content) if response.streaming else response.content
        assert words in body.decode()


def test_the_page_shows_steps_savings_commands_and_what_is_left_out(row):
    page = text(signed_in(person("lea")).get(row.get_absolute_url()))
    for words in (
        "build-1",
        "aws ec2 describe-instances --region us-east-1 --instance-ids",
        "16.00",
        "its tag Environment says production (Production)",
        "needs the state before: the dry run reads it",
        "Approve",
    ):
        assert words in page, words


def test_the_empty_list_says_what_to_do(fay):
    page = text(signed_in(fay).get(reverse("budgets:controls")))
    assert "No control yet" in page
    assert "opens a budget and adds one under Controls" in page


def test_the_page_refuses_whom_the_service_refuses(lively):
    page = text(post("fay", lively, verb="approve"))
    assert "Somebody else has to approve it" in page
    assert post("max", lively, verb="approve").status_code == 403
    assert post("ola", lively, verb="approve").status_code == 404
    assert post("lea", lively, verb="explode").status_code == 404
    lively.refresh_from_db()
    assert lively.state == "proposed"


def test_lea_has_it_among_what_waits_for_her_and_fay_has_not(lively, lea, fay):
    assert "A cost control waits for approval: Stop dev machines, 15 Mar 2026" in waiting_for(lea)
    assert not any("cost control" in words for words in waiting_for(fay))


def test_by_hand_from_approval_to_undo_on_the_page(lively):
    pk = lively.pk
    assert "Approved" in text(post("lea", lively, verb="approve", comment="Go"))
    script = signed_in(person("eli")).get(reverse("budgets:control_script", args=[pk, "check"]))
    assert b"describe-instances" in b"".join(script.streaming_content) if script.streaming else script.content
    pasted = f"finops control-{pk} 1 state running\nfinops control-{pk} 2 state available"
    assert "Dry run: 2 to do." in text(post("eli", lively, verb="checked", pasted=pasted))
    assert "Running" in text(post("eli", lively, verb="by_hand"))
    page = text(post("eli", lively, verb="ran", pasted=f"finops control-{pk} 1 ok\nfinops control-{pk} 2 ok"))
    assert "2 steps done" in page
    post("eli", lively, verb="undo")
    pasted = f"finops control-{pk} 1 undone\nfinops control-{pk} 2 undone"
    assert "Everything is as it was before." in text(post("eli", lively, verb="ran", pasted=pasted))
    lively.refresh_from_db()
    assert lively.state == "undone"


def test_a_script_that_does_not_belong_to_the_state_is_not_given(lively):
    response = signed_in(person("eli")).get(reverse("budgets:control_script", args=[lively.pk, "run"]), follow=True)
    assert "There is no such script now" in text(response)


def test_a_hostile_name_is_shown_as_text(lively):
    lively.steps.filter(kind="ec2").update(name="<script>alert(1)</script>")
    page = text(signed_in(person("lea")).get(lively.get_absolute_url()))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_fay_defines_a_control_of_a_budget_with_the_mouse(budget, fay):
    url = f"{reverse('budgets:control_add')}?budget={budget.pk}"
    client = signed_in(fay)
    page = text(client.get(url))
    assert "What no bill shows" in page
    assert "development\ntest\n" in page
    assert '<option value="UTC" selected>' in page
    values = {
        "name": "Stop dev",
        "threshold": budget.thresholds.first().pk,
        "action": "stop",
        "wanted": 0,
        "accounts": f"{ACCOUNT}\n{ACCOUNT}\n",
        "environment_tag": "Environment",
        "dev_values": "dev\ntest",
        "exempt_tags": "Keep=yes",
        "most_resources": 10,
        "share_percent": "25",
        "box_hours": "",
        "box_weekday": 0,
        "box_time": "07:00",
        "time_zone": "Europe/Oslo",
    }
    client.post(url, values)
    control = Control.objects.get()
    assert (control.accounts, control.exempt_tags, str(control.most_share)) == ([ACCOUNT], ["Keep=yes"], "0.250")
    assert (control.changed_by, control.box_words) == (fay, "until Monday 07:00, Europe/Oslo")
    page = text(client.get(f"{budget.get_absolute_url()}?part=alerts"))
    assert "Stop dev" in page


def test_a_control_without_accounts_or_with_two_boxes_is_sent_back(budget, fay):
    url = f"{reverse('budgets:control_add')}?budget={budget.pk}"
    values = {"name": "x", "threshold": budget.thresholds.first().pk, "action": "stop", "wanted": 0, "time_zone": "UTC"}
    values |= {"box_hours": 5, "box_weekday": 0, "box_time": "07:00", "most_resources": 5, "share_percent": 50}
    page = text(signed_in(fay).post(url, values | {"environment_tag": "Environment", "dev_values": "dev"}))
    assert "one of the two" in page
    assert not Control.objects.exists()


def test_the_page_arms_for_another_and_the_switch_disarms(control_of, flo, fay):
    control = control_of()
    url = reverse("budgets:control_arm", args=[control.pk])
    from datetime import timedelta

    from django.utils import timezone

    until = f"{timezone.now() + timedelta(days=9):%Y-%m-%dT%H:%M}"
    assert "you defined it or changed it last" in text(signed_in(fay).post(url, {"until": until}))
    page = text(signed_in(flo).post(url, {"until": until}, follow=True))
    assert "It is armed" in page
    assert "Flo" in page
    assert "Disarm and stop all" in text(signed_in(fay).get(reverse("budgets:control_policy")))
    signed_in(fay).post(reverse("budgets:control_switch"), {"stop": "1"})
    assert ControlPolicy.get().is_stopped
    assert Control.objects.get().armed_by is None
    assert "All controls are stopped" in text(signed_in(fay).get(reverse("budgets:controls")))


def test_lea_disarms_her_teams_control_and_ola_does_not_find_it(control_of, flo):
    from datetime import timedelta

    control = control_of()
    url = reverse("budgets:control_act", args=[control.pk, "disarm"])
    approvals.arm(control.pk, user=flo, until=NOW + timedelta(days=9), now=NOW)
    assert signed_in(person("ola")).post(url).status_code == 404
    signed_in(person("eli")).post(url)
    assert Control.objects.get().armed_by
    signed_in(person("lea")).post(url)
    assert Control.objects.get().armed_by is None


def test_only_finance_switches_a_control_off(control_of):
    control = control_of()
    url = reverse("budgets:control_act", args=[control.pk, "off"])
    signed_in(person("lea")).post(url)
    assert Control.objects.get().is_active
    signed_in(person("fay")).post(url)
    assert not Control.objects.get().is_active


def test_the_api_takes_the_same_steps_and_refuses_the_same(lively):
    client = APIClient()
    client.force_login(person("fay"), backend="finops_site.people.backends.RoleBackend")
    url = f"/api/v1/control-changes/{lively.pk}/"
    answer = client.post(f"{url}approve/", {}, format="json")
    assert (answer.status_code, "Somebody else" in str(answer.data)) == (400, True)
    client.force_login(person("lea"), backend="finops_site.people.backends.RoleBackend")
    assert client.post(f"{url}approve/", {"comment": "Go"}, format="json").data["state"] == "approved"
    assert "First the dry run" in str(client.post(f"{url}run/", {}, format="json").data)
    pasted = "\n".join(
        f"finops control-{lively.pk} {number} state {state}" for number, state in ((1, "running"), (2, "available"))
    )
    assert client.post(f"{url}checked/", {"pasted": pasted}, format="json").data["message"] == "Dry run: 2 to do."
    assert "not switched on" in str(client.post(f"{url}run/", {"by_role": True}, format="json").data)
    assert client.post(f"{url}run/", {}, format="json").data["state"] == "running"
    script = client.get(f"{url}script/", {"verb": "run"}).data["script"]
    assert f"aws ec2 stop-instances --region us-east-1 --instance-ids {DEV}" in script
    pasted = "\n".join(f"finops control-{lively.pk} {number} ok" for number in (1, 2))
    answer = client.post(f"{url}ran/", {"pasted": pasted}, format="json").data
    assert (answer["state"], answer["steps"][0]["before"], answer["steps"][0]["saving"]) == ("done", "running", "10")
    assert client.post(f"{url}undo/", {}, format="json").data["state"] == "running"


def test_the_admin_shows_change_sets_and_changes_none(lively, ada):
    client = signed_in(ada)
    for name in ("control", "controlchangeset"):
        assert client.get(reverse(f"admin:budgets_{name}_changelist")).status_code == 200
        assert client.get(reverse(f"admin:budgets_{name}_add")).status_code == 403


def test_the_report_and_the_programme_say_what_bills_prove(lively, lea, eli):
    from datetime import date
    from decimal import Decimal

    from budgets.controls import panels
    from finops_site.lib.periods import Month

    assert panels.controls_report(lea, Month.parse("2026-03")) is None
    approvals.approve(lively.pk, user=lea, comment="", now=NOW)
    pasted = "\n".join(f"finops control-{lively.pk} {number} state running" for number in (1,))
    running.record_check(lively.pk, pasted=pasted, user=eli, now=NOW)
    running.start(lively.pk, user=eli, by_role=False, now=NOW)
    assert "no bill proves yet" in panels.controls_report(lea, Month.parse("2026-03"))["text"][0]
    assert avoidance_measure(lea, date(2026, 4, 1)) is None
    ControlChangeSet.objects.update(
        saved=Decimal(48), saved_currency="USD", saved_days=4, saved_until=date(2026, 3, 31)
    )
    assert "bills prove 48.00 USD saved" in panels.controls_report(lea, Month.parse("2026-03"))["text"][0]
    assert avoidance_measure(person("lea"), date(2026, 4, 1)).value == 48
    assert avoidance_measure(person("ola"), date(2026, 4, 1)) is None
