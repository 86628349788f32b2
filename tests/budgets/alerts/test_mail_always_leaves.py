"""One odd letter, chart, recipient or channel never holds back another message, and what failed is there to be seen."""

from datetime import date, time, timedelta

import pytest
from django.core import mail
from django.db import connection
from django.db.utils import DataError

from budgets.alerts import channels, letter_parts, notifications
from budgets.models import Alert, AlertDelivery, Recipient
from finops_site.lib.http_client import Undeliverable
from finops_site.mail import outbox
from finops_site.models import OutgoingEmail
from finops_site.registry import AdviceSource, registry
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
THE_20TH = at(date(2026, 3, 20))


def sent(now=THE_20TH):
    """Who was sent what in this run."""
    before = len(mail.outbox)
    notifications.send_due_notifications(now)
    outbox.send_queued_emails(now)
    notifications.update_outcomes()
    return sorted((message.to[0], message.subject) for message in mail.outbox[before:])


@shared
def two(a_quarter, payments, budget_of, night):
    """Two budgets of Payments are heading over; "Odd" is the one that something is wrong with."""
    made = [budget_of(name, "3000", team=payments) for name in ("Odd", "Payments")]
    for budget in made:
        budget.thresholds.exclude(kind="forecast").delete()
    night(date(2026, 3, 20))
    return made


PAYMENTS = ("lea@demo.example", "Payments is heading 3% over March: 3,100 of 3,000 USD")
ODD = ("lea@demo.example", "Odd is heading 3% over March: 3,100 of 3,000 USD")


def odd_message():
    return AlertDelivery.objects.filter(alert__budget__name="Odd").order_by("pk").first()


class TestLetter:
    def test_a_letter_whose_figures_cannot_be_read_holds_no_other_back(self, two):
        Alert.objects.filter(budget=two[0]).update(figures={"amount": "a lot", "spent": "more"})
        assert sent() == [PAYMENTS]
        message = odd_message()
        assert (message.outcome, message.attempts, message.not_before) == ("", 1, THE_20TH + timedelta(minutes=1))
        assert message.problem.startswith("It could not be written: InvalidOperation")

    def test_it_is_tried_again_after_growing_pauses_and_then_given_up(self, two):
        Alert.objects.filter(budget=two[0]).update(figures=["no", "figures"])
        now, tries = THE_20TH, []
        for _ in range(20):
            sent(now)
            tries.append(odd_message().attempts)
            now += timedelta(minutes=10)
        assert tries == sorted(tries)
        assert (odd_message().outcome, odd_message().attempts) == ("failed", 8)
        assert OutgoingEmail.objects.count() == 1, "Payments was told once, and Odd never"

    def test_what_is_mended_meanwhile_goes_out(self, two):
        figures = Alert.objects.get(budget=two[0]).figures
        Alert.objects.filter(budget=two[0]).update(figures={**figures, "p10": None})
        assert sent() == [PAYMENTS]
        Alert.objects.filter(budget=two[0]).update(figures=figures)
        assert sent(THE_20TH + timedelta(minutes=10)) == [ODD]
        assert odd_message().outcome == "sent"

    def test_of_a_digest_the_odd_alert_stays_behind_and_the_rest_goes_out(self, two):
        Recipient.objects.update(when=Recipient.When.DIGEST)
        sent()
        Alert.objects.filter(budget=two[0]).update(figures={"amount": "3000", "p50": "no number"})
        assert sent(at(date(2026, 3, 20), 9)) == [PAYMENTS]

    def test_a_query_that_breaks_its_transaction_breaks_no_other_letter(self, two, monkeypatch):
        build = notifications.emails.build_alert_email

        def break_odd(group, **options):
            if group[0].alert.budget.name == "Odd":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1 / 0")
            return build(group, **options)

        monkeypatch.setattr(notifications.emails, "build_alert_email", break_odd)
        assert sent() == [PAYMENTS]
        assert "DataError" in odd_message().problem or "division by zero" in odd_message().problem


class TestChart:
    def fail(self, *_args, **_options):
        raise DataError("this chart cannot be drawn")

    def test_a_letter_whose_chart_fails_goes_out_without_it(self, two, monkeypatch):
        monkeypatch.setattr(letter_parts.typst_documents, "render_png", self.fail)
        assert sent() == [ODD, PAYMENTS]
        assert "cid:course" not in mail.outbox[0].alternatives[0][0]
        assert odd_message().outcome == "sent"
        assert (
            odd_message().problem
            == "It went out without the picture of its chart: DataError: this chart cannot be drawn"
        )

    @pytest.mark.parametrize("part", ["alert_drivers", "alert_culprits", "alert_advice"])
    def test_so_does_one_whose_drivers_culprits_or_advice_fail(self, two, monkeypatch, part):
        monkeypatch.setattr(letter_parts.causes, part, self.fail)
        assert sent() == [ODD, PAYMENTS]
        assert "this chart cannot be drawn" in odd_message().problem

    def test_a_pillar_whose_advice_fails_silences_nobody(self, two):
        source = AdviceSource("odd", self.fail)
        registry.add(source)
        try:
            assert sent() == [ODD, PAYMENTS]
        finally:
            registry.remove(source)

    def test_costs_that_cannot_be_read_leave_the_words(self, two, monkeypatch):
        costs = letter_parts.daily_costs
        monkeypatch.setattr(letter_parts, "daily_costs", self.fail)
        monkeypatch.setattr("budgets.alerts.alert_summary.daily_costs", self.fail)
        assert sent() == [ODD, PAYMENTS]
        assert costs is not self.fail


class TestRecipient:
    @pytest.mark.parametrize(
        "address", ["nobody at all", "a@demo.example\nBcc: all@demo.example", "", "@", "x" * 300 + "@demo.example"]
    )
    def test_an_address_that_is_none_is_refused_and_the_next_in_line_is_told(self, two, address):
        two[0].recipients.all().delete()
        Recipient.objects.create(budget=two[0], kind=Recipient.Kind.ADDRESS, address="x@demo.example")
        AlertDelivery.objects.filter(alert__budget=two[0]).delete()
        Recipient.objects.filter(budget=two[0]).update(address=address[:254])
        AlertDelivery.objects.create(alert=two[0].alerts.get(), address=address[:254].lower(), queued_at=THE_20TH)
        assert sent() == [ODD, PAYMENTS]
        assert not [message for message in mail.outbox if "all@demo.example" in message.recipients()]

    def test_an_address_that_no_server_can_be_asked_for_holds_no_other_email_back(self, two, monkeypatch):
        notifications.send_due_notifications(THE_20TH)
        OutgoingEmail.objects.filter(subject__startswith="Odd").update(content=b"\xff\xfe", to="ö@demo.example")
        real = outbox.MailConnection.send

        def send(self, message, before_body):
            message.to[0].encode("ascii")
            return real(self, message, before_body)

        monkeypatch.setattr(outbox.MailConnection, "send", send)
        OutgoingEmail.objects.filter(subject__startswith="Odd").update(reader=None)
        outbox.send_queued_emails(THE_20TH)
        assert [message.subject for message in mail.outbox] == [PAYMENTS[1]]
        odd = OutgoingEmail.objects.get(subject__startswith="Odd")
        assert odd.outcome == "waiting"
        assert "UnicodeEncodeError" in odd.server_reply
        assert odd.send_after > THE_20TH

    def test_absurd_names_are_one_line_in_the_subject_and_no_markup(self, two):
        two[0].name = "Odd\r\nBcc: all@demo.example\x1b[31m <b>" + "x" * 120
        two[0].save()
        letters = sent()
        assert letters[1] == PAYMENTS
        (odd,) = [message for message in mail.outbox if message.subject.startswith("Odd")]
        assert "\n" not in odd.subject
        assert odd.recipients() == ["lea@demo.example"]
        assert "<b>" not in odd.alternatives[0][0]

    def test_a_time_zone_that_is_none_is_utc(self, two):
        Recipient.objects.update(time_zone="Moon/Sea_of_Rains", quiet_from=time(3), quiet_until=time(5))
        assert sent() == []
        assert sent(at(date(2026, 3, 20), 6)) == [ODD, PAYMENTS]


class TestChannel:
    @pytest.fixture
    def posts(self, two, monkeypatch):
        """Both budgets notify a channel; Odd's behaves as the test wants."""
        posted, trouble = [], []
        for budget in two:
            budget.recipients.all().delete()
            Recipient.objects.create(budget=budget, kind="slack", url="https://hooks.example.com/x")
        AlertDelivery.objects.all().delete()
        for alert in Alert.objects.all():
            channel = alert.budget.recipients.get()
            AlertDelivery.objects.create(
                alert=alert, recipient=channel, channel="slack", address=f"slack:{channel.pk}", queued_at=THE_20TH
            )

        def post(recipient, message, name, now):
            if recipient.budget.name == "Odd":
                raise trouble[0]
            posted.append(message.headline)

        monkeypatch.setattr(channels, "_post", post)
        return posted, trouble

    def test_one_that_raises_something_odd_holds_no_other_back_and_is_tried_again(self, posts):
        posted, trouble = posts
        trouble.append(UnicodeError("label too long"))
        assert sent() == []
        assert posted == [PAYMENTS[1]]
        assert (odd_message().outcome, odd_message().attempts) == ("", 1)
        assert "label too long" in odd_message().problem
        for minutes in range(10, 400, 10):
            sent(THE_20TH + timedelta(minutes=minutes))
        assert odd_message().outcome == "failed"
        assert len(posted) == 1

    def test_one_that_is_gone_for_good_has_the_lead_told_by_mail_at_once(self, posts):
        posts[1].append(Undeliverable("404 no such channel"))
        assert sent() == [ODD]
        assert [message.outcome for message in AlertDelivery.objects.filter(alert__budget__name="Odd")] == [
            "failed",
            "sent",
        ]

    def test_one_that_does_not_answer_is_asked_once_in_a_run(self, posts, two):
        posts[1].append(Undeliverable("no answer", temporary=True))
        channel = two[0].recipients.get()
        AlertDelivery.objects.create(
            alert=two[0].alerts.get(),
            recipient=channel,
            channel="slack",
            address=f"slack:{channel.pk}",
            occasion="reopened:1",
            queued_at=THE_20TH,
        )
        sent()
        assert sorted(AlertDelivery.objects.filter(recipient=channel).values_list("attempts", flat=True)) == [0, 1]


def test_a_run_ends_although_everything_in_it_fails(two, monkeypatch):
    """No message is looked at twice in one run, or a poisoned one would keep the others waiting for ever."""
    runs = []
    monkeypatch.setattr(notifications, "_write_letter", lambda group, parts, now: runs.append(len(group)))
    monkeypatch.setattr(notifications, "AT_A_TIME", 1)
    assert notifications.send_due_notifications(THE_20TH) == 2
    assert runs == [1, 1]
