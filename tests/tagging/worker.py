"""What the fault tests of tagging kill: see tests/forked.py."""

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
from tests import forked  # noqa: E402


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
    forked.main(VERBS)


if __name__ == "__main__":
    main()
