"""What a letter says: the culprit, what helps against it, the figures of today, and in a correction only the truth."""

from datetime import date, timedelta

import pytest
from django.core import mail

from budgets.alerts import escalation, links, notifications
from budgets.calc.remedies import ANY_SERVICE, remedy
from budgets.models import Alert, AlertDelivery, Recipient
from budgets.planning import budget_changes
from finops_site.mail import outbox
from finops_site.models import Membership, Team
from finops_site.registry import AdviceItem, AdviceSource, registry
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
THE_20TH = date(2026, 3, 20)
GLUE = {"ServiceName": "AWS Glue", "ResourceId": "arn:aws:glue:jr/nightly-etl", "ResourceName": "nightly-etl"}


def sent(now):
    before = len(mail.outbox)
    notifications.send_due_notifications(now)
    outbox.send_queued_emails(now)
    notifications.update_outcomes()
    return mail.outbox[before:]


@shared
def glue(payments, deliver, budget_of, night):
    """A Glue job of Payments costs 50 USD a day in February and 150 in March: the budget of 3,000 is heading over."""
    deliver("2026-02", "50.00", **GLUE)
    deliver("2026-03", "150.00", **GLUE)
    budget = budget_of("Payments", "3000", team=payments)
    budget.thresholds.exclude(kind="actual", percent=100).delete()
    night(THE_20TH)
    return budget


class TestCulprit:
    def test_the_mail_names_the_resource_and_what_helps_against_it(self, glue):
        (message,) = sent(at(THE_20TH))
        assert "- of it nightly-etl +2,000.00 USD (AWS Glue, grew)" in message.body
        assert f"nightly-etl (AWS Glue): {remedy('AWS Glue')}" in message.body
        assert "resource__is=arn" in message.body
        assert "nightly-etl" in message.alternatives[0][0]

    def test_advice_about_something_else_is_no_remedy(self, glue):
        requests = []

        def tags(user, filters, as_of):
            requests.append(filters)
            return [AdviceItem("236 resources here miss required tags: tag them", "/tags/")]

        source = AdviceSource("tags of a test", tags)
        registry.add(source)
        try:
            (message,) = sent(at(THE_20TH))
        finally:
            registry.remove(source)
        assert "236 resources" not in message.body
        assert requests[0]["service"] == ["AWS Glue"], "the other pillars are asked about what grew"

    def test_somebody_who_may_not_see_the_teams_lines_is_told_no_resource(self, glue, ola):
        glue.recipients.all().delete()
        Recipient.objects.create(budget=glue, kind="user", user=ola)
        (message,) = sent(at(THE_20TH))
        assert message.to == ["ola@demo.example"]
        assert "AWS Glue +2,000.00 USD" in message.body
        assert "nightly-etl" not in message.body

    def test_the_alerts_page_names_it_too(self, glue, lea, client_of):
        page = client_of(lea).get(Alert.objects.get().get_absolute_url()).content.decode()
        assert "nightly-etl" in page

    @pytest.mark.parametrize(
        ("service", "word"),
        [
            ("Amazon Elastic Compute Cloud", "machines"),
            ("Amazon Simple Storage Service", "lifecycle"),
            ("AWS Glue", "job runs"),
            ("Amazon Relational Database Service", "instances"),
            ("Azure Blob Storage", "lifecycle"),
            ("BigQuery", "queries"),
        ],
    )
    def test_remedies_fit_their_service(self, service, word):
        assert word in remedy(service)

    def test_a_service_nobody_knows_has_advice_that_fits_any(self):
        assert remedy("Quantum Toaster") == ANY_SERVICE


class TestFigures:
    def test_an_escalated_mail_carries_the_figures_of_today(self, glue, night, deliver):
        sent(at(THE_20TH))
        deliver("2026-03", "200.00", **GLUE)
        night(date(2026, 3, 22))
        now = at(date(2026, 3, 22))
        assert escalation.escalate_unacknowledged(now) == 1
        (message,) = sent(now)
        assert message.subject == "Unacknowledged: Payments is 47% over March: 4,400 of 3,000 USD"
        assert "Spent so far: 4,400.00 USD" in message.body
        assert "3,000.00 USD" in message.body

    def test_a_mail_that_it_is_open_again_carries_the_figures_of_today(self, glue, night, deliver):
        sent(at(THE_20TH))
        deliver("2026-03", "10.00", **GLUE)
        night(date(2026, 3, 21))
        sent(at(date(2026, 3, 21)))
        deliver("2026-03", "170.00", **GLUE)
        night(date(2026, 3, 23))
        (message,) = sent(at(date(2026, 3, 23)))
        assert message.subject == "Again: Payments is 30% over March: 3,910 of 3,000 USD"

    def test_a_correction_says_what_is_true_now_and_nothing_else(self, glue, night, deliver):
        sent(at(THE_20TH))
        deliver("2026-03", "10.00", **GLUE)
        night(date(2026, 3, 21))
        (message,) = sent(at(date(2026, 3, 21)))
        assert message.subject.startswith("Corrected: Payments has spent 7% of March: 210 of 3,000 USD")
        text = message.body + message.alternatives[0][0]
        assert "3,000.00" in text
        assert "2,850" not in text, "what it said when it opened"
        assert "What grew most" not in text
        assert "/alerts/acknowledge/" not in text
        assert "A newer bill shows less" in text

    def test_a_correction_that_is_not_true_any_more_is_not_sent(self, glue, night, deliver):
        sent(at(THE_20TH))
        deliver("2026-03", "10.00", **GLUE)
        night(date(2026, 3, 21))
        deliver("2026-03", "170.00", **GLUE)
        night(date(2026, 3, 23))
        assert [message.subject[:6] for message in sent(at(date(2026, 3, 23)))] == ["Again:"]
        assert AlertDelivery.objects.get(occasion="taken back:0").outcome == "cancelled"


class TestPageWithoutALogin:
    @pytest.fixture
    def url(self, glue):
        address = links.acknowledge_url(Alert.objects.get(), "lea@demo.example")
        return address[address.index("/alerts/") :]

    def test_it_shows_cause_chart_and_what_helps_and_leads_nowhere_else(self, url, client, budget_of, ola):
        budget_of("Secret plan", "9999", team=Team.objects.get(name="Data"))
        page = client.get(url).content.decode()
        for words in ("nightly-etl", "AWS Glue", "What can be done", "Spent so far", "spent so far against its amount"):
            assert words in page
        assert "Secret plan" not in page
        main = page[page.index("<main") : page.index("</main>")]
        assert "<a " not in main
        assert "ola@demo.example" not in page

    def test_it_links_to_the_site_for_those_alone_who_can_sign_in(self, url, glue, client):
        assert 'href="/"' in client.get(url).content.decode(), "lea has a login"
        Recipient.objects.create(budget=glue, kind="address", address="partner@example.com")
        address = links.acknowledge_url(Alert.objects.get(), "partner@example.com")
        for path in (address[address.index("/alerts/") :], "/alerts/acknowledge/forged/"):
            page = client.get(path).content.decode()
            assert "<a " not in page.replace('<a class="skip-link" href="#main">', ""), path

    def test_of_an_archived_budget_there_is_nothing_to_acknowledge(self, url, glue, client, lea, fay, client_of):
        budget_changes.archive_budget(glue, version=glue.version, by=fay)
        for page in (client.get(url), client.post(url, {})):
            assert "Its budget is archived" in page.content.decode()
            assert "<button class" not in page.content.decode().partition("<main")[2]
        alert = Alert.objects.get()
        assert "Acknowledge</button>" not in client_of(lea).get(alert.get_absolute_url()).content.decode()
        client_of(lea).post(f"/alerts/{alert.pk}/acknowledge/")
        assert Alert.objects.get().state == "open"

    def test_the_comment_stands_in_the_alerts_history(self, url, client, lea, client_of):
        client.post(url, {"comment": "The load test <b>: it ends tonight."})
        alert = Alert.objects.get()
        line = alert.history[-1]
        assert (line["what"], line["comment"]) == ("acknowledged", "The load test <b>: it ends tonight.")
        page = client_of(lea).get(alert.get_absolute_url()).content.decode()
        assert "The load test &lt;b&gt;: it ends tonight." in page

    def test_a_comment_that_is_too_long_is_refused_and_acknowledges_nothing(self, url, client):
        answer = client.post(url, {"comment": "x" * 501})
        assert answer.status_code == 400
        assert Alert.objects.get().state == "open"


class TestFlags:
    def test_a_budget_that_can_reach_nobody_says_so_on_its_page_and_in_the_list(self, glue, ola, fay, client_of):
        glue.recipients.all().delete()
        Recipient.objects.create(budget=glue, kind="user", user=ola)
        ola.is_active = False
        ola.save()
        words = "is switched off. None of its recipients can be notified: its alerts go to lea@demo.example."
        for address in (glue.get_absolute_url(), "/budgets/"):
            assert words in client_of(fay).get(address).content.decode()

    def test_one_that_falls_back_to_administrators_has_nobody_who_answers_for_it(self, glue, lea, fay, ada, client_of):
        for user in (lea, fay):
            user.is_active = False
            user.save()
        Membership.objects.all().delete()
        Team.objects.update(email="")
        assert "Nobody answers for it" in client_of(ada).get(glue.get_absolute_url()).content.decode()

    def test_one_whose_lead_is_there_has_no_flag(self, glue, fay, client_of):
        assert "Look at it" not in client_of(fay).get("/budgets/").content.decode()


class TestUnsentPage:
    def test_fay_sees_why_an_alert_was_not_sent_and_tries_it_again(self, glue, fay, ola, client_of):
        Alert.objects.update(figures={"spent": "no number"})
        for minutes in range(0, 300, 10):
            sent(at(THE_20TH) + timedelta(minutes=minutes))
        page = client_of(fay).get("/messages/not-sent/").content.decode()
        assert "It could not be written: InvalidOperation" in page
        assert "It could not be written" not in client_of(ola).get("/messages/not-sent/").content.decode()
        Alert.objects.update(figures={})
        client_of(fay).post("/messages/not-sent/", {"verb": "all"})
        assert [message.to for message in sent(at(THE_20TH, 12))] == [["lea@demo.example"]]
        assert set(AlertDelivery.objects.values_list("outcome", flat=True)) == {"sent"}
