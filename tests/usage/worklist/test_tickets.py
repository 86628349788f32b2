"""Tickets for findings: made once, in Jira, on GitHub and behind webhooks."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from costs.models import Credential
from finops_site.lib import http_client
from finops_site.lib.http_client import Undeliverable
from finops_site.models import Team
from finops_site.ui.bulk_results import BulkRefused
from tests.people import signed_in
from tests.usage.worklist.helpers import finding, two_rules  # noqa: F401
from usage.models import Ticket, Tracker
from usage.worklist import tickets, unsent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("two_rules")]
NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)


class FakeTracker:
    """Answers posts in turn and keeps what it was sent: {path's end: answers or errors}."""

    def __init__(self, **answers):
        self.answers, self.requests = answers, []

    def post(self, url, body, headers, *, allowed=()):
        self.requests.append((url, json.loads(body), headers))
        answer = self.answers[url.rsplit("/", 1)[-1]].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return http_client.Answer(201, json.dumps(answer).encode())


@pytest.fixture
def jira(monkeypatch):
    credential = Credential(name="jira")
    credential.seal({"email": "bot@northwind.example", "token": "s3cret"})
    credential.save()
    return Tracker.objects.create(
        name="Work of Payments",
        system="jira",
        url="https://northwind.atlassian.net",
        project="PAY",
        credential=credential,
    )


def answered(monkeypatch, **answers):
    fake = FakeTracker(**answers)
    monkeypatch.setattr(http_client, "post", fake.post)
    return fake


def ask(row, tracker, user):
    return tickets.request_tickets([row.pk], str(tracker.pk), user=user, now=NOW)


def test_eli_asks_for_a_ticket_and_it_is_made_once(eli, jira, monkeypatch):
    fake = answered(monkeypatch, issue=[{"key": "PAY-7"}])
    row = finding(name="old-data")
    assert ask(row, jira, eli).count == 1
    assert ask(row, jira, eli).left_out[0].reason == "it has a ticket already"
    assert tickets.send_tickets(NOW) == 1
    assert tickets.send_tickets(NOW) == 0
    ticket = Ticket.objects.get()
    assert (ticket.state, ticket.reference) == ("made", "PAY-7")
    assert ticket.url == "https://northwind.atlassian.net/browse/PAY-7"
    ((_url, sent, headers),) = fake.requests
    assert sent["fields"]["summary"] == "Unattached disk: old-data"
    assert "125 GiB, attached to nothing for 30 days." in sent["fields"]["description"]
    assert "12.50 USD in an average month" in sent["fields"]["description"]
    assert headers["Authorization"].startswith("Basic ")
    event = row.events.get()
    assert (event.verb, event.person, event.note) == ("ticket", eli, "PAY-7")


def test_a_try_that_nobody_heard_of_is_looked_for_before_another_is_made(eli, jira, monkeypatch):
    lost = Undeliverable("northwind.atlassian.net did not answer: ReadTimeoutError.", temporary=True)
    fake = answered(monkeypatch, issue=[lost], jql=[{"issues": [{"key": "PAY-8"}]}])
    ask(finding(), jira, eli)
    assert tickets.send_tickets(NOW) == 0
    waiting = Ticket.objects.get()
    assert (waiting.state, waiting.message) == ("waiting", str(lost))
    assert tickets.send_tickets(NOW) == 0, "it pauses first"
    assert tickets.send_tickets(NOW + timedelta(minutes=3)) == 1
    assert Ticket.objects.get().reference == "PAY-8"
    assert [url.rsplit("/", 1)[-1] for url, _body, _headers in fake.requests] == ["issue", "jql"]


def test_what_is_refused_for_good_is_said_and_can_be_asked_for_again(eli, jira, monkeypatch):
    refused = Undeliverable("The address answers 401.")
    answered(monkeypatch, issue=[refused, {"key": "PAY-9"}])
    row = finding()
    ask(row, jira, eli)
    tickets.send_tickets(NOW)
    assert (Ticket.objects.get().state, Ticket.objects.get().message) == ("failed", "The address answers 401.")
    assert ask(row, jira, eli).count == 1
    tickets.send_tickets(NOW)
    assert Ticket.objects.get().reference == "PAY-9"


def test_a_ticket_that_was_not_made_stands_on_the_page_of_unsent_messages_and_is_tried_again(
    eli, ola, ada, jira, monkeypatch
):
    answered(monkeypatch, issue=[Undeliverable("The address answers 401."), {"key": "PAY-9"}])
    row = finding(name="old-data")
    ask(row, jira, eli)
    tickets.send_tickets(NOW)
    assert unsent.state(NOW).failed == 1
    page = signed_in(eli).get("/messages/not-sent/").content.decode()
    assert "Unattached disk: old-data" in page
    assert "The address answers 401." in page
    assert "Work of Payments" in page
    # Ola's teams have no such finding, and ada may not ask for tickets.
    assert "old-data" not in signed_in(ola).get("/messages/not-sent/").content.decode()
    pk = Ticket.objects.get().pk
    assert [unsent.retry(person, [pk], NOW) for person in (ola, ada)] == [0, 0]
    picked = {"verb": "some", "pick": f"tickets:{pk}"}
    assert signed_in(eli).post("/messages/not-sent/", picked).status_code == 302
    tickets.send_tickets(timezone.now())
    assert Ticket.objects.get().reference == "PAY-9"
    assert unsent.unsent(eli) == []


def test_github_gets_an_issue_and_its_address_is_kept(eli, jira, monkeypatch):
    Tracker.objects.update(system="github", url="https://api.github.com", project="northwind/payments")
    issue = {"number": 12, "html_url": "https://github.com/northwind/payments/issues/12"}
    fake = answered(monkeypatch, issues=[issue])
    row = finding(saving=None)
    ask(row, jira, eli)
    tickets.send_tickets(NOW)
    ticket = Ticket.objects.get()
    assert (ticket.url, ticket.reference) == (issue["html_url"], "northwind/payments#12")
    ((url, sent, headers),) = fake.requests
    assert url == "https://api.github.com/repos/northwind/payments/issues"
    assert headers["Authorization"] == "Bearer s3cret"
    assert "What it would save is not known." in sent["body"]
    assert f"finops-finding-{row.pk}" in sent["body"]


def test_a_webhook_is_signed_and_leads_nowhere_but_to_https(eli, jira, monkeypatch):
    jira.credential.seal({"hmac": "key"})
    jira.credential.save()
    Tracker.objects.update(system="webhook", url="https://hooks.northwind.example/new")
    fake = answered(monkeypatch, new=[{"url": "javascript:alert(1)", "reference": "T-1"}])
    ask(finding(), jira, eli)
    tickets.send_tickets(NOW)
    ticket = Ticket.objects.get()
    assert (ticket.url, ticket.reference, ticket.state) == ("", "T-1", "made")
    ((_url, sent, headers),) = fake.requests
    assert headers["X-FinOps-Signature"].startswith("t=")
    assert (sent["monthly_saving"], sent["currency"], sent["team"]) == ("12.5", "USD", "Payments")


def test_nobody_asks_for_tickets_of_others_or_in_others_trackers(eli, ola, ada, jira):
    row = finding()
    assert ask(row, jira, ola).count == 0
    with pytest.raises(PermissionDenied):
        ask(row, jira, ada)
    Tracker.objects.update(team=Team.objects.get(name="Data"))
    with pytest.raises(BulkRefused, match="Choose where"):
        ask(row, jira, eli)
    assert not Ticket.objects.exists()


def test_what_waits_for_nobody_gets_no_ticket(eli, jira):
    assert ask(finding(state="dismissed"), jira, eli).left_out[0].reason == "it is dismissed"


def test_a_tracker_says_what_it_lacks():
    with pytest.raises(ValidationError, match="Jira needs a project"):
        Tracker(name="x", system="jira", url="https://x.example").clean()
    with pytest.raises(ValidationError, match="owner/repository"):
        Tracker(name="x", system="github", url="https://x.example", project="payments").clean()
    with pytest.raises(ValidationError, match="GitHub needs a credential"):
        Tracker(name="x", system="github", url="https://x.example", project="a/b").clean()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:5432/", "must begin with https://"),
        ("https://localhost", "inside our own network"),
        ("https://169.254.169.254/latest/", "inside our own network"),
        ("https://user:pw@8.8.8.8/", "without name or password"),
    ],
)
def test_ada_hears_at_once_that_no_ticket_goes_to_an_address(url, says, ada, jira, client_of):
    page = f"/admin/usage/tracker/{jira.pk}/change/"
    data = {"name": jira.name, "system": "jira", "url": url, "project": "PAY", "issue_type": "Task", "is_active": "on"}
    answer = client_of(ada).post(page, {**data, "credential": jira.credential_id})
    assert says in str(answer.context["errors"])
    jira.refresh_from_db()
    assert jira.url == "https://northwind.atlassian.net"


def test_the_page_shows_the_ticket_and_asks_for_one(eli, jira, client_of):
    row = finding()
    client = client_of(eli)
    assert "Make a ticket" in client.get(row.get_absolute_url()).content.decode()
    page = client.post(row.get_absolute_url(), {"verb": "ticket", "tracker": jira.pk}, follow=True).content.decode()
    assert "1 ticket asked for." in page
    assert "A ticket is being made." in page
    assert "Make a ticket" not in page
