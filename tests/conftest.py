"""The demo people, for every test."""

import pytest
from hypothesis import settings

from finops_site.people import demo
from tests.people import person, signed_in

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("finops", deadline=None)
settings.load_profile("finops")


@pytest.fixture
def people(db):
    """The six demo people and their four teams: {first name: user}."""
    return {name: person(name) for name in demo.PEOPLE}


@pytest.fixture
def ada(people):
    return people["ada"]


@pytest.fixture
def fay(people):
    return people["fay"]


@pytest.fixture
def eli(people):
    return people["eli"]


@pytest.fixture
def lea(people):
    return people["lea"]


@pytest.fixture
def ola(people):
    return people["ola"]


@pytest.fixture
def max_(people):
    return people["max"]


@pytest.fixture
def client_of():
    """Opens a browser in which somebody is signed in."""
    return signed_in
