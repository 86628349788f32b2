"""A report on its way: to whom it goes, what each may see, and that each gets it once.

A mail is queued in the transaction that records its delivery, and the outbox sends it once. A message to a channel is
claimed by an UPDATE before it is posted; one whose worker died in between is known to be sent or not, and nobody posts
it again by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from finops_site.lib.http_client import Undeliverable
from finops_site.mail import chat
from finops_site.mail.outbox import queue_email
from finops_site.models import Membership, User
from programme.models import MadeReport, ReportDelivery, ReportKind, ReportRun, ReportSchedule
from programme.models.reports import LEASE
from programme.reports import letters
from programme.reports.leaving import leave_url
from programme.reports.readers import NoAccess, scope_of
from programme.reports.schedules import has_left

MOST_POSTS = 8
Sent = ReportDelivery.State

# What the mail server answered, as the delivery of a report shows it.
TAKE_OVER_MAILS = """
    UPDATE programme_reportdelivery delivery
    SET state = CASE email.outcome WHEN 'sent' THEN 'sent' WHEN 'refused' THEN 'failed' WHEN 'unknown' THEN 'unknown'
                ELSE 'no access' END,
        sent_at = email.sent_at, problem = email.server_reply
    FROM finops_site_outgoingemail email
    WHERE email.message_id = delivery.message_id AND delivery.state = 'queued' AND email.outcome <> 'waiting'
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is sent a run: a person, an address outside or a channel; `reader` is whose rights decide what is in it."""

    to: str
    reader: User
    user: User | None = None


def take_over_mails() -> int:
    with connection.cursor() as cursor:
        cursor.execute(TAKE_OVER_MAILS)
        return int(cursor.rowcount)


def targets_of(schedule: ReportSchedule) -> list[Target]:
    """Whom it is sent to today, each once."""
    owner = schedule.owner
    if schedule.channel != schedule.Channel.MAIL:
        return [Target(schedule.get_channel_display(), owner)]
    recipients = list(schedule.recipients.select_related("user"))
    people = [one.user for one in recipients if one.user]
    if schedule.to_leads:
        leads = Membership.objects.filter(role=Membership.Role.LEAD, user__is_active=True).select_related("user")
        people += [membership.user for membership in leads.order_by("user__email")]
    outside = [one.address for one in recipients if not one.user]
    targets = {person.email.lower(): Target(person.email, person, person) for person in people}
    for address in outside:
        # Somebody who has a login by now sees her own rows.
        known = User.objects.filter(email__iexact=address).first()
        targets.setdefault(address.lower(), Target(address, known or owner, known))
    # Whoever took herself off gets it neither as a lead nor by her other entry.
    left = {(one.user.email if one.user else one.address).lower() for one in recipients if one.left_at}
    return [target for key, target in targets.items() if key not in left]


def with_access(run: ReportRun, schedule: ReportSchedule, targets: Sequence[Target], now: datetime) -> list[Target]:
    """Those who may see it now; of the others the owner is told, once until they may again."""
    allowed = []
    for target in targets:
        try:
            scope_of(target.reader, team=schedule.team)
        except NoAccess as reason:
            _refuse(run, schedule, target, str(reason), now)
        else:
            allowed.append(target)
    return allowed


def _refuse(run: ReportRun, schedule: ReportSchedule, target: Target, reason: str, now: datetime) -> None:
    ReportDelivery.objects.get_or_create(
        run=run, to=target.to, number=1, defaults={"user": target.user, "state": Sent.NO_ACCESS, "problem": reason}
    )
    before = ReportDelivery.objects.filter(run__schedule=schedule, to=target.to, message_id__gt="").order_by("-pk")
    last = before.values_list("pk", flat=True).first() or 0
    letters.tell_owner(schedule, f"lost access {target.to} after {last}", reason, now)


def note_nothing(run: ReportRun, target: Target, reason: str) -> None:
    """That somebody got nothing of a run that others got, and why."""
    values = {"user": target.user, "state": Sent.NOTHING, "problem": reason[:1000]}
    ReportDelivery.objects.get_or_create(run=run, to=target.to, number=1, defaults=values)


def deliver(
    run: ReportRun,
    schedule: ReportSchedule,
    target: Target,
    reports: Sequence[MadeReport],
    now: datetime,
    number: int = 1,
) -> bool:
    """Queues the mail, or notes the message to the channel, in one transaction with the record of it; False if done."""
    with transaction.atomic():
        delivery, is_new = ReportDelivery.objects.get_or_create(
            run=run, to=target.to, number=number, defaults={"user": target.user, "report": reports[0]}
        )
        if not is_new:
            return False
        if schedule.channel == schedule.Channel.MAIL:
            message = letters.report_mail(delivery, reports, run, leave_url=leave_url(delivery))
            queue_email(letters.mail_key(delivery), message, now=now)
            identity = message.extra_headers["Message-ID"]
            ReportDelivery.objects.filter(pk=delivery.pk).update(state=Sent.QUEUED, message_id=identity)
    return True


def waiting_posts(now: datetime) -> QuerySet[ReportDelivery]:
    ready = Q(not_before=None) | Q(not_before__lte=now)
    return ReportDelivery.objects.filter(ready, state=Sent.WAITING, handed_over_at=None, report__isnull=False)


def post(pk: int, now: datetime) -> bool:
    """Posts one message to its channel, if nobody else does; whether it went out."""
    if not waiting_posts(now).filter(pk=pk).update(handed_over_at=now, attempts=F("attempts") + 1):
        return False
    rows = ReportDelivery.objects.select_related("run__schedule__owner", "run__schedule__secret", "report")
    delivery = rows.get(pk=pk)
    schedule, row = delivery.run.schedule, ReportDelivery.objects.filter(pk=pk)
    if schedule is None or delivery.report is None:
        row.update(state=Sent.FAILED, problem=_("Its schedule is not there any more."))
        return False
    owner = User.objects.get(email=schedule.owner.email)
    if not owner.is_active or not MadeReport.objects.visible_to(owner).filter(pk=delivery.report.pk).exists():
        row.update(state=Sent.NO_ACCESS, problem=str(letters.NO_ACCESS))
        letters.tell_owner(schedule, f"lost {delivery.run_id} {delivery.to}", letters.NO_ACCESS, now)
        return False
    secret = schedule.secret.secret().get("hmac", "") if schedule.secret else ""
    message = letters.chat_message(delivery, delivery.report, delivery.run)
    try:
        chat.post_message(schedule.channel, schedule.url, message, letters.channel_name(delivery), now, secret=secret)
    except Undeliverable as reason:
        if reason.temporary and delivery.attempts < MOST_POSTS:
            pause = timedelta(minutes=2**delivery.attempts)
            row.update(handed_over_at=None, not_before=now + pause, problem=str(reason)[:1000])
        else:
            row.update(state=Sent.FAILED, problem=str(reason)[:1000])
            letters.tell_owner(schedule, f"channel {delivery.run_id} {delivery.number}", str(reason), now)
        return False
    row.update(state=Sent.SENT, sent_at=now, problem="")
    return True


def post_waiting(now: datetime, run: ReportRun | None = None) -> int:
    """Posts what waits for its channel, of one run or of all; returns how many went out."""
    settle_interrupted_posts(now)
    rows = waiting_posts(now) if run is None else waiting_posts(now).filter(run=run)
    return sum(post(pk, now) for pk in list(rows.values_list("pk", flat=True)))


def settle_interrupted_posts(now: datetime) -> int:
    """Messages whose worker died while it posted them: the channel has them or not, and nobody posts them again."""
    text = _("The worker died before the channel answered. Send it again if it is not there.")
    silent = ReportDelivery.objects.filter(state=Sent.WAITING, handed_over_at__lt=now - LEASE)
    return silent.update(state=Sent.UNKNOWN, problem=text)


def send_again(delivery: ReportDelivery, now: datetime) -> ReportDelivery:
    """The same report once more to the same recipient, if she may still see it. Raises NoAccess."""
    run, schedule = delivery.run, delivery.run.schedule
    if schedule is None or delivery.report is None:
        raise NoAccess(_("Its schedule, or the report itself, is not there any more."))
    if schedule.channel == schedule.Channel.MAIL and has_left(schedule, delivery.user, delivery.to):
        raise NoAccess(_("{person} has taken herself off this report.").format(person=delivery.user or delivery.to))
    # As she is now: what a person may see is remembered with her.
    reader = User.objects.get(email=(delivery.user or schedule.owner).email)
    if not reader.is_active or not MadeReport.objects.visible_to(reader).filter(pk=delivery.report.pk).exists():
        raise NoAccess(_("{person} may not see this report any more.").format(person=reader))
    reports = [delivery.report]
    if run.kind == ReportKind.STATEMENTS:
        reports = list(MadeReport.objects.visible_to(reader).filter(run=run).order_by("scope"))
    last = ReportDelivery.objects.filter(run=run, to=delivery.to).order_by("-number").first()
    number = (last.number if last else 0) + 1
    deliver(run, schedule, Target(delivery.to, reader, delivery.user), reports, now, number)
    again = ReportDelivery.objects.get(run=run, to=delivery.to, number=number)
    if schedule.channel != schedule.Channel.MAIL:
        post(again.pk, now)
        again.refresh_from_db()
    return again
