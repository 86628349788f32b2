"""Emails of chargeback: each is written once, in the transaction that gives its reason; the outbox sends it."""

from datetime import datetime

from django.db import transaction
from django.urls import reverse

from finops_site.lib.money import Money, exact_sum
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, User
from finops_site.people.roles import FINANCE
from tagging.chargeback import statement_pdf
from tagging.models import Dispute, Statement


def post_statement_emails(now: datetime) -> int:
    """Writes each closed statement whose emails are missing to its team's leads; returns how many emails are new.

    Done again after a crash it writes what is missing and nothing twice.
    """
    unsent = Statement.objects.filter(notified_at=None).exclude(number=None).order_by("pk")
    return sum(_post_statement(pk, now) for pk in list(unsent.values_list("pk", flat=True)))


def _post_statement(pk: int, now: datetime) -> int:
    with transaction.atomic():
        rows = Statement.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=pk, notified_at=None)
        statement = rows.select_related("period", "team").first()
        if statement is None:
            return 0
        leads = Membership.objects.filter(team=statement.team_id, role=Membership.Role.LEAD, user__is_active=True)
        leads = leads.order_by("user__email").select_related("user")
        written = sum(_post_to_lead(statement, membership.user, now) for membership in leads)
        Statement.objects.filter(pk=pk).update(notified_at=now)
        return written


def _post_to_lead(statement: Statement, lead: User, now: datetime) -> bool:
    rest = exact_sum([statement.spread, statement.corrections, statement.adjustments])
    sums = {"total": statement.total, "direct": statement.direct, "shared": statement.shared, "rest": rest}
    amounts = {name: str(Money(amount, statement.currency)) for name, amount in sums.items()}
    context = {"statement": statement, "amounts": amounts, "url": absolute_url(statement.get_absolute_url())}
    message = make_message("statement-closed", lead.email, context)
    message.attach(*statement_pdf.statement_attachment(statement, lead))
    return outbox.queue_email(f"statement {statement.number} to {lead.email}", message, now=now)


def post_dispute_raised(dispute: Dispute, now: datetime) -> None:
    """Notifies finance that a line is disputed."""
    for person in User.objects.in_role(FINANCE):
        _post_dispute("dispute-raised", dispute, person.email, now)


def post_dispute_resolved(dispute: Dispute, now: datetime) -> None:
    """Notifies the person who raised a dispute of its answer."""
    _post_dispute("dispute-resolved", dispute, dispute.raised_by.email, now)


def _post_dispute(kind: str, dispute: Dispute, address: str, now: datetime) -> None:
    statement = dispute.line.statement
    context = {
        "dispute": dispute,
        "statement": statement,
        "amount": str(Money(dispute.line.amount, statement.currency)),
        "url": absolute_url(reverse("tagging:dispute", args=[dispute.pk])),
    }
    outbox.queue_email(f"{kind} {dispute.pk} to {address}", make_message(kind, address, context), now=now)
