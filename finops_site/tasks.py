"""Celery's doors to the ground floor."""

from celery import shared_task
from django.utils import timezone

from finops_site.audit import stream
from finops_site.exports import jobs as export_jobs
from finops_site.first_day import remove_demo as removal
from finops_site.mail import notifications, outbox, watchdog
from finops_site.ops import nightly, restore_drill, scheduled_backups
from finops_site.saved_views import scheduled_mails


@shared_task
def send_outgoing_emails() -> int:
    """Sends what is due; called after a commit that queued an email, and by beat for what is left."""
    return outbox.send_queued_emails(timezone.now())


@shared_task
def watch_queues() -> int:
    """Writes to administrators when messages wait for too long."""
    return watchdog.watch_queues(timezone.now())


@shared_task
def seal_audit_log() -> int:
    """Seals the audit log and sends it on, where it goes anywhere; what fails is tried again a minute later."""
    return stream.send_on(timezone.now())


@shared_task
def clear_old_emails() -> int:
    return outbox.clear_old_contents(timezone.now())


@shared_task
def remove_old_notifications() -> int:
    return notifications.remove_old(timezone.now())


@shared_task
def run_nightly_checks() -> int:
    """Every registered check, for today; returns how many ran."""
    return len(nightly.run_checks(timezone.now().date()))


@shared_task
def remove_demo() -> bool:
    """Removes the demo company that somebody asked to be removed; by beat where the worker died meanwhile."""
    return removal.continue_removal()


@shared_task
def write_export(pk: int) -> None:
    """Makes a file that somebody asked for, if it is its turn."""
    export_jobs.write_export(pk)


@shared_task
def resume_exports() -> int:
    """Queues files again whose worker was killed, or whose task was lost."""
    return export_jobs.resume_silent(timezone.now())


@shared_task
def remove_old_exports() -> int:
    return export_jobs.remove_old(timezone.now())


@shared_task
def mail_saved_views() -> int:
    """Saved views that are due today, or were on a day that was missed."""
    return scheduled_mails.send_due_views(timezone.now())


@shared_task
def back_up_if_due() -> str:
    """The backup of the schedule, where one is due; returns what became of it."""
    backup = scheduled_backups.back_up_if_due(timezone.now())
    return backup.state if backup else "none is due"


@shared_task
def try_newest_backup() -> str:
    """Brings the newest backup back beside the site, and throws it away; returns what became of it."""
    drill = restore_drill.run_drill(timezone.now())
    return drill.outcome if drill else "one runs"
