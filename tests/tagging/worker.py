"""A worker for tests of faults: "verb argument time seconds" in; it forks, does it, and kills the fork after so long.

Says the fork's number, then ``killed``, or ``ended`` with the exit code. Django is set up once, before the forks.
"""

import os
import signal
import sys
import time
from datetime import datetime

import boto3
import django

django.setup()

from django.core.mail.utils import DNS_NAME  # noqa: E402

from finops_site.mail import outbox  # noqa: E402
from finops_site.models import User  # noqa: E402
from tagging.chargeback import closing, draft_statements, emails  # noqa: E402
from tagging.models import ChangeSet, ChargebackPeriod  # noqa: E402
from tagging.policy import reminders  # noqa: E402
from tagging.remediation import provider_tagging  # noqa: E402


def apply(pk: str, now: datetime) -> None:
    provider_tagging.apply_change_set(ChangeSet.objects.get(pk=pk), clock=lambda: now)


def close(day: str, now: datetime) -> None:
    period = ChargebackPeriod.objects.get(billing_month=day)
    closing.close_month(period, User.objects.get(name__startswith="Fay"), seen=period.fingerprint, now=now)


def post(_: str, now: datetime) -> None:
    draft_statements.refresh_stale_drafts(now)
    emails.post_statement_emails(now)


def remind(_: str, now: datetime) -> None:
    reminders.post_digests(now)
    outbox.send_queued_emails(now)


VERBS = {"apply": apply, "close": close, "post": post, "remind": remind}


def main() -> None:
    # Looked up and imported once here and not in every fork: it can take longer than a fork lives.
    str(DNS_NAME)
    boto3.client("resourcegroupstaggingapi", region_name="us-east-1")
    print("ready", flush=True)
    for line in sys.stdin:
        verb, argument, now, seconds = line.split()
        print(run(verb, argument, datetime.fromisoformat(now), float(seconds)), flush=True)


def run(verb: str, argument: str, now: datetime, seconds: float) -> str:
    child = os.fork()
    if child == 0:
        do(verb, argument, now)
    print(child, flush=True)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return "killed" if code == -signal.SIGKILL else f"ended {code}"
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed"


def do(verb: str, argument: str, now: datetime) -> None:
    try:
        VERBS[verb](argument, now)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


main()
