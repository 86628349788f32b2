"""Runs of reports: each due moment once, late rather than lost, and to each recipient what she may see.

A run is one row for each schedule and due moment. A worker claims it by an UPDATE for some minutes and claims it anew
with every report that it makes, so that one that dies leaves a run that the next worker goes on with: what is made
already is not made again, and who was sent her report is not sent it again.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from finops_site.celery import task
from finops_site.lib.periods import Month, Period, month_text
from finops_site.models import Team, User
from finops_site.people.reader_language import in_company_language, in_language_of
from finops_site.registry import TeamDocumentSource, registry
from programme.calc.due_moments import ON_TIME, days_of
from programme.models import MadeReport, ReportDelivery, ReportKind, ReportRun, ReportSchedule
from programme.models.reports import LEASE
from programme.reports import archive, letters, sending
from programme.reports.compose import NothingToReport, compose
from programme.reports.paper import ReportTooLong
from programme.reports.readers import NoAccess, Scope, scope_of

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
PAUSE = timedelta(minutes=5)
# A month whose bill has not come, or is not closed, is asked for again, until the next report is due.
ASK_AGAIN, LONGEST_WAIT = timedelta(hours=6), timedelta(days=31)
State = ReportRun.State


class LostClaim(Exception):
    """Another worker has taken the run, for this one was silent for too long."""


def make_due(now: datetime) -> int:
    """Notes what is due, makes it, and posts what waits; returns how many runs were worked on."""
    sending.take_over_mails()
    for schedule in ReportSchedule.objects.filter(is_paused=False).order_by("pk"):
        try:
            note_due(schedule, now)
        except Exception:
            # One odd schedule stops no other.
            logger.exception("schedule of reports %s", schedule.pk)
    todo = _free(now).filter(due_at__lte=now).order_by("due_at", "pk")
    count = sum(make_run(pk, now) for pk in list(todo.values_list("pk", flat=True)))
    sending.post_waiting(now)
    return count


def make_due_of(now: datetime, names: Sequence[str] | None = None) -> tuple[int, int]:
    """The same by hand, of schedules of some names or all: how many runs were worked on and messages written."""
    last = ReportDelivery.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    if names is None:
        made = make_due(now)
    else:
        made = 0
        for schedule in ReportSchedule.objects.filter(is_paused=False, name__in=names):
            note_due(schedule, now)
            todo = _free(now).filter(due_at__lte=now, schedule=schedule).order_by("due_at", "pk")
            made += sum(make_run(pk, now) for pk in list(todo.values_list("pk", flat=True)))
    return made, ReportDelivery.objects.filter(pk__gt=last).count()


@dataclass(frozen=True, slots=True)
class DueReport:
    """A schedule with the newest moment at which it was due, None for none, and what has become of that."""

    schedule: ReportSchedule
    due_at: datetime | None
    state: str
    recipients: Sequence[str]
    next_due: datetime | None

    def as_json(self) -> dict[str, Any]:
        period = None
        if self.due_at:
            period = days_of(self.schedule.kind, self.due_at.astimezone(_zone(self.schedule)).date())
        return {
            "name": self.schedule.name,
            "kind": self.schedule.kind,
            "due_at": self.due_at.isoformat() if self.due_at else None,
            "from": period.start.isoformat() if period else None,
            "to": period.last_day.isoformat() if period else None,
            "state": self.state,
            "recipients": list(self.recipients),
            "next_due": self.next_due.isoformat() if self.next_due else None,
        }


def list_due(now: datetime, names: Sequence[str] | None = None) -> list[DueReport]:
    """Every schedule, or those of some names, with what is due up to a moment; makes and writes nothing.

    States: "paused", "nothing due", "due", and those of a run that was made.
    """
    rows = ReportSchedule.objects.select_related("owner", "team")
    schedules = list(rows if names is None else rows.filter(name__in=names))
    made = {
        (row.schedule_id, row.due_at): row.state
        for row in ReportRun.objects.filter(schedule__in=schedules, asked_by=None, due_at__lte=now)
    }
    listed = []
    for schedule in schedules:
        due = None if schedule.is_paused else schedule.rhythm.last_due(now)
        state = made.get((schedule.pk, due)) if due else None
        if due and state is None and due <= schedule.active_from:
            due = None
        waits = "paused" if schedule.is_paused else "due" if due else "nothing due"
        recipients = [target.to for target in sending.targets_of(schedule)]
        ahead = None if schedule.is_paused else schedule.rhythm.next_due(now)
        listed.append(DueReport(schedule, due, str(state or waits), recipients, ahead))
    return listed


def note_due(schedule: ReportSchedule, now: datetime) -> ReportRun | None:
    """The run of the newest moment at which it was due; of several that were missed the newest alone."""
    due = schedule.rhythm.last_due(now)
    if due is None or due <= schedule.active_from:
        return None
    period = days_of(schedule.kind, due.astimezone(_zone(schedule)).date())
    earlier = schedule.runs.filter(asked_by=None).order_by("-due_at").values_list("due_at", flat=True).first()
    run, is_new = ReportRun.objects.get_or_create(
        schedule=schedule,
        due_at=due,
        asked_by=None,
        defaults={
            "kind": schedule.kind,
            "start": period.start,
            "end": period.end,
            "is_late": now - due > ON_TIME,
            "missed": _missed(schedule, due, earlier),
            "created_at": now,
        },
    )
    return run if is_new else None


def _zone(schedule: ReportSchedule) -> ZoneInfo:
    return ZoneInfo(schedule.time_zone)


def _missed(schedule: ReportSchedule, due: datetime, earlier: datetime | None) -> int:
    """How many due moments lie between the run before and this one."""
    count, at = 0, schedule.rhythm.due_before(due)
    while at and at > max(earlier or schedule.active_from, schedule.active_from) and count < 1000:
        count, at = count + 1, schedule.rhythm.due_before(at)
    return count


def make_run(pk: int, now: datetime) -> bool:
    """Makes and sends one run, if nobody else is at it; whether it was ours."""
    run = _claim(pk, now)
    if run is None:
        return False
    reader = run.asked_by if run.schedule is None else run.schedule.owner
    # What becomes of it is read by whoever asked for it or owns its schedule.
    with in_language_of(reader) if reader else in_company_language():
        _make_or_say_why(run, now)
    return True


def _make_or_say_why(run: ReportRun, now: datetime) -> None:
    pk = run.pk
    try:
        _make(run, now)
    except LostClaim:
        logger.warning("run %s of a report was taken over", pk)
    except (NothingToReport, ReportTooLong, NoAccess) as reason:
        _end(run, State.FAILED, str(reason), now)
    except Exception as error:
        logger.exception("run %s of a report", pk)
        problem = f"{type(error).__name__}: {error}"
        if run.attempts >= MOST_ATTEMPTS:
            _end(run, State.FAILED, problem, now)
        else:
            _ours(run).update(state=State.WAITING, claimed_until=now + PAUSE * run.attempts, problem=problem[:1000])


def _free(now: datetime) -> QuerySet[ReportRun]:
    """Runs that are not over and that no worker has."""
    unclaimed = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return ReportRun.objects.filter(unclaimed, state__in=[State.WAITING, State.RUNNING])


def _claim(pk: int, now: datetime) -> ReportRun | None:
    """The run, ours for some minutes; None where another worker has it or it is over."""
    if not _free(now).filter(pk=pk).update(state=State.RUNNING, attempts=F("attempts") + 1, claimed_until=now + LEASE):
        return None
    run = ReportRun.objects.select_related("schedule__owner", "schedule__team", "asked_by").get(pk=pk)
    run.began = time.monotonic()
    return run


def _ours(run: ReportRun) -> QuerySet[ReportRun]:
    # The number of the attempt proves that the claim is still ours.
    return ReportRun.objects.filter(pk=run.pk, attempts=run.attempts, state=State.RUNNING)


def _go_on(run: ReportRun, now: datetime, stage: str, done: int, of: int) -> None:
    """Says how far it is, and that the worker lives. Raises LostClaim."""
    percent = 100 * done // max(of, 1)
    # `now` is when the work began.
    until = now + timedelta(seconds=time.monotonic() - run.began) + LEASE
    if not _ours(run).update(claimed_until=until, stage=stage[:200], percent=percent):
        raise LostClaim


def _end(run: ReportRun, state: str, problem: str, now: datetime) -> None:
    ended = _ours(run).update(
        state=state, problem=problem[:1000], ended_at=now, claimed_until=None, percent=100, stage=""
    )
    if ended and problem and run.schedule:
        letters.tell_owner(run.schedule, f"run {run.pk}", problem, now)


def _make(run: ReportRun, now: datetime) -> None:
    schedule = run.schedule
    if schedule is None:
        _make_for_asker(run, now)
        return
    if run.asked_by_id is None and now - run.due_at > ON_TIME and not run.is_late:
        run.is_late = True
        _ours(run).update(is_late=True)
    if schedule.had_team and schedule.team is None:
        ReportSchedule.objects.filter(pk=schedule.pk).update(
            is_paused=True, pause_reason=_("The team that it was about is not there any more.")
        )
        raise NoAccess(_("The team that it was about is not there any more: the schedule is paused."))
    targets = sending.targets_of(schedule)
    if not targets:
        raise NothingToReport(_("The schedule has nobody to send to."))
    sent = _send_statements if run.kind == ReportKind.STATEMENTS else _send_reports
    is_sent, without = sent(run, schedule, targets, now)
    problem = "" if is_sent or not without else without[0][1]
    if problem and run.asked_by_id is None and now < _waits_until(run, schedule):
        text = _("{problem} It is looked at again until there is something to send.").format(problem=problem)
        letters.tell_owner(schedule, f"run {run.pk} waits", text, now, waits=True)
        _ours(run).update(state=State.WAITING, claimed_until=now + ASK_AGAIN, problem=problem[:1000], attempts=0)
        return
    for target, reason in without:
        sending.note_nothing(run, target, reason)
    _end(run, State.DONE, " ".join(f"{target.to}: {reason}" for target, reason in without), now)
    sending.post_waiting(now, run)


def _waits_until(run: ReportRun, schedule: ReportSchedule) -> datetime:
    return min(schedule.rhythm.next_due(run.due_at), run.due_at + LONGEST_WAIT)


def _make_for_asker(run: ReportRun, now: datetime) -> None:
    """One that a person asked for on its page: kept in the archive, and sent to nobody."""
    if run.asked_by is None:
        raise NoAccess(_("Who asked for it is not there any more."))
    scope = scope_of(run.asked_by, team=run.team)
    with in_language_of(run.asked_by):
        _go_on(run, now, _("Asking for the figures"), 0, 2)
        report = compose(run.kind, scope, run.period, now.date())
        _go_on(run, now, _("Drawing the pages"), 1, 2)
        archive.keep(report, scope, run=run, made_by=run.asked_by, now=now)
    _end(run, State.DONE, "", now)


# Whether anybody got something, and who did not, with the reason.
Outcome = tuple[bool, list[tuple[sending.Target, str]]]


def _send_reports(
    run: ReportRun, schedule: ReportSchedule, targets: Sequence[sending.Target], now: datetime
) -> Outcome:
    """One report for all who see the same; of whom there is nothing to say, nothing is sent."""
    groups: dict[str, tuple[Scope, list[sending.Target]]] = {}
    for target in sending.with_access(run, schedule, targets, now):
        # Figures of a saved view are each reader's own.
        extra = (f"view {schedule.view_id} {target.reader.pk}",) if schedule.view_id else ()
        scope = scope_of(target.reader, team=schedule.team, extra=extra)
        groups.setdefault(scope.key, (scope, []))[1].append(target)
    is_sent, without = False, []
    for number, (scope, of_group) in enumerate(groups.values()):
        _go_on(run, now, scope.label, number, len(groups))
        try:
            with in_language_of(of_group[0].reader):
                made = _made(run, schedule, scope, of_group[0].reader, now)
        except NothingToReport as reason:
            without += [(target, str(reason)) for target in of_group]
            continue
        is_sent = True
        for target in of_group:
            sending.deliver(run, schedule, target, [made], now)
    return is_sent, without


def _made(run: ReportRun, schedule: ReportSchedule, scope: Scope, reader: User, now: datetime) -> MadeReport:
    """The report of a scope: the one that a worker made before it died, else a new one."""
    made = MadeReport.objects.filter(run=run, scope_key=scope.key).first()
    if made is None:
        report = compose(run.kind, scope, run.period, now.date(), view=schedule.view, user=reader)
        if run.is_late:
            report = replace(report, notes=[*report.notes, letters.late_text(run)])
        made = archive.keep(report, scope, run=run, made_by=None, now=now)
    return made


def _send_statements(
    run: ReportRun, schedule: ReportSchedule, targets: Sequence[sending.Target], now: datetime
) -> Outcome:
    """To each the closed statements of the teams that she may see: the bytes that were kept at closing."""
    is_sent, without = False, []
    allowed = sending.with_access(run, schedule, targets, now)
    by_team: dict[int, MadeReport] = {}
    month = month_text(run.start, "long")
    for number, target in enumerate(allowed):
        _go_on(run, now, target.to, number, len(allowed))
        scope = scope_of(target.reader, team=schedule.team)
        statements = [report for team in _teams_of(scope) if (report := _statement(run, team, scope, by_team, now))]
        if statements:
            is_sent = True
            sending.deliver(run, schedule, target, statements, now)
        else:
            without.append((target, _("No statement of {month} is closed yet.").format(month=month)))
    return is_sent, without


def _teams_of(scope: Scope) -> Iterable[int]:
    return Team.objects.order_by("name").values_list("pk", flat=True) if scope.is_company else scope.teams


def _statement(
    run: ReportRun, team: int, scope: Scope, by_team: dict[int, MadeReport], now: datetime
) -> MadeReport | None:
    """The statement of a team, of who may see statements; kept once for all its readers."""
    if team not in by_team:
        for source in registry.of(TeamDocumentSource):
            for document in source.documents([team], Month.of(run.start)):
                needs = [source.permission] if source.permission else []
                by_team[team] = archive.keep_document(document, run, needs=needs, now=now)
    made = by_team.get(team)
    return made if made and set(made.needs) <= set(scope.permissions) else None


def ask_for(kind: str, user: User, period: Period, now: datetime, team: Team | None = None) -> ReportRun:
    """A report that somebody wants now; made by a worker, and kept. Raises NoAccess at once."""
    scope_of(user, team=team)
    run = ReportRun.objects.create(
        kind=kind, due_at=now, start=period.start, end=period.end, asked_by=user, team=team, created_at=now
    )
    task("programme.tasks.make_report_run").delay_on_commit(run.pk)
    return run


def run_now(schedule: ReportSchedule, user: User, now: datetime) -> ReportRun:
    """A run of a schedule beside its due ones, for the days that it would be about today."""
    period = days_of(schedule.kind, now.astimezone(_zone(schedule)).date())
    run = ReportRun.objects.create(
        schedule=schedule,
        kind=schedule.kind,
        due_at=now,
        start=period.start,
        end=period.end,
        asked_by=user,
        created_at=now,
    )
    task("programme.tasks.make_report_run").delay_on_commit(run.pk)
    return run
