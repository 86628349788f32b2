"""What every change set has that is applied at a provider: who made it, who approved it, and how far its worker is."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from finops_site.ops.heartbeats import is_silent
from finops_site.translation import gettext_lazy as _lazy

PERSON: dict[str, Any] = {"on_delete": models.PROTECT, "related_name": "+"}


class ProviderChangeSetQuerySet(models.QuerySet):
    # django-stubs declares it with the model of each queryset.
    model: "type[ProviderChangeSet]"  # type: ignore[assignment]

    def stalled(self, now: datetime) -> Self:
        """Those under way that no worker works on: the task was lost, or its worker was killed."""
        silent = is_silent("heartbeat_at", now, self.model.STALLED_AFTER)
        silent |= Q(heartbeat_at=None, started_at__lt=now - self.model.STALLED_AFTER)
        return self.filter(silent, state__in=self.model.UNDER_WAY)

    def claim(self, pk: int, now: datetime) -> bool:
        """Takes the change set up, unless another worker does: the one whose update hits the row is who works on it."""
        silent = Q(heartbeat_at=None) | is_silent("heartbeat_at", now, self.model.STALLED_AFTER)
        rows = self.filter(silent, pk=pk, state__in=self.model.UNDER_WAY)
        return bool(rows.update(heartbeat_at=now, attempt=F("attempt") + 1))


class ProviderChangeSet(models.Model):
    """Changes at the provider itself: put together by one person, approved by another, then applied.

    Each model has a `state` of its own, with these four among its choices; costs/change_set_reviews.py has what people
    do with them.
    """

    DRAFT, REVIEW, APPROVED, REJECTED = "draft", "review", "approved", "rejected"
    # In these states a worker is to work on it, and it is stalled if none did for so long.
    UNDER_WAY: ClassVar[tuple[str, ...]] = ()
    STALLED_AFTER: ClassVar[timedelta]
    state: Any

    title = models.CharField(max_length=200)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, **PERSON)
    made_at = models.DateTimeField(default=timezone.now)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, **PERSON)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review = models.CharField(_lazy("the reviewer's comment"), max_length=1000, blank=True)
    applied_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, **PERSON)
    dry_run_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=1000, blank=True)

    class Meta:
        abstract = True
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return self.title
