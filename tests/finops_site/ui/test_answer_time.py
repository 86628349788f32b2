"""A page that takes too long is given up in words; what changes something has all its time."""

import time

import duckdb
import pytest
from django.db import OperationalError, connection
from django.test import RequestFactory
from psycopg.errors import QueryCanceled

from costs.query.query_backends import interrupted_in_time
from finops_site.lib.answer_time import TookTooLong, answer_within, extend_to, seconds_left
from finops_site.ui.answer_time import AnswerTimeMiddleware, allow
from finops_site.ui.one_export import LONGEST_SECONDS, OneExportMiddleware, begin_export

ENDLESS = "SELECT count(*) FROM range(100_000_000_000) a, range(1000) b WHERE a.range * b.range % 7 = 3"


def limit_in_the_database():
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


def answer(method, view):
    request = getattr(RequestFactory(), method)("/")
    return AnswerTimeMiddleware(view)(request)


def test_a_question_of_charges_is_interrupted_when_the_answer_is_due():
    db = duckdb.connect(config={"threads": 1})
    began = time.monotonic()
    with pytest.raises(TookTooLong), answer_within(0.3), interrupted_in_time(db):
        db.execute(ENDLESS).fetchall()
    assert time.monotonic() - began < 10
    assert db.execute("SELECT 42").fetchall() == [(42,)], "the connection lives"
    with interrupted_in_time(db):
        assert db.execute("SELECT 43").fetchall() == [(43,)], "a task has all its time"


def test_what_does_not_fit_into_memory_is_told_in_the_same_words():
    db = duckdb.connect(config={"threads": 1, "memory_limit": "20MB"})
    with pytest.raises(TookTooLong), answer_within(60), interrupted_in_time(db):
        db.execute("SELECT list(hash(range)) FROM range(20_000_000)").fetchall()


@pytest.mark.django_db
def test_what_is_read_is_limited_in_the_database_too_and_what_is_sent_is_not(settings):
    settings.FINOPS_ANSWER_SECONDS = 7
    assert answer("get", lambda request: limit_in_the_database()) == "7s"
    assert answer("post", lambda request: limit_in_the_database()) == "0"
    assert answer("head", lambda request: limit_in_the_database()) == "7s"
    settings.FINOPS_ANSWER_SECONDS = 0
    assert answer("get", lambda request: (limit_in_the_database(), seconds_left())) == ("0", None)


@pytest.mark.django_db
def test_a_file_has_more_time_than_a_page(settings, rf, fay):
    settings.FINOPS_ANSWER_SECONDS = 7

    def view(request):
        request.user = fay
        begin_export()
        from django.http import HttpResponse

        return HttpResponse(f"{limit_in_the_database()} {seconds_left():.0f}")

    response = AnswerTimeMiddleware(OneExportMiddleware(view))(rf.get("/"))
    assert response.content.decode() == f"{LONGEST_SECONDS // 60}min {LONGEST_SECONDS}"
    allow(5)
    extend_to(5)
    assert seconds_left() is None, "where nobody waits nothing is limited"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/budgets/", "/api/v1/budgets/"])
def test_lea_reads_what_to_ask_instead(path, lea, client_of, settings, monkeypatch):
    def slow(*args, **kwargs):
        raise OperationalError("canceling statement due to statement timeout") from QueryCanceled()

    monkeypatch.setattr("budgets.querysets.BudgetQuerySet.visible_to", slow)
    response = client_of(lea).get(path)
    text = response.json()["detail"] if path.startswith("/api/") else response.content.decode()
    assert response.status_code == 503
    assert f"longer than the {settings.FINOPS_ANSWER_SECONDS} seconds" in text
    assert "Ask for fewer days" in text


@pytest.mark.django_db
def test_an_error_of_another_kind_is_not_called_slow(lea, client_of, monkeypatch):
    def broken(*args, **kwargs):
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr("budgets.querysets.BudgetQuerySet.visible_to", broken)
    with pytest.raises(OperationalError):
        client_of(lea).get("/budgets/")
