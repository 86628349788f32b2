"""What somebody typed is not lost where her session had ended, and a form that is sent twice does its work once."""

import re

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from finops_site.models import Team
from tests.people import PASSWORD

pytestmark = pytest.mark.django_db
FORM = "/people/teams/add/"
TYPED = {"name": "Workshop & Tools", "cost_center": "CC-4711", "password": "hunter2 hunter2", "api_key": "AKIA0"}


@pytest.fixture
def visitor(people):
    """A browser: it checks CSRF tokens."""
    return Client(enforce_csrf_checks=True)


def sign_in(visitor, name, after=""):
    page = visitor.get(after or "/accounts/login/")
    fields = {"login": f"{name}@demo.example", "password": PASSWORD, "csrfmiddlewaretoken": token(page)}
    if after:
        fields["next"] = re.search(r'name="next" value="([^"]+)"', page.content.decode())[1].replace("&amp;", "&")
    return visitor.post("/accounts/login/", fields)


def token(page):
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())[1]


def send(visitor, page, **more):
    return visitor.post(
        FORM, {**TYPED, "csrfmiddlewaretoken": token(page), **more}, headers={"referer": f"http://testserver{FORM}"}
    )


def test_a_form_whose_session_had_ended_stands_there_with_its_text_after_signing_in(visitor):
    sign_in(visitor, "ada")
    page = visitor.get(FORM)
    Session.objects.all().delete()
    answer = send(visitor, page)
    assert (answer.status_code, Team.objects.filter(name__contains="Workshop").exists()) == (302, False)
    assert sign_in(visitor, "ada", after=answer["Location"])["Location"] == FORM
    page = visitor.get(FORM).content.decode()
    assert "nothing was saved" in page
    assert 'value="Workshop &amp; Tools"' in page
    assert 'value="CC-4711"' in page
    assert not re.search("hunter2|AKIA0", page), "secrets are not held"
    assert not Team.objects.filter(name__contains="Workshop").exists(), "nothing is sent by itself"
    visitor.post(
        FORM, {"name": "Workshop", "csrfmiddlewaretoken": re.search(r'csrfmiddlewaretoken" value="(.+?)"', page)[1]}
    )
    assert "CC-4711" not in visitor.get(FORM).content.decode(), "what was sent waits no longer"


def test_another_person_does_not_see_it_and_it_is_gone_then(visitor):
    sign_in(visitor, "ada")
    page = visitor.get(FORM)
    Session.objects.all().delete()
    answer = send(visitor, page)
    sign_in(visitor, "fay", after=answer["Location"])
    assert "CC-4711" not in visitor.get("/set-up/company/").content.decode()
    visitor.post("/accounts/logout/", {"csrfmiddlewaretoken": token(visitor.get("/token/"))})
    sign_in(visitor, "ada")
    assert "CC-4711" not in visitor.get(FORM).content.decode()


def test_a_form_from_before_a_sign_in_in_another_tab_keeps_its_text(visitor):
    sign_in(visitor, "ada")
    page = visitor.get(FORM)
    Session.objects.all().delete()
    sign_in(visitor, "ada")
    answer = send(visitor, page)
    assert answer.status_code == 403
    assert f'href="{FORM}"' in answer.content.decode()
    assert 'value="CC-4711"' in visitor.get(FORM).content.decode()


def test_unless_somebody_else_signed_in_there(visitor):
    sign_in(visitor, "fay")
    page = visitor.get("/set-up/company/")
    Session.objects.all().delete()
    sign_in(visitor, "ada")
    answer = send(visitor, page)
    assert answer.status_code == 403
    assert "What you typed" not in answer.content.decode()
    assert "CC-4711" not in visitor.get(FORM).content.decode()


def test_it_can_be_thrown_away(visitor):
    sign_in(visitor, "ada")
    page = visitor.get(FORM)
    Session.objects.all().delete()
    sign_in(visitor, "ada", after=send(visitor, page)["Location"])
    page = visitor.get(FORM)
    answer = visitor.post(
        "/typed-text/", {"csrfmiddlewaretoken": token(page)}, headers={"referer": f"http://testserver{FORM}"}
    )
    assert answer["Location"] == FORM
    assert "CC-4711" not in visitor.get(FORM).content.decode()


def test_a_form_that_is_sent_twice_makes_one_thing_and_leads_where_the_first_led(visitor):
    cache.clear()
    sign_in(visitor, "ada")
    page = visitor.get("/people/invite/")
    fields = {"email": "new@example.com", "name": "New", "role": "finance", "csrfmiddlewaretoken": token(page)}
    first, second = (visitor.post("/people/invite/", fields) for _ in range(2))
    assert (first.status_code, second.status_code) == (302, 302)
    assert second["Location"] == first["Location"]
    assert "sent twice; it was done once" in visitor.get("/token/").content.decode()
