"""What would take too long is answered with a word and what to ask instead, on the pages and in the files."""

import pytest
from django.db import connection, transaction

from costs.web.views.explorer import Explorer
from finops_site.models import Export
from tests.people import signed_in

pytestmark = pytest.mark.django_db

YEAR_OF_DAYS = "/costs/?group_by=resource&grain=day&from=2025-04-01&to=2026-03-31"


@pytest.fixture
def endless(monkeypatch, settings):
    """PostgreSQL itself works at the answer for twenty seconds, and a page may take a second."""
    settings.FINOPS_ANSWER_SECONDS = 1
    # The limit of the test before went with its transaction.
    monkeypatch.setattr(connection, "statement_seconds", None, raising=False)

    def answer(page, question):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")

    monkeypatch.setattr(Explorer, "answer", answer)
    monkeypatch.setattr(Explorer, "export_rows", answer)


def test_a_page_that_no_list_has_is_told_with_the_way_to_its_first(fay):
    for number in (10**9, 10**18, 5):
        answer = signed_in(fay).get(f"/costs/lines/?page={number}&min=5")
        text = answer.content.decode()
        assert (answer.status_code, f"it has no page {number:,}" in text) == (404, True)
        assert "Begin at its first one, or filter it." in text
        assert 'href="/costs/lines/?min=5"' in text
    assert signed_in(fay).get(f"/api/v1/cost-lines/?page={10**9}").status_code in (400, 404)


def test_two_years_by_day_are_refused_with_what_to_ask_instead(fay):
    answer = signed_in(fay).get("/costs/?group_by=resource&grain=day&from=2024-04-01&to=2026-03-31")
    assert "730 days are too many to show by day: ask by week or month, or for less." in answer.content.decode()


def test_a_year_by_day_and_resource_is_given_up_in_time_with_what_to_ask_instead(fay, endless):
    answer = signed_in(fay).get(YEAR_OF_DAYS)
    text = answer.content.decode()
    assert (answer.status_code, "longer than the 1 seconds" in text) == (503, True)
    assert "for months instead of days" in text


def test_as_a_file_it_is_made_in_the_background(fay, endless):
    answer = signed_in(fay).get(f"{YEAR_OF_DAYS}&_export=xlsx")
    assert (answer.status_code, answer["Location"]) == (302, f"/exports/{Export.objects.get().pk}/")
