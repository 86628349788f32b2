"""Lea chooses the language and the time zone of what she reads, on her page and by the API."""

import json

import pytest
from allauth.account.models import EmailAddress

from finops_site.models import Company, User

pytestmark = pytest.mark.django_db


def test_lea_chooses_german_and_berlin_and_her_pages_follow_at_once(lea, client_of):
    client = client_of(lea)
    assert b'href="/settings/"' in client.get("/notifications/").content
    answer = client.post("/settings/", {"name": "Lea", "language": "de", "time_zone": "Europe/Berlin"}, follow=True)
    assert b'<html lang="de"' in answer.content
    assert User.objects.values_list("language", "time_zone").get(pk=lea.pk) == ("de", "Europe/Berlin")


def test_what_nobody_speaks_and_no_clock_shows_is_refused(lea, client_of):
    answer = client_of(lea).post("/settings/", {"name": "Lea", "language": "xx", "time_zone": "Mars/Olympus"})
    assert set(answer.context["form"].errors) == {"language", "time_zone"}


def test_the_api_changes_the_same_and_says_whose_time_zone_holds(lea, client_of):
    Company.objects.create(time_zone="Europe/Oslo")
    client = client_of(lea)

    def patch(**body):
        return client.patch("/api/v1/me/", json.dumps(body), content_type="application/json")

    answer = patch(language="fr")
    assert (answer.json()["language"], answer.json()["time_zone"]) == ("fr", "Europe/Oslo")
    assert patch(time_zone="Asia/Kolkata").json()["time_zone"] == "Asia/Kolkata"
    assert "time_zone" in patch(time_zone="Mars/Olympus").json()
    assert "language" in patch(language="xx").json()
    assert User.objects.values_list("language", "time_zone").get(pk=lea.pk) == ("fr", "Asia/Kolkata")


def test_eli_may_have_a_second_step_and_her_address_is_the_administrators_to_change(eli, client_of):
    client = client_of(eli)
    assert client.get("/accounts/email/").headers["Location"] == "/settings/"
    EmailAddress.objects.create(user=eli, email=eli.email, primary=True, verified=False)
    answer = client.get("/accounts/2fa/totp/activate/", follow=True)
    assert b"until you have verified" not in answer.content
