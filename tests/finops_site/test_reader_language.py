"""Pages, mail and the work of the night speak the language of whoever reads them."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import gettext_lazy

from finops_site.celery import task
from finops_site.lib.language import get_language, get_zone
from finops_site.mail.emails import make_message
from finops_site.models import Company, User
from finops_site.people.reader_language import in_english, in_language_of

pytestmark = pytest.mark.django_db


def language_of(client, path="/", **headers):
    response = client.get(path, headers=headers)
    return response.headers.get("Content-Language")


def test_a_page_is_in_the_language_that_its_reader_chose(lea, client_of):
    User.objects.filter(pk=lea.pk).update(language="fr")
    client = client_of(lea)
    assert language_of(client, "/notifications/", accept_language="de") == "fr"
    assert b'<html lang="fr"' in client.get("/notifications/").content


def test_who_chose_none_reads_what_her_browser_asks_for_else_the_language_of_the_company(lea, client_of):
    Company.objects.create(language="de")
    client = client_of(lea)
    assert language_of(client, "/notifications/", accept_language="nb, fr-CA;q=0.8, en;q=0.5") == "fr"
    assert language_of(client, "/notifications/", accept_language="nb") == "de"


def test_the_page_where_people_sign_in_follows_the_browser(people):
    assert b'<html lang="de"' in Client(headers={"accept-language": "de-AT"}).get("/accounts/login/").content


def test_programs_are_answered_in_english_whoever_asks(lea, client_of):
    User.objects.filter(pk=lea.pk).update(language="de")
    assert client_of(lea).get("/api/v1/teams/?no-such=1", headers={"accept-language": "fr"}).status_code == 400
    with translation.override("de"):
        assert list(in_english([get_language(), gettext_lazy("Current")] for _ in range(2))) == [["en", "Current"]] * 2


def test_no_request_leaves_its_language_behind(lea, client_of):
    User.objects.filter(pk=lea.pk).update(language="de", time_zone="Asia/Kolkata")
    client_of(lea).get("/notifications/")
    assert (get_language(), get_zone()) == ("en", UTC)


def test_a_task_works_in_the_language_of_the_company(monkeypatch):
    Company.objects.create(language="fr", time_zone="Europe/Paris")
    any_task = task("finops_site.tasks.clear_old_emails")
    monkeypatch.setattr(any_task, "run", lambda: (get_language(), str(get_zone())))
    assert any_task() == ("fr", "Europe/Paris")


def test_a_mail_is_in_the_language_of_its_recipient_and_in_the_companys_for_others(lea, fay):
    Company.objects.create(language="fr", time_zone="Europe/Paris")
    User.objects.filter(pk=lea.pk).update(language="de")
    read = {}
    for reader in ("Lea@demo.example", "fay@demo.example", "list@elsewhere.example"):
        with in_language_of(reader):
            read[reader] = (get_language(), str(get_zone()))
    assert read == {
        "Lea@demo.example": ("de", "Europe/Paris"),
        "fay@demo.example": ("fr", "Europe/Paris"),
        "list@elsewhere.example": ("fr", "Europe/Paris"),
    }


def test_a_language_that_nobody_speaks_is_refused_by_the_page_of_the_company(fay, client_of):
    page = client_of(fay).post("/set-up/company/", {"name": "Strand", "currency": "EUR", "language": "xx"})
    assert page.context["form"].errors["language"]
    client_of(fay).post(
        "/set-up/company/", {"name": "Strand", "currency": "EUR", "language": "de", "time_zone": "Europe/Oslo"}
    )
    assert Company.objects.values_list("language", "time_zone").get() == ("de", "Europe/Oslo")


def test_the_page_of_the_company_says_that_it_is_saved_in_the_language_just_chosen(fay, client_of):
    chosen = {"name": "Strand", "currency": "EUR", "language": "de"}
    page = client_of(fay).post("/set-up/company/", chosen, follow=True).content.decode()
    assert ("Gespeichert." in page, "Saved." in page) == (True, False)


def test_a_message_is_written_in_the_language_and_the_zone_of_its_recipient(lea):
    User.objects.filter(pk=lea.pk).update(language="de", time_zone="Europe/Berlin")
    at = datetime(2025, 10, 3, 14, 5, tzinfo=UTC)
    context = lambda: {"server": "mail.example", "at": at, "language": get_language()}  # noqa: E731
    texts = {to: make_message("test-letter", to, context).body for to in ("lea@demo.example", "list@elsewhere.example")}
    assert "3. Okt. 2025, 16:05 CEST" in texts["lea@demo.example"]
    assert "3 Oct 2025, 14:05 UTC" in texts["list@elsewhere.example"]
    assert get_language() == "en"
