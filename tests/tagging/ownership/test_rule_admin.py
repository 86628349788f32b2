"""A rule edited in the admin is versioned and applied to the open months, as on the pages."""

import pytest
from django.urls import reverse

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine
from finops_site.models import Team
from tagging.models import CONDITIONS, Application, OwnershipRule
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
LIST = "/admin/tagging/ownershiprule/"


@pytest.fixture(autouse=True)
def tasks_run_at_once():
    from finops_site.celery import app

    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@shared
def rule(people, tmp_path):
    """Payments owns every bucket; the bill has one, which a rule behind it would give to Data."""
    OwnershipRule.objects.create(name="Late", team=Team.objects.get(name="Data"), service="Amazon S3", order=20)
    rule = OwnershipRule.objects.create(
        name="Buckets", team=Team.objects.get(name="Payments"), service="Amazon S3", order=10
    )
    rows = [{"ResourceId": "lake", "ServiceName": "Amazon S3", "Tags": ""}]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)
    assert owner() == ("Payments", "Buckets")
    return rule


def owner():
    line = CostLine.objects.current().select_related("owner").get()
    return (line.owner and line.owner.name, line.owner_rule)


def values(rule, **changes):
    named = {"name": rule.name, "team": rule.team_id, "order": rule.order, "is_active": "on"}
    conditions = {name: getattr(rule, name) for name in CONDITIONS}
    return {**named, "pool": "", "start": "", "end": "", **conditions, **changes}


def test_a_change_in_the_admin_is_applied_and_versioned(rule, fay, client_of, django_capture_on_commit_callbacks):
    data = values(rule, team=Team.objects.get(name="Data").pk, name="Buckets of Data")
    with django_capture_on_commit_callbacks(execute=True):
        answer = client_of(fay).post(reverse("admin:tagging_ownershiprule_change", args=[rule.pk]), data)
    assert answer.status_code == 302, answer.context["adminform"].errors
    rule.refresh_from_db()
    assert (rule.name, rule.version) == ("Buckets of Data", 2)
    assert owner() == ("Data", "Buckets of Data")
    application = Application.objects.get()
    assert (application.state, application.requested_by) == ("done", fay)
    assert application.reason == "Buckets of Data was saved"


def test_a_rule_added_in_the_admin_is_applied(rule, fay, client_of, django_capture_on_commit_callbacks):
    data = values(rule, team=Team.objects.get(name="Storefront").pk, name="First", order=1)
    with django_capture_on_commit_callbacks(execute=True):
        client_of(fay).post(reverse("admin:tagging_ownershiprule_add"), data)
    assert OwnershipRule.objects.get(name="First").version == 1
    assert owner() == ("Storefront", "First")


def test_a_rule_removed_in_the_admin_owns_nothing_any_more(rule, fay, client_of, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client_of(fay).post(reverse("admin:tagging_ownershiprule_delete", args=[rule.pk]), {"post": "yes"})
    assert owner() == ("Data", "Late")
    late = OwnershipRule.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        data = {"action": "delete_selected", "_selected_action": [late.pk], "post": "yes"}
        client_of(fay).post(LIST, data)
    assert owner() == (None, "")


def test_rules_reordered_in_the_admin_are_applied_and_versioned(
    rule, fay, client_of, django_capture_on_commit_callbacks
):
    late = OwnershipRule.objects.get(name="Late")
    data = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2, "_save": "Save"}
    for number, (listed, order) in enumerate([(rule, 10), (late, 5)]):
        row = {"id": listed.pk, "order": order, "is_active": "on"}
        data |= {f"form-{number}-{name}": value for name, value in row.items()}
    with django_capture_on_commit_callbacks(execute=True):
        answer = client_of(fay).post(LIST, data)
    assert answer.status_code == 302
    assert dict(OwnershipRule.objects.values_list("name", "version")) == {"Buckets": 1, "Late": 2}
    assert owner() == ("Data", "Late")


@pytest.mark.parametrize("door", ["page", "api", "csv", "admin"])
def test_every_door_versions_and_applies_a_change(door, rule, fay, client_of, django_capture_on_commit_callbacks):
    browser, data_team = client_of(fay), Team.objects.get(name="Data")
    with django_capture_on_commit_callbacks(execute=True):
        if door == "page":
            form = {**values(rule, team=data_team.pk), "version": 1, "save": ""}
            browser.post(reverse("tagging:ownership_rule", args=[rule.pk]), form)
        elif door == "api":
            change = {"team": "Data", "version": 1}
            browser.patch(f"/api/v1/ownership-rules/{rule.pk}/", change, content_type="application/json")
        elif door == "csv":
            from django.core.files.uploadedfile import SimpleUploadedFile

            text = "order,name,team,service\n10,Buckets,Data,Amazon S3\n"
            browser.post("/ownership/import/", {"file": SimpleUploadedFile("rules.csv", text.encode())})
        else:
            url = reverse("admin:tagging_ownershiprule_change", args=[rule.pk])
            browser.post(url, values(rule, team=data_team.pk))
    rule.refresh_from_db()
    assert (rule.team, rule.version) == (data_team, 2)
    assert owner() == ("Data", "Buckets")
    assert Application.objects.get().state == "done"
