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


def export_name(month: Month, version: str, kind: str) -> str:
    """``focus-1.3-2026-03.parquet``."""
    return f"focus-{version}-{month}.{kind}"


class FocusExport(models.Model):
    """A billing month as a FOCUS file, made in the background and kept for a week."""

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting"
        WRITING = "writing", "being written"
        READY = "ready", "ready"
        FAILED = "failed", "failed"

    class Kind(models.TextChoices):
        CSV = "csv.gz", "CSV, gzipped"
        PARQUET = "parquet", "Parquet"

    class Version(models.TextChoices):
        V1_2 = "1.2", "FOCUS 1.2"
        V1_3 = "1.3", "FOCUS 1.3"
        V1_4 = "1.4", "FOCUS 1.4"

    billing_month = models.DateField()
    version = models.CharField("FOCUS version", max_length=5, choices=Version, default=Version.V1_2)
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
        return export_name(Month.of(self.billing_month), self.version, self.kind)

    @property
    def path(self) -> Path:
        return Path(settings.FINOPS_VAR) / "exports" / str(self.pk) / self.file_name

    @property
    def is_open(self) -> bool:
        """Whether it still waits or is written, so that a page keeps polling."""
        return self.status in (self.Status.WAITING, self.Status.WRITING)


class ExportPlace(models.Model):
    """Where months go as FOCUS files every night: those that changed since they were last written there."""

    class Kind(models.TextChoices):
        FOLDER = "folder", "a folder of this machine"
        S3 = "s3", "an S3 bucket"
        AZURE = "azure", "an Azure Blob container"
        GCS = "gcs", "a Google Cloud Storage bucket"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.S3)
    bucket = models.CharField("bucket, container or folder", max_length=500)
    prefix = models.CharField(max_length=1000, blank=True, help_text="Where in the bucket the files begin.")
    region = models.CharField(
        "region or account",
        max_length=100,
        blank=True,
        help_text="an AWS region, or the name of an Azure storage account",
    )
    endpoint = models.CharField(
        max_length=300, blank=True, help_text="Other addresses are allowed by the machine's administrator."
    )
    credential = models.ForeignKey("costs.Credential", models.PROTECT, null=True, blank=True)
    version = models.CharField(
        "FOCUS version", max_length=5, choices=FocusExport.Version, default=FocusExport.Version.V1_2
    )
    file = models.CharField(max_length=10, choices=FocusExport.Kind, default=FocusExport.Kind.PARQUET)
    months = models.PositiveSmallIntegerField(
        default=3,
        help_text="How many billing months, the latest first: an older one that changes is not written again.",
    )
    is_enabled = models.BooleanField("write every night", default=True)
    marks = models.JSONField(default=dict, editable=False, help_text="{month: the bills that its file was made of}")
    written_at = models.DateTimeField(null=True, editable=False, help_text="when all was there last")
    problem = models.TextField(blank=True, editable=False, help_text="why the last try failed")

    class Meta:
        verbose_name = "place of FOCUS exports"
        verbose_name_plural = "places of FOCUS exports"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
