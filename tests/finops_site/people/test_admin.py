"""The admin by role: each finds there what is hers to edit and no more, and nobody promotes herself."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from finops_site.models import AuditEntry, Membership, OutgoingEmail, Team, User
from tagging.models import OwnershipRule
from tests.people import text_of

pytestmark = pytest.mark.django_db

LISTS = {
    "finops_site_user": {"ada"},
    "finops_site_team": {"ada", "fay", "eli", "lea", "ola"},
    "finops_site_auditentry": {"ada", "fay"},
    "axes_accessattempt": {"ada"},
    "django_celery_beat_periodictask": {"ada"},
    "django_celery_beat_crontabschedule": {"ada"},
    "tagging_ownershiprule": {"ada", "fay", "eli", "lea", "ola"},
    "costs_source": {"ada", "fay"},
    "costs_costline": {"ada", "fay", "eli", "lea", "ola"},
}
WITHOUT_A_TEAM = {
    "name": "Ivy",
    "time_zone": "UTC",
    "is_active": "on",
    "memberships-TOTAL_FORMS": 0,
    "memberships-INITIAL_FORMS": 0,
}


def change(person):
    return reverse("admin:finops_site_user_change", args=[person.pk])


@pytest.mark.parametrize("model", sorted(LISTS))
def test_a_list_opens_for_those_it_is_for(model, people, client_of):
    PeriodicTask.objects.create(name="a", task="b", crontab=CrontabSchedule.objects.create())
    url = reverse(f"admin:{model}_changelist")
    opened = {name for name, person in people.items() if client_of(person).get(url, {"q": "x"}).status_code == 200}
    assert opened == LISTS[model]


def test_ada_invites_somebody_who_chooses_her_own_password(ada, client_of):
    finance = Group.objects.get(name="finance")
    answer = client_of(ada).post(
        reverse("admin:finops_site_user_add"), WITHOUT_A_TEAM | {"email": "Ivy@demo.example", "groups": [finance.pk]}
    )
    ivy = User.objects.get(email="ivy@demo.example")
    assert answer.status_code == 302
    assert not ivy.has_usable_password()
    assert [group.name for group in ivy.groups.all()] == ["finance"]
    letter = OutgoingEmail.objects.get(to="ivy@demo.example")
    assert letter.subject == "Your way into FinOps"
    assert "as finance" in text_of(letter)
    assert "/accounts/password/reset/key/" in text_of(letter)


def test_ada_does_not_make_herself_finance(ada, client_of):
    finance = Group.objects.get(name="finance")
    data = WITHOUT_A_TEAM | {"email": ada.email, "groups": [finance.pk], "is_superuser": "on", "is_active": ""}
    assert client_of(ada).post(change(ada), data).status_code == 302
    ada = User.objects.get(pk=ada.pk)
    assert [group.name for group in ada.groups.all()] == ["administrator"]
    assert (ada.is_superuser, ada.is_active, ada.name) == (False, True, "Ivy")


def test_ada_makes_nobody_a_superuser_and_touches_none(ada, eli, client_of):
    data = WITHOUT_A_TEAM | {"email": eli.email, "is_superuser": "on", "user_permissions": [1]}
    assert client_of(ada).post(change(eli), data).status_code == 302
    eli = User.objects.get(pk=eli.pk)
    assert (eli.is_superuser, eli.user_permissions.count()) == (False, 0)
    User.objects.filter(pk=eli.pk).update(is_superuser=True)
    assert client_of(ada).post(change(eli), data).status_code == 403


def test_a_permission_of_her_own_gives_nothing_for_roles_alone_do(eli):
    eli.user_permissions.add(Permission.objects.get(codename="close_chargebackperiod"))
    eli = User.objects.get(pk=eli.pk)
    assert not eli.has_perm("tagging.close_chargebackperiod")
    assert eli.has_perm("tagging.view_statement")


def test_a_change_of_role_is_in_the_log_with_who_made_it(ada, eli, client_of):
    executive = Group.objects.get(name="executive")
    client_of(ada).post(change(eli), WITHOUT_A_TEAM | {"email": eli.email, "groups": [executive.pk]})
    entries = AuditEntry.objects.about(eli).filter(actor=ada)
    assert any("group_id" in entry.changes for entry in entries)


def test_nobody_is_deleted_and_nobody_sets_the_password_of_another(ada, eli, client_of):
    assert client_of(ada).post(f"/admin/finops_site/user/{eli.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client_of(ada).get(f"/admin/finops_site/user/{eli.pk}/password/").status_code in (302, 404)


@pytest.mark.parametrize("name", ["fay", "eli", "lea", "max"])
def test_only_administrators_edit_people(name, people, ola, client_of):
    assert client_of(people[name]).post(change(ola), WITHOUT_A_TEAM | {"email": ola.email}).status_code in (302, 403)
    assert User.objects.get(pk=ola.pk).name == ola.name


def test_a_team_cannot_stand_above_itself(ada, client_of):
    payments, data = Team.objects.get(name="Payments"), Team.objects.get(name="Data")
    Team.objects.filter(pk=data.pk).update(parent=payments)
    form = {"name": "Payments", "parent": data.pk, "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    answer = client_of(ada).post(reverse("admin:finops_site_team_change", args=[payments.pk]), form)
    assert "a team cannot be above itself" in answer.content.decode()
    assert Team.objects.get(pk=payments.pk).parent is None


def test_lea_sees_her_team_in_the_admin_and_no_other(lea, client_of):
    text = client_of(lea).get(reverse("admin:finops_site_team_changelist")).content.decode()
    assert "CC-1001" in text
    assert "CC-1002" not in text


def test_ada_puts_eli_into_a_team(ada, eli, client_of):
    team = Team.objects.get(name="Platform")
    form = {"name": "Platform", "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0}
    form |= {"memberships-0-user": eli.pk, "memberships-0-role": "member"}
    assert client_of(ada).post(reverse("admin:finops_site_team_change", args=[team.pk]), form).status_code == 302
    assert Membership.objects.filter(user=eli, team=team).exists()


def test_fay_writes_an_ownership_rule_and_ada_only_reads_it(fay, ada, client_of):
    form = {"name": "Checkout", "team": Team.objects.get(name="Payments").pk, "order": 5, "is_active": "on"}
    add = reverse("admin:tagging_ownershiprule_add")
    assert client_of(fay).post(add, form | {"service": "Amazon S3"}).status_code == 302
    assert OwnershipRule.objects.get().service == "Amazon S3"
    assert client_of(ada).post(add, form).status_code == 403
    change = reverse("admin:tagging_ownershiprule_change", args=[OwnershipRule.objects.get().pk])
    assert client_of(ada).get(change).status_code == 200
    assert client_of(ada).post(change, form | {"order": 9}).status_code == 403


def test_a_rule_without_conditions_is_refused_in_words(fay, client_of):
    form = {"name": "All", "team": Team.objects.get(name="Payments").pk, "order": 5}
    answer = client_of(fay).post(reverse("admin:tagging_ownershiprule_add"), form)
    assert "a rule without any would own the whole company" in answer.content.decode()


@pytest.mark.parametrize("model", ["user", "team"])
def test_ada_opens_the_forms(model, ada, lea, client_of):
    thing = lea if model == "user" else Team.objects.get(name="Payments")
    for url in (
        reverse(f"admin:finops_site_{model}_add"),
        reverse(f"admin:finops_site_{model}_change", args=[thing.pk]),
    ):
        assert client_of(ada).get(url).status_code == 200
