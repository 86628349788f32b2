"""What people answer to findings, by the one service of pages, bulk, API and admin."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied

from finops_site.models import OutgoingEmail, Team
from finops_site.ui.bulk_results import BulkRefused
from tests.people import text_of
from tests.usage.worklist.helpers import finding, two_rules  # noqa: F401
from usage.models import QuietRule
from usage.worklist import assignment_emails
from usage.worklist.answers import Answer, Verb, answer_findings, people_for
from usage.worklist.quiet_rules import QuietScope, remove_quiet_rule

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("two_rules")]
NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
TODAY = NOW.date()


def answer(row, verb, user, **more):
    result = answer_findings([row.pk], Answer(verb, **more), user=user, now=NOW)
    row.refresh_from_db()
    return result


def test_eli_takes_one_on_and_its_history_says_so(eli):
    row = finding()
    answer(row, Verb.ACCEPT, eli, assignee=eli, due_day=date(2026, 3, 20))
    assert (row.state, row.assignee, row.due_day) == ("accepted", eli, date(2026, 3, 20))
    event = row.events.get()
    assert (event.verb, event.person, event.before, event.after) == ("accept", eli, "new", "accepted")
    assert event.note == f"to {eli}. until 20 Mar 2026"
    assert not OutgoingEmail.objects.exists(), "nobody is mailed what she took herself"


def test_lea_gives_eli_two_and_he_gets_one_mail(lea, eli):
    rows = [finding("vol-1", name="old-data"), finding("vol-2", saving=None)]
    result = answer_findings([row.pk for row in rows], Answer(Verb.ACCEPT, assignee=eli), user=lea, now=NOW)
    assert result.count == 2
    mail = OutgoingEmail.objects.get(to=eli.email)
    text = text_of(mail)
    assert mail.subject == f"{lea} gives you 2 findings"
    assert "They save 12.50 USD in an average month" in text
    assert "Of 1 the saving is not known" in text
    assert "Unattached disk: old-data" in text
    assert "125 GiB, attached to nothing for 30 days." in text


def test_sums_of_a_mail_leave_out_what_is_not_known(people):
    rows = [finding("a"), finding("b", saving=None), finding("c", currency="EUR", saving="1")]
    assert assignment_emails.sums_of(rows) == [("EUR", Decimal(1)), ("USD", Decimal("12.50"))]


def test_nobody_is_given_what_she_does_not_see(lea, ola):
    row = finding()
    result = answer(row, Verb.ACCEPT, lea, assignee=ola)
    assert result.count == 0
    assert result.left_out[0].reason == f"{ola} does not see what Payments owns"
    assert row.state == "new"


def test_ola_answers_nothing_of_another_team_and_ada_nothing_at_all(ola, ada):
    row = finding()
    assert answer(row, Verb.MENDED, ola).count == 0
    with pytest.raises(PermissionDenied):
        answer(row, Verb.MENDED, ada)
    row.refresh_from_db()
    assert row.state == "new"


def test_a_snooze_needs_a_reason_and_a_day_to_come(eli):
    row = finding()
    week = TODAY + timedelta(days=7)
    for more, reason in [
        ({"until": week}, "Say why"),
        ({"reason": "Release"}, "until which day"),
        ({"reason": "Release", "until": TODAY}, "a day after today"),
        ({"reason": "Release", "until": TODAY + timedelta(days=400)}, "within a year"),
    ]:
        with pytest.raises(BulkRefused, match=reason):
            answer(row, Verb.SNOOZE, eli, **more)
    answer(row, Verb.SNOOZE, eli, reason="Release", until=week)
    assert (row.state, row.snoozed_until, row.reason) == ("snoozed", week, "Release")


def test_what_is_mended_is_held_to_what_was_counted_that_day(eli):
    row = finding(saving="12.50", counted="7.25")
    answer(row, Verb.MENDED, eli, mended_day=date(2026, 3, 9))
    assert (row.state, row.mended_day, row.promised_saving) == ("mended", date(2026, 3, 9), Decimal("7.25"))
    answer(row, Verb.REOPEN, eli)
    assert (row.state, row.mended_day, row.promised_saving) == ("new", None, None)


def test_an_unknown_saving_is_promised_as_unknown_and_not_as_nothing(eli):
    row = finding(saving=None)
    answer(row, Verb.MENDED, eli)
    assert row.promised_saving is None


def test_nothing_is_mended_before_it_was_seen_or_in_the_future(eli):
    row = finding()
    assert "first seen on 1 Mar 2026" in answer(row, Verb.MENDED, eli, mended_day=date(2026, 2, 20)).left_out[0].reason
    with pytest.raises(BulkRefused, match="today or in the last three months"):
        answer(row, Verb.MENDED, eli, mended_day=TODAY + timedelta(days=1))


def test_what_is_gone_or_proved_is_left_out_with_the_reason(eli):
    gone, proved, new = finding("a", state="gone"), finding("b", state="proved"), finding("c")
    result = answer_findings([gone.pk, proved.pk, new.pk], Answer(Verb.DISMISS, reason="Ours"), user=eli, now=NOW)
    assert result.count == 1
    assert {row.reason for row in result.left_out} == {"it is gone by itself", "it is proved by the bill"}


def test_what_somebody_has_taken_on_stays_hers_when_it_is_reopened(eli):
    row = finding(state="snoozed", assignee=eli)
    answer(row, Verb.REOPEN, eli)
    assert (row.state, row.assignee) == ("accepted", eli)


def test_a_dismissal_of_eli_is_learnt_for_his_team_alone(eli):
    row = finding()
    answer(row, Verb.DISMISS, eli, reason="Test rigs", quiet=QuietScope(account=True, name_begins="rig-"))
    learnt = QuietRule.objects.get()
    assert row.state == "dismissed"
    assert (learnt.rule, learnt.team.name, learnt.account) == ("unattached-disk", "Payments", "000000000042")
    assert (learnt.name_begins, learnt.reason, learnt.made_by) == ("rig-", "Test rigs", eli)


def test_what_is_learnt_names_what_it_is_about_and_who_may(eli, fay):
    row = finding()
    for quiet, reason in [
        (QuietScope(), "for what it stays quiet"),
        (QuietScope(tag_value="x"), "key of the tag"),
        (QuietScope(account=True, for_company=True), "whole company"),
        (QuietScope(account=True, until=TODAY), "a day after today"),
    ]:
        with pytest.raises(BulkRefused, match=reason):
            answer(row, Verb.DISMISS, eli, reason="Ours", quiet=quiet)
    row.refresh_from_db()
    assert row.state == "new", "a dismissal that cannot be learnt is none"
    answer(row, Verb.DISMISS, fay, reason="Ours", quiet=QuietScope(tag_key="keep", for_company=True))
    learnt = QuietRule.objects.get()
    assert learnt.team is None
    with pytest.raises(PermissionDenied):
        remove_quiet_rule(learnt, user=eli)


@pytest.mark.parametrize("begins", ["a", "vol", "arn:", "ARN:aws:ec2:eu-west-1:", "/sub", "//compute.googleapis.com/"])
def test_what_begins_nearly_every_name_is_not_learnt(begins, eli):
    row = finding()
    with pytest.raises(BulkRefused, match="at least 4 characters"):
        answer(row, Verb.DISMISS, eli, reason="Ours", quiet=QuietScope(name_begins=begins))
    assert not QuietRule.objects.exists()


@pytest.mark.parametrize("begins", ["vol-", "arn:aws:ec2:eu-west-1:42:volume/vol-1", "/aws/lambda/rig"])
def test_a_beginning_of_few_names_is_learnt(begins, eli):
    answer(finding(), Verb.DISMISS, eli, reason="Ours", quiet=QuietScope(name_begins=begins))
    assert QuietRule.objects.get().name_begins == begins


def test_what_nobody_owns_is_learnt_for_every_team_only_where_fay_says_so(fay):
    row = finding(team=None)
    with pytest.raises(BulkRefused, match="Nobody owns it"):
        answer(row, Verb.DISMISS, fay, reason="Ours", quiet=QuietScope(account=True))
    assert not QuietRule.objects.exists()
    answer(row, Verb.DISMISS, fay, reason="Ours", quiet=QuietScope(account=True, for_company=True))
    assert QuietRule.objects.get().team is None


def test_the_account_of_what_has_none_is_not_every_account(eli):
    with pytest.raises(BulkRefused, match="It has no account"):
        answer(finding(account=""), Verb.DISMISS, eli, reason="Ours", quiet=QuietScope(account=True))


def test_only_people_of_the_team_and_above_are_offered(people, lea):
    owner = Team.objects.get(name="Payments").pk
    assert {one.email.split("@")[0] for one in people_for([owner], lea)} == {"eli", "lea"}
