"""Files for spreadsheets are the same whoever takes them: formulas and scripts do not change with their reader."""

from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.urls import get_resolver, reverse

from finops_site.models import User
from finops_site.ui.pages import Page
from tagging.models import Metric
from tests.test_access import ACCESS, NAMES, QUERIES, a_line, arguments  # noqa: F401

pytestmark = pytest.mark.django_db


def exporting_pages():
    """The names of the pages that answer as a CSV."""
    named = {}
    for pattern, prefix in walk(get_resolver().url_patterns, ""):
        view = getattr(pattern.callback, "view_class", None)
        if view and issubclass(view, Page) and "csv" in view.exports and pattern.name:
            named[f"{prefix}{pattern.name}"] = view
    return named


def walk(patterns, prefix):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from walk(pattern.url_patterns, prefix + (f"{pattern.namespace}:" if pattern.namespace else ""))
        else:
            yield pattern, prefix


def rows_of(browser, address):
    """The rows of a CSV; what they lack is said to the reader, in notes after them."""
    answer = browser.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8"), address
    lines = answer.getvalue().decode("utf-8-sig").splitlines()
    return [line for line in lines if not line.lstrip('"').startswith("Note: ")]


def test_every_list_that_leaves_as_a_csv_is_the_same_for_a_german_reader(a_line, people, client_of):  # noqa: F811
    User.objects.update(last_login=datetime(2026, 3, 1, 8, 5, 6, 789, tzinfo=UTC))
    Metric.objects.create(name="orders")
    pages = sorted(name for name in exporting_pages() if name in ACCESS)
    assert len(pages) > 30
    different = {}
    for name in pages:
        reader = next((who for who in NAMES[1:] if ACCESS[name][who] == 200), None)
        if reader is None:
            continue
        with transaction.atomic():
            english, german = both_of(people[reader], name, a_line, client_of)
            transaction.set_rollback(True)
        if english != german:
            different[name] = next((pair for pair in zip(english, german, strict=False) if pair[0] != pair[1]), "")
    assert different == {}


def both_of(reader, name, line, client_of):
    """The rows that a page gives her when she reads English, and when she reads German."""
    # The log of what happened has the two files themselves: what was inserted is the same for both.
    query = "?action=insert" if name == "audit" else QUERIES.get(name, "")
    address = reverse(name, args=arguments(name, line)) + (f"{query}&" if query else "?") + "_export=csv"
    for language in ("en", "de"):
        User.objects.filter(pk=reader.pk).update(language=language)
        yield rows_of(client_of(reader), address)
