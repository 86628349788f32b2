"""Months requested as FOCUS files."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone

from finops_site.lib.periods import Month
from finops_site.lib.person import Person


class FocusExportQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "FocusExportQuerySet":
        """Whole bills are for those who see the whole company."""
        return self if user.sees_whole_company else self.none()


class FocusExport(models.Model):
    """A billing month as a FOCUS 1.2 file, made in the background and kept for a week."""

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting"
        WRITING = "writing", "being written"
        READY = "ready", "ready"
        FAILED = "failed", "failed"

    class Kind(models.TextChoices):
        CSV = "csv.gz", "CSV, gzipped"
        PARQUET = "parquet", "Parquet"

    billing_month = models.DateField()
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CSV)
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    rows = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    totals = models.JSONField(default=dict, blank=True, help_text="{currency: {metric: exact decimal text}}")
    filled = models.JSONField(default=list, blank=True, help_text="metrics that FOCUS needs and the bills left open")
    notes = models.JSONField(default=list, blank=True, help_text="what the month lacks, in sentences")
    message = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ready_at = models.DateTimeField(null=True, blank=True)

    objects = FocusExportQuerySet.as_manager()

    class Meta:
        verbose_name = "FOCUS export"
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"FOCUS of {Month.of(self.billing_month)}"

    @property
    def file_name(self) -> str:
        return f"focus-1.2-{Month.of(self.billing_month)}.{self.kind}"

    @property
    def path(self) -> Path:
        return Path(settings.FINOPS_VAR) / "exports" / str(self.pk) / self.file_name

    @property
    def is_open(self) -> bool:
        """Whether it still waits or is written, so that a page keeps polling."""
        return self.status in (self.Status.WAITING, self.Status.WRITING)
