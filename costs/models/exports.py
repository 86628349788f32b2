"""Months requested as FOCUS files."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy


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
        WAITING = "waiting", _lazy("waiting")
        WRITING = "writing", _lazy("being written")
        READY = "ready", _lazy("ready")
        FAILED = "failed", _lazy("failed")

    class Kind(models.TextChoices):
        CSV = "csv.gz", _lazy("CSV, gzipped")
        PARQUET = "parquet", _lazy("Parquet")

    class Version(models.TextChoices):
        V1_2 = "1.2", "FOCUS 1.2"
        V1_3 = "1.3", "FOCUS 1.3"
        V1_4 = "1.4", "FOCUS 1.4"

    billing_month = models.DateField()
    version = models.CharField(_lazy("FOCUS version"), max_length=5, choices=Version, default=Version.V1_2)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CSV)
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    rows = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    totals = models.JSONField(default=dict, blank=True, help_text=_lazy("{currency: {metric: exact decimal text}}"))
    filled = models.JSONField(
        default=list, blank=True, help_text=_lazy("metrics that FOCUS needs and the bills left open")
    )
    notes = models.JSONField(default=list, blank=True, help_text=_lazy("what the month lacks, in sentences"))
    message = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ready_at = models.DateTimeField(null=True, blank=True)

    objects = FocusExportQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("FOCUS export")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return _("FOCUS of {month}").format(month=Month.of(self.billing_month))

    @property
    def file_name(self) -> str:
        return export_name(Month.of(self.billing_month), self.version, self.kind)

    @property
    def place(self) -> str:
        """The name of its file among the files of the product."""
        return f"{self.folder}/{self.file_name}"

    @property
    def folder(self) -> str:
        """The name below which nothing but its file is."""
        return f"exports/{self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether it still waits or is written, so that a page keeps polling."""
        return self.status in (self.Status.WAITING, self.Status.WRITING)


class ExportPlace(models.Model):
    """Where months go as FOCUS files every night: those that changed since they were last written there."""

    class Kind(models.TextChoices):
        FOLDER = "folder", _lazy("a folder of this machine")
        S3 = "s3", _lazy("an S3 bucket")
        AZURE = "azure", _lazy("an Azure Blob container")
        GCS = "gcs", _lazy("a Google Cloud Storage bucket")

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.S3)
    bucket = models.CharField(_lazy("bucket, container or folder"), max_length=500)
    prefix = models.CharField(max_length=1000, blank=True, help_text=_lazy("Where in the bucket the files begin."))
    region = models.CharField(
        _lazy("region or account"),
        max_length=100,
        blank=True,
        help_text=_lazy("an AWS region, or the name of an Azure storage account"),
    )
    endpoint = models.CharField(
        max_length=300, blank=True, help_text=_lazy("Other addresses are allowed by the machine's administrator.")
    )
    credential = models.ForeignKey("costs.Credential", models.PROTECT, null=True, blank=True)
    version = models.CharField(
        _lazy("FOCUS version"), max_length=5, choices=FocusExport.Version, default=FocusExport.Version.V1_2
    )
    file = models.CharField(max_length=10, choices=FocusExport.Kind, default=FocusExport.Kind.PARQUET)
    months = models.PositiveSmallIntegerField(
        default=3,
        help_text=_lazy("How many billing months, the latest first: an older one that changes is not written again."),
    )
    is_enabled = models.BooleanField(_lazy("write every night"), default=True)
    marks = models.JSONField(
        default=dict, editable=False, help_text=_lazy("{month: the bills that its file was made of}")
    )
    written_at = models.DateTimeField(null=True, editable=False, help_text=_lazy("when all was there last"))
    problem = models.TextField(blank=True, editable=False, help_text=_lazy("why the last try failed"))

    class Meta:
        verbose_name = _lazy("place of FOCUS exports")
        verbose_name_plural = _lazy("places of FOCUS exports")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
