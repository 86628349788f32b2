"""Who is told of an alert, when, how often, and what becomes of it."""

import hashlib
import hmac
import json
import threading
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core import mail
from django.urls import reverse

from budgets.alerts import escalation, ignored_thresholds, links, notifications
from budgets.alerts.alert_summary import alert_chart
from budgets.forecast import spending
from budgets.models import Alert, AlertDelivery, Recipient, Threshold
from costs.models import Credential
from finops_site.lib.periods import Period
from finops_site.mail import outbox
from finops_site.models import Membership, OutgoingEmail, Team
from finops_site.registry import AdviceItem, AdviceSource, registry
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
THE_20TH = at(date(2026, 3, 20))


@shared
def crossed(a_quarter, payments, budget_of, night):
    """Payments has crossed half of its 3,000 and is heading over: lea, who leads it, is to hear of it."""
    budget = budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 20))
    return budget


def sent(now=THE_20TH):
    """What lies in mailboxes after everything that is due has been told."""
    notifications.send_due_notifications(now)
    outbox.send_queued_emails(now)
    notifications.update_outcomes()
    return mail.outbox


def test_lea_is_told_once_in_one_mail_what_happened_and_what_to_do(crossed):
    (message,) = sent()
    assert message.to == ["lea@demo.example"]
    assert message.subject == "Payments is heading 3% over March: 3,100 of 3,000 USD (and 1 more)"
    assert "Spent so far: 2,000.00 USD" in message.body
    assert "At period end: Forecast between" in message.body
    assert "/alerts/acknowledge/" in message.body
    assert sent(THE_20TH + timedelta(days=1)) == [message]
    assert set(AlertDelivery.objects.values_list("outcome", flat=True)) == {"sent"}


def test_the_mail_names_what_grew_and_links_to_its_lines(payments, deliver, budget_of, night):
    deliver("2026-02", "50.00")
    deliver("2026-03", "100.00")
    budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 20))
    (message,) = sent()
    assert "Amazon Elastic Compute Cloud +" in message.body
    assert "/costs/lines/?" in message.body


@pytest.mark.parametrize("scope", [{"region": ["us-east-1"]}, {"tag:Team": ["Payments"]}, {"billing_account": ["x"]}])
def test_the_chart_of_a_mail_has_the_cost_of_any_scope(a_quarter, payments, budget_of, night, scope):
    budget = budget_of("Payments", "3000", team=payments, scope=scope)
    night(date(2026, 3, 20))
    alert = Alert(budget=budget, period=budget.periods.get(start=date(2026, 3, 1)), as_of=date(2026, 3, 20))
    alert.value = alert.limit = Decimal(3000)
    spent = alert_chart(alert)["series"][0]["data"]
    expected = spending.total_cost(budget, Period(date(2026, 3, 1), date(2026, 3, 20)))
    assert Decimal(spent[18]) == expected
    assert spent[19] is None
    assert (expected > 0) is ("billing_account" not in scope)


def test_three_thresholds_in_one_night_are_one_letter_the_gravest_first(a_quarter, payments, budget_of, night):
    budget_of("Payments", "1500", team=payments)
    report = night(date(2026, 3, 20))
    assert report.alerts_made == 3
    (message,) = sent()
    assert message.subject == "Payments is 33% over March: 2,000 of 1,500 USD (and 2 more)"
    for limit in ("50", "80", "100"):
        assert f"spent {limit}%" in message.body
    # What stands under the first is not said again under the others.
    assert message.body.count("Spent so far:") == 1
    assert message.body.count("/alerts/acknowledge/") == 1, "who takes one of them takes what has the same cause"


def test_a_new_budget_tells_nobody_about_months_that_were_over_before_it(a_quarter, payments, budget_of, night):
    budget_of("Payments", "1000", team=payments, start=date(2026, 1, 1))
    for day in (date(2026, 3, 2), date(2026, 3, 3)):
        night(day)
    assert set(Alert.objects.values_list("period__start", flat=True)) <= {date(2026, 3, 1)}


def test_a_month_that_was_judged_while_it_ran_still_warns_when_its_last_bill_comes(payments, deliver, budget_of, night):
    deliver("2026-02", "100.00", until=date(2026, 2, 20))
    budget_of("Payments", "2500", team=payments, start=date(2026, 2, 1))
    night(date(2026, 2, 22))
    deliver("2026-02", "100.00")
    night(date(2026, 3, 4))
    spent = Alert.objects.filter(kind="actual", period__start=date(2026, 2, 1)).order_by("limit")
    assert [str(alert.threshold) for alert in spent] == ["spent 50%", "spent 80%", "spent 100%"]


def test_a_mail_advises_what_its_reader_can_do_about_its_scope(crossed):
    requests = []

    def find(user, filters, as_of):
        requests.append((user and user.email, filters["team"]))
        return [AdviceItem("Stop what is idle", "/costs/", Decimal("120.00"), "USD")]

    advice = AdviceSource("idle", find, order=1)
    registry.add(advice)
    try:
        (message,) = sent()
    finally:
        registry.remove(advice)
    assert "Stop what is idle, saves 120 USD a month" in message.body
    assert requests[0] == ("lea@demo.example", [str(crossed.team_id)])


def test_what_a_bill_says_is_no_markup_in_the_mail(payments, deliver, budget_of, night):
    deliver("2026-03", "100.00", ServiceName="<script>alert(1)</script>")
    budget_of("<b>Payments</b>", "3000", team=payments)
    night(date(2026, 3, 20))
    (message,) = sent()
    html = message.alternatives[0][0]
    assert "<script>" not in html
    assert "<b>Payments" not in html
    assert message.subject.startswith("<b>Payments</b> is heading")


def test_a_digest_gathers_everything_until_eight_and_critical_alerts_do_not_wait(crossed, night):
    Recipient.objects.update(when=Recipient.When.DIGEST)
    assert AlertDelivery.objects.filter(recipient=None).count() == 0
    assert sent() == []
    (message,) = sent(at(date(2026, 3, 20), hour=9))
    assert message.subject == "2 alerts of your budgets"
    night(date(2026, 3, 31))
    assert [message.subject[:25] for message in sent(at(date(2026, 3, 31)))[1:]] == ["Payments is 3% over March"]


def test_quiet_hours_are_of_the_readers_clock(crossed, lea):
    lea.time_zone = "Asia/Kolkata"
    lea.save()
    Recipient.objects.update(quiet_from=time(19), quiet_until=time(10))
    assert sent() == [], "half past nine in Kolkata"
    assert len(sent(datetime(2026, 3, 20, 4, 30, tzinfo=UTC))) == 1


def test_what_is_taken_back_before_it_was_told_is_never_told(crossed, deliver, night):
    Recipient.objects.update(quiet_from=time(1), quiet_until=time(10))
    assert sent() == []
    deliver("2026-03", "1.00")
    night(date(2026, 3, 21))
    assert sent(THE_20TH + timedelta(days=3)) == []
    assert set(AlertDelivery.objects.values_list("outcome", flat=True)) == {"cancelled"}


def test_an_address_that_bounces_is_said_and_stops_nobody_else(crossed, lea):
    OutgoingEmail.objects.all().delete()
    notifications.send_due_notifications(THE_20TH)
    OutgoingEmail.objects.update(
        outcome=OutgoingEmail.Outcome.REFUSED, server_reply="the mail server said: 550 no such mailbox"
    )
    notifications.update_outcomes()
    problems = set(AlertDelivery.objects.values_list("outcome", "problem"))
    assert problems == {("failed", "the mail server said: 550 no such mailbox")}


def test_five_hundred_recipients_are_five_hundred_letters(a_quarter, payments, budget_of, night):
    budget = budget_of("Payments", "3000", team=payments)
    budget.recipients.all().delete()
    Recipient.objects.bulk_create(
        Recipient(budget=budget, kind=Recipient.Kind.ADDRESS, address=f"r{number}@example.com") for number in range(500)
    )
    budget.thresholds.exclude(kind="forecast").delete()
    night(date(2026, 3, 20))
    assert notifications.send_due_notifications(THE_20TH) == 500
    assert OutgoingEmail.objects.count() == 500


class Hook(BaseHTTPRequestHandler):
    taken: list = []
    answers: list = []

    def do_POST(self):
        self.taken.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.answers.pop(0) if self.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook(settings):
    Hook.taken, Hook.answers = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.FINOPS_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


def channel(budget, kind, url, secret=None):
    budget.recipients.all().delete()
    budget.thresholds.exclude(kind="forecast").delete()
    return Recipient.objects.create(budget=budget, kind=kind, url=url, secret=secret)


def test_a_webhook_is_signed_and_says_the_same_name_at_every_try(a_quarter, payments, budget_of, night, hook):
    secret = Credential(name="hook")
    secret.seal({"hmac": "s3cret"})
    secret.save()
    channel(budget_of("Payments", "3000", team=payments), "webhook", hook, secret)
    night(date(2026, 3, 20))
    Hook.answers = [503]
    notifications.send_due_notifications(THE_20TH)
    notifications.send_due_notifications(THE_20TH)
    assert len(Hook.taken) == 1, "the next try is not before a minute has passed"
    notifications.send_due_notifications(THE_20TH + timedelta(minutes=2))
    (first, _body), (second, again) = Hook.taken
    assert first["X-FinOps-Delivery"] == second["X-FinOps-Delivery"]
    payload = json.loads(again)
    alert = Alert.objects.get()
    assert (payload["amount"], payload["forecast"], payload["currency"]) == ("3000", alert.figures["p50"], "USD")
    assert payload["url"].endswith(f"/alerts/{alert.pk}/")
    at_, made = (part.split("=")[1] for part in second["X-FinOps-Signature"].split(","))
    assert hmac.new(b"s3cret", f"{at_}.".encode() + again, hashlib.sha256).hexdigest() == made
    assert AlertDelivery.objects.get().outcome == "sent"


@pytest.mark.parametrize(("kind", "finds"), [("slack", "heading 3%"), ("teams", "AdaptiveCard")])
def test_channels_get_their_own_form(a_quarter, payments, budget_of, night, hook, kind, finds):
    channel(budget_of("A & <B>", "3000", team=payments), kind, hook)
    night(date(2026, 3, 20))
    notifications.send_due_notifications(THE_20TH)
    ((_, body),) = Hook.taken
    assert finds in body.decode()
    assert ("A &amp; &lt;B&gt;" in body.decode()) is (kind == "slack")


@pytest.mark.parametrize("url", ["https://169.254.169.254/latest/", "https://10.1.2.3/", "http://hooks.example.com/"])
def test_a_webhook_into_our_own_network_is_refused_and_said(a_quarter, payments, budget_of, night, url):
    channel(budget_of("Payments", "3000", team=payments), "webhook", url)
    night(date(2026, 3, 20))
    notifications.send_due_notifications(THE_20TH)
    delivery = AlertDelivery.objects.get(channel="webhook")
    assert delivery.outcome == "failed"
    assert AlertDelivery.objects.get(channel="mail").address == "lea@demo.example", "nobody else would hear of it"
    assert "network" in delivery.problem or "https" in delivery.problem


def test_nobody_answers_so_it_goes_up_step_by_step_and_ends_with_finance(crossed, ola, fay):
    Team.objects.filter(name="Payments").update(parent=Team.objects.get(name="Data"))
    assert escalation.escalate_unacknowledged(THE_20TH + timedelta(hours=23)) == 0
    passed = [escalation.escalate_unacknowledged(THE_20TH + timedelta(hours=25 * day)) for day in range(1, 6)]
    assert passed == [1, 1, 1, 0, 0]
    escalations = AlertDelivery.objects.filter(occasion__startswith="escalated").order_by("pk")
    assert list(escalations.values_list("address", flat=True)) == [
        *("lea@demo.example", "ola@demo.example", "fay@demo.example")
    ]
    assert Alert.objects.get(kind="actual").escalated == 0, "half of it spent only informs"


def test_a_step_without_anybody_new_is_passed_over(crossed, fay):
    Membership.objects.all().delete()
    assert escalation.escalate_unacknowledged(THE_20TH + timedelta(hours=25)) == 1
    assert AlertDelivery.objects.get(occasion__startswith="escalated").address == "fay@demo.example"


def test_what_is_acknowledged_goes_up_no_further(crossed, lea):
    Alert.objects.update(state="acknowledged")
    assert escalation.escalate_unacknowledged(THE_20TH + timedelta(days=3)) == 0


class TestLink:
    @pytest.fixture
    def alert(self, crossed):
        return Alert.objects.get(kind="forecast")

    @pytest.fixture
    def url(self, alert):
        address = links.acknowledge_url(alert, "lea@demo.example")
        return address[address.index("/alerts/") :]

    def test_looking_at_it_changes_nothing_and_the_button_acknowledges(self, alert, url, client, lea):
        for _ in range(3):
            assert "I look after" not in client.get(url).content.decode()
            client.head(url)
        alert.refresh_from_db()
        assert alert.state == "open"
        assert "Thank you: you have acknowledged it." in client.post(url).content.decode()
        alert.refresh_from_db()
        assert (alert.state, alert.acknowledged_by) == ("acknowledged", lea)
        assert alert.response_time is not None

    def test_it_is_for_one_alert_one_time(self, alert, url, client):
        Alert.objects.filter(pk=alert.pk).update(reopened=1, state="reopened")
        assert client.get(url).status_code == 404
        assert client.post(url).status_code == 404
        alert.refresh_from_db()
        assert alert.state == "reopened"

    def test_a_forged_or_old_one_is_no_good(self, url, client, alert, time_machine):
        assert client.post(url[:-3] + "xx/").status_code == 404
        time_machine.move_to(datetime.now(UTC) + timedelta(days=15))
        assert client.get(url).status_code == 404

    def test_it_shows_that_alert_and_nothing_else(self, url, client, alert):
        page = client.get(url).content.decode()
        assert alert.budget.name in page
        assert reverse("costs:explorer") not in page

    def test_who_comes_second_hears_who_was_first(self, alert, url, client):
        client.post(url)
        assert "lea" in client.post(url).content.decode().lower()
        assert Alert.objects.get(pk=alert.pk).history[-1]["what"] == "acknowledged"

    def test_somebody_without_a_login_acknowledges_by_her_address(self, alert, client):
        Recipient.objects.create(budget=alert.budget, kind=Recipient.Kind.ADDRESS, address="cfo@partner.example")
        address = links.acknowledge_url(alert, "cfo@partner.example")
        client.post(address[address.index("/alerts/") :])
        alert.refresh_from_db()
        assert (alert.acknowledged_by, alert.acknowledged_as) == (None, "cfo@partner.example")


def test_thresholds_nobody_acts_on_are_told_finance_once_a_week(a_quarter, payments, budget_of, night, fay, lea):
    budget = budget_of("Payments", "3000", team=payments, start=date(2026, 1, 1))
    for month in (1, 2, 3):
        night(date(2026, month, 28))
    now = at(date(2026, 3, 30))
    ignored = ignored_thresholds.ignored_thresholds(fay, now)
    assert (ignored[0].threshold.budget, ignored[0].alerts) == (budget, 3)
    assert [ignored_thresholds.notify_finance(now), ignored_thresholds.notify_finance(now + timedelta(hours=1))] == [
        1,
        0,
    ]
    Alert.objects.update(acknowledged_at=now)
    assert ignored_thresholds.ignored_thresholds(fay, now) == []
    assert Threshold.objects.filter(budget=budget).count() == 4
    assert Decimal(0) < ignored[0].alerts
