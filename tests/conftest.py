"""The demo people, for every test."""

import pytest
from django.test import Client

from finops_site import demo
from finops_site.models import User

PASSWORD = "correct horse battery staple"


@pytest.fixture
def people(db):
    """The six demo people and their four teams: {first name: user}."""
    demo.make_people(PASSWORD)
    return {name: User.objects.get(email=f"{name}@{demo.DOMAIN}") for name in demo.PEOPLE}


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
    """A browser in which somebody is signed in."""

    def signed_in(user):
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in
