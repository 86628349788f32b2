"""People and teams on pages of their own: inviting, moving, switching off, as the service lets her."""

import re

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.html import escape

from finops_site.mail import pasted_people
from finops_site.mail.invitations import CannotChange
from finops_site.models import Membership, OutgoingEmail, SavedView, Team, User
from finops_site.people.roles import role_of
from tests.people import signed_in, text_of

pytestmark = pytest.mark.django_db


def parts(user):
    return {str(one.team): one.role for one in Membership.objects.filter(user=user)}


def test_ada_invites_a_lead_who_chooses_her_password_by_our_mail(ada, client, settings):
    settings.FINOPS_COMPANY = "Strand"
    payments = Team.objects.get(name="Payments")
    data = {"email": "Ivy@strand.example", "name": "Ivy Strand", "role": "engineering", "leads": [payments.pk]}
    assert signed_in(ada).post("/people/invite/", data).status_code == 302
    ivy = User.objects.get(email="ivy@strand.example")
    assert (role_of(ivy), parts(ivy), ivy.has_usable_password()) == ("engineering", {"Payments": "lead"}, False)
    letter = OutgoingEmail.objects.get(to=ivy.email)
    assert letter.subject == "Your way into FinOps of Strand"
    assert "as engineering, in Payments" in text_of(letter)
    link = re.search(r"(/accounts/password/reset/key/\S+)", text_of(letter))[1]
    page = client.get(link, follow=True)
    secret = "correct horse battery staple"
    done = client.post(page.request["PATH_INFO"], {"password1": secret, "password2": secret}, follow=True)
    assert 'href="/accounts/login/">Sign in</a>' in done.content.decode()
    assert User.objects.get(pk=ivy.pk).check_password(secret)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("signup/", "Nur auf Einladung"),
        ("password/reset/", "Passwort vergessen"),
        ("password/reset/done/", "Der Link ist unterwegs"),
        ("password/reset/key/1-set-password/", "Der Link funktioniert nicht"),
        ("password/reset/key/done/", "Ihr Passwort ist gesetzt"),
    ],
)
def test_pages_on_the_way_in_speak_to_a_german_reader_as_ours_do(people, client, address, words):
    page = client.get(f"/accounts/{address}", headers={"accept-language": "de"}).content.decode()
    assert f'<h1 class="element-h1">{words}</h1>' in page
    assert not re.search(r"\b([Dd]u|[Dd]ein\w*|[Dd]ich|[Dd]ir)\b", page)


@pytest.mark.parametrize(
    ("language", "subject", "button"),
    [
        ("de", "Ein neues Passwort für FinOps", "Passwort wählen"),
        ("fr", "Un nouveau mot de passe pour FinOps", "Choisir votre mot de passe"),
    ],
)
def test_the_mail_about_a_forgotten_password_is_ours(people, lea, client, language, subject, button):
    User.objects.filter(pk=lea.pk).update(language=language)
    client.post("/accounts/password/reset/", {"email": lea.email})
    (letter,) = mail.outbox
    (html, kind) = letter.alternatives[0]
    link = re.search(r"http\S+/accounts/password/reset/key/\S+", letter.body)[0]
    assert (letter.subject, kind) == (subject, "text/html")
    assert f'<a class="button" href="{link}">{button}</a>' in html
    assert f'<html lang="{language}">' in html
    assert not re.search(r"\b([Dd]u|[Dd]ein\w*|tu|ton|ta)\b", letter.body)


def test_an_address_that_is_here_already_is_refused(ada, eli):
    answer = signed_in(ada).post("/people/invite/", {"email": "ELI@demo.example"})
    assert "eli@demo.example is here already." in answer.content.decode()


def test_ada_moves_somebody_to_another_team_and_switches_her_off(ada, lea):
    storefront = Team.objects.get(name="Storefront")
    data = {"name": "Lea Brandt", "role": "executive", "member_of": [storefront.pk]}
    assert signed_in(ada).post(f"/people/{lea.pk}/", data).status_code == 302
    lea.refresh_from_db()
    assert (role_of(lea), parts(lea), lea.is_active) == ("executive", {"Storefront": "member"}, False)
    assert "Switched off" in signed_in(ada).get("/people/").content.decode()


def test_ada_neither_changes_her_own_role_nor_switches_herself_off(ada):
    for data in ({"role": "finance", "is_active": "on"}, {"role": "administrator"}):
        page = signed_in(ada).post(f"/people/{ada.pk}/", data).content.decode()
        assert "Nobody changes her own role" in page
    ada.refresh_from_db()
    assert (role_of(ada), ada.is_active) == ("administrator", True)


def test_a_superuser_is_changed_by_a_superuser_alone(ada, eli):
    User.objects.filter(pk=eli.pk).update(is_superuser=True)
    page = signed_in(ada).post(f"/people/{eli.pk}/", {"role": "engineering", "is_active": "on", "name": "E"})
    assert "Only a superuser" in page.content.decode()


def test_a_pasted_list_makes_people_and_teams(ada):
    text = "E-mail\tName\n".lower().replace("e-mail", "email") + "ivy@strand.example\tIvy\njoe@strand.example\tJoe"
    assert signed_in(ada).post("/people/paste/", {"text": text}).status_code == 302
    lines = "kim@strand.example;Kim;engineering;Checkout;lead;CC-9\nlou@strand.example;Lou;executive"
    assert signed_in(ada).post("/people/paste/", {"text": lines}).status_code == 302
    kim, checkout = User.objects.get(email="kim@strand.example"), Team.objects.get(name="Checkout")
    assert (parts(kim), checkout.cost_center, role_of(kim)) == ({"Checkout": "lead"}, "CC-9", "engineering")
    assert OutgoingEmail.objects.filter(to__endswith="@strand.example").count() == 4


def test_a_list_with_a_wrong_line_invites_nobody_and_names_every_line(ada):
    text = "ivy@strand.example,Ivy,engineering\njoe,Joe\nkim@strand.example,Kim,boss\nlou@strand.example,,,Data,chief"
    page = signed_in(ada).post("/people/paste/", {"text": text}).content.decode()
    for problem in ("Line 2: &#x27;joe&#x27; is no e-mail", "Line 3: &#x27;boss&#x27; is no role", "Line 4:"):
        assert problem in page
    assert not User.objects.filter(email__endswith="@strand.example").exists()
    assert "no column" in signed_in(ada).post("/people/paste/", {"text": "email,shoe\na@b.example,9"}).content.decode()


def test_a_team_has_its_page_and_stands_not_below_itself(ada):
    client, data = signed_in(ada), Team.objects.get(name="Data")
    assert client.post("/people/teams/add/", {"name": "Lake", "parent": data.pk}).status_code == 302
    lake = Team.objects.get(name="Lake")
    page = client.post(f"/people/teams/{data.pk}/", {"name": "Data", "parent": lake.pk}).content.decode()
    assert "cannot be above itself" in page
    assert "Ola Haugen" in client.get("/people/teams/").content.decode()


def test_where_the_company_has_no_name_the_invitation_is_to_finops(ada, settings):
    settings.FINOPS_COMPANY = ""
    signed_in(ada).post("/people/invite/", {"email": "ivy@strand.example"})
    letter = OutgoingEmail.objects.get(to="ivy@strand.example")
    assert letter.subject == "Your way into FinOps"
    assert "you are invited to FinOps." in text_of(letter)


def refused(text):
    """The sentences that a pasted list is refused with; nobody is invited and no team made."""
    before = User.objects.count(), Team.objects.count()
    with pytest.raises(CannotChange) as error:
        pasted_people.invite_all(text, timezone.now())
    assert (User.objects.count(), Team.objects.count()) == before
    return error.value.problems


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"ivy@b.example,,,{'T' * 101}", "Team has 101 characters: at most 100"),
        (f"ivy@b.example,,,T,,{'9' * 51}", "Cost centre has 51 characters: at most 50"),
        (f"ivy@b.example,{'I' * 151}", "Name has 151 characters: at most 150"),
        (f"{'i' * 250}@b.example", "E-mail has 260 characters: at most 254"),
    ],
)
def test_what_is_too_long_is_named_with_its_line(ada, line, problem):
    page = signed_in(ada).post("/people/paste/", {"text": f"joe@b.example\n{line}"}).content.decode()
    assert f"Line 2: {problem}" in page


def test_every_line_is_checked_before_anybody_is_made(ada, django_assert_max_num_queries):
    good = "".join(f"person{number}@b.example,,engineering,Team {number}\n" for number in range(300))
    with django_assert_max_num_queries(12):
        assert refused(f"{good}joe\n") == ("Line 301: 'joe' is no e-mail address.",)


def test_teams_that_differ_in_capitals_are_one(ada):
    text = "ivy@b.example,,,Lake,,\njoe@b.example,,,LAKE,lead,CC-7\nkim@b.example,,,PAYMENTS"
    assert signed_in(ada).post("/people/paste/", {"text": text}).status_code == 302
    lake = Team.objects.get(name__iexact="lake")
    assert (lake.name, lake.cost_center, lake.memberships.count()) == ("Lake", "CC-7", 2)
    assert parts(User.objects.get(email="kim@b.example")) == {"Payments": "member"}
    page = signed_in(ada).post("/people/teams/add/", {"name": "payments"}).content.decode()
    assert "There is a team Payments already" in page


def test_a_team_with_two_cost_centres_and_a_person_who_comes_twice_are_refused_with_their_line(ada):
    text = "ivy@b.example,,,Lake,,CC-7\n\njoe@b.example,,,lake,,CC-8\nIVY@b.example"
    assert refused(text) == (
        "Line 3: the team lake has the cost centre CC-8 here and CC-7 in line 1.",
        "Line 4: ivy@b.example stands in line 1 too.",
    )
    Team.objects.filter(name="Payments").update(cost_center="CC-1")
    assert refused("ivy@b.example,,,Payments,,CC-2") == ("Line 1: The team Payments has the cost centre CC-1 already.",)


def test_a_list_and_a_file_together_are_refused(ada):
    data = {"text": "ivy@b.example", "file": SimpleUploadedFile("people.csv", b"joe@b.example")}
    assert "not both" in signed_in(ada).post("/people/paste/", data).content.decode()
    assert not User.objects.filter(email__endswith="@b.example").exists()


def test_lines_are_counted_as_a_person_sees_them(ada):
    text = "\r\nemail,name\r\n,,\r\nivy@b.example,Ivy,\r\n\r\njoe,Joe\r\n"
    assert refused(text) == ("Line 6: 'joe' is no e-mail address.",)
    assert refused('ivy@b.example\njoe@b.example,"Joe\nkim@b.example') == (
        "Line 2: its quotation marks cannot be read.",
    )
    assert refused("email,name\n,,\n") == ("There is nobody in it.",)


def test_a_head_names_a_column_once(ada):
    assert refused("email,name,E-Mail\na@b.example,A,c@b.example") == (
        "The first line names the column 'E-Mail' twice.",
    )


def test_heads_roles_and_parts_are_read_in_the_language_of_the_reader(ada):
    User.objects.filter(pk=ada.pk).update(language="de")
    text = "E-Mail;Name;Rolle;TEAM;Leitung oder Mitglied;Kostenstelle\nivy@b.example;Ivy;FINANZEN;Lake;leitung;CC-7\n"
    ada.refresh_from_db()
    answer = signed_in(ada).post("/people/paste/", {"text": f"{text}joe@b.example;Joe;Finance;Lake;Lead"})
    assert answer.status_code == 302
    ivy, joe = (User.objects.get(email=f"{name}@b.example") for name in ("ivy", "joe"))
    assert (role_of(ivy), parts(ivy), role_of(joe), parts(joe)) == (("finance", {"Lake": "lead"}) * 2)
    page = signed_in(ada).post("/people/paste/", {"text": "kim@b.example,Kim,boss"}).content.decode()
    assert "Administrator, Finanzen, Technik, Geschäftsleitung" in page


def test_a_team_is_deleted_while_nothing_stands_on_it(ada):
    client, lake = signed_in(ada), Team.objects.create(name="Lake")
    assert "Delete this team" in client.get(f"/people/teams/{lake.pk}/").content.decode()
    assert client.post(f"/people/teams/{lake.pk}/delete/").status_code == 302
    assert not Team.objects.filter(pk=lake.pk).exists()


def test_a_team_on_which_something_stands_stays_and_its_page_says_what(ada):
    client, lake = signed_in(ada), Team.objects.create(name="Lake")
    Team.objects.create(name="Pond", parent=lake)
    Membership.objects.create(user=ada, team=lake)
    SavedView.objects.create(name="Lake", owner=ada, path="/costs/", query=f"group=service&team={lake.pk}")
    page = client.get(f"/people/teams/{lake.pk}/").content.decode()
    assert "while something stands on it: people, teams below it, saved views." in page
    assert "Delete this team" not in page
    answer = client.post(f"/people/teams/{lake.pk}/delete/", follow=True).content.decode()
    assert escape("Lake cannot be deleted. On it stand: people, teams below it, saved views.") in answer
    assert Team.objects.filter(pk=lake.pk).exists()
