"""Celery tasks of ownership, the tag policy and chargeback: each calls one service."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from tagging.chargeback import draft_statements, emails, statement_figures, statement_pdf
from tagging.models import ChangeSet, VirtualTagBatch
from tagging.ownership import rule_application
from tagging.policy import compliance, reminders
from tagging.remediation import batch_application, provider_tagging, suggestions


@shared_task
def apply_virtual_tags(batch_id: int) -> None:
    batch = VirtualTagBatch.objects.filter(pk=batch_id, applied_at__isnull=True).first()
    if batch:
        batch_application.apply_batch(batch, timezone.now())


@shared_task
def apply_change_set(change_set_id: int) -> None:
    row = ChangeSet.objects.filter(pk=change_set_id, state=ChangeSet.State.APPLYING).first()
    if row:
        provider_tagging.apply_change_set(row, clock=timezone.now)


@shared_task
def resume_remediation() -> None:
    """Starts batches and change sets again whose worker was killed or whose task was lost."""
    now = timezone.now()
    for batch in VirtualTagBatch.objects.filter(applied_at__isnull=True, made_at__lt=now - timedelta(minutes=2)):
        apply_virtual_tags.delay(batch.pk)
    for row in ChangeSet.objects.stalled(now):
        apply_change_set.delay(row.pk)


@shared_task
def suggest_tags() -> None:
    suggestions.rebuild_suggestions(timezone.now().date())


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
    """Computes the drafts that are out of date again; does nothing when there is none."""
    draft_statements.refresh_stale_drafts(timezone.now())


@shared_task
def post_statements() -> None:
    """Makes the documents of closed statements, and writes their emails, where these are missing."""
    statement_figures.freeze_missing()
    statement_pdf.make_documents()
    emails.post_statement_emails(timezone.now())


@shared_task
def refresh_compliance() -> None:
    """Recomputes the months whose bills or policy have changed."""
    compliance.refresh_compliance()


@shared_task
def post_tag_digests() -> None:
    """The weekly digests, of the months as they are now."""
    compliance.refresh_compliance()
    reminders.post_digests(timezone.now())
