"""What people answer to findings: one service for pages, bulk, API and admin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.lib.trees import all_above
from finops_site.models import User
from finops_site.people.savings_scopes import team_parents
from finops_site.ui.bulk_results import BulkRefused, BulkResult, LeftOut, check_count
from usage.models import Finding, FindingEvent, QuietRule
from usage.worklist import assignment_emails
from usage.worklist.finding_texts import STATES, headline
from usage.worklist.quiet_rules import QuietScope, make_quiet_rule

ANSWER = "usage.change_finding"
LONGEST_SNOOZE = timedelta(days=366)
LONGEST_AGO = timedelta(days=92)
State = Finding.State


class Verb(StrEnum):
    ACCEPT = "accept"
    SNOOZE = "snooze"
    DISMISS = "dismiss"
    MENDED = "mended"
    REOPEN = "reopen"


# From which states each answer is possible.
_WAITING = frozenset({State.NEW, State.ACCEPTED, State.BACK, State.SNOOZED})
POSSIBLE = {
    Verb.ACCEPT: _WAITING,
    Verb.SNOOZE: _WAITING,
    Verb.DISMISS: _WAITING,
    Verb.MENDED: _WAITING,
    Verb.REOPEN: frozenset({State.SNOOZED, State.DISMISSED, State.MENDED}),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and what belongs to it.

    `assignee` and `due_day` are of an acceptance (None: as it was), `until` of a snooze, `mended_day` of a mended one
    (None: today), `quiet` of a dismissal that is to be learnt. `reason` is needed to snooze and to dismiss.
    """

    verb: Verb
    reason: str = ""
    assignee: User | None = None
    due_day: date | None = None
    until: date | None = None
    mended_day: date | None = None
    quiet: QuietScope | None = None


def possible_verbs(finding: Finding) -> list[Verb]:
    """What may be answered in its state."""
    return [verb for verb, states in POSSIBLE.items() if finding.state in states]


@transaction.atomic
def answer_findings(pks: Sequence[int], answer: Answer, *, user: User, now: datetime) -> BulkResult:
    """Gives one answer to findings that `user` sees. Left out are those that it is not possible for, with the reason.

    Raises PermissionDenied for who may not answer, BulkRefused for an answer that lacks something.
    """
    if not user.has_perm(ANSWER):
        raise PermissionDenied
    today = now.date()
    check_count(len(pks), "finding")
    _check(answer, today)
    # Locked in one order, so that two that answer at once do not wait for each other in a circle.
    visible = Finding.objects.visible_to(user).filter(pk__in=pks).order_by("pk")
    rows = list(visible.select_for_update(of=("self",)).select_related("owner"))
    if answer.quiet and len(rows) != 1:
        raise BulkRefused(_("What is learnt of a dismissal is of one finding: dismiss it on its page."))
    reasons = {row.pk: _why_not(row, answer) for row in rows}
    todo = [row for row in rows if not reasons[row.pk]]
    left_out = tuple(LeftOut(headline(row), reasons[row.pk]) for row in rows if reasons[row.pk])
    if todo:
        _write(todo, answer, user, now)
    return BulkResult(len(todo), left_out)


def _check(answer: Answer, today: date) -> None:
    """Raises BulkRefused for what no finding could be answered by."""
    if answer.verb in (Verb.SNOOZE, Verb.DISMISS) and not answer.reason.strip():
        raise BulkRefused(_("Say why: the reason stays with the finding."))
    if len(answer.reason) > 500:
        raise BulkRefused(_("The reason is too long: 500 characters at most."))
    if answer.verb is Verb.SNOOZE:
        if answer.until is None:
            raise BulkRefused(_("Say until which day it rests."))
        if not today < answer.until <= today + LONGEST_SNOOZE:
            raise BulkRefused(_("It rests until a day after today, within a year."))
    if answer.verb is Verb.ACCEPT and answer.due_day and answer.due_day < today:
        raise BulkRefused(_("The day until which it is to be done has passed."))
    if answer.mended_day and not today - LONGEST_AGO <= answer.mended_day <= today:
        raise BulkRefused(_("The day on which it was mended is today or in the last three months."))
    if answer.quiet and answer.verb is not Verb.DISMISS:
        raise BulkRefused(_("Only a dismissal is learnt."))


def _why_not(row: Finding, answer: Answer) -> str:
    """Why one finding cannot be answered so; empty where it can."""
    if row.state not in POSSIBLE[answer.verb]:
        return _("it is {state}").format(state=STATES[row.state][0])
    if answer.assignee and not sees(answer.assignee, row):
        return _("{person} does not see what {team} owns").format(person=answer.assignee, team=row.owner or _("nobody"))
    if answer.mended_day and answer.mended_day < row.first_seen:
        return _("it was first seen on {day}, after that day").format(day=day_text(row.first_seen))
    return ""


def sees(person: User, row: Finding) -> bool:
    """Whether somebody sees a finding, so that it can be hers to do."""
    return person.sees_whole_company or row.owner_id in person.visible_team_ids


def people_for(owners: Iterable[int | None], asks: User) -> list[User]:
    """Who can be given findings of these teams: people of the teams and of those above, and whoever asks."""
    parents, teams = team_parents(), {team for team in owners if team is not None}
    above = teams | {other for team in teams for other in all_above(team, parents)}
    people = User.objects.filter(Q(memberships__team__in=above, is_active=True) | Q(pk=asks.pk))
    return list(people.distinct().order_by("name", "email"))


def _write(rows: Sequence[Finding], answer: Answer, user: User, now: datetime) -> None:
    changes = {**_changes(answer, now.date()), "changed_at": now}
    Finding.objects.filter(pk__in=[row.pk for row in rows]).update(**changes)
    after = dict(Finding.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", "state"))
    note = _note(answer)
    events = [
        FindingEvent(
            finding=row, at=now, person=user, verb=answer.verb, before=row.state, after=after[row.pk], note=note
        )
        for row in rows
    ]
    FindingEvent.objects.bulk_create(events, batch_size=1000)
    if answer.quiet:
        make_quiet_rule(rows[0], answer.quiet, reason=answer.reason, user=user, now=now)
    if answer.assignee and answer.assignee != user:
        assignment_emails.queue(rows, answer.assignee, by=user, due_day=answer.due_day, event=events[0].pk, now=now)


def _changes(answer: Answer, today: date) -> dict[str, Any]:
    """What an answer writes into findings."""
    reason = answer.reason.strip()
    match answer.verb:
        case Verb.ACCEPT:
            given = {"assignee": answer.assignee, "due_day": answer.due_day}
            new = {name: value for name, value in given.items() if value is not None}
            return {"state": State.ACCEPTED, "snoozed_until": None, "reason": reason, **new}
        case Verb.SNOOZE:
            return {"state": State.SNOOZED, "snoozed_until": answer.until, "reason": reason}
        case Verb.DISMISS:
            return {"state": State.DISMISSED, "snoozed_until": None, "reason": reason}
        case Verb.MENDED:
            # What was counted that day is what it is held to.
            return {
                "state": State.MENDED,
                "snoozed_until": None,
                "reason": reason,
                "mended_day": answer.mended_day or today,
                "promised_saving": F("counted_saving"),
            }
        case Verb.REOPEN:
            # What somebody has taken on stays hers.
            state = Case(When(assignee=None, then=Value(State.NEW.value)), default=Value(State.ACCEPTED.value))
            return {
                "state": state,
                **dict.fromkeys(("snoozed_until", "mended_day", "promised_saving")),
                "reason": reason,
            }


def _note(answer: Answer) -> str:
    """What the history has beside the verb."""
    texts = [
        _("to {person}").format(person=answer.assignee) if answer.assignee else "",
        _("until {day}").format(day=day_text(answer.due_day or answer.until)) if answer.due_day or answer.until else "",
        _("on {day}").format(day=day_text(answer.mended_day)) if answer.mended_day else "",
        answer.reason.strip(),
    ]
    return ". ".join(filter(None, texts))[:1000]


def quiet_rules_like(finding: Finding) -> "list[QuietRule]":
    """What was learnt of dismissals of this rule, of its team or of the company."""
    rules = QuietRule.objects.filter(rule=finding.rule)
    return [rule for rule in rules.select_related("team", "made_by") if rule.team_id in (None, finding.owner_id)]
