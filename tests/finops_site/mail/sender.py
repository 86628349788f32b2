"""Sends emails in forks that a test kills: a time in, the fork's number out once it sends, "ended" once it is gone."""

import os
import sys
from datetime import datetime

import django

django.setup()

from django.core.mail.utils import DNS_NAME  # noqa: E402
from django.db import connection  # noqa: E402

from finops_site.mail import outbox  # noqa: E402


def main() -> None:
    # Looked up once here and not in every fork: it can take longer than a fork lives.
    str(DNS_NAME)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            connection.ensure_connection()
            print(os.getpid(), flush=True)
            outbox.send_queued_emails(datetime.fromisoformat(line.strip()))
            os._exit(0)
        os.waitpid(child, 0)
        print("ended", flush=True)


main()
