"""What is known beside the bill: imports of metrics, inventories, providers' recommendations, and of carbon."""

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
        CARBON = "carbon", _lazy("carbon")

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


def kilograms(help_text: str = "") -> models.DecimalField:
    """Kilograms of CO2e; null is not delivered, never zero."""
    return models.DecimalField(max_digits=28, decimal_places=9, null=True, help_text=help_text)


class CarbonQuerySet(models.QuerySet):
    def current(self) -> "CarbonQuerySet":
        """What counts: of several imports that state a month of an account, the newest one that is current."""
        is_current = models.Q(fact_import__state=FactImport.State.CURRENT)
        same = {name: models.OuterRef(name) for name in ("provider", "account", "month")}
        newer = CarbonMonth.objects.filter(is_current, **same, fact_import__gt=models.OuterRef("fact_import"))
        return self.filter(is_current).exclude(models.Exists(newer))


class CarbonMonth(models.Model):
    """What a provider states of the emissions of a month, in one account, region and service. It is no money."""

    fact_import = models.ForeignKey(FactImport, models.CASCADE, related_name="carbon_months")
    provider = models.CharField(max_length=200)
    account = models.CharField(max_length=200)
    region = models.CharField(max_length=200, blank=True)
    service = models.CharField(max_length=300, blank=True)
    month = models.DateField(help_text=_lazy("its first day"))
    scope1 = kilograms()
    scope2_market = kilograms()
    scope2_location = kilograms()
    scope3_market = kilograms()
    scope3_location = kilograms()
    market = kilograms(_lazy("all scopes, by the electricity that the provider buys"))
    location = kilograms(_lazy("all scopes, by the electricity of the place"))
    model = models.CharField(max_length=50, blank=True, help_text=_lazy("the version of the provider's method"))

    objects = CarbonQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "provider", "account", "id"]
        indexes = [models.Index(fields=["provider", "account", "month"], name="carbon_month_place")]

    def __str__(self) -> str:
        return f"{self.provider} {self.account} {self.month}"
