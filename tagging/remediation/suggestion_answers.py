"""Services that answer suggestions: accepted ones become virtual tags, refused ones never come again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from finops_site.lib.words import counted
from finops_site.models import User
from finops_site.ui.bulk_results import MOST_AT_ONCE, check_count
from tagging.models import Suggestion, SuggestionDecision, VirtualTag, VirtualTagBatch
from tagging.models.remediation import SuggestionQuerySet
from tagging.remediation import virtual_tags


@dataclass(frozen=True, slots=True)
class AcceptResult:
    """The batch (None where nothing was left to do), how many tags were set, and how many somebody else had set."""

    batch: VirtualTagBatch | None
    tags_set: int
    too_late: int


@transaction.atomic
def accept_suggestions(
    suggestions: SuggestionQuerySet, *, user: User, now: datetime, start: date | None = None
) -> AcceptResult:
    """Sets the suggested tags as virtual ones, from `start` or the first day of the month they were made from.

    Of two people who accept the same at once, the second finds nothing left to do: rows are locked, then gone.
    """
    count = suggestions.count()
    if count > MOST_AT_ONCE:
        check_count(count, "suggestion")
    rows = _lock(suggestions)
    if not rows:
        return AcceptResult(None, 0, count)
    batch = VirtualTagBatch.objects.create(words=_batch_title(rows), made_by=user, made_at=now)
    tags = [
        VirtualTag(
            **virtual_tags.resource_fields(row),
            team_id=row.team_id,
            key=row.tag,
            value=row.value,
            start=start or row.charge_month,
            evidence=row.evidence,
            confidence=row.confidence,
            batch=batch,
            made_by=user,
            made_at=now,
        )
        for row in rows
    ]
    virtual_tags.write_tags(tags, user)
    _record_answers(rows, SuggestionDecision.Answer.ACCEPTED, user, now)
    virtual_tags.queue_application(batch)
    return AcceptResult(batch, len(tags), count - len(rows))


@transaction.atomic
def refuse_suggestions(suggestions: SuggestionQuerySet, *, user: User, now: datetime) -> int:
    """Refuses them: these values never come again for these resources. Returns how many."""
    rows = _lock(suggestions)
    _record_answers(rows, SuggestionDecision.Answer.REFUSED, user, now)
    return len(rows)


def _lock(suggestions: SuggestionQuerySet) -> list[Suggestion]:
    return list(suggestions.order_by("pk").select_for_update(of=("self",)))


def _batch_title(rows: Sequence[Suggestion]) -> str:
    if len(rows) == 1:
        return f"{rows[0]}"[:300]
    tags = ", ".join(sorted({row.tag for row in rows}))
    resources = len({row.resource_key for row in rows})
    return _("{rows_count} suggestions for {resources}: {tags}").format(
        rows_count=len(rows), resources=counted(resources, "resource"), tags=tags
    )[:300]


def _record_answers(rows: Sequence[Suggestion], answer: str, user: User, now: datetime) -> None:
    """Keeps the answers and removes the suggestions; only the strongest reason counts as a pattern."""
    SuggestionDecision.objects.bulk_create(
        [
            SuggestionDecision(
                resource_key=row.resource_key,
                resource_name=row.resource_name or row.resource[-200:],
                team_id=row.team_id,
                tag=row.tag,
                value=row.value,
                patterns=[[reason["kind"], reason["group"]] for reason in row.evidence[:1]],
                answer=answer,
                by=user,
                at=now,
            )
            for row in rows
        ],
        batch_size=virtual_tags.BATCH_SIZE,
        update_conflicts=True,
        unique_fields=["resource_key", "tag", "value"],
        update_fields=["answer", "by", "at", "patterns"],
    )
    Suggestion.objects.filter(pk__in=[row.pk for row in rows]).delete()
