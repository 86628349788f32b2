"""What is sent: the mail with its PDF, the message to a channel, and what an owner is told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from finops_site.lib import chart_svg
from finops_site.lib.periods import moment_text
from finops_site.mail.chat import ChatMessage
from finops_site.mail.emails import SiteEmail, absolute_url, make_message
from finops_site.mail.outbox import queue_email
from finops_site.models import OutgoingEmail, User
from finops_site.people.reader_language import in_language_of
from finops_site.people.roles import FINANCE
from finops_site.reports.report_pdf import stat_data
from finops_site.reports.typst_documents import render_png
from finops_site.translation import gettext_lazy as _lazy
from programme.models import MadeReport, ReportDelivery, ReportRun, ReportSchedule
from programme.reports.archive import report_of

# Many servers refuse more; the report is one click away.
MOST_BYTES = 8_000_000
MOST_FILES = 12
MOST_LINES = 6
PREFIX = "scheduled report "
NO_ACCESS = _lazy("it is about what its recipient may not see any more")


def mail_key(delivery: ReportDelivery) -> str:
    """One for each run, recipient and number, for ever: queueing it twice queues nothing."""
    return f"{PREFIX}{delivery.run_id} to {delivery.to} no {delivery.number}"


def report_mail(
    delivery: ReportDelivery, reports: Sequence[MadeReport], run: ReportRun, *, leave_url: str = ""
) -> SiteEmail:
    """The mail of one recipient: what the report says in short, and its PDF; by `leave_url` she takes herself off."""
    with in_language_of(delivery.user or delivery.to):
        first, schedule = reports[0], run.schedule
        composed = report_of(first)
        url = (
            absolute_url(first.get_absolute_url()) if len(reports) == 1 else absolute_url(reverse("programme:reports"))
        )
        stats = [stat_data(stat) for stat in composed.stats] if composed else []
        size = sum(len(report.content) for report in reports)
        attached = size <= MOST_BYTES and len(reports) <= MOST_FILES
        context = {
            "run": run,
            "schedule": schedule,
            "title": first.title if len(reports) == 1 else _("Statements of your teams"),
            "scope": first.scope,
            "known": first.known,
            "lead": list(composed.lead)[:MOST_LINES] if composed else [],
            "stats": [{**stat, "value": _text(stat["value"])} for stat in stats],
            "gates": composed.gates if composed else [],
            "statements": [] if composed else [(report.scope, report.figures.get("summary", "")) for report in reports],
            "attached": attached,
            "late": late_text(run),
            "has_chart": bool(composed and composed.chart),
            "url": url,
            "by": schedule.owner if schedule else None,
            "leave_url": leave_url,
        }
        images = {}
        if composed and composed.chart:
            images["report"] = render_png(chart_svg.svg(composed.chart, width=640, height=190))
        message = make_message(
            "scheduled-report", delivery.to, context, images=images, url=url, unsubscribe_url=leave_url
        )
    for report in reports if attached else ():
        name = report.figures.get("file_name") or f"{report.file_name}.pdf"
        message.attach(name, bytes(report.content), "application/pdf")
    if images and attached:
        # A file is no part of the text, as its picture is.
        message.mixed_subtype = "mixed"  # type: ignore[attr-defined]
    return message


def _text(value: Any) -> str:
    return f"{value['amount']} {value['currency']}" if isinstance(value, dict) else str(value)


def late_text(run: ReportRun) -> str:
    """That it comes late, and since when; empty where it is on time."""
    if not run.is_late:
        return ""
    text = _("It was due on {moment}, and comes late.").format(moment=moment_text(run.due_at))
    if run.missed:
        text += " " + _("Of those that were missed it is the newest.")
    return text


def chat_message(delivery: ReportDelivery, report: MadeReport, run: ReportRun) -> ChatMessage:
    """The report in a channel: its sentences, its targets and the way to it."""
    composed = report_of(report)
    lead = list(composed.lead)[:MOST_LINES] if composed else []
    gates = composed.gates if composed else []
    url = absolute_url(report.get_absolute_url())
    late = [text] if (text := late_text(run)) else []
    return ChatMessage(
        headline=report.title,
        lines=[*late, f"{report.scope}. {report.known}", *lead],
        facts=[(str(gate.label), f"{gate.value} ({gate.verdict})") for gate in gates],
        link=url,
        link_text=_("Open the report"),
        body={
            "id": channel_name(delivery),
            "report": report.kind,
            "title": report.title,
            "scope": report.scope,
            "known": report.known,
            "from": report.start.isoformat(),
            "to": report.period.last_day.isoformat(),
            "as_of": report.as_of.isoformat(),
            "due_at": run.due_at.isoformat(),
            "is_late": run.is_late,
            "sentences": lead,
            "targets": [{"name": str(gate.label), "value": gate.value, "state": gate.state} for gate in gates],
            "sha256": report.sha256,
            "url": url,
        },
    )


def channel_name(delivery: ReportDelivery) -> str:
    """The same however often it is tried, so that a receiver recognises a second try."""
    return f"report-{delivery.run_id}-{delivery.number}"


def tell_owner(
    schedule: ReportSchedule, key: str, problem: str, now: datetime, *, left: bool = False, waits: bool = False
) -> None:
    """Writes to the owner, once for each key, what somebody did not get and why; or that she has `left` by herself.

    What `waits` is asked for again by itself.

    Where the owner may not sign in any more, those are told who may take the schedule over.
    """
    for reader in keepers_of(schedule):
        with in_language_of(reader):
            url = absolute_url(schedule.get_absolute_url())
            is_owner = reader.pk == schedule.owner_id
            context = {"schedule": schedule, "problem": str(problem), "url": url, "waits": waits, "is_owner": is_owner}
            name = "report-left" if left else "report-not-sent"
            message = make_message(name, reader.email, context, url=url, kind="report-not-sent")
        to = "" if is_owner else f" to {reader.pk}"
        queue_email(f"report owner {schedule.pk} {key}"[:280] + to, message, now=now)


def keepers_of(schedule: ReportSchedule) -> list[User]:
    """Who looks after a schedule: its owner, or where she has left, whoever may take it over."""
    # As she is now, and not as she was when the schedule was read.
    owner = User.objects.get(pk=schedule.owner_id)
    if owner.is_active:
        return [owner]
    return list(User.objects.in_role(FINANCE))


def why_not_sent(email: OutgoingEmail, now: datetime) -> str:
    """Why a report in the outbox must not go out any more: its recipient has lost access while it waited."""
    rows = ReportDelivery.objects.filter(message_id=email.message_id).select_related(
        "user", "report", "run__schedule__owner"
    )
    delivery = rows.first()
    if delivery is None:
        return ""
    reader = delivery.user or (delivery.run.schedule.owner if delivery.run.schedule else None)
    may_read = bool(
        reader
        and reader.is_active
        and (delivery.report_id is None or MadeReport.objects.visible_to(reader).filter(pk=delivery.report_id).exists())
    )
    if may_read:
        return ""
    ReportDelivery.objects.filter(pk=delivery.pk).update(state=ReportDelivery.State.NO_ACCESS, problem=str(NO_ACCESS))
    if delivery.run.schedule:
        problem = format_lazy("{to}: {problem}", to=delivery.to, problem=NO_ACCESS)
        tell_owner(delivery.run.schedule, f"lost {delivery.run_id} {delivery.to}", cast(str, problem), now)
    return str(NO_ACCESS)
