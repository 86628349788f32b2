"""A role that an administrator makes without code: by page, API and admin, and what it can never become."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from finops_site.mail import invitations
from finops_site.models import AuditEntry, GroupMapping, OutgoingEmail, OwnRole, User
from finops_site.own_roles.abilities import abilities_by_name, abilities_held, needs_company
from finops_site.own_roles.changes import CannotChangeRole, RoleWish, delete_role, save_role
from finops_site.people import roles
from finops_site.pillars import installed_pillars
from finops_site.sign_in import group_grants
from finops_site.sign_in.second_step import must_have_second_step
from reservations.purchases.approvals import approver_for
from tests.people import person, signed_in

pytestmark = pytest.mark.django_db
API, PAGE = "/api/v1/roles/", "/people/roles/"
AUDITOR = RoleWish("Auditor", "finance", ("see-costs", "company", "see-budgets", "audit-log"), "Reads, changes nothing")


def fresh(user):
    return User.objects.get(pk=user.pk)


def given(name, wish):
    """Somebody of the demo who has a role that ada made."""
    role = OwnRole.objects.filter(group__name=wish.name).first() or save_role(wish, by=person("ada"))
    invitations.set_role(person(name), role.group.name)
    return fresh(person(name))


def test_every_permission_stands_in_one_ability_that_each_role_has_whole_or_not_at_all():
    declared = roles.role_permissions()
    named = [name for pillar in installed_pillars() for one in pillar.abilities for name in one.permissions]
    assert sorted(named) == sorted(set().union(*declared.values()))
    for ability in abilities_by_name().values():
        for role, held in declared.items():
            assert len(held & set(ability.permissions)) in (0, len(ability.permissions)), (ability.name, role)


def test_ada_makes_a_role_on_the_page_and_gives_it_to_max_who_has_it_at_once(ada, max_, client_of):
    browser = signed_in(ada)
    data = {"name": " Auditor ", "description": "Reads", "base": "finance", "abilities": list(AUDITOR.abilities)}
    assert browser.post(f"{PAGE}add/", data).status_code == 302
    page = browser.get(PAGE).content.decode()
    assert "Auditor</a>" in page
    assert "Copy this role" in page
    details = {"name": "Max", "role": "Auditor", "is_active": "on", "leads": [], "member_of": []}
    assert browser.post(reverse("person", args=[max_.pk]), details).status_code == 302
    home = client_of(fresh(max_)).get("/")
    assert "Auditor" in home.content.decode()
    assert home.context["role"] == "finance"
    statuses = {url: client_of(max_).get(url).status_code for url in ("/budgets/", "/audit/", "/budgets/add/", PAGE)}
    assert statuses == {"/budgets/": 200, "/audit/": 200, "/budgets/add/": 403, PAGE: 403}
    assert client_of(max_).get("/api/v1/me/").json()["role"] == "Auditor"


def test_the_api_does_the_same_and_refuses_the_same(ada, fay):
    client = signed_in(ada)
    body = {"name": "Auditor", "base": "finance", "abilities": ["see-costs", "company"]}
    made = client.post(API, body, "application/json")
    assert (made.status_code, made.json()["people"]) == (201, [])
    row = f"{API}{made.json()['id']}/"
    changed = client.patch(row, {"abilities": ["see-costs"]}, "application/json").json()
    assert (changed["name"], changed["abilities"]) == ("Auditor", ["see-costs"])
    assert signed_in(fay).patch(row, {"name": "x"}, "application/json").status_code == 403
    refused = client.post(API, {**body, "name": "Boss", "abilities": ["people"]}, "application/json")
    assert refused.status_code == 400
    assert client.delete(row).status_code == 204
    assert not Group.objects.filter(name="Auditor").exists()


def test_a_copy_of_a_role_begins_with_what_that_may_do(ada):
    form = signed_in(ada).get(f"{PAGE}add/?like=engineering").context["form"]
    held = abilities_held(roles.role_permissions()["engineering"])
    assert (form["base"].value(), set(form["abilities"].value())) == ("engineering", held)
    assert signed_in(ada).get(f"{PAGE}add/?like=queen").status_code == 400


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (RoleWish("Boss", "administrator", ["people"]), "cannot have this"),
        (RoleWish("Boss", "administrator", ["roles"]), "cannot have this"),
        (RoleWish("Boss", "administrator", ["company", "approve-budgets"]), "cannot have this"),
        (RoleWish("Buyer", "engineering", ["ask-purchases", "approve-purchases"]), "cannot have this"),
        (RoleWish("Judge", "finance", ["company", "dispute", "decide-disputes"]), "cannot have this"),
        (RoleWish("Planner", "finance", ["change-budgets"]), "Only who sees the whole company"),
        (RoleWish("Finance", "finance", ["see-costs"]), "a role of the product"),
        # A pasted list of a German reader would give the built-in one.
        (RoleWish("Finanzen", "finance", ["see-costs"]), "a role of the product"),
        (RoleWish("Nothing", "finance", []), "Choose something"),
        (RoleWish("", "finance", ["see-costs"]), "Give the role a name"),
        (RoleWish("Queen", "queen", ["see-costs"]), "no role to begin with"),
        (RoleWish("Cook", "finance", ["cook"]), "nothing that a role may do"),
    ],
)
def test_a_role_that_adds_up_powers_is_refused(wish, words, ada):
    with pytest.raises(CannotChangeRole, match=words):
        save_role(wish, by=ada)
    assert not OwnRole.objects.exists()


def test_what_gives_rights_is_in_no_role_that_somebody_makes(ada):
    for base in roles.ROLES:
        held = roles.may_hold(base)
        kept_apart = {name for pillar in installed_pillars() for name in pillar.never_for_administrators}
        assert not {
            name for name in held if name.endswith(("_user", "_ownrole", "_groupmapping")) and "view" not in name
        }
        assert held <= roles.role_permissions()[base] | roles.role_permissions()["executive"]
        assert base != "administrator" or not held & kept_apart


def test_nobody_changes_the_role_that_she_has_or_gives_herself_one(ada):
    role = save_role(RoleWish("Operator", "administrator", ["health"]), by=ada)
    with pytest.raises(invitations.CannotChange, match="Nobody changes her own role"):
        invitations.change_person(ada, by=ada, name="Ada", role="Operator", is_active=True, teams={})
    ada.groups.add(role.group)
    with pytest.raises(CannotChangeRole, match="another administrator"):
        save_role(RoleWish("Operator", "administrator", ["health", "end-tokens"]), by=ada, role=role)


def test_two_roles_beside_each_other_are_refused_in_the_admin(ada, max_):
    role = save_role(AUDITOR, by=ada)
    url = reverse("admin:finops_site_user_change", args=[max_.pk])
    form = signed_in(ada).get(url).context["adminform"].form
    data = {name: form[name].value() or "" for name in ("email", "name", "language", "time_zone")}
    inline = {f"memberships-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    both = [role.group_id, Group.objects.get(name="finance").pk]
    answer = signed_in(ada).post(url, {**data, **inline, "is_active": "on", "groups": both})
    assert "stands alone" in answer.content.decode()
    assert roles.role_name_of(fresh(max_)) == "executive"


def test_a_role_of_finance_that_may_not_approve_is_no_second_pair_of_eyes(settings):
    settings.FINOPS_MFA_REQUIRED_ROLES = ["finance"]
    max_ = given("max", AUDITOR)
    assert roles.role_of(max_) == "finance"
    assert not approver_for(max_).is_finance
    assert must_have_second_step(max_)
    may = RoleWish("Auditor", "finance", (*AUDITOR.abilities, "approve-purchases"))
    save_role(may, by=person("ada"), role=OwnRole.objects.get())
    assert approver_for(fresh(max_)).is_finance


def test_letters_to_finance_reach_who_sees_as_much_and_the_last_administrator_is_a_built_in_one(ada):
    max_ = given("max", AUDITOR)
    eli = given("eli", RoleWish("Operator", "administrator", ["health"]))
    assert max_ in User.objects.in_role("finance")
    assert eli not in User.objects.in_role("administrator")
    save_role(RoleWish("Auditor", "finance", ["see-costs"]), by=ada, role=OwnRole.objects.get(group__name="Auditor"))
    assert max_ not in User.objects.in_role("finance")


def test_a_role_that_people_have_stays_and_says_who(ada):
    given("max", AUDITOR)
    role = OwnRole.objects.get()
    answer = signed_in(ada).post(f"{PAGE}{role.pk}/delete/", follow=True).content.decode()
    assert "give these people another role first: Max Ferreira" in answer
    invitations.set_role(person("max"), "executive")
    group_grants.save_mapping(GroupMapping(group="audit", role="Auditor"))
    with pytest.raises(CannotChangeRole, match="these groups of a sign-in give it: audit"):
        delete_role(role, by=ada)
    GroupMapping.objects.all().delete()
    signed_in(ada).post(f"{PAGE}{role.pk}/delete/")
    assert not OwnRole.objects.exists()


def test_a_group_of_a_provider_gives_the_role_and_takes_it_and_knows_its_new_name(ada):
    role = save_role(AUDITOR, by=ada)
    group_grants.save_mapping(GroupMapping(group="audit", role="Auditor"))
    eli = person("eli")
    eli.groups.clear()
    group_grants.apply_groups(eli, "scim", ["audit"])
    assert roles.role_name_of(fresh(eli)) == "Auditor"
    save_role(RoleWish("Reviewer", "finance", AUDITOR.abilities), by=ada, role=role)
    group_grants.apply_groups(eli, "scim", ["audit"])
    assert roles.role_name_of(fresh(eli)) == "Reviewer"
    group_grants.apply_groups(eli, "scim", [])
    assert roles.role_name_of(fresh(eli)) == ""


def test_an_invitation_names_the_role_and_a_pasted_list_knows_it(ada):
    save_role(AUDITOR, by=ada)
    data = {"text": "kim@demo.example,Kim,auditor"}
    assert signed_in(ada).post("/people/paste/", data).status_code == 302
    assert roles.role_name_of(User.objects.get(email="kim@demo.example")) == "Auditor"
    assert OutgoingEmail.objects.filter(to="kim@demo.example").exists()


def test_who_makes_and_changes_a_role_is_in_the_log(ada):
    role = save_role(AUDITOR, by=ada)
    signed_in(ada).post(f"{PAGE}{role.pk}/", {"name": "Reviewer", "base": "finance", "abilities": ["see-costs"]})
    entries = AuditEntry.objects.filter(actor=ada)
    assert entries.filter(model="auth.group", action="update", object_pk=str(role.group_id)).exists()
    assert entries.filter(model="finops_site.ownrole", action="update", object_pk=str(role.pk)).exists()
    assert entries.filter(model="auth.group_permissions", action="delete").count() > 1


def test_a_migrate_leaves_a_role_what_its_base_has_and_no_more(ada):
    role = save_role(AUDITOR, by=ada)
    before = set(role.group.permissions.values_list("codename", flat=True))
    role.group.permissions.add(Permission.objects.get(codename="change_user", content_type__app_label="finops_site"))
    roles.sync_roles()
    assert set(role.group.permissions.values_list("codename", flat=True)) == before


def test_what_opens_pages_of_the_whole_company_needs_its_sight():
    needing = {name for name, one in abilities_by_name().items() if needs_company(one)}
    assert {"change-budgets", "close-months", "bring-bills", "audit-log", "approve-purchases"} <= needing
    assert not needing & {"see-costs", "propose-budgets", "ask-purchases", "health"}
