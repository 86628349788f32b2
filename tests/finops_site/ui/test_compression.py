"""What travels is compressed, and files have names that change with them where they were collected."""

import gzip

import pytest
from django.http import HttpResponse

from finops_site.ui.compression import CollectedFiles, CompressText

LONG = "a row of a table, " * 100


@pytest.fixture
def sent(rf):
    """What a browser that takes gzip gets for some content."""

    def send(content, content_type):
        request = rf.get("/", headers={"Accept-Encoding": "gzip, br"})
        return CompressText(lambda _: HttpResponse(content, content_type=content_type))(request)

    return send


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "text/csv; charset=utf-8", "application/json"])
def test_text_travels_compressed(sent, content_type):
    answer = sent(LONG, content_type)
    assert answer["Content-Encoding"] == "gzip"
    assert len(answer.content) < len(LONG) / 5
    assert gzip.decompress(answer.content).decode() == LONG


def test_what_is_packed_already_travels_as_it_is(sent):
    answer = sent(LONG, "application/pdf")
    assert "Content-Encoding" not in answer
    assert answer.content.decode() == LONG


def test_the_length_of_an_answer_does_not_tell_what_it_holds(sent):
    assert len({len(sent(LONG, "text/html").content) for _ in range(30)}) > 1


@pytest.fixture
def files(settings):
    """The names of files where one was collected."""
    collected = CollectedFiles()
    collected.hashed_files = {"finops/finops.css": "finops/finops.0123.css"}
    return collected


def test_a_collected_file_has_a_name_that_says_what_it_holds(files):
    assert files.url("finops/finops.css") == "/static/finops/finops.0123.css"


def test_on_a_laptop_a_file_that_was_not_collected_keeps_its_name(files):
    assert files.url("finops/new.css") == "/static/finops/new.css"


def test_on_a_server_a_file_that_was_not_collected_is_an_error(files, settings):
    settings.EMBEDDED = False
    with pytest.raises(ValueError, match=r"finops/new\.css"):
        files.url("finops/new.css")
