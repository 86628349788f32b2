"""Lea proposes other amounts for a budget that is in force; it has them once fay has approved them."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from budgets.models import Budget, ProposedChange
from budgets.planning import budget_changes
from finops_site.lib.periods import Month
from finops_site.models import Notification, OutgoingEmail
from tests.people import waiting_for
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
THIS = Month.of(timezone.now().date())


@shared
def budget(people, payments, budget_of):
    return budget_of("Payments", "1000", team=payments, start=THIS.plus(-1).start)


@pytest.fixture
def propose(lea, client_of, budget):
    def propose(amount="1,500", first=THIS.next.start, why="a launch"):
        url = reverse("budgets:propose_change", args=[budget.pk])
        version = client_of(lea).get(url).context["form"]["version"].value()
        return client_of(lea).post(url, {"amount": amount, "first": first, "why": why, "version": version})

    return propose


def decide(client, budget, verb, why=""):
    change = ProposedChange.objects.latest("pk")
    return client.post(reverse("budgets:decide_change", args=[budget.pk, change.pk, verb]), {"why": why}, follow=True)


def amounts(budget):
    return [budget.periods.get(start=THIS.plus(step).start).amount for step in (-1, 0, 1, 2)]


def test_lea_proposes_and_that_budget_has_it_when_fay_approves(budget, propose, lea, fay, client_of):
    page = client_of(lea).get(reverse("budgets:propose_change", args=[budget.pk]))
    assert page.context["form"]["amount"].value() == "1000", "as it is now"
    assert propose().status_code == 302
    assert amounts(budget) == [1000] * 4, "in force as it was"
    assert waiting_for(fay) == [f"A change of a budget is proposed: {budget}"]
    shown = client_of(fay).get(budget.get_absolute_url()).content.decode()
    assert "10 periods from" in shown
    assert "15,000.00 USD in all instead of 10,000.00 USD, 5,000.00 USD more" in shown
    decide(client_of(fay), budget, "approve", "fine")
    assert amounts(budget) == [1000, 1000, 1500, 1500]
    assert Budget.objects.count() == 1, "no second budget over the same cost"
    assert waiting_for(fay) == []
    newest = budget.versions.first()
    assert (newest.by, newest.why, newest.what) == (fay, "fine", f"change proposed by {lea} approved")
    letter, notice = OutgoingEmail.objects.get(kind="budget-change-decided"), Notification.objects.get(user=lea)
    assert (letter.to, letter.subject) == (lea.email, "Approved: your change of the budget Payments")
    assert (notice.text, notice.url) == (letter.subject, budget.get_absolute_url())


def test_an_amount_that_was_changed_meanwhile_is_not_written_over(budget, propose, fay, client_of):
    propose()
    budget_changes.change_budget(budget, {THIS.next.period: Decimal(3000)}, version=1, by=fay)
    page = decide(client_of(fay), budget, "approve")
    assert "was changed since it was proposed" in page.content.decode()
    assert amounts(budget) == [1000, 1000, 3000, 1000]
    assert ProposedChange.objects.get().state == "waiting"


def test_what_makes_no_sense_is_refused_with_the_reason(budget, propose, lea, fay, client_of):
    assert "Did you mean" in str(propose(amount="12.400").context["form"].errors["amount"])
    assert "These are the amounts that it has already" in str(propose(amount="1000").context["form"].errors)
    assert propose().status_code == 302
    assert "proposed another change" in str(propose(amount="1,600").context["form"].errors)
    assert "Give the reason" in decide(client_of(fay), budget, "reject").content.decode()
    assert ProposedChange.objects.get().state == "waiting"
    decide(client_of(fay), budget, "reject", "too much")
    assert ProposedChange.objects.get().state == "rejected"
    assert "too much" in client_of(lea).get(f"{budget.get_absolute_url()}?part=history").content.decode()
    letters = OutgoingEmail.objects.filter(kind="budget-change-decided", to=lea.email)
    assert [letter.subject for letter in letters] == ["Rejected: your change of the budget Payments"]
    assert b"too much" in bytes(letters[0].content)
    propose()
    assert decide(client_of(lea), budget, "approve").status_code == 403
    decide(client_of(lea), budget, "withdraw")
    assert ProposedChange.objects.latest("pk").state == "withdrawn"
    assert amounts(budget) == [1000] * 4
    assert letters.count() == 1, "who takes her own away is told nothing"


def test_the_api_is_the_same_door(budget, lea, eli, ola, fay, client_of):
    url, sent = f"/api/v1/budgets/{budget.pk}/", {"amounts": {str(THIS.next.start): "1500"}, "version": 1}
    for person, status in ((eli, 403), (ola, 404), (fay, 403)):
        assert client_of(person).post(f"{url}propose-change/", sent, "application/json").status_code == status, person
    lead = client_of(lea)
    stale = lead.post(f"{url}propose-change/", {**sent, "version": 9}, "application/json")
    assert stale.status_code == 409
    odd = lead.post(f"{url}propose-change/", {**sent, "amounts": {str(date(2026, 1, 9)): "5"}}, "application/json")
    assert (odd.status_code, "begins on" in str(odd.json())) == (400, True)
    change = lead.post(f"{url}propose-change/", sent, "application/json").json()
    assert (change["before"], change["after"]) == ({str(THIS.next.start): "1000"}, {str(THIS.next.start): "1500"})
    assert client_of(fay).get(url).json()["proposed_changes"] == [change]
    answer = {"change": change["id"], "decision": "approve"}
    assert lead.post(f"{url}decide-change/", answer, "application/json").status_code == 403
    done = client_of(fay).post(f"{url}decide-change/", answer, "application/json")
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert amounts(budget) == [1000, 1000, 1500, 1000]
