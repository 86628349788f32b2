"""The demo people, for every test."""

import gc

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import settings

from finops_site.people import demo
from tests.people import person, signed_in
from tests.shared_fixtures import pytest_fixture_setup, shared, shared_layers  # noqa: F401 (pytest finds them here)

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("finops", deadline=None)
settings.load_profile("finops")
# Thousands of tests make much that lives on: looking through it as often as by default takes a tenth of the run.
gc.set_threshold(100_000, 20, 50)


def flush_with_the_audit_log(flush):
    """The statements that empty the tables between tests: the audit log itself refuses to be emptied by anybody."""

    def statements(*args, **kwargs):
        sql = flush(*args, **kwargs)
        return ["SET LOCAL session_replication_role = replica", *sql] if sql else []

    return statements


DatabaseOperations.sql_flush = flush_with_the_audit_log(DatabaseOperations.sql_flush)


def is_transactional(item):
    marker = item.get_closest_marker("django_db")
    return bool(marker and marker.kwargs.get("transaction")) or "transactional_db" in getattr(item, "fixturenames", ())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Puts tests with a browser behind the others that share a transaction.

    A browser leaves an event loop in its thread until the end, and inside of one no test may wait for a coroutine. They
    stay before those that flush the database, as pytest-django has it.
    """
    late = [item for item in items if item.get_closest_marker("browser") and not is_transactional(item)]
    moved = set(late)
    first = [item for item in items if item not in moved]
    place = next((number for number, item in enumerate(first) if is_transactional(item)), len(first))
    items[:] = first[:place] + late + first[place:]


@shared
def people(db):
    """The six demo people and their four teams: {first name: user}."""
    return {name: person(name) for name in demo.PEOPLE}


@shared
def ada(people):
    return people["ada"]


@shared
def fay(people):
    return people["fay"]


@shared
def eli(people):
    return people["eli"]


@shared
def lea(people):
    return people["lea"]


@shared
def ola(people):
    return people["ola"]


@shared
def max_(people):
    return people["max"]


@pytest.fixture
def one_transaction():
    """A request from outside closes the connection it finds inside a transaction; the test's must outlive it."""
    signals = [request_started, request_finished]
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def client_of():
    """Opens a browser in which somebody is signed in."""
    return signed_in
