"""The link in a scheduled report by which its recipient takes herself off it: signed, for one schedule and reader."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.mail.emails import absolute_url
from finops_site.mail.signed_links import signed_parts
from finops_site.models import User
from finops_site.people.reader_language import in_language_of
from programme.models import ReportDelivery, ReportSchedule
from programme.reports import letters, schedules

# A quarterly report is still in somebody's mailbox when the next one but two has come.
GOOD_FOR = timedelta(days=400)
SALT = "programme.leave_report"


@dataclass(frozen=True, slots=True)
class LeaveLink:
    """Who may take herself off which schedule; `user` is None where the address is of nobody who signs in."""

    schedule: int
    address: str
    user: int | None = None

    def person(self) -> User | None:
        return User.objects.filter(pk=self.user).first() if self.user else None


def leave_url(delivery: ReportDelivery) -> str:
    """The link for the recipient of a delivery; empty where its schedule is gone."""
    if delivery.run.schedule_id is None:
        return ""
    token = signing.dumps([delivery.run.schedule_id, delivery.to, delivery.user_id], salt=SALT)
    return absolute_url(reverse("programme:leave_report", args=[token]))


def read_leave_link(token: str) -> LeaveLink | None:
    """Who it is for; None for one that is forged, damaged or too old."""
    parts = signed_parts(token, SALT, GOOD_FOR, (int, str))
    return LeaveLink(*parts) if parts else None


def leave_report(link: LeaveLink, schedule: ReportSchedule, now: datetime) -> bool:
    """Takes her off it and tells its owner, once; False where she has left already."""
    user = link.person()
    if not schedules.leave(schedule, user, link.address, now):
        return False
    with in_language_of(schedule.owner):
        text = _("{person} has taken herself off the report {name}, and gets it no more.").format(
            person=user or link.address, name=schedule
        )
    letters.tell_owner(schedule, f"left {link.address} {now.isoformat()}", text, now, left=True)
    return True
