"""What could not be sent is there to be seen and tried again, and a queue that ages is reported."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from finops_site.mail import outbox, watchdog
from finops_site.mail.emails import make_message
from finops_site.models import OutgoingEmail
from finops_site.ops import health
from tests.people import waiting_for

pytestmark = pytest.mark.django_db
PAGE = "/messages/not-sent/"


@pytest.fixture
def now():
    return timezone.now()


def queue(number, now, to="lea@demo.example"):
    message = make_message("anomalies", to, {"rows": [], "count": number, "url": "http://finops.example"})
    outbox.queue_email(f"statement {number} to {to}", message, now=now)
    return OutgoingEmail.objects.get(key__startswith=f"statement {number} ")


def status(label, now):
    rows = [row for group in health.groups(now) for row in group.statuses]
    return next(row for row in rows if row.label == label)


def refuse(email):
    OutgoingEmail.objects.filter(pk=email.pk).update(outcome="refused", server_reply="550 no such mailbox", attempts=1)


def test_ada_sees_what_was_refused_and_why_and_tries_it_again(people, ada, now, client_of):
    refuse(queue(1, now))
    client = client_of(ada)
    page = client.get(PAGE).content.decode()
    assert "550 no such mailbox" in page
    assert "lea@demo.example" in page
    answer = client.post(PAGE, {"verb": "picked", "pick": f"emails:{OutgoingEmail.objects.get().pk}"}, follow=True)
    assert "1 message is tried again now." in answer.content.decode()
    assert outbox.send_queued_emails(now + timedelta(minutes=1)) == 1
    assert len(mail.outbox) == 1
    assert "Nothing is stuck" in client.get(PAGE).content.decode()


def test_all_that_the_filters_leave_are_tried_again_and_nothing_else(people, ada, now, client_of):
    refuse(queue(1, now))
    refuse(queue(2, now, "ola@demo.example"))
    client_of(ada).post(f"{PAGE}?text=ola", {"verb": "all"})
    assert dict(OutgoingEmail.objects.values_list("to", "outcome")) == {
        "lea@demo.example": "refused",
        "ola@demo.example": "waiting",
    }


def test_the_list_is_exported_with_its_reasons(people, ada, now, client_of):
    refuse(queue(1, now))
    answer = client_of(ada).get(f"{PAGE}?_export=csv")
    lines = (
        b"".join(answer.streaming_content if answer.streaming else [answer.content]).decode("utf-8-sig").splitlines()
    )
    assert lines[0].split(",")[:5] == ["Written", "To", "About", "State", "Tries"]
    assert "550 no such mailbox" in lines[1]


def test_who_runs_no_system_sees_no_ones_mail_and_max_tries_nothing(people, fay, max_, now, client_of):
    refuse(queue(1, now))
    assert "lea@demo.example" not in client_of(fay).get(PAGE).content.decode()
    assert client_of(max_).post(PAGE, {"verb": "all"}).status_code == 403
    assert OutgoingEmail.objects.get().outcome == "refused"


def test_health_names_the_age_of_the_queue_and_what_failed(people, now):
    refuse(queue(1, now))
    queue(2, now - timedelta(hours=3))
    row = status("Emails", now)
    assert (row.state, row.url) == ("bad", f"{PAGE}?queue=emails")
    assert "1 wait" in row.message
    assert "3 hours" in row.message
    assert "1 could not be sent" in row.message


def test_an_email_that_is_not_due_yet_is_not_late(people, now):
    email = queue(1, now - timedelta(hours=9))
    OutgoingEmail.objects.filter(pk=email.pk).update(send_after=now + timedelta(hours=1))
    assert status("Emails", now).state == "good"
    assert watchdog.watch_queues(now) == 0
    OutgoingEmail.objects.filter(pk=email.pk).update(attempts=3)
    assert status("Emails", now).state == "bad", "its next try is ahead, and it has waited for hours"


def test_ada_is_written_to_once_when_the_queue_ages_and_again_when_it_happens_again(people, ada, now):
    first = queue(1, now - timedelta(hours=2))
    assert watchdog.watch_queues(now) == 1
    (report,) = OutgoingEmail.objects.filter(key__startswith="queue ages")
    assert (report.to, report.subject) == (ada.email, "Emails: 1 wait, the oldest for 2 hours")
    for hours in (1, 5, 30):
        assert watchdog.watch_queues(now + timedelta(hours=hours)) == 0, "the same incident"
    OutgoingEmail.objects.filter(pk__in=[first.pk, report.pk]).update(outcome="sent")
    later = now + timedelta(days=2)
    queue(2, later - timedelta(hours=2))
    assert watchdog.watch_queues(later) == 1


def test_home_tells_ada_too_as_the_mail_server_may_be_what_is_broken(people, ada, fay, now):
    assert waiting_for(ada) == []
    queue(1, now - timedelta(hours=2))
    assert waiting_for(ada) == ["1 e-mail waits for more than an hour: look at Health"]
    assert not [text for text in waiting_for(fay) if "e-mail waits" in text]
