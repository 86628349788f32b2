"""What is there already is said, at every door, and is never an error of the server."""

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import IntegrityError, transaction

from budgets.models import Budget
from finops_site.api.base import answer_error
from finops_site.models import Team
from finops_site.ui.unique_violations import UniqueViolationMiddleware, reason_of
from tests.people import person

pytestmark = pytest.mark.django_db
MESSAGE = "There is a budget of that name already: change that one, or choose another name."
FORM = {"name": "Cloud", "team": "", "amount": "1000"}


@pytest.fixture
def cloud(client_of):
    fay = client_of(person("fay"))
    fay.post("/budgets/add/", FORM)
    assert Budget.objects.filter(name="Cloud").count() == 1
    return fay


def test_fay_is_shown_that_a_budget_has_the_name_already(cloud):
    answer = cloud.post("/budgets/add/", {**FORM, "amount": "2000"})
    assert answer.status_code in (200, 409)
    assert MESSAGE in answer.content.decode()
    assert Budget.objects.filter(name="Cloud").count() == 1


def test_ola_proposes_a_name_that_a_budget_has_which_she_may_not_see(cloud, client_of):
    ola = person("ola")
    team = Team.objects.get(name="Data")
    answer = client_of(ola).post("/budgets/propose/", {**FORM, "team": team.pk, "why": "we grow"})
    assert answer.status_code in (200, 409)
    assert MESSAGE in answer.content.decode()


def test_the_api_answers_a_taken_name_with_its_reason(cloud):
    body = {"name": "Cloud", "amount": "1000", "currency": "USD"}
    answer = cloud.post("/api/v1/budgets/", body, content_type="application/json")
    assert answer.status_code in (400, 409)
    assert MESSAGE in answer.content.decode()


def violation(name="Payments"):
    with pytest.raises(IntegrityError) as raised, transaction.atomic():
        Team.objects.create(name=name)
    return raised.value


def test_a_view_without_a_form_leads_back_to_its_page_with_the_reason(rf):
    Team.objects.get_or_create(name="Payments")
    request = rf.post("/people/teams/add/", HTTP_REFERER="http://testserver/people/teams/")
    request._messages = CookieStorage(request)
    answer = UniqueViolationMiddleware(lambda request: None).process_exception(request, violation())
    assert (answer.status_code, answer["Location"]) == (302, "/people/teams/")
    assert [str(message) for message in get_messages(request)] == [reason_of(violation())]


def test_what_else_goes_wrong_is_not_taken_for_it(rf):
    assert reason_of(ValueError("no")) == ""
    assert reason_of(IntegrityError("a foreign key")) == ""
    assert answer_error(ValueError("no"), {}) is None
