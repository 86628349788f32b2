"""The demo people, for every test."""

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import settings

from finops_site.people import demo
from tests.people import person, signed_in
from tests.shared_fixtures import pytest_fixture_setup, shared, shared_layers  # noqa: F401 (pytest finds them here)

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("finops", deadline=None)
settings.load_profile("finops")


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
