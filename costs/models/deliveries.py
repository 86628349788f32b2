"""Bills as they arrive: sources, what each delivered, and which delivery counts for which month."""

from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.querysets import DeliveryMonthQuerySet, DeliveryQuerySet, SourceQuerySet
from finops_site.files.product import product_files
from finops_site.lib.money import ratio
from finops_site.lib.periods import Month
from finops_site.translation import gettext_lazy as _lazy


class Source(models.Model):
    """Where bills come from: one export of one provider."""

    class Mode(models.TextChoices):
        REPLACE = "replace", _lazy("a delivery replaces its months")
        APPEND = "append", _lazy("a delivery adds to its months")

    class Kind(models.TextChoices):
        UPLOAD = "upload", _lazy("people and programs deliver")
        FOLDER = "folder", _lazy("a folder that is watched")
        S3 = "s3", _lazy("an S3 bucket")
        AZURE = "azure", _lazy("an Azure Blob container")
        GCS = "gcs", _lazy("a Google Cloud Storage bucket")

    class DateOrder(models.TextChoices):
        DAY_FIRST = "day-first", _lazy("day first (31/03/2026)")
        MONTH_FIRST = "month-first", _lazy("month first (03/31/2026)")

    class DecimalMark(models.TextChoices):
        POINT = "point", _lazy("a point (1,234.50)")
        COMMA = "comma", _lazy("a comma (1.234,50)")

    class Sync(models.TextChoices):
        NEVER = "", _lazy("never")
        RUNNING = "running", _lazy("running")
        DONE = "done", _lazy("done")
        FAILED = "failed", _lazy("failed")

    name = models.CharField(max_length=100, unique=True)
    delivery_mode = models.CharField(max_length=10, choices=Mode, default=Mode.REPLACE)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.UPLOAD)
    bucket = models.CharField(_lazy("bucket, container or folder"), max_length=500, blank=True)
    prefix = models.CharField(max_length=1000, blank=True, help_text=_lazy("Where in the bucket the bills begin."))
    region = models.CharField(
        _lazy("region or account"),
        max_length=100,
        blank=True,
        help_text=_lazy("an AWS region, or the name of an Azure storage account"),
    )
    endpoint = models.CharField(
        max_length=300, blank=True, help_text=_lazy("Other addresses are allowed by the machine's administrator.")
    )
    credential = models.ForeignKey(
        "costs.Credential",
        models.PROTECT,
        null=True,
        blank=True,
        help_text=_lazy("Written by an administrator: a role, or a secret that is never shown."),
    )
    format = models.CharField(
        max_length=40,
        blank=True,
        help_text=_lazy("Only where two formats have the same header, like Azure's two views."),
    )
    currency = models.CharField(max_length=3, blank=True, help_text=_lazy("For bills that name none."))
    date_order = models.CharField(
        _lazy("order of dates"),
        max_length=12,
        choices=DateOrder,
        blank=True,
        help_text=_lazy("Only where its dates do not show it."),
    )
    decimal_mark = models.CharField(
        max_length=8, choices=DecimalMark, blank=True, help_text=_lazy("Only where its amounts do not show it.")
    )
    is_enabled = models.BooleanField(_lazy("look for bills every hour"), default=True)
    expected_every_hours = models.PositiveIntegerField(
        _lazy("a bill is expected every"),
        default=0,
        help_text=_lazy("In hours. Finance gets an email when a bill is late; 0: no bill is expected."),
    )
    sync = models.CharField(max_length=10, choices=Sync, default=Sync.NEVER, blank=True, editable=False)
    sync_message = models.TextField(blank=True, editable=False)
    sync_progress = models.FloatField(default=0, editable=False)
    sync_started_at = models.DateTimeField(null=True, blank=True, editable=False)
    synced_at = models.DateTimeField(null=True, blank=True, editable=False)
    warned_after = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    complements = models.ManyToManyField(
        "self",
        blank=True,
        help_text=_lazy("sources that bill the same accounts for other things, so that nothing counts twice"),
    )

    objects = SourceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_fetched(self) -> bool:
        """Whether we look for its bills, and people do not bring them."""
        return self.kind != self.Kind.UPLOAD

    @property
    def place(self) -> str:
        """Where its bills lie, for people."""
        schemes = {"folder": "", "s3": "s3://", "azure": f"{self.region}/", "gcs": "gs://"}
        if not self.is_fetched:
            return ""
        return "/".join(part for part in (f"{schemes[self.kind]}{self.bucket}", self.prefix) if part)


class Delivery(models.Model):
    """One received version of one or more of a source's billing months."""

    class Status(models.TextChoices):
        RECEIVED = "received", _lazy("waiting")
        LOADING = "loading", _lazy("loading")
        CURRENT = "current", _lazy("current")
        SUPERSEDED = "superseded", _lazy("superseded")
        WITHDRAWN = "withdrawn", _lazy("withdrawn")
        FAILED = "failed", _lazy("failed")
        HELD = "held", _lazy("held")
        REJECTED = "rejected", _lazy("rejected")
        EMPTY = "empty", _lazy("without rows")

    source = models.ForeignKey(Source, models.PROTECT, related_name="deliveries")
    status = models.CharField(max_length=10, choices=Status, default=Status.RECEIVED)
    fingerprint = models.CharField(max_length=64, help_text=_lazy("sha256 over the files and the options of the load"))
    options = models.JSONField(default=dict, blank=True)
    format = models.CharField(max_length=40, blank=True)
    provider = models.CharField(max_length=200, blank=True)
    received_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now)
    order_at = models.DateTimeField(
        default=timezone.now,
        editable=False,
        help_text=_lazy("of two versions the later counts: when it was received, or chosen to count again"),
    )
    export = models.CharField(max_length=500, blank=True, help_text=_lazy("its stream's place in the source"))
    partition = models.CharField(max_length=200, blank=True, help_text=_lazy("the part of the company that it bills"))
    part = models.CharField(
        max_length=1000,
        blank=True,
        help_text=_lazy("which part of its stream it is: a period, or an object that adds"),
    )
    is_accepted = models.BooleanField(
        default=False, editable=False, help_text=_lazy("a person decided that it counts: it is not compared again")
    )
    beside = models.ManyToManyField(
        "self",
        blank=True,
        editable=False,
        help_text=_lazy("deliveries that bill the same accounts and days with other rows, as a person decided"),
    )
    held_because = models.JSONField(default=list, blank=True, help_text=_lazy("sentences: why it is not whole"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    instead_of = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="awaited",
        editable=False,
        help_text=_lazy("the withdrawn bill that counts until this version of it is read again"),
    )
    loaded_at = models.DateTimeField(null=True, blank=True)
    expected_rows = models.BigIntegerField(null=True, blank=True, help_text=_lazy("as its manifest states"))
    rows_read = models.BigIntegerField(default=0)
    rows_loaded = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)
    totals = models.JSONField(
        default=dict, blank=True, help_text=_lazy("{currency: {metric: exact decimal text or null}}")
    )
    residual = models.JSONField(default=dict, blank=True, help_text=_lazy("totals minus what 18 stored decimals keep"))
    conformance = models.JSONField(
        default=dict,
        blank=True,
        help_text=_lazy(
            "rows that keep the rules of FOCUS: rows, conforming, families; cost, conforming_cost by currency"
        ),
    )
    files_removed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_lazy("when its files and charges were given up, because it had not counted for long"),
    )
    files_moved_to = models.CharField(max_length=1000, blank=True, help_text=_lazy("the folder of the archive, if any"))
    stage = models.CharField(max_length=40, blank=True)
    progress = models.FloatField(default=0)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0, help_text=_lazy("which run of the load holds this delivery"))
    message = models.TextField(blank=True, help_text=_lazy("what a person must know: the error, or what was noticed"))

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-received_at", "-id"]
        permissions = [("accept_delivery", "May decide whether a bill counts that is not whole")]
        constraints = [
            # The same bill again is a message, not double cost; one that failed or was replaced may come again.
            models.UniqueConstraint(
                fields=["source", "fingerprint"],
                condition=models.Q(status__in=["received", "loading", "current"]),
                name="same_bill_once",
            )
        ]
        indexes = [
            models.Index(fields=["status", "heartbeat_at"], name="delivery_stalled"),
        ]

    def __str__(self) -> str:
        return f"{self.source} #{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("costs:delivery", args=[self.pk])

    @property
    def brought_by(self) -> str:
        """Who or what brought it, for people."""
        if self.received_by:
            return str(self.received_by)
        return _("the hourly look") if self.source.is_fetched else _("the command line")

    @property
    def place(self) -> str:
        """The name below which its files as delivered and its charges are kept, among the files of the product."""
        return f"bills/{self.pk}"

    @property
    def folder(self) -> Path:
        """Where work on it takes place on this machine; its files are there too where they are kept in a folder."""
        return product_files().work_folder(self.place)

    @property
    def conforming_share(self) -> Decimal | None:
        """The share of its rows that keep every rule of FOCUS that counts; None for a bill that was not judged."""
        if not self.conformance:
            return None
        return ratio(Decimal(self.conformance["conforming"]), Decimal(self.conformance["rows"]))

    @property
    def is_open(self) -> bool:
        """Whether it still waits or loads, so that a page keeps polling."""
        return self.status in (self.Status.RECEIVED, self.Status.LOADING)

    @property
    def counts_until_replaced(self) -> bool:
        """Whether it is withdrawn and counts on until an earlier version is read again."""
        return self.status == self.Status.WITHDRAWN and self.months.filter(is_current=True).exists()

    @property
    def is_awaited(self) -> bool:
        """Whether a withdrawn bill counts until this one is read again."""
        return self.instead_of is not None and self.instead_of.counts_until_replaced

    @property
    def billing_months(self) -> list[str]:
        return sorted({str(Month.of(month.billing_month)) for month in self.months.all()})

    def exact_totals(self) -> dict[str, dict[str, Decimal | None]]:
        """The control totals by currency and metric, at the full precision of the text they came from."""
        return {
            currency: {metric: None if text is None else Decimal(text) for metric, text in sums.items()}
            for currency, sums in self.totals.items()
        }


class DeliveryFile(models.Model):
    """A file as delivered; kept as it came."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="files")
    name = models.CharField(max_length=500)
    path = models.CharField(max_length=1000, help_text=_lazy("below the delivery's folder"))
    sha256 = models.CharField(max_length=64)
    bytes = models.BigIntegerField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name

    @property
    def full_path(self) -> Path:
        """Where it can be read on this machine: fetched first where it is in a bucket.

        Raises FilesUnreachable, and FileNotFoundError where the bucket has it no more.
        """
        return product_files().file_here(self.place)

    @property
    def place(self) -> str:
        """Its name among the files of the product."""
        return f"{self.delivery.place}/{self.path}"


class Reject(models.Model):
    """A row of a bill that could not be read, and why."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="rejects")
    file = models.CharField(max_length=500)
    line = models.BigIntegerField(null=True)
    column = models.CharField(max_length=200, blank=True)
    value = models.TextField(blank=True)
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return _("{file}, line {line}: {column} {reason}").format(
            file=self.file, line=self.line, column=self.column, reason=self.reason
        )


class DeliveryMonth(models.Model):
    """One billing month of one delivery, published as cost lines; `is_current` alone says what counts.

    Every line and rollup row names the DeliveryMonth it belongs to, so flipping one flag replaces a month in an instant
    and publishing again (new owners, new rollups) never shows half a month.
    """

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="months")
    stream = models.ForeignKey("costs.Stream", models.PROTECT, related_name="months")
    billing_month = models.DateField()
    is_current = models.BooleanField(default=False)
    charges = models.BigIntegerField(default=0, help_text=_lazy("rows of the bill"))
    view = models.CharField(
        max_length=10,
        blank=True,
        help_text=_lazy("which half of the bill it is, where a provider delivers actual and amortized"),
    )
    lines = models.BigIntegerField(default=0, help_text=_lazy("cost lines they were summed to"))
    change = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        editable=False,
        help_text=_lazy("against the version before, on the days it covered: 0.1 is ten per cent more"),
    )
    charge_months = models.JSONField(default=list, help_text=_lazy("first days of the months its charges fall in"))
    totals = models.JSONField(default=dict, help_text=_lazy("{currency: {metric: text}} as stored, 18 decimals"))
    revision = models.PositiveIntegerField(
        default=0, help_text=_lazy("how often its owners were assigned again in place")
    )

    objects = DeliveryMonthQuerySet.as_manager()

    class Meta:
        ordering = ["-billing_month", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "billing_month", "stream"],
                condition=models.Q(is_current=True),
                name="one_current_publication",
            )
        ]
        indexes = [models.Index(fields=["is_current", "billing_month"], name="month_current")]

    def __str__(self) -> str:
        return f"{self.delivery}, {Month.of(self.billing_month)}"

    @property
    def charges_place(self) -> str:
        """The name below which its charges are, among the files of the product."""
        return f"{self.delivery.place}/charges/{Month.of(self.billing_month)}"

    @property
    def charges_glob(self) -> str:
        """The Parquet files that hold its charges: in a folder of their own where a delivery brings both views.

        They are fetched first where they are in a bucket. Raises FilesUnreachable.
        """
        return f"{product_files().folder_here(self.charges_place, self.view)}/*.parquet"
