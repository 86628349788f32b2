"""Reports of the demo company: three schedules with what they sent last, and how all of it is taken away."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from finops_site.models import User
from finops_site.people import demo
from finops_site.people.demo_rows import counted_rows, demo_people, demo_rows
from programme.calc.due_moments import Every
from programme.models import Communication, MadeReport, ReportKind, ReportRun, ReportSchedule
from programme.reports import runs, schedules

LOOKED_BACK = timedelta(days=100)


def make_reports(say: Callable[[str], object], *, as_of: date) -> None:
    """The review of the quarter to max, the update of two weeks to lea too, statements to all leads."""
    people = {user.email.split("@")[0]: user for user in User.objects.filter(email__endswith=f"@{demo.DOMAIN}")}
    if "fay" not in people or ReportSchedule.objects.exists():
        return
    now = datetime.combine(as_of, time(12), UTC)
    wanted = [
        (ReportKind.QUARTERLY, "Quarterly review to the board", Every.QUARTER, 5, ("max",)),
        (ReportKind.UPDATE, "Update every two weeks", Every.TWO_WEEKS, 1, ("max", "lea")),
        (ReportKind.STATEMENTS, "Statements to leads", Every.MONTH, 31, ()),
    ]
    for kind, name, every, day, names in wanted:
        schedule = ReportSchedule(owner=people["fay"], kind=kind, name=name, every=every, day=day, to_leads=not names)
        recipients = [people[one] for one in names if one in people]
        schedules.save_schedule(schedule, recipients, [], now - LOOKED_BACK)
        # Leads have the statements of closed months by mail already: theirs are due from now on.
        due = schedule.rhythm.last_due(now) if names else None
        if due and (run := runs.note_due(schedule, due)):
            runs.make_run(run.pk, due)
        schedule.active_from = now
        schedule.save(update_fields=["active_from"])
    # What the plan of the demo's programme says of them; the rest of its rows is still sent by hand.
    for audience, name in ((_("CFO and engineering VP"), wanted[1][1]), (_("Management"), wanted[0][1])):
        Communication.objects.filter(programme__created_by=people["fay"], audience=audience).update(schedule_name=name)
    say(f"  {len(wanted)} schedules of reports, and what two of them sent last")


def counts() -> list[tuple[str, int, int]]:
    return [
        counted_rows(_("schedules of reports"), _schedules()),
        counted_rows(_("reports that were made"), _reports()),
    ]


def _schedules() -> QuerySet[ReportSchedule]:
    return ReportSchedule.objects.filter(Q(pk__in=demo_rows(ReportSchedule)) | Q(owner__in=demo_people()))


def _reports() -> QuerySet[MadeReport]:
    of_schedules = Q(run__schedule__in=_schedules()) | Q(made_by__in=demo_people())
    return MadeReport.objects.filter(Q(pk__in=demo_rows(MadeReport)) | of_schedules)


def remove_reports() -> None:
    """Their schedules before their people: a schedule holds its owner."""
    _reports().delete()
    ReportRun.objects.filter(Q(schedule__in=_schedules()) | Q(asked_by__in=demo_people())).delete()
    _schedules().delete()
