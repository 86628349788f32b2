"""Tickets for findings: asked for on a page, made once by a worker, and followed by their address."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from finops_site.celery import task
from finops_site.lib import http_client
from finops_site.lib.money import Money, exact_text
from finops_site.mail.emails import absolute_url
from finops_site.models import Team, User
from finops_site.ui.bulk_results import BulkRefused, BulkResult, LeftOut
from usage.models import Finding, FindingEvent, Ticket, Tracker
from usage.models.tickets import TrackerQuerySet
from usage.worklist.finding_texts import STATES, explanation, headline, makes_certain
from usage.worklist.rule_names import title_of
from usage.worklist.ticket_systems import TicketAddress, TicketPlace, TicketText, find_ticket, make_ticket

logger = logging.getLogger(__name__)

TICKET = "usage.add_ticket"
MOST_AT_ONCE = 100
CLAIM = timedelta(minutes=5)
MOST_TRIES = 8
LONGEST_PAUSE = timedelta(hours=1)


def trackers_for(team: int | None) -> TrackerQuerySet:
    """Where tickets of a team go: trackers of the company, and those of the team and of the teams above it."""
    parents = dict(Team.objects.values_list("pk", "parent"))
    own: set[int] = set()
    while team is not None and team not in own:
        own.add(team)
        team = parents.get(team)
    by_team = F("team").asc(nulls_last=True)
    return Tracker.objects.filter(Q(team=None) | Q(team__in=own), is_active=True).order_by(by_team, "name")


@transaction.atomic
def request_tickets(pks: Sequence[int], tracker: str, *, user: User, now: datetime) -> BulkResult:
    """Asks for a ticket for each finding that `user` sees; a worker makes them. Left out are those that have one.

    `tracker` is an id as text. Raises PermissionDenied, and BulkRefused for no tracker and for too many at once.
    """
    if not user.has_perm(TICKET):
        raise PermissionDenied
    if len(pks) > MOST_AT_ONCE:
        raise BulkRefused(_("A tracker gets {most} tickets at once at most.").format(most=MOST_AT_ONCE))
    place = _tracker(tracker, user)
    rows = Finding.objects.visible_to(user).filter(pk__in=pks).order_by("pk").select_for_update(of=("self",))
    listed = list(rows.select_related("owner"))
    tickets = {ticket.finding_id: ticket for ticket in Ticket.objects.filter(finding__in=listed)}
    teams = set(Team.objects.below(place.team).values_list("pk", flat=True)) if place.team else None
    reasons = {row.pk: _why_not(row, tickets.get(row.pk), teams) for row in listed}
    todo = [row for row in listed if not reasons[row.pk]]
    # Those that failed begin anew.
    Ticket.objects.filter(finding__in=todo).delete()
    Ticket.objects.bulk_create(
        Ticket(finding=row, tracker=place, system=place.system, made_by=user, made_at=now, send_after=now)
        for row in todo
    )
    if todo:
        # Without a broker they wait for the sweep every ten minutes.
        task("usage.worklist.tasks.send_tickets").delay_on_commit()
    left_out = tuple(LeftOut(headline(row), reasons[row.pk]) for row in listed if reasons[row.pk])
    return BulkResult(len(todo), left_out)


def _tracker(text: str, user: User) -> Tracker:
    if text.isdecimal() and len(text) < 19:
        trackers = Tracker.objects.visible_to(user).filter(is_active=True).select_related("team")
        if tracker := trackers.filter(pk=int(text)).first():
            return tracker
    raise BulkRefused(_("Choose where the ticket is made."))


def _why_not(row: Finding, ticket: Ticket | None, teams: set[int] | None) -> str:
    if ticket and ticket.state != Ticket.State.FAILED:
        return _("it has a ticket already")
    if row.state not in Finding.OPEN:
        return _("it is {state}").format(state=STATES[row.state][0])
    if teams is not None and row.owner_id not in teams:
        return _("that tracker is of another team")
    return ""


def send_tickets(now: datetime) -> int:
    """Makes the tickets that are due, one claimed at a time; returns how many were made."""
    made = 0
    for _ignored in range(1000):
        ticket = _claim(now)
        if ticket is None:
            break
        made += _send(ticket, now)
    return made


def _claim(now: datetime) -> Ticket | None:
    """The ticket that waits longest and that nobody else is making."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    due = Ticket.objects.filter(free, state=Ticket.State.WAITING, send_after__lte=now).order_by("send_after", "pk")
    with transaction.atomic():
        ticket = due.select_for_update(skip_locked=True, of=("self",)).first()
        if ticket:
            ticket.claimed_until, ticket.attempts = now + CLAIM, ticket.attempts + 1
            ticket.save(update_fields=["claimed_until", "attempts"])
    return ticket


def _send(ticket: Ticket, now: datetime) -> bool:
    """Makes one and records what became of it; whether it is there now."""
    # The number of the try proves that the claim is still ours.
    ours = Ticket.objects.filter(pk=ticket.pk, attempts=ticket.attempts, state=Ticket.State.WAITING)
    try:
        place, text = place_of(ticket), text_of(ticket)
        # An earlier try may have made it although nobody heard of it.
        address = find_ticket(place, text) if ticket.attempts > 1 else None
        address = address or make_ticket(place, text, now)
    except http_client.Undeliverable as problem:
        _try_again(ours, ticket, str(problem), now, is_over=not problem.temporary)
        return False
    except ValidationError as problem:
        _try_again(ours, ticket, "; ".join(problem.messages), now, is_over=True)
        return False
    except Exception as error:
        # One odd answer: the others are made all the same.
        logger.exception("usage: ticket %s", ticket.pk)
        _try_again(ours, ticket, f"{type(error).__name__}: {error}", now)
        return False
    return _record(ours, ticket, address, now)


@transaction.atomic
def _record(ours: QuerySet[Ticket], ticket: Ticket, address: TicketAddress, now: datetime) -> bool:
    fields = {"state": Ticket.State.MADE, "url": address.url[:500], "reference": address.reference[:200]}
    if not ours.update(claimed_until=None, message="", **fields):
        return False
    row = ticket.finding
    note = address.reference or (ticket.tracker.name if ticket.tracker else ticket.system)
    FindingEvent.objects.create(
        finding=row, at=now, person=ticket.made_by, verb="ticket", before=row.state, after=row.state, note=note
    )
    return True


def _try_again(ours: QuerySet[Ticket], ticket: Ticket, reason: str, now: datetime, *, is_over: bool = False) -> None:
    """The pause grows with every failure; after the last try, or where no other can succeed, it is given up."""
    is_over = is_over or ticket.attempts >= MOST_TRIES
    ours.update(
        state=Ticket.State.FAILED if is_over else Ticket.State.WAITING,
        message=reason[:500],
        claimed_until=None,
        send_after=now + min(timedelta(minutes=2**ticket.attempts), LONGEST_PAUSE),
    )


def place_of(ticket: Ticket) -> TicketPlace:
    """Where it goes. Raises Undeliverable without a tracker, ValidationError for a secret that cannot be read."""
    tracker = ticket.tracker
    if tracker is None:
        raise http_client.Undeliverable(_("Its tracker was removed."))
    secret = tracker.credential.secret() if tracker.credential else {}
    return TicketPlace(tracker.system, tracker.url, tracker.project, tracker.issue_type, secret)


def text_of(ticket: Ticket) -> TicketText:
    """What the ticket says, in the company's language."""
    row = ticket.finding
    url = absolute_url(row.get_absolute_url())
    saving = None if row.counted_saving is None else Money(row.counted_saving, row.currency)
    certain = makes_certain(row)
    lines = [
        explanation(row),
        _("It would save {amount} in an average month.").format(amount=saving)
        if saving
        else _("What it would save is not known."),
        _("Resource: {resource}").format(resource=row.resource),
        _("Account: {account}, region: {region}").format(account=row.account or "—", region=row.region or "—"),
        _("What would make it certain: {text}").format(text=certain) if certain else "",
        _("Until {day}").format(day=row.due_day.isoformat()) if row.due_day else "",
        url,
    ]
    facts = {
        "url": url,
        "rule": row.rule,
        "what": title_of(row.rule),
        "provider": row.provider,
        "account": row.account,
        "region": row.region,
        "resource": row.resource,
        "team": row.owner.name if row.owner else None,
        "monthly_saving": None if row.counted_saving is None else exact_text(row.counted_saving),
        "currency": row.currency,
        "confidence": row.confidence,
    }
    return TicketText(f"finops-finding-{row.pk}", headline(row), "\n\n".join(filter(None, lines)), facts)
