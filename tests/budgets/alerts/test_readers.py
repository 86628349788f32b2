"""Who is notified is decided when a message is written and sent, not when it was queued."""

from datetime import date, time, timedelta

import pytest
from django.contrib.auth.models import Group
from django.core import mail

from budgets.alerts import escalation, links, notifications
from budgets.models import Alert, AlertDelivery, Recipient
from finops_site.mail import outbox
from finops_site.mail.emails import make_message
from finops_site.models import Membership, Notification, NotificationPreference, OutgoingEmail, Team
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
THE_20TH = date(2026, 3, 20)
NIGHT, MORNING = at(THE_20TH), at(THE_20TH, 8)
HEADLINE = "Payments is heading 3% over March: 3,100 of 3,000 USD"


def sent(now):
    """To whom something was sent in this run."""
    before = len(mail.outbox)
    notifications.send_due_notifications(now)
    outbox.send_queued_emails(now)
    notifications.update_outcomes()
    return [message.to[0] for message in mail.outbox[before:]]


@shared
def budget(a_quarter, payments, budget_of):
    """Payments warns lea, who leads it, when it is heading over; until seven in the morning she is not disturbed."""
    budget = budget_of("Payments", "3000", team=payments)
    budget.thresholds.exclude(kind="forecast").delete()
    budget.recipients.update(quiet_from=time(0), quiet_until=time(7))
    Team.objects.update(email="")
    return budget


def leave(user):
    user.is_active = False
    user.save()
    Membership.objects.filter(user=user).delete()


def reasons():
    return list(AlertDelivery.objects.filter(outcome="cancelled").values_list("address", "problem"))


def test_case_21_lea_leaves_between_queueing_and_sending_and_the_next_in_line_is_told(budget, night, lea, fay):
    night(THE_20TH)
    assert sent(NIGHT) == [], "her quiet hours"
    leave(lea)
    assert sent(MORNING) == ["fay@demo.example"], "Payments has no other lead, and no team above it"
    assert (
        reasons() == [("lea@demo.example", "Lea Moreau was switched off before it was sent.")]
        or "switched off" in (reasons()[0][1])
    )


def test_the_lead_above_is_told_before_finance(budget, night, lea, ola):
    Team.objects.filter(name="Payments").update(parent=Team.objects.get(name="Data"))
    night(THE_20TH)
    leave(lea)
    assert sent(MORNING) == ["ola@demo.example"]


def test_whoever_has_taken_her_place_is_told_instead(budget, night, lea, eli, payments):
    night(THE_20TH)
    sent(NIGHT)
    Membership.objects.filter(user=lea, team=payments).delete()
    Membership.objects.filter(user=eli, team=payments).update(role="lead")
    assert sent(MORNING) == ["eli@demo.example"], "lea is still there, and leads no more"
    assert "no recipient any more" in reasons()[0][1]


def test_a_new_address_gets_the_mail_and_the_old_one_nothing(budget, night, lea):
    night(THE_20TH)
    sent(NIGHT)
    lea.email = "lea.new@demo.example"
    lea.save()
    assert sent(MORNING) == ["lea.new@demo.example"]
    assert "changed" in reasons()[0][1]


@pytest.mark.parametrize("when", ["at once", "digest"])
def test_a_recipient_that_was_removed_gets_nothing(budget, night, fay, when):
    Recipient.objects.filter(budget=budget).update(kind="address", address="partner@example.com", when=when)
    night(THE_20TH)
    sent(NIGHT)
    budget.recipients.all().delete()
    Recipient.objects.create(budget=budget, kind="user", user=fay)
    assert sent(at(THE_20TH, 9)) == ["fay@demo.example"]
    assert "no recipient any more" in reasons()[0][1]


def test_who_lost_the_role_gets_nothing_and_who_has_it_is_told(budget, night, max_, eli):
    Recipient.objects.filter(budget=budget).update(kind="role", role="executive")
    night(THE_20TH)
    sent(NIGHT)
    max_.groups.clear()
    eli.groups.set([Group.objects.get(name="executive")])
    assert sent(MORNING) == ["eli@demo.example"]


def test_an_address_of_somebody_who_left_is_nobody(budget, night, ola):
    budget.recipients.update(kind="address", address="Ola@demo.example", quiet_from=None, quiet_until=None)
    leave(ola)
    night(THE_20TH)
    assert sent(NIGHT) == ["lea@demo.example"]


def test_case_22_the_only_recipient_was_switched_off_so_the_lead_is_told_at_once(
    a_quarter, payments, budget_of, night, ola
):
    budget = budget_of("Payments", "2000", team=payments)
    budget.recipients.all().delete()
    Recipient.objects.create(budget=budget, kind="user", user=ola)
    leave(ola)
    report = night(date(2026, 3, 25))
    assert (report.alerts_made, report.mails_queued) == (3, 3)
    assert sent(at(date(2026, 3, 25))) == ["lea@demo.example"], "one mail about all three, in the same night"


@pytest.mark.parametrize(
    ("kind", "values"), [("user", {}), ("role", {"role": "executive"}), ("slack", {"url": ""}), ("address", {})]
)
def test_recipients_that_yield_nobody_fall_back_to_finance_and_then_to_administrators(
    budget, night, lea, fay, max_, kind, values
):
    budget.recipients.update(kind=kind, quiet_from=None, quiet_until=None, **values)
    for user in (lea, max_):
        leave(user)
    night(THE_20TH)
    assert sent(NIGHT) == ["fay@demo.example"]
    leave(fay)
    night(date(2026, 3, 21))
    Alert.objects.all().delete()
    night(date(2026, 3, 22))
    assert sent(at(date(2026, 3, 22))) == ["ada@demo.example"]


def test_what_lies_in_the_outbox_is_asked_again_before_it_is_sent(budget, night, lea):
    budget.recipients.update(quiet_from=None, quiet_until=None)
    night(THE_20TH)
    notifications.send_due_notifications(NIGHT)
    leave(lea)
    assert outbox.send_queued_emails(NIGHT + timedelta(minutes=1)) == 0
    assert OutgoingEmail.objects.get().outcome == "cancelled"
    assert "switched off" in OutgoingEmail.objects.get().server_reply
    assert sent(NIGHT + timedelta(minutes=10)) == ["fay@demo.example"]


def test_a_letter_that_waited_for_a_day_is_written_again_with_the_figures_of_today(budget, night, deliver, settings):
    budget.recipients.update(quiet_from=None, quiet_until=None)
    night(THE_20TH)
    notifications.send_due_notifications(NIGHT)
    deliver("2026-03", "120.00")
    night(date(2026, 3, 22))
    later = at(date(2026, 3, 22))
    assert outbox.send_queued_emails(later) == 0
    assert sent(later) == ["lea@demo.example"]
    assert mail.outbox[0].subject == "Payments is heading 24% over March: 3,721 of 3,000 USD"


class TestCorrections:
    """March was over by its first bill, and a newer bill takes that back."""

    @pytest.fixture
    def opened(self, a_quarter, payments, budget_of, night):
        budget = budget_of("Payments", "3000", team=payments)
        Team.objects.update(email="")
        night(date(2026, 3, 31))
        assert sent(at(date(2026, 3, 31))) == ["lea@demo.example"]
        return budget

    def corrected(self, deliver, night):
        deliver("2026-03", "7.00")
        night(date(2026, 4, 1))
        return sent(at(date(2026, 4, 1), 8))

    def test_who_was_notified_gets_it(self, opened, deliver, night, lea):
        lea.email = "lea.new@demo.example"
        lea.save()
        assert self.corrected(deliver, night) == ["lea.new@demo.example"], "wherever she reads her mail now"
        assert mail.outbox[-1].subject.startswith("Corrected: ")

    def test_a_recipient_who_was_added_since_gets_none(self, opened, deliver, night, eli):
        Recipient.objects.create(budget=opened, kind="user", user=eli)
        assert self.corrected(deliver, night) == ["lea@demo.example"]
        assert {why for address, why in reasons() if address == eli.email} == {
            "It corrects an alert of which this reader was never notified."
        }

    def test_nor_does_the_next_in_line_of_who_left(self, opened, deliver, night, lea):
        leave(lea)
        assert self.corrected(deliver, night) == []


class TestEscalation:
    def test_it_goes_to_who_stands_on_the_step_when_it_is_sent(self, budget, night, lea, eli, payments):
        night(THE_20TH)
        sent(MORNING)
        escalation.escalate_unacknowledged(NIGHT + timedelta(hours=25))
        Membership.objects.filter(user=eli, team=payments).update(role="lead")
        Membership.objects.filter(user=lea).delete()
        assert sent(NIGHT + timedelta(hours=26)) == ["eli@demo.example"]

    def test_with_nobody_left_on_its_step_it_goes_on_to_the_next_at_once(self, budget, night, lea):
        night(THE_20TH)
        sent(MORNING)
        escalation.escalate_unacknowledged(NIGHT + timedelta(hours=25))
        leave(lea)
        assert sent(NIGHT + timedelta(hours=26)) == ["fay@demo.example"]
        assert Alert.objects.get().escalated == 3

    def test_what_was_acknowledged_meanwhile_is_not_escalated(self, budget, night):
        night(THE_20TH)
        sent(MORNING)
        escalation.escalate_unacknowledged(NIGHT + timedelta(hours=25))
        Alert.objects.update(state="acknowledged")
        assert sent(NIGHT + timedelta(hours=26)) == []
        assert "acknowledged" in reasons()[0][1]

    def test_of_an_archived_budget_nothing_is_escalated(self, budget, night):
        night(THE_20TH)
        type(budget).objects.update(state="archived")
        assert escalation.escalate_unacknowledged(NIGHT + timedelta(hours=25)) == 0
        assert sent(MORNING) == [], "whichever door archived it"


class TestOnTheSite:
    def test_an_alert_is_one_notification_and_leads_to_its_page(self, budget, night, lea):
        night(THE_20TH)
        sent(MORNING)
        row = Notification.objects.get()
        assert (row.user, row.kind, row.text) == (lea, "budget-alert", HEADLINE)
        assert row.url == row.about == Alert.objects.get().get_absolute_url()

    def test_who_wants_no_mail_of_alerts_is_still_the_one_that_is_escalated_to(self, budget, night, lea):
        NotificationPreference.objects.create(user=lea, kind="budget-alert", by_mail=False)
        NotificationPreference.objects.create(user=lea, kind="alert-escalated", by_mail=False)
        night(THE_20TH)
        assert sent(MORNING) == []
        assert "switched mail of this kind off" in reasons()[0][1]
        escalation.escalate_unacknowledged(NIGHT + timedelta(hours=25))
        assert sent(NIGHT + timedelta(hours=26)) != [], "nobody may switch that off"
        assert set(Notification.objects.values_list("kind", flat=True)) == {"budget-alert", "alert-escalated"}


class TestOtherEmails:
    def queue(self, address):
        message = make_message("anomalies", address, {"rows": [], "count": 0, "url": "http://finops.example"})
        outbox.queue_email(f"statement 1 to {address}", message, now=NIGHT)

    def test_a_statement_to_somebody_who_was_switched_off_is_not_sent(self, people, lea):
        self.queue(lea.email)
        leave(lea)
        assert sent(NIGHT) == []
        assert (OutgoingEmail.objects.get().outcome, OutgoingEmail.objects.get().sent_at) == ("cancelled", None)

    def test_it_follows_her_to_her_new_address(self, people, lea):
        self.queue(lea.email)
        lea.email = "lea.new@demo.example"
        lea.save()
        assert sent(NIGHT) == ["lea.new@demo.example"]
        assert mail.outbox[0].message()["To"] == "lea.new@demo.example"

    def test_an_address_of_nobody_we_know_is_sent_to(self, people):
        self.queue("partner@example.com")
        assert sent(NIGHT) == ["partner@example.com"]


class TestLinkOfSomebodyWhoLeft:
    def answer(self, client, alert, user, address=None):
        url = links.acknowledge_url(alert, address or user.email, user.pk if user else None)
        return client.post(url[url.index("/alerts/") :])

    @pytest.fixture
    def alert(self, budget, night):
        night(THE_20TH)
        return Alert.objects.get()

    def test_it_acknowledges_no_more(self, alert, lea, client):
        leave(lea)
        page = self.answer(client, alert, lea)
        assert page.status_code == 404
        assert "Payments" not in page.content.decode()
        assert Alert.objects.get().state == "open"

    def test_nor_does_that_of_somebody_in_another_team_now(self, alert, lea, client):
        Membership.objects.filter(user=lea).update(team=Team.objects.get(name="Data"))
        assert self.answer(client, alert, lea).status_code == 404

    def test_nor_that_of_an_address_that_is_no_recipient_any_more(self, alert, client):
        assert self.answer(client, alert, None, "partner@example.com").status_code == 404
        Recipient.objects.create(budget=alert.budget, kind="address", address="partner@example.com")
        assert self.answer(client, alert, None, "partner@example.com").status_code == 200
        assert Alert.objects.get().acknowledged_as == "partner@example.com"

    def test_a_link_written_before_readers_stood_in_it_is_good_for_its_two_weeks(self, alert, lea, client):
        url = links.acknowledge_url(alert, lea.email)
        assert client.post(url[url.index("/alerts/") :]).status_code == 200
        assert Alert.objects.get().acknowledged_by == lea
