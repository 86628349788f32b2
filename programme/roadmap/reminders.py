"""Mails before a milestone is due and before a decision is asked for: one each, through the outbox.

Whether one is still needed is asked again when it is sent.
"""

from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from finops_site.mail.emails import absolute_url, make_message
from finops_site.mail.notifications import why_not_hers
from finops_site.mail.outbox import queue_email
from finops_site.models import OutgoingEmail, User
from finops_site.people.roles import EXECUTIVE, FINANCE
from programme.models import DecisionPoint, Milestone, Programme

# A mail goes out so long before.
BEFORE = timedelta(days=3)


def remind(programme: Programme, as_of: date, now: datetime) -> int:
    """Queues what is due for a reminder; returns how many mails. What was reminded of once is left alone."""
    return _remind_of_milestones(programme, as_of, now) + _remind_of_decisions(programme, as_of, now)


def _remind_of_milestones(programme: Programme, as_of: date, now: datetime) -> int:
    due = programme.milestones.open().filter(reminded_on=None, due__lte=as_of + BEFORE, owner__is_active=True)
    rows: list[Milestone] = list(due.select_related("owner", "programme"))
    for row in rows:
        assert row.owner is not None
        context = {"milestone": row, "url": absolute_url(row.get_absolute_url()), "is_late": row.is_late(as_of)}
        message = make_message("milestone-due", row.owner.email, context)
        queue_email(f"milestone {row.pk} due {row.due} to {row.owner.email}", message, now=now)
    Milestone.objects.filter(pk__in=[row.pk for row in rows]).update(reminded_on=as_of)
    return len(rows)


def _remind_of_decisions(programme: Programme, as_of: date, now: datetime) -> int:
    due = programme.decisions.undecided().filter(reminded_on=None, due__lte=as_of + BEFORE)
    rows: list[DecisionPoint] = list(due.select_related("programme"))
    if not rows:
        return 0
    readers = User.objects.in_role(EXECUTIVE) | User.objects.in_role(FINANCE)
    mails = 0
    for row in rows:
        context = {"decision": row, "url": absolute_url(row.get_absolute_url())}
        for reader in readers:
            message = make_message("decision-due", reader.email, context)
            mails += queue_email(f"decision {row.pk} due {row.due} to {reader.email}", message, now=now)
    # What was decided meanwhile is frozen.
    DecisionPoint.objects.undecided().filter(pk__in=[row.pk for row in rows]).update(reminded_on=as_of)
    return mails


def why_no_reminder(email: OutgoingEmail, now: datetime) -> str:
    """Why a reminder of a milestone or a decision that waits in the outbox is not sent any more; empty where it is."""
    reader = email.reader
    if reader is None or not reader.is_active:
        return _("{reader} was switched off before it was sent").format(reader=reader or email.to)
    what, number = email.key.split(" ", 2)[:2]
    if what == "milestone":
        row = Milestone.objects.filter(pk=number).first()
        if row is None or row.met_on is not None or row.owner_id != reader.pk:
            return _("the milestone was met, or is not hers any more")
    elif not DecisionPoint.objects.undecided().filter(pk=number).exists():
        return _("the decision was recorded before it was sent")
    return why_not_hers(email)
