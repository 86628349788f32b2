"""Scheduled reports: each due moment once, late rather than lost, and nothing to who may not see it."""

import hashlib
import io
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.contrib.auth.models import Group
from pypdf import PdfReader

from finops_site.mail import outbox
from finops_site.models import Membership, OutgoingEmail, Team, User
from programme.models import MadeReport, ReportDelivery, ReportRun, ReportSchedule
from programme.reports import archive, letters, runs, sending
from programme.reports.forms import ScheduleForm
from programme.reports.readers import NoAccess
from tests.people import signed_in, text_of
from tests.programme.reports.conftest import DUE, NOW, make_schedule

pytestmark = pytest.mark.django_db


def mails(to=None):
    rows = OutgoingEmail.objects.filter(kind="scheduled-report").order_by("pk")
    return [mail for mail in rows if to is None or mail.to == to.email]


def letters_to(owner):
    return [text_of(mail) for mail in OutgoingEmail.objects.filter(kind="report-not-sent", to=owner.email)]


def states():
    return dict(ReportDelivery.objects.values_list("to", "state"))


def test_each_gets_what_she_may_see_and_equal_scopes_share_one_report(monthly, max_, fay, lea, ola):
    monthly.recipients.create(user=fay)
    assert runs.make_due(NOW) == 1
    assert len(mails()) == 4
    for person, amounts, others in ((lea, "130.00", "170.00"), (max_, "170.00", "nothing"), (ola, "40.00", "130.00")):
        (mail,) = mails(person)
        assert amounts in text_of(mail)
        assert others not in text_of(mail)
        made = ReportDelivery.objects.get(to=person.email).report
        words = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(bytes(made.content))).pages)
        assert amounts in words
        assert others not in words
        assert bytes(made.content)[:8] in bytes(mail.content) or b"application/pdf" in bytes(mail.content)
    assert MadeReport.objects.filter(teams=[]).exclude(is_company=True).count() == 0


def test_beat_that_runs_twice_makes_and_sends_each_report_once(monthly):
    assert [runs.make_due(NOW), runs.make_due(NOW), runs.make_due(NOW + timedelta(days=1))] == [1, 0, 0]
    assert ReportRun.objects.count() == 1
    assert len(mails()) == 3


def test_a_worker_killed_in_the_middle_leaves_a_run_that_the_next_one_ends_once(monthly, monkeypatch):
    """The second mail kills it: the first was sent, and nobody gets two."""
    deliver, count = sending.deliver, []

    def dying(*args, **kwargs):
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return deliver(*args, **kwargs)

    monkeypatch.setattr(sending, "deliver", dying)
    with pytest.raises(KeyboardInterrupt):
        runs.make_due(NOW)
    monkeypatch.setattr(sending, "deliver", deliver)
    first = {mail.to: mail.message_id for mail in mails()}
    before = list(MadeReport.objects.values_list("pk", flat=True))
    assert len(first) == 1
    # Its lease holds others off; after that the next worker goes on.
    assert runs.make_due(NOW + timedelta(seconds=1)) == 0
    run = ReportRun.objects.get()
    assert runs.make_due(run.claimed_until + timedelta(seconds=1)) == 1
    assert sorted(mail.to for mail in mails()) == ["lea@demo.example", "max@demo.example", "ola@demo.example"]
    assert {mail.to: mail.message_id for mail in mails()}.items() >= first.items()
    assert set(before) <= set(MadeReport.objects.values_list("pk", flat=True))
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("done", 2)


def test_a_worker_that_was_silent_too_long_stops_when_another_has_its_run(monthly):
    run = runs.note_due(monthly, NOW)
    slow = runs._claim(run.pk, NOW)
    assert runs._claim(run.pk, NOW) is None
    quick = runs._claim(run.pk, slow.claimed_until + timedelta(seconds=1))
    assert quick.attempts == 2
    with pytest.raises(runs.LostClaim):
        runs._go_on(slow, NOW, "x", 1, 2)


def test_a_mail_server_that_is_gone_makes_it_late_and_never_twice(monthly, settings, monkeypatch):
    runs.make_due(NOW)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )
    assert outbox.send_queued_emails(NOW) == 0
    runs.make_due(NOW + timedelta(minutes=5))
    assert set(states().values()) == {"queued"}
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    later = NOW + timedelta(hours=3)
    assert outbox.send_queued_emails(later) == 3
    assert outbox.send_queued_emails(later) == 0
    runs.make_due(later)
    assert set(states().values()) == {"sent"}
    assert len(mails()) == 3


def test_of_reports_that_were_missed_the_newest_is_sent_and_says_that_it_is_late(monthly, lea):
    long_after = DUE + timedelta(days=3)
    ReportSchedule.objects.update(active_from=DUE - timedelta(days=70))
    assert runs.make_due(long_after) == 1
    run = ReportRun.objects.get()
    assert (run.due_at, run.is_late, run.missed) == (DUE, True, 2)
    assert "comes late" in text_of(mails(lea)[0])


def test_who_lost_access_gets_nothing_and_the_owner_is_told_once(monthly, fay, lea, max_):
    Membership.objects.filter(user=lea).delete()
    max_.is_active = False
    max_.save()
    runs.make_due(NOW)
    assert states() == {"lea@demo.example": "no access", "max@demo.example": "no access", "ola@demo.example": "queued"}
    runs.make_due(NOW + timedelta(days=30))
    assert [mail.to for mail in mails()] == ["ola@demo.example"]
    assert [sum(words in text for text in letters_to(fay)) for words in ("is in no team", "may not sign in")] == [1, 1]


def test_a_mail_that_waited_while_its_reader_lost_access_is_not_sent(monthly, lea, fay):
    runs.make_due(NOW)
    Membership.objects.filter(user=lea).delete()
    outbox.send_queued_emails(NOW)
    assert states()["lea@demo.example"] == "no access"
    assert OutgoingEmail.objects.get(message_id=mails(lea)[0].message_id).outcome == "cancelled"
    assert len(letters_to(fay)) == 1


def test_a_month_without_data_is_looked_at_again_and_sent_once_there_is_a_bill(two_months, fay, max_):
    make_schedule(fay, max_, day=3)
    may = DUE + timedelta(days=30)
    runs.make_due(may)
    run = ReportRun.objects.get()
    assert run.state == "waiting"
    assert "no bill of these days is loaded" in run.problem
    assert len(letters_to(fay)) == 1
    assert not MadeReport.objects.exists()
    runs.make_due(may + timedelta(hours=7))
    assert len(letters_to(fay)) == 1
    run.refresh_from_db()
    assert run.state == "waiting"


def test_a_team_that_is_deleted_pauses_its_schedule_and_never_widens_it(two_months, fay, max_):
    team = Team.objects.create(name="Short")
    schedule = make_schedule(fay, max_, team=team)
    team.delete()
    runs.make_due(NOW)
    schedule.refresh_from_db()
    assert schedule.is_paused
    assert not mails()
    assert "not there any more" in letters_to(fay)[0]


def test_of_one_team_nobody_sees_more_than_that_team(two_months, fay, max_, ola, lea):
    schedule = make_schedule(fay, max_, ola, team=lea.teams.first())
    runs.make_due(NOW)
    assert states() == {"max@demo.example": "queued", "ola@demo.example": "no access"}
    made = MadeReport.objects.get()
    assert (made.is_company, made.teams) == (False, [schedule.team_id])
    assert "130.00" in text_of(mails()[0])
    assert "170.00" not in text_of(mails()[0])


def test_of_whom_there_is_nothing_to_say_the_run_and_the_owner_are_told(two_months, fay, max_, ola):
    """In the owner's language and not in that of the recipient."""
    Membership.objects.filter(user=ola).delete()
    Membership.objects.create(user=ola, team=Team.objects.create(name="Empty"), role="lead")
    ola.language = "fr"
    ola.save()
    make_schedule(fay, max_, ola)
    runs.make_due(NOW)
    assert states() == {"max@demo.example": "queued", "ola@demo.example": "nothing"}
    reason = "There is nothing of Empty to report of 1 Mar 2026 to 31 Mar 2026: no bill of these days is loaded."
    run = ReportRun.objects.get()
    assert (run.state, run.problem) == ("done", f"ola@demo.example: {reason}")
    assert [reason in text for text in letters_to(fay)] == [True]


def test_a_mail_and_its_report_name_the_company_in_the_language_of_their_reader(two_months, fay, max_):
    max_.language = "de"
    max_.save()
    make_schedule(fay, max_)
    runs.make_due(NOW)
    made = MadeReport.objects.get()
    assert (made.scope, made.figures["scope"]) == ("Das ganze Unternehmen", "Das ganze Unternehmen")
    assert "The whole company" not in text_of(mails(max_)[0])


def test_a_schedule_whose_owner_has_left_is_taken_over_by_finance_who_is_told(two_months, fay, ada):
    schedule = make_schedule(fay, addresses=["cfo@bank.example"])
    fay.is_active = False
    fay.save()
    kim = User.objects.create_user("kim@demo.example", "x", name="Kim")
    kim.groups.add(Group.objects.get(name="finance"))
    runs.make_due(NOW)
    assert states() == {"cfo@bank.example": "no access"}
    assert not letters_to(fay)
    assert "of Fay Lindqvist, who may not sign in any more." in letters_to(kim)[0]
    url = f"{schedule.get_absolute_url()}take-over/"
    assert signed_in(ada).post(url).status_code == 403
    assert signed_in(kim).post(url).status_code == 302
    runs.make_due(NOW + timedelta(days=30))
    schedule.refresh_from_db()
    assert schedule.owner == kim
    assert "Waits: Monthly" in [mail.subject for mail in OutgoingEmail.objects.filter(to=kim.email)]


def test_sent_again_it_is_the_same_report_for_who_may_still_see_it(monthly, lea):
    runs.make_due(NOW)
    delivery = ReportDelivery.objects.get(to="lea@demo.example")
    again = sending.send_again(delivery, NOW)
    assert (again.number, again.report_id, again.state) == (2, delivery.report_id, "queued")
    assert len(mails(lea)) == 2
    Membership.objects.filter(user=lea).delete()
    with pytest.raises(NoAccess, match="may not see this report"):
        sending.send_again(delivery, NOW)


def test_the_archive_keeps_what_was_said_when_the_bill_is_restated(monthly, max_, tmp_path):
    from costs.models import CostLine, DayRollup, MonthRollup

    runs.make_due(NOW)
    made = MadeReport.objects.get(is_company=True)
    before = bytes(made.content)
    for model in (CostLine, DayRollup, MonthRollup):
        model.objects.update(billed_cost=1, effective_cost=1)
    page = signed_in(max_).get(made.get_absolute_url()).content.decode()
    assert "170.00" in page
    pdf = signed_in(max_).get(f"{made.get_absolute_url()}pdf/").content
    assert pdf == before
    assert hashlib.sha256(pdf).hexdigest() == made.sha256


def test_old_reports_are_removed_by_age_alone(monthly, settings):
    runs.make_due(NOW)
    settings.FINOPS_KEEP_REPORTS_DAYS = 100
    assert archive.remove_old(NOW + timedelta(days=99)) == 0
    archive.remove_old(NOW + timedelta(days=101))
    assert not MadeReport.objects.exists()
    assert set(states()) == {"lea@demo.example", "max@demo.example", "ola@demo.example"}


@pytest.fixture
def channel(settings):
    """A receiver of messages on this machine: what it got, and how it answers."""

    class Receiver(BaseHTTPRequestHandler):
        got, status = [], [200]

        def do_POST(self):
            self.got.append(
                (self.path, self.rfile.read(int(self.headers["Content-Length"])).decode(), dict(self.headers))
            )
            self.send_response(self.status[0])
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.FINOPS_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    yield Receiver, f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


def test_an_update_is_posted_to_a_channel_once_and_again_after_it_was_away(two_months, fay, channel):
    receiver, url = channel
    make_schedule(fay, kind="update", every="two weeks", weekday=4, channel="slack", url=url)
    receiver.status[0] = 503
    runs.make_due(NOW)
    assert len(receiver.got) == 1
    receiver.status[0] = 200
    for minutes in (1, 10, 20):
        runs.make_due(NOW + timedelta(minutes=minutes))
    assert len(receiver.got) == 2
    assert "Update, " in receiver.got[1][1]
    assert receiver.got[0][2]["X-FinOps-Delivery"] == receiver.got[1][2]["X-FinOps-Delivery"]
    assert set(states().values()) == {"sent"}


def test_a_post_whose_worker_died_is_sent_or_not_and_nobody_posts_it_by_itself(two_months, fay, channel):
    receiver, url = channel
    make_schedule(fay, kind="update", every="two weeks", weekday=4, channel="webhook", url=url)
    runs.make_due(NOW)
    ReportDelivery.objects.update(state="waiting", sent_at=None)
    runs.make_due(NOW + timedelta(hours=1))
    assert len(receiver.got) == 1
    assert set(states().values()) == {"unknown"}
    sending.send_again(ReportDelivery.objects.get(), NOW + timedelta(hours=1))
    assert len(receiver.got) == 2


def test_somebody_without_a_login_gets_what_the_owner_sees_and_nothing_once_she_left(two_months, fay):
    schedule = make_schedule(fay, addresses=["cfo@bank.example"])
    runs.make_due(NOW)
    assert "170.00" in text_of(mails()[0])
    fay.is_active = False
    fay.save()
    runs.make_due(NOW + timedelta(days=30))
    assert len(mails()) == 1
    assert schedule.runs.count() == 2


def test_a_message_key_names_run_recipient_and_number():
    delivery = ReportDelivery(run_id=7, to="lea@demo.example", number=2)
    assert letters.mail_key(delivery) == "scheduled report 7 to lea@demo.example no 2"


def test_the_name_of_a_schedule_is_one_line_and_its_time_zone_a_place(fay, max_):
    values = {"kind": "monthly", "every": "month", "day": 3, "hour": 8, "channel": "mail", "people": [max_.pk]}
    form = ScheduleForm({**values, "name": "Monthly\nreport", "time_zone": "Europe/Berlin"}, user=fay)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["name"] == "Monthly report"
    for name in ("Factory", "localtime"):
        assert "time_zone" in ScheduleForm({**values, "name": "Monthly", "time_zone": name}, user=fay).errors
