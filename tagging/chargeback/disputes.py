"""Disputes: a lead disputes a line; finance answers, or moves the amount by a correcting entry. Both are kept.

An entry above the line is booked when a second person has confirmed it, and none moves more than the statement charges
(`tagging/calc/correction_limits.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from finops_site.celery import task
from finops_site.lib.money import EXACT, exact_sum, rounded
from finops_site.lib.periods import month_text
from finops_site.models import Membership, Team, User
from tagging.calc.correction_limits import CorrectionLimits, TooMuch
from tagging.chargeback import emails
from tagging.chargeback.periods import open_period
from tagging.models import Adjustment, ChargebackPeriod, Dispute, Statement, StatementLine

ZERO = Decimal(0)
KINDS = StatementLine.Kind


class InvalidDispute(ValueError):
    """A dispute, or its answer, that was refused; the message gives the reason."""


def leads_team(user: User, team: Team) -> bool:
    """Whether the person leads the team, or one that it stands under."""
    led = Membership.objects.filter(user=user, role=Membership.Role.LEAD).select_related("team")
    return any(Team.objects.below(membership.team).filter(pk=team.pk).exists() for membership in led)


def raise_dispute(line: StatementLine, user: User, comment: str, now: datetime) -> Dispute:
    """Opens a dispute and notifies finance, once. Raises InvalidDispute."""
    if not comment.strip():
        raise InvalidDispute(_("Say what is wrong with it."))
    if line.statement.period.is_set_aside:
        raise InvalidDispute(
            _("{month} is set aside: nobody is charged for it.").format(
                month=month_text(line.statement.period.month, "long")
            )
        )
    try:
        with transaction.atomic():
            dispute = Dispute.objects.create(line=line, raised_by=user, raised_at=now, comment=comment.strip())
            emails.post_dispute_raised(dispute, now)
    except IntegrityError:
        raise InvalidDispute(_("This line is disputed already: its answer is on the way.")) from None
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

    The entry is booked in the disputed month while that is a draft, otherwise in the month that is open. One above the
    disputed line is only proposed: `confirm_correction` by somebody else books it. Raises InvalidDispute.
    """
    if not answer.strip():
        raise InvalidDispute(_("Say why: the lead reads your answer."))
    with transaction.atomic():
        locked = _lock(dispute)
        if locked.state == Dispute.State.PROPOSED:
            raise InvalidDispute(
                _("{proposed_by} has proposed a correcting entry: confirm it, or turn it down.").format(
                    proposed_by=locked.proposed_by
                )
            )
        locked.answer = answer.strip()
        if entry and _check_entry(locked, entry):
            _propose(locked, user, entry, now)
        else:
            _resolve(locked, user, now, entry)
    dispute.refresh_from_db()
    return dispute


def confirm_correction(dispute: Dispute, user: User, now: datetime) -> Dispute:
    """Books the correcting entry that somebody else proposed, and notifies who raised the dispute, once.

    Raises InvalidDispute.
    """
    with transaction.atomic():
        locked = _lock_proposed(dispute)
        if user.pk in (locked.proposed_by_id, locked.raised_by_id):
            raise InvalidDispute(_("It needs a second person: neither who proposed it nor who raised the dispute."))
        assert locked.proposed_amount is not None
        entry = CorrectingEntry(locked.proposed_amount, locked.proposed_to)
        _check_entry(locked, entry)
        _resolve(locked, user, now, entry)
    dispute.refresh_from_db()
    return dispute


def reject_correction(dispute: Dispute, user: User, why: str, now: datetime) -> Dispute:
    """Turns a proposed correcting entry down, or takes one back that was proposed or is booked in a draft: the dispute
    is open again.

    Notifies who made the entry, and of one that was booked the person who raised the dispute. Raises InvalidDispute.
    """
    if not why.strip():
        raise InvalidDispute(_("Say why: whoever proposed it reads your reason."))
    with transaction.atomic():
        booked = Adjustment.objects.filter(dispute=dispute).first()
        locked = _lock_booked(booked) if booked else _lock_proposed(dispute)
        locked.rejected_why = why.strip()
        amount = booked.amount if booked else locked.proposed_amount
        assert amount is not None
        readers = {locked.resolved_by, locked.raised_by} if booked else {locked.proposed_by}
        for reader in readers:
            if reader and reader != user:
                emails.post_correction_rejected(
                    locked, user, now, reader=reader, amount=amount, was_booked=booked is not None
                )
        if booked:
            booked.delete()
        locked.state, locked.answer = Dispute.State.OPEN, ""
        locked.proposed_amount = locked.proposed_to = locked.proposed_by = locked.proposed_at = None
        locked.resolved_by = locked.resolved_at = None
        try:
            with transaction.atomic():
                locked.save()
        except IntegrityError:
            raise InvalidDispute(_("This line is disputed again: answer that dispute first.")) from None
        if booked:
            task("tagging.tasks.refresh_chargeback").delay_on_commit()
    dispute.refresh_from_db()
    return dispute


def _lock(dispute: Dispute) -> Dispute:
    locked = _locked(dispute)
    if locked.state not in Dispute.UNRESOLVED:
        raise InvalidDispute(_("{resolved_by} has resolved it already.").format(resolved_by=locked.resolved_by))
    return locked


def _locked(dispute: Dispute) -> Dispute:
    return Dispute.objects.select_for_update(of=("self",)).select_related("proposed_by", "line").get(pk=dispute.pk)


def _lock_booked(entry: Adjustment) -> Dispute:
    """The dispute of an entry that is booked in a draft, with that month, so that it is not closed meanwhile."""
    locked = _locked(entry.dispute)
    period = ChargebackPeriod.objects.select_for_update(of=("self",)).get(pk=entry.period_id)
    if not period.is_draft:
        raise InvalidDispute(
            _("It is booked in {month}, which is no draft any more: it stays.").format(
                month=month_text(period.month, "long")
            )
        )
    return locked


def _lock_proposed(dispute: Dispute) -> Dispute:
    locked = _lock(dispute)
    if locked.state != Dispute.State.PROPOSED:
        raise InvalidDispute(_("No correcting entry is proposed."))
    return locked


def _check_entry(dispute: Dispute, entry: CorrectingEntry) -> bool:
    """Whether the entry needs a second person. Raises InvalidDispute where it cannot be booked at all.

    Holds the statement, so that two disputes of it do not move more together than it charges.
    """
    statement = Statement.objects.select_for_update().get(pk=dispute.line.statement_id)
    if not entry.amount:
        raise InvalidDispute(_("Which amount? To change nothing, answer without a correcting entry."))
    if not rounded(entry.amount, statement.currency):
        raise InvalidDispute(
            _("That is less than the smallest amount in {currency}: it would be booked as zero.").format(
                currency=statement.currency
            )
        )
    if entry.to_team and entry.to_team.pk == statement.team_id:
        raise InvalidDispute(_("It must go to another team, or to nobody."))
    try:
        return correction_limits(dispute.line, statement).needs_second_person(entry.amount)
    except TooMuch as problem:
        raise InvalidDispute(str(problem)) from None


def correction_limits(line: StatementLine, statement: Statement) -> CorrectionLimits:
    """What bounds a correcting entry for a line of a statement, with the entries that were made before, and with what
    restated bills gave back of it by corrections in later months.

    Entries that the draft holds itself count once: what it charges is taken without them.
    """
    booked = Adjustment.objects.filter(dispute__line__statement=statement).order_by()
    moved = dict(booked.values_list("dispute__line").annotate(Sum("amount")))
    own = statement.lines.filter(kind=KINDS.ADJUSTMENT, corrects=statement)
    held = own.aggregate(exact=Sum("amount", default=ZERO), document=Sum("document_amount", default=ZERO))
    charged = EXACT.subtract(statement.total, held["exact"])
    document = EXACT.subtract(statement.document_total, held["document"])
    given_back = _given_back(line, statement)
    key = line.key if line.kind == KINDS.CORRECTION else f"correction:{statement.period.month}:{line.key}"
    of_line = max(line.amount, line.document_amount, key=abs)
    of_statement = max(charged, document, key=abs)
    return CorrectionLimits(
        currency=statement.currency,
        line=of_line,
        statement=of_statement,
        moved_of_line=exact_sum([moved.get(line.pk, ZERO), _towards_zero(of_line, given_back.get(key, ZERO))]),
        moved_of_statement=exact_sum([*moved.values(), _towards_zero(of_statement, exact_sum(given_back.values()))]),
    )


def _given_back(line: StatementLine, statement: Statement) -> dict[str, Decimal]:
    """{key of a correction: what later months gave back by it} of a statement's own lines, and of the line, if that is
    a correction; less what disputes of these corrections moved again.
    """
    later = StatementLine.objects.filter(
        Q(of_period=statement.period_id) | Q(key=line.key),
        kind=KINDS.CORRECTION,
        statement__team=statement.team_id,
        statement__currency=statement.currency,
        statement__period__billing_month__gt=statement.period.billing_month,
    ).order_by()
    booked = Adjustment.objects.filter(dispute__line__in=later).order_by().values_list("dispute__line__key")
    moved = dict(booked.annotate(Sum("amount")))
    sums = later.values_list("key").annotate(Sum("amount"), Sum("document_amount"))
    return {key: EXACT.subtract(moved.get(key, ZERO), min(amount, document, key=abs)) for key, amount, document in sums}


def _towards_zero(charged: Decimal, given_back: Decimal) -> Decimal:
    """What was given back of an amount. What a restated bill charges on top is a line of a later month, which is
    disputed there: it does not widen the limits of this one.
    """
    return min(given_back, ZERO) if charged < 0 else max(given_back, ZERO)


def entries_beyond(period: ChargebackPeriod) -> list[tuple[Adjustment, str]]:
    """The correcting entries that move more than is left of what was disputed, each with the reason in words: booked
    in the month, or of a statement that the month corrects.

    A bill that was restated after an entry was booked makes that: what an entry was bounded by is not there any more.
    """
    corrected = (
        StatementLine.objects.filter(statement__period=period, kind=KINDS.CORRECTION)
        .exclude(amount=0)
        .values("corrects")
    )
    entries = Adjustment.objects.filter(Q(period=period) | Q(dispute__line__statement__in=corrected))
    beyond = []
    for entry in entries.select_related("period", "dispute__line__statement__period").order_by("pk"):
        line = entry.dispute.line
        limits = correction_limits(line, line.statement)
        # One that a second person confirmed may leave more, or less, than between its line and nothing.
        if not limits.hold(is_confirmed=entry.dispute.proposed_by_id is not None):
            beyond.append(
                (
                    entry,
                    _("{line} of {statement}: {limits}").format(
                        line=line.label, statement=line.statement, limits=limits
                    ),
                )
            )
    return beyond


def _propose(dispute: Dispute, user: User, entry: CorrectingEntry, now: datetime) -> None:
    dispute.state = Dispute.State.PROPOSED
    dispute.proposed_amount, dispute.proposed_to = entry.amount, entry.to_team
    dispute.proposed_by, dispute.proposed_at, dispute.rejected_why = user, now, ""
    dispute.save()
    emails.post_correction_proposed(dispute, now)


def _resolve(dispute: Dispute, user: User, now: datetime, entry: CorrectingEntry | None) -> None:
    if entry:
        statement = dispute.line.statement
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
    dispute.state = Dispute.State.CORRECTED if entry else Dispute.State.ANSWERED
    dispute.resolved_by, dispute.resolved_at = user, now
    dispute.save()
    emails.post_dispute_resolved(dispute, now)
    task("tagging.tasks.refresh_chargeback").delay_on_commit()


def _lock_period_for(dispute: Dispute) -> ChargebackPeriod:
    """The disputed month while it is a draft, else the open one; locked, so that it is not closed meanwhile."""
    period = ChargebackPeriod.objects.select_for_update(of=("self",)).get(pk=dispute.line.statement.period_id)
    if period.is_draft:
        return period
    if period.is_set_aside:
        raise InvalidDispute(
            _("{month} is set aside: nobody is charged for it. Answer without an entry.").format(
                month=month_text(period.month, "long")
            )
        )
    opened = open_period()
    if opened is None:
        raise InvalidDispute(_("No month is open to book it in."))
    locked = ChargebackPeriod.objects.select_for_update(of=("self",)).get(pk=opened.pk)
    if locked.is_closed:
        raise InvalidDispute(
            _("{month} was closed just now: try again, it goes into the next month.").format(
                month=month_text(locked.month, "long")
            )
        )
    return locked
