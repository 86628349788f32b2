"""What finance does with schedules of reports: make, change, pause, resume, delete."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import WEEKDAYS
from finops_site.models import User
from programme.calc.due_moments import Every
from programme.models import Communication, ReportRecipient, ReportSchedule

RHYTHM = ("every", "weekday", "day", "hour", "time_zone", "kind")


@transaction.atomic
def save_schedule(
    schedule: ReportSchedule, people: Sequence[User], addresses: Sequence[str], now: datetime
) -> ReportSchedule:
    """Saves it with its recipients. What was due before it was made, or before its days were changed, is not sent."""
    before = ReportSchedule.objects.filter(pk=schedule.pk).first() if schedule.pk else None
    schedule.had_team = schedule.team_id is not None
    if before is None or any(getattr(before, name) != getattr(schedule, name) for name in RHYTHM):
        schedule.active_from = now
    if before is None:
        schedule.since = now.astimezone(ZoneInfo(schedule.time_zone)).date()
    schedule.save()
    if before is not None and before.name != schedule.name:
        # A row of a plan knows its schedule by name.
        Communication.objects.filter(schedule_name=before.name).update(schedule_name=schedule.name)
    _set_recipients(schedule, people, addresses)
    return schedule


def _set_recipients(schedule: ReportSchedule, people: Sequence[User], addresses: Sequence[str]) -> None:
    rows = list(schedule.recipients.all())
    wanted = {person.pk for person in people}
    small = {address.lower(): address for address in addresses}
    for row in rows:
        is_wanted = row.user_id in wanted or row.address.lower() in small
        if row.left_at and is_wanted:
            # Chosen once more, by name.
            row.left_at = None
            row.save(update_fields=["left_at"])
        elif not row.left_at and not is_wanted:
            row.delete()
    have = {row.user_id for row in rows} | {row.address.lower() for row in rows if row.address}
    for person in people:
        if person.pk not in have:
            ReportRecipient.objects.create(schedule=schedule, user=person)
    for key, address in small.items():
        if key not in have:
            ReportRecipient.objects.create(schedule=schedule, address=address)


def pause(schedule: ReportSchedule) -> None:
    schedule.is_paused, schedule.pause_reason = True, ""
    schedule.save(update_fields=["is_paused", "pause_reason"])


def resume(schedule: ReportSchedule, now: datetime) -> None:
    """It goes on with its next moment; what was due meanwhile is not sent."""
    schedule.is_paused, schedule.pause_reason, schedule.active_from = False, "", now
    schedule.save(update_fields=["is_paused", "pause_reason", "active_from"])


def count_of(owner: User) -> int:
    """How many schedules somebody looks after."""
    return ReportSchedule.objects.filter(owner=owner).count()


def let_go(person: User) -> None:
    """Of somebody who leaves: her schedules wait for who takes them over, and none sends her anything again."""
    reason = _("{owner} has left: take it over and resume it.").format(owner=person)
    for schedule in ReportSchedule.objects.filter(owner=person, is_paused=False):
        schedule.is_paused, schedule.pause_reason = True, reason
        schedule.save(update_fields=["is_paused", "pause_reason"])
    for row in ReportRecipient.objects.filter(user=person, left_at=None):
        row.left_at = timezone.now()
        row.save(update_fields=["left_at"])


def take_over(schedule: ReportSchedule, by: User) -> None:
    """From now on it is hers: she is told what goes wrong, and who has no login gets what she may see."""
    schedule.owner = by
    schedule.save(update_fields=["owner"])


@transaction.atomic
def leave(schedule: ReportSchedule, user: User | None, address: str, now: datetime) -> bool:
    """Takes somebody off a schedule, for good until she is chosen again; False where she has left already."""
    # Of two clicks at once one is told.
    ReportSchedule.objects.select_for_update().get(pk=schedule.pk)
    hers = Q(address__iexact=address) | (Q(user=user.pk) if user else Q(pk=None))
    rows = list(schedule.recipients.filter(hers))
    if rows and all(row.left_at for row in rows):
        return False
    for row in rows:
        if row.left_at is None:
            row.left_at = now
            row.save(update_fields=["left_at"])
    if not rows:
        # One who gets it as a lead.
        who = {"user": user} if user else {"address": address}
        ReportRecipient.objects.create(schedule=schedule, left_at=now, **who)
    return True


def has_left(schedule: ReportSchedule, user: User | None, address: str) -> bool:
    left = {(row.user_id, row.address.lower()) for row in schedule.recipients.exclude(left_at=None)}
    return bool(user and (user.pk, "") in left) or (None, address.lower()) in left


def when_text(schedule: ReportSchedule) -> str:
    """``every Monday at 8:00, Europe/Berlin``."""
    at = {"hour": f"{schedule.hour}:00", "zone": schedule.time_zone, "day": schedule.day}
    weekday = str(weekdays()[schedule.weekday])
    if schedule.every == Every.WEEK:
        return _("every {weekday} at {hour}, {zone}").format(weekday=weekday, **at)
    if schedule.every == Every.TWO_WEEKS:
        return _("every second {weekday} at {hour}, {zone}").format(weekday=weekday, **at)
    if schedule.every == Every.QUARTER:
        return _("every quarter on day {day} at {hour}, {zone}").format(**at)
    return _("every month on day {day} at {hour}, {zone}").format(**at)


def weekdays() -> list[str]:
    return [_(day) for day in WEEKDAYS]


def to_text(schedule: ReportSchedule) -> str:
    """To whom it goes, in a few words."""
    if schedule.channel != schedule.Channel.MAIL:
        return schedule.get_channel_display()
    names = [str(row) for row in schedule.recipients.all() if row.left_at is None]
    if schedule.to_leads:
        names.insert(0, _("everybody who leads a team"))
    if len(names) > 3:
        return _("{names} and {count} more").format(names=", ".join(names[:2]), count=len(names) - 2)
    return ", ".join(names) or "—"
