"""Digests ask the team, then its lead, then finance; once a week, and not about what is fixed."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.mail import outbox
from finops_site.models import Team
from finops_site.ops import nightly
from finops_site.registry import NightlyCheck, registry
from tagging.models import OwnershipRule, TagDigest, TagIssue, TagReminder
from tagging.policy import compliance, reminders
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 9, 7, 30, tzinfo=UTC)
ALL_FIVE = '{"Owner": "lea", "Environment": "x", "Team": "Payments", "CostCenter": "1", "Project": "p"}'


def load(folder, name, tags):
    rows = [{"ResourceId": "i-1", "Tags": tags}, {"ResourceId": "i-2", "ResourceName": "db", "Tags": ALL_FIVE}]
    (received,) = receive_bill("northwind", [bills.write(folder, name, bills.focus_csv(rows))], is_accepted=True)
    load_bill(received.delivery)
    compliance.refresh_compliance()


@shared
def wrong(people, tmp_path):
    """A resource of Payments that has nothing but its team, and one that has everything."""
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag", team=team, tag_key="Team", tag_value="Payments")
    load(tmp_path, "first.csv", '{"Team": "Payments"}')


def week(number):
    """What is mailed on the Monday that many weeks later: [(to, subject)]."""
    with time_machine.travel(MONDAY + timedelta(weeks=number), tick=False):
        mail.outbox.clear()
        reminders.post_digests(timezone.now())
        outbox.send_queued_emails(timezone.now())
    return sorted((*message.recipients(), message.subject) for message in mail.outbox)


def test_the_team_is_asked_first_then_its_lead_then_finance(wrong):
    assert week(0) == [("payments@demo.example", "1 resource of Payments misses tags")]
    assert week(1) == [("payments@demo.example", "1 resource of Payments misses tags")]
    assert week(2) == [("lea@demo.example", "Not tagged for two weeks: 1 resource of Payments")]
    assert week(3) == [("lea@demo.example", "Not tagged for two weeks: 1 resource of Payments")]
    assert week(4) == [("fay@demo.example", "Nobody has tagged 1 resource")]


def test_the_mail_says_what_to_do_and_leads_to_each_resource(wrong):
    week(0)
    (message,) = mail.outbox
    html = message.alternatives[0][0] if getattr(message, "alternatives", None) else ""
    text = message.body
    assert "web-1, 1.00 USD" in text
    assert "Add the tag Owner: Who answers for it" in text
    assert "/tagging/resources/" in text
    assert "db" not in [line.strip("- ").split(",")[0] for line in text.splitlines()]
    assert not html or "What to do" in html


def test_nobody_gets_two_mails_about_one_thing_in_a_week(wrong):
    assert len(week(0)) == 1
    with time_machine.travel(MONDAY + timedelta(days=3), tick=False):
        assert reminders.post_digests(timezone.now()) == 0
    assert (TagDigest.objects.count(), TagReminder.objects.count()) == (1, 1)


def test_one_that_was_late_one_week_is_not_asked_again_before_seven_days(wrong):
    posted = []
    for days in (2, 7, 9):
        with time_machine.travel(MONDAY + timedelta(days=days), tick=False):
            posted.append(reminders.post_digests(timezone.now()))
    assert posted == [1, 0, 1]


def test_it_stops_as_soon_as_it_is_fixed(wrong, tmp_path):
    week(0)
    load(tmp_path, "fixed.csv", ALL_FIVE)
    assert week(1) == []


def test_a_change_of_its_tags_starts_the_two_weeks_anew(wrong, tmp_path):
    week(0)
    week(1)
    load(tmp_path, "changed.csv", '{"Team": "Payments", "Owner": "eli"}')
    assert week(2)[0][0] == "payments@demo.example"
    assert week(4)[0][0] == "lea@demo.example"


def test_what_nobody_owns_is_finances_from_the_start(wrong, tmp_path):
    load(tmp_path, "nobody.csv", "")
    assert [to for to, _ in week(0)] == ["fay@demo.example"]


def test_the_night_updates_the_issues_and_health_sees_whether_it_did(wrong, monkeypatch):
    (check,) = [check for check in registry.of(NightlyCheck) if check.name == "tags"]
    (run,) = nightly.run_checks(MONDAY.date(), checks=[check])
    assert (run.outcome, run.summary) == ("done", "0 months recomputed, 1 resource does not comply")
    assert TagIssue.objects.count() == 1

    def fails(today):
        raise ValueError("no month")

    monkeypatch.setattr("tagging.policy.reminders.update_issues", fails)
    (run,) = nightly.run_checks(MONDAY.date() + timedelta(days=1), checks=[check])
    assert (run.outcome, run.summary) == ("failed", "ValueError: no month")
