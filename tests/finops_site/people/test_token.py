"""Tokens: shown once and stored as a hash, each with a name, what it may do and a day it ends."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from finops_site.models import ApiToken
from finops_site.people import tokens
from tests.people import signed_in, token_of

pytestmark = pytest.mark.django_db
PAGE, API = "/token/", "/api/v1/me/tokens/"
WISH = {"name": "nightly script", "scope": "read", "days": "30"}


def asks(client, key, path="/api/v1/me/", method="get", **options):
    return getattr(client, method)(path, headers={"Authorization": f"Token {key}"}, **options)


def whose(client, key):
    answer = asks(client, key)
    return answer.json().get("email") if answer.status_code == 200 else answer.status_code


def test_lea_makes_a_token_and_sees_it_once(lea, client):
    browser = signed_in(lea)
    page = browser.post(PAGE, WISH)
    key = page.context["fresh"]
    assert f'<code class="token">{key}</code>' in page.content.decode()
    assert whose(client, key) == lea.email
    again = browser.get(PAGE).content.decode()
    assert ("nightly script" in again, key in again, key[:8] in again) == (True, False, True)
    stored = ApiToken.objects.get(user=lea)
    assert (stored.key_hash, stored.scope, key in str(stored.__dict__)) == (tokens.hash_of(key), "read", False)
    assert stored.last_used_at
    assert stored.expires_at.date() == timezone.now().date() + timedelta(days=30)


def test_several_tokens_work_until_each_is_ended_by_who_has_it(lea, ola, client):
    first, second = token_of(lea), token_of(lea)
    row = ApiToken.objects.get(key_hash=tokens.hash_of(first))
    assert signed_in(ola).post(f"{PAGE}{row.pk}/end/").status_code == 404
    assert signed_in(lea).post(f"{PAGE}{row.pk}/end/").status_code == 302
    assert (whose(client, first), whose(client, second)) == (401, lea.email)


def test_a_token_that_reads_does_not_write_and_says_so(lea, client):
    key = token_of(lea, "read")
    answer = asks(client, key, method="patch", data={"language": "de"}, content_type="application/json")
    assert (answer.status_code, answer.json()) == (403, {"detail": "The token token 1 reads, and does not write."})
    assert asks(client, token_of(lea), method="patch", data={}, content_type="application/json").status_code == 200


def test_a_token_of_some_pillars_opens_no_other(lea, client):
    key = token_of(lea, pillars=("budgets",))
    assert asks(client, key, "/api/v1/budgets/").status_code == 200
    refused = asks(client, key, "/api/v1/cost-lines/")
    assert refused.json()["detail"] == "The token token 1 is for budgets alone, and not for costs."
    assert refused.status_code == asks(client, key).status_code == 403


def test_a_token_that_ended_says_when(lea, client):
    key = token_of(lea)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    answer = asks(client, key)
    assert (answer.status_code, "ended on" in answer.json()["detail"]) == (401, True)


@pytest.mark.parametrize(
    ("change", "status"),
    [({}, 201), ({"scope": "write"}, 400), ({"pillars": []}, 400), ({"days": 60}, 400), ({"name": "TOKEN 1"}, 400)],
)
def test_a_token_makes_none_that_may_do_more_or_longer_than_itself(lea, client, change, status):
    key = token_of(lea, pillars=("finops_site", "costs"), days=30)
    asking = ApiToken.objects.get()
    wish = {"name": "another", "scope": "write", "pillars": ["finops_site"], "days": 20}
    if "scope" in change:
        # A token that reads makes none at all.
        asking.scope = "read"
        asking.save()
        status = 403
    assert asks(client, key, API, "post", data=wish | change, content_type="application/json").status_code == status


def test_a_token_made_anew_ends_when_it_would_have_ended(lea, client):
    key = token_of(lea, days=10)
    ends = ApiToken.objects.get().expires_at
    fresh = asks(client, key, "/api/v1/me/token/", "post").json()["token"]
    assert (whose(client, key), whose(client, fresh)) == (401, lea.email)
    assert ApiToken.objects.get().expires_at == ends


def test_one_may_list_and_end_ones_own_by_the_api(lea, ola, client):
    key = token_of(lea)
    (row,) = asks(client, key, API).json()
    assert (row["name"], row["scope"], "token" in row) == ("token 1", "write", False)
    one = f"{API}{row['id']}/"
    assert asks(client, token_of(ola), one, "delete").status_code == 404
    assert asks(client, key, one, "delete").status_code == 204
    assert whose(client, key) == 401


def test_what_a_wish_lacks_is_said_beside_it(lea):
    page = signed_in(lea).post(PAGE, {"name": " ", "scope": "read", "days": "4000"}).content.decode()
    assert "This field is required." in page
    assert "less than or equal to 366" in page
    assert not ApiToken.objects.exists()


def test_ada_sees_every_token_in_the_admin_and_ends_one(ada, lea, client):
    key = token_of(lea)
    row = ApiToken.objects.get()
    browser = signed_in(ada)
    page = browser.get(reverse("admin:finops_site_apitoken_change", args=[row.pk])).content.decode()
    assert ("token 1" in page, row.key_hash in page) == (True, False)
    browser.post(reverse("admin:finops_site_apitoken_delete", args=[row.pk]), {"post": "yes"})
    assert whose(client, key) == 401
