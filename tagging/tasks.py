"""Celery's doors to ownership, the tag policy and chargeback."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from tagging.chargeback import emails, statements
from tagging.models import ChangeSet, VirtualTagBatch
from tagging.ownership import rule_application
from tagging.policy import compliance, reminders
from tagging.remediation import change_sets, tag_fixes


@shared_task
def apply_virtual_tags(batch_id: int) -> None:
    batch = VirtualTagBatch.objects.filter(pk=batch_id, applied_at__isnull=True).first()
    if batch:
        tag_fixes.apply(batch, timezone.now())


@shared_task
def apply_change_set(change_set_id: int) -> None:
    row = ChangeSet.objects.filter(pk=change_set_id, state=ChangeSet.State.APPLYING).first()
    if row:
        change_sets.apply(row, clock=timezone.now)


@shared_task
def resume_fixing() -> None:
    """Starts again what a killed worker or a lost task has left undone."""
    now = timezone.now()
    for batch in VirtualTagBatch.objects.filter(applied_at__isnull=True, made_at__lt=now - timedelta(minutes=2)):
        apply_virtual_tags.delay(batch.pk)
    for row in change_sets.forgotten(now):
        apply_change_set.delay(row.pk)


@shared_task
def suggest_tags() -> None:
    tag_fixes.rebuild_suggestions(timezone.now().date())


@shared_task
def apply_ownership(application_id: int) -> None:
    rule_application.run_application(application_id)


@shared_task
def resume_applications() -> None:
    """Starts applications again whose worker was killed or whose task was lost."""
    for pk in rule_application.stalled_applications(timezone.now()):
        apply_ownership.delay(pk)


@shared_task
def refresh_chargeback() -> None:
    """Makes anew the drafts that do not say what the books say; nothing when all do."""
    statements.refresh_stale_drafts(timezone.now())


@shared_task
def post_statements() -> None:
    """Writes the letters of closed statements that nobody was told of."""
    emails.post_statement_emails(timezone.now())


@shared_task
def refresh_compliance() -> None:
    """Works out the months whose books or policy have changed."""
    compliance.refresh()


@shared_task
def watch_tags() -> None:
    """Every night: the months as they stand, and since when which resource is wrong."""
    compliance.refresh()
    reminders.watch(timezone.now().date())


@shared_task
def remind_of_tags() -> None:
    """The weekly digests, of the months as they stand now."""
    compliance.refresh()
    reminders.remind(timezone.now())
