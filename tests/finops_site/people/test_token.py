"""The token page: a token is shown once, works as the person it belongs to, and stops when told."""

import pytest
from django.urls import reverse
from rest_framework.authtoken.models import Token

pytestmark = pytest.mark.django_db
PAGE = "/token/"


def whose(client, key):
    answer = client.get(reverse("api:me"), headers={"Authorization": f"Token {key}"})
    return answer.json().get("email") if answer.status_code == 200 else answer.status_code


def test_lea_makes_a_token_and_sees_it_once(lea, client, client_of):
    browser = client_of(lea)
    page = browser.post(PAGE, {"make": "1"}).content.decode()
    key = Token.objects.get(user=lea).key
    assert key in page
    assert key not in browser.get(PAGE).content.decode()
    assert whose(client, key) == lea.email


def test_a_new_token_takes_the_place_of_the_old_one(lea, client, client_of):
    browser = client_of(lea)
    browser.post(PAGE, {"make": "1"})
    old = Token.objects.get(user=lea).key
    browser.post(PAGE, {"make": "1"})
    assert whose(client, old) == 401
    assert whose(client, Token.objects.get(user=lea).key) == lea.email


def test_a_stopped_token_stops(lea, client, client_of):
    browser = client_of(lea)
    browser.post(PAGE, {"make": "1"})
    key = Token.objects.get(user=lea).key
    assert browser.post(PAGE, {"stop": "1"}).status_code == 302
    assert whose(client, key) == 401
