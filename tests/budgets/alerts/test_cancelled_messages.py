"""What waits of an alert that nobody needs any more is not sent, by whichever door it ended."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core import mail

from budgets.alerts import cancellation, notifications
from budgets.models import Alert, AlertDelivery, Budget, Recipient
from budgets.planning import budget_changes
from finops_site.lib.periods import Month
from finops_site.mail import outbox
from finops_site.models import OutgoingEmail
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
THE_20TH = at(date(2026, 3, 20))


@shared
def crossed(a_quarter, payments, budget_of, night):
    """Payments has crossed half of its 3,000 and is heading over: two messages wait for lea."""
    budget = budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 20))
    return budget


def sent(now=THE_20TH):
    """Who was sent what after everything that is due was written and handed over."""
    notifications.send_due_notifications(now)
    outbox.send_queued_emails(now)
    return [(message.to, message.subject) for message in mail.outbox]


def outcomes():
    return set(AlertDelivery.objects.values_list("outcome", "problem"))


def test_what_waits_of_an_archived_budget_is_not_sent(crossed, fay):
    budget_changes.archive_budget(crossed, version=crossed.version, by=fay)
    assert sent() == []
    assert outcomes() == {("cancelled", "The budget was archived before it was sent.")}


def test_a_letter_that_lies_in_the_outbox_is_taken_back_too(crossed, fay):
    notifications.send_due_notifications(THE_20TH)
    assert OutgoingEmail.objects.get().outcome == "waiting"
    budget_changes.archive_budget(crossed, version=crossed.version, by=fay)
    assert sent() == []
    assert (OutgoingEmail.objects.get().outcome, len(outcomes())) == ("cancelled", 1)


def test_the_page_cancels_as_the_service_does(crossed, fay, client_of):
    client_of(fay).post(f"/budgets/{crossed.pk}/state/archive/", {"version": crossed.version, "why": "over"})
    assert sent() == []
    assert {outcome for outcome, _why in outcomes()} == {"cancelled"}


@pytest.mark.parametrize("in_the_outbox", [False, True])
def test_a_budget_that_is_brought_back_notifies_of_its_open_alerts(crossed, night, fay, in_the_outbox):
    if in_the_outbox:
        notifications.send_due_notifications(THE_20TH)
    budget_changes.archive_budget(crossed, version=crossed.version, by=fay)
    assert sent() == []
    Alert.objects.filter(kind="actual").update(state="acknowledged")
    budget_changes.restore_budget(crossed, version=crossed.version, by=fay)
    night(date(2026, 3, 21))
    ((to, subject),) = sent(at(date(2026, 3, 21)))
    assert to == ["lea@demo.example"]
    assert subject == "Payments is heading 3% over March: 3,100 of 3,000 USD (and 1 more)"
    again = len(mail.outbox)
    budget_changes.archive_budget(crossed, version=crossed.version, by=fay)
    budget_changes.restore_budget(crossed, version=crossed.version, by=fay)
    assert len(sent(at(date(2026, 3, 22)))) == again, "what lea has read is not sent to her twice"


def test_a_proposal_that_is_brought_back_is_a_proposal(payments, fay, lea):
    proposal = Budget(name="Lab", team=payments, start=date(2026, 3, 1))
    budget_changes.create_budget(proposal, {Month(2026, 3).period: Decimal(50)}, by=lea, state="proposed")
    budget_changes.archive_budget(proposal, version=1, by=fay)
    budget_changes.restore_budget(proposal, version=2, by=fay)
    proposal.refresh_from_db()
    assert (proposal.state, proposal.approved_by, proposal.approved_at) == ("proposed", None, None)
    budget_changes.approve_budget(proposal, version=3, by=fay)
    assert (proposal.state, proposal.approved_by) == ("active", fay)


def test_of_a_letter_about_two_alerts_the_one_that_is_needed_is_written_again(crossed):
    notifications.send_due_notifications(THE_20TH)
    half = Alert.objects.get(kind="actual")
    assert cancellation.cancel_queued([half], "The period was removed.") == 1
    ((to, subject),) = sent()
    assert to == ["lea@demo.example"]
    assert subject == "Payments is heading 3% over March: 3,100 of 3,000 USD"
    assert outcomes() == {("cancelled", "The period was removed."), ("", "")}


def test_a_letter_that_is_being_handed_over_cannot_be_called_back(crossed):
    notifications.send_due_notifications(THE_20TH)
    OutgoingEmail.objects.update(claimed_until=THE_20TH + timedelta(minutes=5), attempts=1)
    assert cancellation.cancel_queued(Alert.objects.all(), "over") == 0
    assert outcomes() == {("", "")}


def test_what_was_sent_stays_sent(crossed):
    Recipient.objects.update(when="at once")
    sent()
    notifications.update_outcomes()
    assert cancellation.cancel_queued(Alert.objects.values_list("pk", flat=True), "over") == 0
    assert {outcome for outcome, _why in outcomes()} == {"sent"}
