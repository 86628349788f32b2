"""Mails of chargeback: one for each person and thing, sent after the commit that gave the reason, and never twice.

A row is written with the reason; whoever claims it sends it. A process that dies between claiming and sending is
followed by the sweep of every ten minutes; the Message-ID stays the same, so that a mail that did leave is recognised.
"""

import logging
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from finops_site.emails import absolute_url, make_message
from finops_site.money import Money
from tagging import statement_files
from tagging.allocating import exact_sum
from tagging.models import ChargebackMail, Dispute, Statement

logger = logging.getLogger(__name__)
CLAIM_HOLDS = timedelta(minutes=10)
BATCH = 500


def note(kind: str, key: str, recipient: str, *, statement: Statement | None = None, dispute: Any = None) -> None:
    """Writes down that a mail is due; the same one again changes nothing."""
    ChargebackMail.objects.bulk_create(
        [ChargebackMail(kind=kind, key=key, recipient=recipient.lower(), statement=statement, dispute=dispute)],
        ignore_conflicts=True,
    )


def due(now: datetime) -> Any:
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_HOLDS)
    return ChargebackMail.objects.filter(free, sent_at=None)


def send_due(now: datetime) -> int:
    """Sends what is due; one that fails is tried again by a later sweep. Returns how many were sent."""
    return sum(_send(mail, now) for mail in list(due(now)[:BATCH]))


def _send(mail: ChargebackMail, now: datetime) -> bool:
    claimed = due(now).filter(pk=mail.pk).update(claimed_at=now, attempts=F("attempts") + 1)
    if not claimed:
        return False
    try:
        message = _message(mail)
        message.extra_headers["Message-ID"] = f"<chargeback-{mail.pk}@{_domain()}>"
        message.send()
    except Exception as error:
        # Whatever is wrong with one mail must not keep the others; it is said on the row and tried again.
        logger.warning("mail %s was not sent", mail, exc_info=True)
        ChargebackMail.objects.filter(pk=mail.pk).update(problem=str(error)[:500])
        return False
    return bool(ChargebackMail.objects.filter(pk=mail.pk).update(sent_at=timezone.now(), problem=""))


def _domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def _message(mail: ChargebackMail) -> Any:
    return _statement(mail) if mail.statement_id else _dispute(mail)


def _statement(mail: ChargebackMail) -> Any:
    statement = Statement.objects.select_related("period", "team").get(pk=mail.statement_id)
    context = {"statement": statement, "said": _said(statement), "url": absolute_url(statement.get_absolute_url())}
    message = make_message("statement-closed", mail.recipient, context)
    message.attach(*statement_files.attachment(statement))
    return message


def _said(statement: Statement) -> dict[str, str]:
    rest = exact_sum([statement.spread, statement.corrections, statement.adjustments])
    sums = {"total": statement.total, "direct": statement.direct, "shared": statement.shared, "rest": rest}
    return {name: str(Money(amount, statement.currency)) for name, amount in sums.items()}


def _dispute(mail: ChargebackMail) -> Any:
    rows = Dispute.objects.select_related(
        "line__statement__period", "line__statement__team", "raised_by", "resolved_by"
    )
    dispute = rows.get(pk=mail.dispute_id)
    amount = str(Money(dispute.line.amount, dispute.line.statement.currency))
    context = {"dispute": dispute, "statement": dispute.line.statement, "said": {"amount": amount}}
    context["url"] = absolute_url(reverse("tagging:dispute", args=[dispute.pk]))
    return make_message(mail.kind, mail.recipient, context)
