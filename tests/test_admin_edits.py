"""Every model that somebody may edit in the admin is edited here by her, and has the effect that its page would have.

A save in the admin goes through the same service as one on the page. A model that becomes editable and has no case
here fails the test.
"""

from decimal import Decimal

import pytest
from allauth.socialaccount.models import SocialAccount
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import RequestFactory, TestCase
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

from budgets.anomalies.sensitivity import sensitivities_of
from budgets.models import AnomalySensitivity, ControlAccess
from costs.account_groups import save_group
from costs.models import AccountGroup, Credential, ExportPlace, Source, Stream
from costs.versions.wholeness import limits_of
from finops_site.celery import task
from finops_site.mail import invitations
from finops_site.models import AuditEntry, GroupMapping, Team, User
from finops_site.own_roles.changes import RoleWish, save_role
from finops_site.people.roles import role_of
from programme.models import Kpi, KpiComment, ReportSchedule
from tagging.models import Application, OwnershipRule, TaggingAccess
from tests.people import signed_in
from usage.models import Connection, FixAccess, Tracker

pytestmark = pytest.mark.django_db
CASES = {}


def case(label):
    def register(function):
        CASES[label] = function
        return function

    return register


def values(form):
    """What a browser would send of a form that it was given."""
    for field in form:
        value = field.value()
        if isinstance(value, list | tuple):
            yield field.html_name, [getattr(one, "pk", one) for one in value]
        elif value is not None and value is not False:
            yield field.html_name, getattr(value, "pk", value)


def edit(person, row, **changes):
    """Changes a row on its page of the admin, as a browser does."""
    send(person, reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]), changes)
    row.refresh_from_db()
    return row


def send(person, url, changes):
    """Fills in a form of the admin: what is not changed is sent as it was shown."""
    client = signed_in(person)
    page = client.get(url)
    assert page.status_code == 200, url
    data = dict(values(page.context["adminform"].form))
    for inline in page.context["inline_admin_formsets"]:
        for form in [inline.formset.management_form, *inline.formset.forms]:
            data |= dict(values(form))
    with TestCase.captureOnCommitCallbacks(execute=True):
        answer = client.post(url, data | changes)
    assert answer.status_code == 302, answer.context["errors"]


@pytest.fixture
def queued(monkeypatch):
    """What was queued, by the name of its task."""
    queued = []
    for name in ("costs.tasks.synchronise_source", "tagging.tasks.apply_ownership", "usage.tasks.read_connection"):
        monkeypatch.setattr(task(name), "delay", lambda pk, *more, name=name: queued.append((name, pk)))
    return queued


@case("budgets.controlaccess")
def an_administrator_lists_what_a_role_may_do_in_an_account(people, queued):
    access = ControlAccess.objects.create(
        account="000000000042", credential=Credential.objects.create(name="controls"), actions=["stop"]
    )
    edit(people["ada"], access, actions='["stop", "scale"]')
    assert access.actions == ["stop", "scale"]
    assert AuditEntry.objects.about(access).filter(action=AuditEntry.Action.UPDATE).exists()


@case("costs.stream")
def a_stream_is_held_by_the_limits_that_fay_sets(people, queued):
    source = Source.objects.create(name="northwind")
    stream = Stream.objects.create(source=source, export="daily")
    edit(people["fay"], stream, hold_down="3.5")
    limits = limits_of(stream)
    assert (limits.down, limits.up) == (Decimal("0.035"), Decimal("0.5"))
    assert AuditEntry.objects.about(stream).filter(actor=people["fay"]).exists()


@case("costs.source")
def bills_of_a_changed_source_are_looked_for(people, queued):
    source = Source.objects.create(name="northwind", kind=Source.Kind.S3, bucket="bills")
    edit(people["fay"], source, name="northwind bills")
    assert source.name == "northwind bills"
    assert queued == [("costs.tasks.synchronise_source", source.pk)]


@case("costs.credential")
def sources_are_tried_with_a_changed_credential(people, queued):
    credential = Credential.objects.create(name="aws")
    bucket = {"kind": Source.Kind.S3, "bucket": "bills", "credential": credential}
    source = Source.objects.create(name="northwind", **bucket)
    edit(people["ada"], credential, role_arn="arn:aws:iam::123456789012:role/bills")
    assert queued == [("costs.tasks.synchronise_source", source.pk)]


@case("usage.tracker")
def tickets_of_a_tracker_go_where_ada_writes(people, queued):
    credential = Credential.objects.create(name="jira")
    tracker = Tracker.objects.create(
        name="Work", system="jira", url="https://a.example", project="PAY", credential=credential
    )
    edit(people["ada"], tracker, project="OPS")
    assert tracker.project == "OPS"
    assert logged(tracker, people["ada"])
    with pytest.raises(AssertionError, match="Jira needs a project"):
        edit(people["ada"], tracker, project="")


@case("usage.fixaccess")
def ada_lists_what_a_role_may_mend_in_an_account(people, queued):
    access = FixAccess.objects.create(account="000000000042", credential=Credential.objects.create(name="fixes"))
    assert access.actions == []
    edit(people["ada"], access, actions='["disk-gp3"]')
    assert access.actions == ["disk-gp3"]
    assert logged(access, people["ada"])
    with pytest.raises(AssertionError, match="Write a list of any of"):
        edit(people["ada"], access, actions='["delete-everything"]')


@case("usage.connection")
def a_connection_is_read_anew_when_ada_changes_it(people, queued):
    connection = Connection.objects.create(name="Production", regions="eu-west-1")
    edit(people["ada"], connection, regions="eu-west-1; us-east-1")
    assert connection.regions == "eu-west-1, us-east-1"
    assert queued == [("usage.tasks.read_connection", connection.pk)]
    assert logged(connection, people["ada"])
    with pytest.raises(AssertionError, match="is no region"):
        edit(people["ada"], connection, regions="Frankfurt")


@case("costs.exportplace")
def a_place_of_exports_is_checked_as_the_night_uses_it(people, queued):
    place = ExportPlace.objects.create(name="warehouse", kind="s3", bucket="focus")
    edit(people["ada"], place, version="1.4")
    assert place.version == "1.4"
    assert logged(place, people["ada"])


@case("costs.accountgroup")
def accounts_of_a_group_are_those_that_fay_writes(people, queued):
    group, other = AccountGroup(name="Customer A"), AccountGroup(name="Customer B")
    save_group(group, ["111", "222"])
    save_group(other, ["333"])
    edit(people["fay"], group, accounts="222\n444")
    assert list(group.accounts.values_list("account", flat=True)) == ["222", "444"]
    with pytest.raises(AssertionError, match="333 is in the group Customer B already"):
        edit(people["fay"], group, accounts="333")
    added = AuditEntry.objects.about(group.accounts.get(account="444"))
    assert added.filter(actor=people["fay"]).exists()


@case("budgets.anomalysensitivity")
def anomalies_of_a_team_are_judged_as_fay_sets(people, queued):
    team = Team.objects.get(name="Payments")
    sensitivity = AnomalySensitivity.objects.create(team=team, level="high")
    edit(people["fay"], sensitivity, level="low")
    assert sensitivities_of([("service", team.pk, "Amazon S3", "1", "USD")]) == ["low"]
    assert logged(sensitivity, people["fay"])


@case("programme.kpi")
def a_kpi_has_the_target_that_fay_sets_and_the_same_is_refused_as_on_its_page(people, queued):
    url = reverse("admin:programme_kpi_add")
    send(people["fay"], url, {"kpi": "tag-compliance", "target": "90"})
    row = Kpi.objects.get()
    assert (row.name, row.target, row.changed_by) == ("tag-compliance", 90, people["fay"])
    edit(people["fay"], row, target="92.5", owner=people["max"].pk)
    assert (row.target, row.owner) == (Decimal("92.5"), people["max"])
    assert logged(row, people["fay"])
    with pytest.raises(AssertionError, match="more than 100% cannot be reached"):
        edit(people["fay"], row, target="101")
    with pytest.raises(AssertionError, match="has its target already"):
        send(people["fay"], url, {"kpi": "tag-compliance", "target": "80"})
    # Administrators and executives decide on no money.
    assert signed_in(people["ada"]).post(url, {"kpi": "roi", "target": "1"}).status_code == 403


@case("programme.kpicomment")
def a_comment_on_a_kpi_is_hers_who_wrote_it_and_is_not_changed(people, queued):
    url = reverse("admin:programme_kpicomment_add")
    send(people["fay"], url, {"kpi": "tag-compliance", "text": "Two teams to go."})
    comment = KpiComment.objects.get()
    assert (comment.name, comment.author) == ("tag-compliance", people["fay"])
    change = reverse("admin:programme_kpicomment_change", args=[comment.pk])
    assert signed_in(people["fay"]).get(change).status_code == 200
    assert signed_in(people["fay"]).post(change, {"text": "All done."}).status_code == 403
    assert signed_in(people["ada"]).post(url, {"kpi": "roi", "text": "Mine"}).status_code == 403


@case("programme.reportschedule")
def a_schedule_of_reports_is_saved_as_on_its_page(people, queued):
    url = reverse("admin:programme_reportschedule_add")
    sent = {"name": "Monthly", "kind": "monthly", "every": "month", "day": "31", "hour": "7", "channel": "mail"}
    with pytest.raises(AssertionError, match="Choose who gets it"):
        send(people["fay"], url, sent)
    send(people["fay"], url, sent | {"people": [people["max"].pk]})
    row = ReportSchedule.objects.get()
    assert (row.owner, [str(one.user) for one in row.recipients.all()]) == (people["fay"], [str(people["max"])])
    before = row.active_from
    edit(people["fay"], row, day="3", addresses="board@example.org")
    assert row.active_from > before, "what was due before its days were changed is not sent"
    assert row.recipients.count() == 2
    assert logged(row, people["fay"])
    change = reverse("admin:programme_reportschedule_change", args=[row.pk])
    assert "board@example.org" not in signed_in(people["ada"]).get(change).content.decode()
    assert signed_in(people["ada"]).post(change, sent).status_code == 403


@case("tagging.ownershiprule")
def a_changed_rule_has_a_new_version_and_is_applied(people, queued):
    rule = OwnershipRule.objects.create(name="Buckets", team=Team.objects.get(name="Payments"), service="Amazon S3")
    edit(people["fay"], rule, team=Team.objects.get(name="Data").pk)
    assert (rule.team.name, rule.version) == ("Data", 2)
    assert queued == [("tagging.tasks.apply_ownership", Application.objects.get().pk)]


@case("tagging.taggingaccess")
def tags_of_an_account_are_set_as_somebody_else(people, queued):
    old, new = Credential.objects.create(name="old"), Credential.objects.create(name="new")
    access = TaggingAccess.objects.create(sub_account="111122223333", credential=old)
    edit(people["ada"], access, credential=new.pk)
    assert access.credential == new
    assert logged(access, people["ada"])


@case("finops_site.user")
def a_person_with_a_new_role_may_do_what_it_may(people, queued):
    assert not people["eli"].has_perm("budgets.approve_budget")
    edit(people["ada"], people["eli"], groups=[Group.objects.get(name="finance").pk])
    assert User.objects.get(email=people["eli"].email).has_perm("budgets.approve_budget")
    roles = AuditEntry.objects.about(people["eli"]).filter(model="finops_site.user_groups", actor=people["ada"])
    assert {entry.action for entry in roles} == {"insert", "delete"}


@case("finops_site.team")
def a_team_has_another_cost_center(people, queued):
    team = edit(people["ada"], Team.objects.get(name="Data"), cost_center="CC-9")
    assert team.cost_center == "CC-9"
    assert logged(team, people["ada"])


@case("finops_site.groupmapping")
def a_group_gives_its_people_another_role(people, queued):
    mapping = GroupMapping.objects.create(group="cloud", role="executive")
    SocialAccount.objects.create(user=people["eli"], provider="oidc", uid="1", extra_data={"groups": ["cloud"]})
    people["eli"].groups.clear()
    edit(people["ada"], mapping, role="engineering")
    assert role_of(people["eli"]) == "engineering"
    assert logged(mapping, people["ada"])


@case("finops_site.ownrole")
def a_role_may_do_less_from_the_next_click_on(people, queued):
    role = save_role(RoleWish("Auditor", "finance", ["see-costs", "company", "audit-log"]), by=people["ada"])
    invitations.set_role(people["max"], "Auditor")
    edit(people["ada"], role, abilities=["see-costs", "company"])
    assert not User.objects.get(pk=people["max"].pk).has_perm("finops_site.view_auditentry")
    taken = AuditEntry.objects.filter(model="auth.group_permissions", action="delete", actor=people["ada"])
    assert taken.count() == 1


@case("django_celery_beat.periodictask")
def beat_reads_a_changed_schedule_again(people, queued):
    hourly = CrontabSchedule.objects.create(minute="0")
    entry = PeriodicTask.objects.create(name="mail", task="finops_site.tasks.send_outgoing_emails", crontab=hourly)
    before = PeriodicTasks.last_change()
    # What the night does is not hers to name: a task could be one that finance approves.
    edit(people["ada"], entry, enabled="", regtask="", task="reservations.tasks.buy_purchase", args="[1]")
    assert (entry.task, entry.args) == ("finops_site.tasks.send_outgoing_emails", "[]")
    assert not PeriodicTask.objects.enabled().filter(name="mail").exists()
    assert PeriodicTasks.last_change() > before


@case("django_celery_beat.crontabschedule")
def a_new_time_can_be_chosen_for_the_night(people, queued):
    send(people["ada"], reverse("admin:django_celery_beat_crontabschedule_add"), {"minute": "5", "hour": "3"})
    assert CrontabSchedule.objects.filter(minute="5", hour="3").exists()


def logged(row, actor):
    return AuditEntry.objects.about(row).filter(actor=actor, action=AuditEntry.Action.UPDATE).exists()


def editable_models(people):
    """The models that one of the demo people may add or change in the admin."""
    for model, model_admin in admin.site._registry.items():
        for person in people.values():
            request = RequestFactory().get("/")
            request.user = person
            if model_admin.has_change_permission(request) or model_admin.has_add_permission(request):
                yield model._meta.label_lower
                break


def test_every_editable_model_of_the_admin_has_a_case(people):
    assert set(editable_models(people)) == set(CASES)


@pytest.mark.parametrize("label", sorted(CASES))
def test_an_edit_in_the_admin_has_its_effect(label, people, queued):
    CASES[label](people, queued)


def test_an_attempt_that_is_deleted_lets_the_person_try_again(ada, lea):
    attempt = AccessAttempt.objects.create(username=lea.email, ip_address="127.0.0.1", failures_since_start=10)
    url = reverse("admin:axes_accessattempt_delete", args=[attempt.pk])
    assert signed_in(ada).post(url, {"post": "yes"}).status_code == 302
    assert not AccessAttempt.objects.filter(username=lea.email).exists()
