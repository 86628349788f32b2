"""People, their teams, and what a role lets them see and do."""

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError

from finops_site.models import Membership, Team, User
from finops_site.people import roles
from tests.people import PASSWORD

pytestmark = pytest.mark.django_db

MONEY = {"budget", "close", "approve", "ownershiprule"}


def teams(user):
    return {Team.objects.get(pk=pk).name for pk in User.objects.get(pk=user.pk).visible_team_ids}


def test_lea_sees_her_team_and_every_team_below(lea):
    below = Team.objects.create(name="Checkout", parent=Team.objects.get(name="Payments"))
    Team.objects.create(name="Cards", parent=below)
    assert teams(lea) == {"Payments", "Checkout", "Cards"}


def test_a_circle_of_teams_does_not_hang(lea):
    payments = Team.objects.get(name="Payments")
    below = Team.objects.create(name="Checkout", parent=payments)
    Team.objects.filter(pk=payments.pk).update(parent=below)
    assert teams(lea) == {"Payments", "Checkout"}


def test_who_leaves_a_team_no_longer_sees_it(lea):
    Membership.objects.filter(user=lea).delete()
    assert teams(lea) == set()


@pytest.mark.parametrize(
    ("name", "sees_all"), [("ada", True), ("fay", True), ("max", True), ("lea", False), ("eli", False)]
)
def test_who_sees_the_whole_company(name, sees_all, people):
    assert people[name].sees_whole_company is sees_all


def test_an_address_is_one_person_whatever_its_case(people):
    with pytest.raises(IntegrityError):
        User.objects.create(email="FAY@demo.example")


def test_people_sign_in_with_their_address_in_any_case(client, people):
    answer = client.post("/accounts/login/", {"login": "LEA@Demo.Example", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_who_was_switched_off_does_not_come_in(client, lea):
    User.objects.filter(pk=lea.pk).update(is_active=False)
    client.post("/accounts/login/", {"login": lea.email, "password": PASSWORD})
    assert client.get("/").status_code == 302


def test_guessing_a_password_is_stopped_and_written_down(client, lea):
    for _ in range(6):
        client.post("/accounts/login/", {"login": lea.email, "password": "wrong"})
    answer = client.post("/accounts/login/", {"login": lea.email, "password": PASSWORD})
    assert answer.status_code == 200
    assert "Too many failed login attempts" in answer.content.decode()
    assert AccessAttempt.objects.get().username == lea.email


def test_a_time_zone_that_is_none_is_refused(lea):
    lea.time_zone = "Mars/Olympus"
    with pytest.raises(ValidationError, match="is not a time zone"):
        lea.full_clean()


def test_the_groups_hold_what_the_table_says_and_no_more():
    group = Group.objects.get(name=roles.EXECUTIVE)
    group.permissions.add(Permission.objects.get(codename="change_user"))
    roles.sync_roles()
    assert roles.permission_names(group.permissions.all()) == roles.role_permissions()[roles.EXECUTIVE]


def test_every_permission_of_the_table_is_declared_by_a_model():
    assert roles.unknown_permissions() == []


def test_administrators_are_not_finance():
    changing = {name for name in roles.role_permissions()[roles.ADMINISTRATOR] if ".view_" not in name}
    # In which accounts a role may act is the administrator's, as all credentials are.
    changing -= {f"budgets.{verb}_controlaccess" for verb in ("add", "change", "delete")}
    assert not {name for name in changing if any(word in name for word in MONEY)}


def test_what_an_app_keeps_from_administrators_is_an_error_where_one_holds_it(monkeypatch):
    assert roles.forbidden_to_administrators() == []
    budgets = apps.get_app_config("budgets")
    monkeypatch.setattr(budgets, "permissions", {roles.ADMINISTRATOR: {"budgets.approve_budget"}})
    assert roles.forbidden_to_administrators() == ["budgets.approve_budget"]
    assert "finops_site.E006" in {message.id for message in run_checks()}


def test_executives_change_nothing_but_what_they_sign_decide_and_remark_in_the_programme():
    changes = {name for name in roles.role_permissions()[roles.EXECUTIVE] if ".view_" not in name}
    assert changes == {
        *("programme.add_kpicomment", "programme.decide_decisionpoint"),
        *("programme.sign_decisionpoint", "programme.tick_milestone"),
    }


def test_checks_find_nothing_wrong():
    call_command("check")
