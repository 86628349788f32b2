"""Emails of chargeback: each is written once, in the transaction that gives its reason; the outbox sends it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse

from finops_site.lib.money import Money, exact_sum
from finops_site.lib.trees import all_above
from finops_site.lib.words import some_of
from finops_site.mail import outbox
from finops_site.mail.emails import absolute_url, make_message
from finops_site.models import Membership, OutgoingEmail, Team, User
from finops_site.people.reader_language import in_language_of
from finops_site.people.roles import FINANCE
from tagging.chargeback import statement_pdf
from tagging.models import ChargebackPeriod, Dispute, Statement

# An email with more attachments is refused by many servers: the others are one click away.
MOST_ATTACHMENTS = 12
# Statements of one person, and the teams that have no lead of their own.
Mailing = tuple[list[Statement], set[str]]


def post_statement_emails(now: datetime) -> int:
    """Writes the emails of closed months that are missing, one for each reader and month; returns how many are new.

    Done again after a crash it writes what is missing and nothing twice.
    """
    unsent = Statement.objects.filter(notified_at=None).exclude(number=None)
    periods = ChargebackPeriod.objects.filter(statements__in=unsent).order_by("billing_month").distinct()
    return sum(_post_month(period, now) for period in periods)


def _post_month(period: ChargebackPeriod, now: datetime) -> int:
    """Writes the emails of a month one by one, and notes that they are written when all are.

    Whoever does it twice, or at the same time as another worker, queues nothing twice: the key of an email is the same.
    """
    rows = period.statements.filter(notified_at=None).exclude(number=None).order_by("team_name", "currency")
    statements = list(rows.select_related("period", "team"))
    mailings = _mailings(statements)
    written = sum(_post_to(reader, *mailings[reader], period, now) for reader in mailings)
    # What reaches nobody is tried again: somebody may lead the team, or join finance.
    reached = {statement.pk for of_reader, _ in mailings.values() for statement in of_reader}
    period.statements.filter(pk__in=reached).update(notified_at=now)
    return written


def _mailings(statements: Sequence[Statement]) -> dict[User, Mailing]:
    """{reader: her email}: leads of the team, else of the nearest team above that has some, else finance."""
    leads: dict[int, list[User]] = defaultdict(list)
    active = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True)
    for membership in active.order_by("user__email").select_related("user"):
        leads[membership.team_id].append(membership.user)
    parents = dict(Team.objects.values_list("pk", "parent"))
    finance = list(User.objects.in_role(FINANCE))
    mailings: dict[User, Mailing] = defaultdict(lambda: ([], set()))
    for statement in statements:
        team = statement.team_id
        place = next((near for near in (team, *all_above(team, parents)) if leads.get(near)), None)
        for reader in finance if place is None else leads[place]:
            of_reader, without_lead = mailings[reader]
            of_reader.append(statement)
            if place != team:
                without_lead.add(statement.team_name)
    return mailings


def _post_to(
    reader: User, statements: Sequence[Statement], without_lead: set[str], period: ChargebackPeriod, now: datetime
) -> bool:
    numbers = [statement.number or "" for statement in statements]
    key = f"statement {numbers[0]} to {reader.email}"
    if OutgoingEmail.objects.filter(key=key).exists():
        return False
    teams = list(dict.fromkeys(statement.team_name for statement in statements))
    about = absolute_url(reverse("costs:team", args=[statements[0].team_id]))
    with in_language_of(reader):
        context = _statement_context(statements, without_lead, period, teams, numbers)
        message = make_message("statement-closed", reader.email, context, about=about)
    # One for each team, with all its currencies.
    for statement in list({statement.team_id: statement for statement in statements}.values())[:MOST_ATTACHMENTS]:
        message.attach(*statement_pdf.statement_attachment(statement))
    return outbox.queue_email(key, message, now=now)


def _statement_context(
    statements: Sequence[Statement],
    without_lead: set[str],
    period: ChargebackPeriod,
    teams: Sequence[str],
    numbers: Sequence[str],
) -> dict[str, Any]:
    return {
        "period": period,
        "teams": some_of(teams),
        "numbers": some_of(numbers),
        "is_one": len(statements) == 1,
        "statements": [_sums(statement) for statement in statements],
        "without_lead": some_of(sorted(without_lead)),
        "led": some_of([team for team in teams if team not in without_lead]),
        "attached": min(len(teams), MOST_ATTACHMENTS),
        "team_count": len(teams),
        "url": absolute_url(period.get_absolute_url()),
    }


def _sums(statement: Statement) -> Mapping[str, Any]:
    rest = exact_sum([statement.document_corrections, statement.document_adjustments])
    amounts = {
        "total": statement.document_total,
        "direct": statement.document_direct,
        "shared": statement.document_shared,
        "spread": statement.document_spread,
        "rest": rest,
    }
    texts = {name: str(Money(amount, statement.currency)) for name, amount in amounts.items()}
    texts["spread"] = texts["spread"] if statement.document_spread else ""
    return {"statement": statement, "url": absolute_url(statement.get_absolute_url()), **texts}


def post_dispute_raised(dispute: Dispute, now: datetime) -> None:
    """Notifies finance that a line is disputed."""
    for person in User.objects.in_role(FINANCE):
        _post_dispute("dispute-raised", dispute, person.email, now)


def post_dispute_resolved(dispute: Dispute, now: datetime) -> None:
    """Notifies the person who raised a dispute of its answer; again, where an entry was taken back in between."""
    key = f"dispute-resolved {now:%Y-%m-%dT%H:%M:%S.%f}"
    _post_dispute("dispute-resolved", dispute, dispute.raised_by.email, now, key=key)


def post_correction_proposed(dispute: Dispute, now: datetime) -> None:
    """Notifies the others in finance that a correcting entry waits for a second person."""
    key = f"correction-proposed {now:%Y-%m-%dT%H:%M:%S.%f}"
    for person in User.objects.in_role(FINANCE).exclude(pk__in=[dispute.proposed_by_id, dispute.raised_by_id]):
        _post_dispute("correction-proposed", dispute, person.email, now, key=key)


def post_correction_rejected(
    dispute: Dispute, user: User, now: datetime, *, reader: User, amount: Decimal, was_booked: bool
) -> None:
    """Notifies who made a correcting entry that it was turned down, or of one that was booked that it was taken back,
    and why; of the latter the person who raised the dispute, too.
    """
    key = f"correction-rejected {now:%Y-%m-%dT%H:%M:%S.%f}"
    more = {
        "rejected_by": user,
        "was_booked": was_booked,
        "is_of_reader": reader.pk == dispute.raised_by_id,
        "proposed": Money(amount, dispute.line.statement.currency),
    }
    _post_dispute("correction-rejected", dispute, reader.email, now, key=key, **more)


def _post_dispute(kind: str, dispute: Dispute, address: str, now: datetime, *, key: str = "", **more: Any) -> None:
    statement = dispute.line.statement
    proposed = dispute.proposed_amount
    context = {
        "dispute": dispute,
        "statement": statement,
        "amount": Money(dispute.line.document_amount, statement.currency),
        "proposed": "" if proposed is None else Money(proposed, statement.currency),
        "url": absolute_url(reverse("tagging:dispute", args=[dispute.pk])),
        **more,
    }
    outbox.queue_email(f"{key or kind} {dispute.pk} to {address}", make_message(kind, address, context), now=now)
