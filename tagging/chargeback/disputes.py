"""Disputes: a lead says a line is wrong; finance answers, or moves the amount by a correcting entry. Both are kept."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from finops_site.lib.person import Person
from finops_site.models import Membership, Team
from tagging.chargeback import emails, queues, statements
from tagging.models import Adjustment, ChargebackPeriod, Dispute, StatementLine


class InvalidDispute(ValueError):
    """A dispute, or its answer, that cannot be; the message says why."""


def leads_team(user: Person, team: Team) -> bool:
    """Whether the person leads the team, or one that it stands under."""
    mine = Membership.objects.filter(user=user, role=Membership.Role.LEAD).select_related("team")
    return any(Team.objects.below(each.team).filter(pk=team.pk).exists() for each in mine)


def raise_dispute(line: StatementLine, user: Person, comment: str, now: datetime) -> Dispute:
    """Opens a dispute and tells finance, once. Raises BadDispute."""
    if not comment.strip():
        raise InvalidDispute("Say what is wrong with it.")
    try:
        with transaction.atomic():
            dispute = Dispute.objects.create(line=line, raised_by=user, raised_at=now, comment=comment.strip())
            emails.post_dispute_raised(dispute, now)
    except IntegrityError:
        raise InvalidDispute("This line is disputed already: its answer is on the way.") from None
    return dispute


@dataclass(frozen=True, slots=True)
class CorrectingEntry:
    """A correcting entry to make: how much, and to whom (None: back to nobody)."""

    amount: Decimal
    to_team: Team | None


def resolve_dispute(
    dispute: Dispute, user: Person, answer: str, now: datetime, move: CorrectingEntry | None = None
) -> Dispute:
    """Answers a dispute, with a correcting entry where `move` is given, and tells who raised it, once.

    The entry is booked in the disputed month while that is a draft, otherwise in the month that is open. Raises
    BadDispute.
    """
    if not answer.strip():
        raise InvalidDispute("Say why: the lead reads your answer.")
    with transaction.atomic():
        mine = Dispute.objects.select_for_update().get(pk=dispute.pk)
        if mine.state != Dispute.State.OPEN:
            raise InvalidDispute(f"{mine.resolved_by} has resolved it already.")
        if move:
            _book(mine, user, move, now)
        mine.state = Dispute.State.CORRECTED if move else Dispute.State.ANSWERED
        mine.answer, mine.resolved_by, mine.resolved_at = answer.strip(), user, now
        mine.save()
        emails.post_dispute_resolved(mine, now)
        transaction.on_commit(queues.refresh_chargeback)
    dispute.refresh_from_db()
    return dispute


def _book(dispute: Dispute, user: Person, move: CorrectingEntry, now: datetime) -> None:
    statement = dispute.line.statement
    if not move.amount:
        raise InvalidDispute("Which amount? To change nothing, answer without a correcting entry.")
    if move.to_team and move.to_team.pk == statement.team_id:
        raise InvalidDispute("It must go to another team, or to nobody.")
    Adjustment.objects.create(
        dispute=dispute,
        period=_period_for(dispute),
        from_team_id=statement.team_id,
        to_team=move.to_team,
        currency=statement.currency,
        amount=move.amount,
        created_at=now,
        created_by=user,
    )


def _period_for(dispute: Dispute) -> ChargebackPeriod:
    """The disputed month while it is a draft, else the open one; locked, so that it is not closed meanwhile."""
    period = ChargebackPeriod.objects.select_for_update().get(pk=dispute.line.statement.period_id)
    if not period.is_closed:
        return period
    opened = statements.open_period()
    if opened is None:
        raise InvalidDispute("No month is open to book it in.")
    mine = ChargebackPeriod.objects.select_for_update().get(pk=opened.pk)
    if mine.is_closed:
        raise InvalidDispute(f"{mine.month} was closed just now: try again, it goes into the next month.")
    return mine
