"""What is known of resources beside the bill: imports of metrics, inventories and providers' recommendations."""

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from finops_site.managers import OfCompanyQuerySet
from finops_site.translation import gettext_lazy as _lazy


class FactImport(models.Model):
    """A file of metrics, an inventory or recommendations, kept as received, and as Parquet that rules read.

    The same file again is a message, not a second import. A newer inventory of an account replaces the older one;
    metrics add up by day, and a newer value of the same resource, metric and hour wins.
    """

    class Kind(models.TextChoices):
        METRICS = "metrics", _lazy("metrics")
        INVENTORY = "inventory", _lazy("inventory")
        ADVICE = "advice", _lazy("recommendations of the provider")

    class State(models.TextChoices):
        CURRENT = "current", _lazy("current")
        REPLACED = "replaced", _lazy("replaced")
        WITHDRAWN = "withdrawn", _lazy("withdrawn")

    kind = models.CharField(_lazy("kind"), max_length=20, choices=Kind)
    layout = models.CharField(
        _lazy("layout"), max_length=60, blank=True, help_text=_lazy("which export it is: found by its header")
    )
    source = models.CharField(_lazy("source"), max_length=200, help_text=_lazy("a file's name, or a connection"))
    state = models.CharField(_lazy("state"), max_length=20, choices=State, default=State.CURRENT)
    sha256 = models.CharField(max_length=64, editable=False)
    path = models.CharField(max_length=500, editable=False, help_text=_lazy("as received, in the data folder"))
    parquet = models.CharField(max_length=500, blank=True, editable=False)
    rows_read = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)
    first_day = models.DateField(null=True, blank=True)
    last_day = models.DateField(null=True, blank=True)
    accounts = models.JSONField(default=list, editable=False, help_text="[[provider, account]] that it is of")
    rejects = models.JSONField(default=list, editable=False, help_text="[[line, column, reason, value]]")
    connection = models.ForeignKey(
        "usage.Connection", models.SET_NULL, null=True, blank=True, editable=False, related_name="imports"
    )
    unread = models.JSONField(
        default=list,
        editable=False,
        help_text="[[provider, account, region, kind]] that the provider did not list: unknown, and not gone",
    )
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)

    objects = OfCompanyQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("import of facts")
        ordering = ["-made_at", "-id"]
        indexes = [models.Index(fields=["kind", "state"], name="fact_import_kind")]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "sha256"],
                condition=models.Q(state="current"),
                name="fact_import_file_once",
                violation_error_message=_lazy("This file is here already."),
            )
        ]

    def __str__(self) -> str:
        return self.source

    def get_absolute_url(self) -> str:
        return reverse("usage:import", args=[self.pk])
