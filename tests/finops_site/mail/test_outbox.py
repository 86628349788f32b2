"""Emails go out once: whatever the mail server answers, whoever dies, however many send at the same time."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.utils import timezone

from finops_site.mail import outbox
from finops_site.models import OutgoingEmail
from tests.costs.ingest.test_ingest import ROOT, _environment

NOW = timezone.now()
LATER = NOW + timedelta(hours=2)
KILLS = int(os.environ.get("FINOPS_KILLS", "25"))


class Server:
    """A real SMTP server on loopback that keeps what it took and answers as the test wants."""

    def __init__(self):
        self.taken, self.answers = [], []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250") or answer == "hang up":
            self.taken.append((envelope.rcpt_tos[0], envelope.content.decode()))
        if answer == "hang up":
            server.transport.abort()
        return answer

    def ids(self):
        return Counter(line for _, text in self.taken for line in text.splitlines() if line.startswith("Message-ID"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def server(settings):
    handler = Server()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    settings.EMAIL_TIMEOUT = 2
    yield handler
    controller.stop()


def queue(number, to="lea@demo.example", **options):
    message = EmailMultiAlternatives(f"Statement {number}", "12,345.67 USD\n.a line that begins with a dot", to=[to])
    message.attach_alternative("<p>12,345.67 USD</p>", "text/html")
    return outbox.queue_email(f"statement {number} to {to}", message, now=NOW, **options)


def outcomes():
    return dict(OutgoingEmail.objects.values_list("key", "outcome").order_by("key"))


@pytest.mark.django_db
def test_an_email_queued_twice_is_one_email(server):
    assert [queue(1), queue(1)] == [True, False]
    assert outbox.send_queued_emails(NOW) == 1
    assert outbox.send_queued_emails(NOW) == 0
    ((to, text),) = server.taken
    assert to == "lea@demo.example"
    assert f"Message-ID: {outbox.message_id('statement 1 to lea@demo.example')}" in text
    assert "\n.a line that begins with a dot" in text.replace("\r", "")


@pytest.mark.django_db
def test_an_email_of_the_quiet_hours_waits_for_the_morning(server):
    queue(1, send_after=NOW + timedelta(hours=1))
    assert outbox.send_queued_emails(NOW) == 0
    assert outbox.send_queued_emails(LATER) == 1


@pytest.mark.django_db
def test_a_server_that_says_later_is_asked_later(server):
    server.answers = ["451 greylisted, come back", "421 too busy"]
    queue(1)
    assert outbox.send_queued_emails(NOW) == 0
    assert outbox.send_queued_emails(NOW) == 0, "not before its pause is over"
    assert "greylisted" in OutgoingEmail.objects.get().server_reply
    assert outbox.send_queued_emails(NOW + timedelta(minutes=3)) == 0
    assert outbox.send_queued_emails(LATER) == 1
    assert sum(server.ids().values()) == 1


@pytest.mark.django_db
def test_an_address_that_does_not_exist_ends_its_email_and_no_other(server):
    queue(1, to="nobody@demo.example")
    queue(2)
    assert outbox.send_queued_emails(NOW) == 1
    refused = OutgoingEmail.objects.get(to="nobody@demo.example")
    assert refused.outcome == OutgoingEmail.Outcome.REFUSED
    assert "no such mailbox" in refused.server_reply


@pytest.mark.django_db
def test_a_server_that_is_gone_loses_nothing(settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        1,
    )
    queue(1)
    assert outbox.send_queued_emails(NOW) == 0
    email = OutgoingEmail.objects.get()
    assert (email.outcome, email.send_after) == ("waiting", NOW + timedelta(minutes=2))
    OutgoingEmail.objects.update(created_at=NOW - timedelta(days=6))
    assert outbox.send_queued_emails(LATER) == 0
    assert OutgoingEmail.objects.get().outcome == OutgoingEmail.Outcome.REFUSED


@pytest.mark.django_db
def test_a_connection_that_breaks_after_the_body_leaves_the_outcome_unknown_and_the_email_goes_out_once_more(server):
    server.answers = ["hang up"]
    queue(1)
    outbox.send_queued_emails(NOW)
    email = OutgoingEmail.objects.get()
    assert (email.outcome, email.may_be_duplicate) == ("waiting", True)
    assert email.server_reply.startswith("sent, or not")
    assert outbox.send_queued_emails(LATER) == 1
    assert list(server.ids().values()) == [2], "one Message-ID, so that a mailbox sees one email"


@pytest.mark.django_db
def test_an_email_of_unknown_outcome_twice_stays_so_and_shows_it(server):
    server.answers = ["hang up", "hang up"]
    queue(1)
    outbox.send_queued_emails(NOW)
    outbox.send_queued_emails(LATER)
    assert outbox.send_queued_emails(LATER + timedelta(days=1)) == 0
    assert outcomes() == {"statement 1 to lea@demo.example": "unknown"}


@pytest.mark.django_db
def test_an_email_that_another_worker_claimed_is_left_alone(server):
    queue(1)
    OutgoingEmail.objects.update(claimed_until=NOW + timedelta(minutes=5))
    assert outbox.send_queued_emails(NOW) == 0
    assert outbox.send_queued_emails(LATER) == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_was_never_queued(server):
    with transaction.atomic():
        queue(1)
        transaction.set_rollback(True)
    assert outbox.send_queued_emails(NOW) == 0
    assert server.taken == []


@pytest.mark.django_db(transaction=True)
def test_four_senders_at_the_same_time_send_each_email_once(server):
    for number in range(40):
        queue(number)

    def send():
        outbox.send_queued_emails(NOW)
        connection.close()

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(30)
    assert sorted(server.ids().values()) == [1] * 40
    assert set(outcomes().values()) == {"sent"}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_at_random_moments_loses_no_email_and_doubles_none_whose_outcome_is_known(server, settings):
    environment = _environment() | {
        "EMAIL_URL": f"smtp://{settings.EMAIL_HOST}:{settings.EMAIL_PORT}",
        "PYTHONPATH": str(ROOT),
    }
    chance, now, queued = random.Random(7), NOW, 0
    forks = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("sender.py")],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert forks.stdout.readline() == "ready\n"
    for _ in range(KILLS):
        for _ in range(3):
            queued += queue(queued)
        forks.stdin.write(f"{now.isoformat()}\n")
        forks.stdin.flush()
        child = int(forks.stdout.readline())
        time.sleep(chance.uniform(0, 0.15))
        with suppress(ProcessLookupError):
            # It may have ended by itself.
            os.kill(child, signal.SIGKILL)
        assert forks.stdout.readline() == "ended\n"
        now += timedelta(minutes=6)
    forks.stdin.close()
    forks.wait(10)
    while OutgoingEmail.objects.filter(outcome="waiting").exists():
        now += timedelta(minutes=6)
        outbox.send_queued_emails(now)
    unknown = set(OutgoingEmail.objects.filter(may_be_duplicate=True).values_list("message_id", flat=True))
    arrived = Counter({line.split(": ")[1].strip(): times for line, times in server.ids().items()})
    assert len(arrived) == queued == 3 * KILLS, "every email arrived"
    assert {identity for identity, times in arrived.items() if times > 1} <= unknown
    assert max(arrived.values()) <= 2
    print(f"{KILLS} kills, {queued} emails, {len(unknown)} unknown, {sum(arrived.values()) - queued} arrived twice")


@pytest.mark.django_db
def test_the_content_of_old_emails_is_cleared_and_that_they_were_sent_is_not(server):
    queue(1)
    outbox.send_queued_emails(NOW)
    assert outbox.clear_old_contents(NOW + timedelta(days=91)) == 1
    email = OutgoingEmail.objects.get()
    assert (bytes(email.content), email.outcome, email.subject) == (b"", "sent", "Statement 1")
