"""Something is not there: what works goes on working, and what does not says so in a word."""

from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, transaction

from finops_site.home_views import Home
from finops_site.models import SavedView
from tests.people import token_of

pytestmark = pytest.mark.django_db
ONLY_READS = "The database only reads at the moment."


@contextmanager
def database_only_reads():
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield
        transaction.set_rollback(True)


def test_where_the_database_only_reads_pages_are_served_and_changes_say_why_not(fay, client_of):
    browser = client_of(fay)
    browser.raise_request_exception = False
    token = token_of(fay)
    browser.get("/costs/")
    with database_only_reads():
        assert browser.get("/costs/").status_code == 200
        page = browser.post("/views/add/", {"name": "March", "address": "/costs/"})
        by_program = browser.post(
            "/api/v1/budgets/", {"name": "b"}, "application/json", headers={"Authorization": f"Token {token}"}
        )
    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert ONLY_READS in page.content.decode()
    assert by_program.status_code in (400, 503)
    assert not SavedView.objects.exists()


def test_where_the_database_does_not_answer_a_page_and_the_api_say_so_in_the_readers_language(
    fay, client_of, monkeypatch
):
    def fails(self, **kwargs):
        raise OperationalError("server closed the connection unexpectedly at 10.0.0.7")

    monkeypatch.setattr(Home, "get_context_data", fails)
    browser = client_of(fay)
    browser.raise_request_exception = False
    answer = browser.get("/", HTTP_ACCEPT_LANGUAGE="en")
    assert answer.status_code == 503
    assert "The database does not answer." in answer.content.decode()
    assert "10.0.0.7" not in answer.content.decode()


def test_any_other_fault_is_a_500_as_before(fay, client_of, monkeypatch):
    monkeypatch.setattr(Home, "get_context_data", lambda self, **kwargs: {}["gone"])
    browser = client_of(fay)
    browser.raise_request_exception = False
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
