"""Disputes: a lead disputes a line; finance answers, or moves the amount by a correcting entry. Both are kept."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from finops_site.celery import task
from finops_site.models import Membership, Team, User
from tagging.chargeback import emails
from tagging.chargeback.periods import open_period
from tagging.models import Adjustment, ChargebackPeriod, Dispute, StatementLine


class InvalidDispute(ValueError):
    """A dispute, or its answer, that was refused; the message gives the reason."""


def leads_team(user: User, team: Team) -> bool:
    """Whether the person leads the team, or one that it stands under."""
    led = Membership.objects.filter(user=user, role=Membership.Role.LEAD).select_related("team")
    return any(Team.objects.below(membership.team).filter(pk=team.pk).exists() for membership in led)


def raise_dispute(line: StatementLine, user: User, comment: str, now: datetime) -> Dispute:
    """Opens a dispute and notifies finance, once. Raises InvalidDispute."""
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
    dispute: Dispute, user: User, answer: str, now: datetime, entry: CorrectingEntry | None = None
) -> Dispute:
    """Answers a dispute, with a correcting entry where one is given, and notifies the person who raised it, once.

    The entry is booked in the disputed month while that is a draft, otherwise in the month that is open. Raises
    InvalidDispute.
    """
    if not answer.strip():
        raise InvalidDispute("Say why: the lead reads your answer.")
    with transaction.atomic():
        locked = Dispute.objects.select_for_update().get(pk=dispute.pk)
        if locked.state != Dispute.State.OPEN:
            raise InvalidDispute(f"{locked.resolved_by} has resolved it already.")
        if entry:
            _book(locked, user, entry, now)
        locked.state = Dispute.State.CORRECTED if entry else Dispute.State.ANSWERED
        locked.answer, locked.resolved_by, locked.resolved_at = answer.strip(), user, now
        locked.save()
        emails.post_dispute_resolved(locked, now)
        task("tagging.tasks.refresh_chargeback").delay_on_commit()
    dispute.refresh_from_db()
    return dispute


def _book(dispute: Dispute, user: User, entry: CorrectingEntry, now: datetime) -> None:
    statement = dispute.line.statement
    if not entry.amount:
        raise InvalidDispute("Which amount? To change nothing, answer without a correcting entry.")
    if entry.to_team and entry.to_team.pk == statement.team_id:
        raise InvalidDispute("It must go to another team, or to nobody.")
    Adjustment.objects.create(
        dispute=dispute,
        period=_lock_period_for(dispute),
        from_team_id=statement.team_id,
        to_team=entry.to_team,
        currency=statement.currency,
        amount=entry.amount,
        created_at=now,
        created_by=user,
    )


def _lock_period_for(dispute: Dispute) -> ChargebackPeriod:
    """The disputed month while it is a draft, else the open one; locked, so that it is not closed meanwhile."""
    period = ChargebackPeriod.objects.select_for_update().get(pk=dispute.line.statement.period_id)
    if not period.is_closed:
        return period
    opened = open_period()
    if opened is None:
        raise InvalidDispute("No month is open to book it in.")
    locked = ChargebackPeriod.objects.select_for_update().get(pk=opened.pk)
    if locked.is_closed:
        raise InvalidDispute(f"{locked.month} was closed just now: try again, it goes into the next month.")
    return locked
