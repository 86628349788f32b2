"""People and teams on pages of their own: inviting, moving, switching off, as the service lets her."""

import re

import pytest
from django.core import mail

from finops_site.models import Membership, OutgoingEmail, Team, User
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


def test_the_mail_about_a_forgotten_password_is_ours(people, lea, client):
    User.objects.filter(pk=lea.pk).update(language="de")
    client.post("/accounts/password/reset/", {"email": lea.email})
    (letter,) = mail.outbox
    assert "Ein neues Passwort für FinOps" in letter.subject
    assert "/accounts/password/reset/key/" in letter.body
    assert not re.search(r"\b([Dd]u|[Dd]ein\w*)\b", letter.body)


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
