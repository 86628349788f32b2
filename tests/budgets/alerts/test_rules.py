"""What a budget warns at and whom it tells: who may say so, and what is refused."""

import json
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.urls import reverse

from budgets import permissions
from budgets.alerts import ignored_thresholds
from budgets.alerts.rule_forms import MOST_RECIPIENTS
from budgets.models import Alert, AlertDelivery, Budget, Recipient, Threshold
from costs.models import Credential
from finops_site.models import AuditEntry
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
THE_20TH = at(date(2026, 3, 20))


@shared
def budget(a_quarter, payments, budget_of, night):
    budget = budget_of("Payments", "3000", team=payments)
    night(date(2026, 3, 20))
    return budget


@pytest.fixture
def channel():
    """A webhook of our own that keeps what it is sent."""
    taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((dict(self.headers), json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", taken
    server.shutdown()
    server.server_close()


def add(client, budget, what, **values):
    return client.post(reverse(f"budgets:{what}_add", args=[budget.pk]), values)


def problems(answer):
    return " ".join(text for errors in answer.context["form"].errors.values() for text in errors)


def warns_at(budget, **values):
    return {"kind": "actual", "probability": "0.5", **values}


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"percent": "0"}, "a threshold of 0% is always breached"),
        ({"percent": "-5"}, "a threshold of 0% is always breached"),
        ({"percent": "1000.01"}, "up to 1000%"),
        ({"amount": "0"}, "More than zero"),
        ({}, "one of the two"),
        ({"percent": "10", "amount": "10"}, "one of the two"),
        ({"percent": "80"}, "It has this threshold already"),
        ({"kind": "forecast", "percent": "90", "probability": "1"}, "between 0 and 1"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused_with_the_reason(budget, fay, client_of, values, refused):
    assert refused in problems(add(client_of(fay), budget, "threshold", **warns_at(budget, **values)))
    assert budget.thresholds.count() == 4


def test_finance_adds_a_threshold_and_the_page_says_so(budget, fay, client_of):
    answer = add(client_of(fay), budget, "threshold", **warns_at(budget, percent="1000"))
    assert answer["Location"].endswith("#thresholds")
    page = client_of(fay).get(answer["Location"]).content.decode()
    assert 'id="thresholds"' in page
    assert 'id="recipients"' in page
    assert "Spent 1000%" in page


def test_a_threshold_that_has_warned_keeps_its_words_when_it_is_changed(budget, fay, client_of):
    half = budget.thresholds.get(percent=50)
    alert = half.alerts.get()
    change = reverse("budgets:threshold", args=[budget.pk, half.pk])
    client_of(fay).post(change, warns_at(budget, percent="55"))
    half.refresh_from_db()
    alert.refresh_from_db()
    assert (half.percent, half.is_active, alert.state) == (50, False, "resolved")
    assert alert.note == "resolved: the threshold was switched off"
    assert budget.thresholds.get(percent=55).is_active
    assert set(AlertDelivery.objects.filter(alert=alert).values_list("outcome", flat=True)) == {"cancelled"}


def test_one_that_never_warned_is_simply_changed(budget, fay, client_of):
    all_of_it = budget.thresholds.get(kind="actual", percent=100)
    client_of(fay).post(reverse("budgets:threshold", args=[budget.pk, all_of_it.pk]), warns_at(budget, percent="95"))
    all_of_it.refresh_from_db()
    assert (all_of_it.percent, budget.thresholds.count()) == (95, 4)
    assert AuditEntry.objects.about(all_of_it).first().changes["percent"] == ["100", "95"]


def test_a_switched_off_threshold_is_silent_until_it_is_switched_on(budget, fay, client_of, night):
    half, client = budget.thresholds.get(percent=50), client_of(fay)
    client.post(reverse("budgets:threshold_act", args=[budget.pk, half.pk, "off"]))
    night(date(2026, 3, 21))
    assert half.alerts.get().state == "resolved"
    client.post(reverse("budgets:threshold_act", args=[budget.pk, half.pk, "on"]))
    night(date(2026, 3, 22))
    assert half.alerts.get().is_open


def test_a_lead_says_who_hears_of_her_teams_budget_and_not_when_it_warns(budget, lea, eli, ola, client_of):
    assert add(client_of(lea), budget, "recipient", kind="address", address="duty@demo.example", when="at once")
    assert budget.recipients.filter(address="duty@demo.example").count() == 1
    assert add(client_of(lea), budget, "threshold", **warns_at(budget, percent="70")).status_code == 403
    assert add(client_of(eli), budget, "recipient", kind="leads", when="at once").status_code == 403
    assert add(client_of(ola), budget, "recipient", kind="leads", when="at once").status_code == 404


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"kind": "webhook", "url": "https://127.0.0.1/hook"}, "inside our own network"),
        ({"kind": "webhook", "url": "https://10.1.2.3/hook"}, "inside our own network"),
        ({"kind": "webhook", "url": "https://[::1]/hook"}, "inside our own network"),
        ({"kind": "slack", "url": "http://8.8.8.8/hook"}, "must begin with https"),
        ({"kind": "webhook", "url": "https://fay:secret@8.8.8.8/"}, "without name or password"),
        ({"kind": "webhook"}, "choose which"),
        ({"kind": "address", "address": "nobody at all"}, "valid email address"),
        ({"kind": "address", "address": "a@demo.example\nBcc: all@demo.example"}, "valid email address"),
        ({"kind": "user"}, "choose which"),
        ({"kind": "leads"}, "It has this recipient already"),
        ({"kind": "role", "role": "finance", "quiet_from": "22:00"}, "a beginning and an end"),
    ],
)
def test_a_recipient_that_cannot_be_told_is_refused_at_once(budget, fay, client_of, values, refused):
    assert refused in problems(add(client_of(fay), budget, "recipient", **{"when": "at once", **values}))
    assert budget.recipients.count() == 1


def test_after_a_hundred_a_mailing_list_is_asked_for(budget, fay, client_of):
    rows = [Recipient(budget=budget, kind="address", address=f"{n}@demo.example") for n in range(MOST_RECIPIENTS)]
    Recipient.objects.bulk_create(rows)
    answer = add(client_of(fay), budget, "recipient", kind="address", address="x@demo.example", when="at once")
    assert "mailing list" in problems(answer)


def test_a_channel_is_tried_out_signed_and_its_address_is_never_shown_again(
    budget, fay, client_of, settings, channel, monkeypatch
):
    url, taken = channel
    settings.FINOPS_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    secret = Credential(name="Hook")
    secret.seal({"hmac": "s3cret"})
    secret.save()
    client = client_of(fay)
    add(client, budget, "recipient", kind="webhook", url=f"{url}?token=abc", secret=secret.pk, when="digest")
    line = budget.recipients.get(kind="webhook")
    client.post(reverse("budgets:recipient_act", args=[budget.pk, line.pk, "test"]))
    ((headers, body),) = taken
    assert headers["X-FinOps-Signature"].startswith("t=")
    assert body["headline"] == "A test message: alerts of the budget Payments will come here."
    change = reverse("budgets:recipient", args=[budget.pk, line.pk])
    pages = client.get(change).content.decode() + client.get(budget.get_absolute_url()).content.decode()
    assert "The test message was delivered" in pages
    assert "token=abc" not in pages
    assert "s3cret" not in pages
    assert "token=abc" not in str(AuditEntry.objects.about(line).first().changes)
    client.post(change, {"kind": "webhook", "url": "", "secret": secret.pk, "when": "at once"})
    line.refresh_from_db()
    assert (line.url, line.when) == (f"{url}?token=abc", "at once")


def test_a_credential_that_signs_nothing_is_refused(budget, fay, client_of):
    other = Credential(name="AWS")
    other.seal({"secret_access_key": "x"})
    other.save()
    values = {"kind": "webhook", "url": "https://8.8.8.8/hook", "secret": other.pk, "when": "at once"}
    assert "ask an administrator" in problems(add(client_of(fay), budget, "recipient", **values))


def test_what_nobody_acts_on_is_shown_with_a_button_that_mends_it(budget, fay, lea, client_of):
    half = budget.thresholds.get(percent=50)
    first = half.alerts.get()
    for period in budget.periods.all()[1:3]:
        Alert.objects.create(
            budget=budget, period=period, threshold=half, kind="actual", as_of=first.as_of,
            evaluated_as_of=first.as_of, value=1, limit=1, peak=1,
        )  # fmt: skip
    assert [ignored.threshold for ignored in ignored_thresholds.ignored_thresholds(fay, first.opened_at)] == [half]
    Alert.objects.update(opened_at=THE_20TH)
    follow = reverse("budgets:follow", args=[half.pk])
    assert client_of(lea).post(follow).status_code == 403
    client_of(fay).post(follow)
    half.refresh_from_db()
    assert not half.is_active
    assert not half.alerts.unresolved().exists()


def test_a_likelier_overrun_is_asked_for_where_forecasts_cry_too_often(budget, fay):
    forecast = Threshold.objects.get(budget=budget, kind="forecast")
    message = ignored_thresholds.follow_proposal(forecast, THE_20TH)
    assert "likelier than 0.8" in message
    assert budget.thresholds.get(kind="forecast", is_active=True).probability == ignored_thresholds.HIGHER_PROBABILITY


def test_a_budget_counts_whatever_the_explorer_filters_by(payments, a_quarter, fay, lea, client_of):
    values = {
        "name": "Narrow", "team": payments.pk, "basis": "billed_cost", "currency": "USD", "kind": "month",
        "start": "2026-03-01", "auto_factor": "1", "way": "flat", "amount": "10", "charge_category": ["Usage"],
        "tag": "Team=Payments\nTeam=Checkout\n", "teams": [payments.pk],
    }  # fmt: skip
    client_of(fay).post(reverse("budgets:add"), values)
    assert Budget.objects.get().scope == {
        "tag:Team": ["Payments", "Checkout"],
        "charge_category": ["Usage"],
        "team": [str(payments.pk)],
    }
    offered = client_of(fay).get(reverse("budgets:edit", args=[Budget.objects.get().pk])).context["form"]
    assert offered["tag"].value() == "Team=Payments\nTeam=Checkout"
    assert "pool" in offered.fields
    assert "pool" not in client_of(lea).get(reverse("budgets:propose")).context["form"].fields
    assert permissions.led_teams(lea) == {payments.pk}


@pytest.mark.parametrize("address", ["root@[127.0.0.1]", "root@localhost", "root@[IPv6:::1]"])
def test_an_address_at_a_machine_is_no_recipient(budget, fay, client_of, address):
    answer = add(client_of(fay), budget, "recipient", kind="address", address=address, when="at once")
    assert "mailbox" in problems(answer) or "valid email" in problems(answer)
    assert not budget.recipients.filter(kind="address").exists()
