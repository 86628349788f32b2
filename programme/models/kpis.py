"""KPIs of the programme: the target and owner of each, its value night by night, and what people say about it."""

from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.language import get_language
from finops_site.lib.periods import day_text
from finops_site.managers import OfCompanyQuerySet
from finops_site.registry import Better, Measure, Unit
from finops_site.translation import gettext_lazy as _lazy


def value_field(label: str | None = None, **kwargs: Any) -> models.DecimalField:
    """A value of a KPI: 70 for 70 %, money in the currency that stands beside it; null is not known, never zero."""
    return models.DecimalField(label, max_digits=38, decimal_places=18, null=True, blank=True, **kwargs)


class Kpi(models.Model):
    """What finance has decided about a KPI: its target and when it is due, who answers for it, and where it began.

    `name` is that of the registered one. Without a row the target of the plan holds, and nobody owns it.
    """

    name = models.CharField(max_length=60, unique=True, editable=False)
    target = value_field(_lazy("target"), help_text=_lazy("Empty: no target."))
    target_day = models.DateField(_lazy("reached by"), null=True, blank=True)
    currency = models.CharField(
        max_length=3, blank=True, editable=False, help_text="of target and baseline; empty for what is no money"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_lazy("owner"),
        help_text=_lazy("Who answers for it."),
    )
    baseline = value_field(_lazy("baseline"), help_text=_lazy("What it was before the programme."))
    baseline_day = models.DateField(_lazy("baseline taken on"), null=True, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = "KPI"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(baseline_day=None) | models.Q(baseline__isnull=False),
                name="baseline_day_needs_baseline",
                violation_error_message=_lazy("A day without a baseline: give the value that it had then."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("programme:kpi", args=[self.name])


class KpiTargetChange(models.Model):
    """The target that a KPI had from a moment on: a night that is made up for later carries the one of its day."""

    name = models.CharField(max_length=60)
    at = models.DateTimeField()
    target = value_field()
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        verbose_name = "change of a target"
        ordering = ["name", "at", "pk"]

    def __str__(self) -> str:
        return f"{self.name} from {day_text(self.at)}"


class KpiDay(models.Model):
    """The value of a KPI of the whole company as the night of a day knew it. Written once, and never again.

    Null where it was not known; `description` says why, and what was measured otherwise, in the company's language of
    then, and `descriptions` in each language. `target` is the one of then.
    """

    name = models.CharField(max_length=60)
    day = models.DateField()
    value = value_field()
    unit = models.CharField(max_length=10, choices=[(unit.value, unit.value) for unit in Unit])
    currency = models.CharField(max_length=3, blank=True)
    target = value_field()
    better = models.CharField(max_length=10, choices=[(side.value, side.value) for side in Better])
    description = models.CharField(max_length=1000)
    descriptions = models.JSONField(default=dict, help_text="{language: description}; empty of older nights")
    url = models.CharField(max_length=500, blank=True)
    made_at = models.DateTimeField(default=timezone.now, help_text="after the night where that was missed")

    objects = OfCompanyQuerySet.as_manager()

    class Meta:
        verbose_name = "day of a KPI"
        verbose_name_plural = "days of KPIs"
        ordering = ["name", "day"]
        constraints = [
            models.UniqueConstraint(fields=["name", "day"], name="kpi_day_once"),
            models.CheckConstraint(
                condition=models.Q(value__isnull=False) | ~models.Q(description=""), name="unknown_kpi_has_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} on {day_text(self.day)}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises TypeError for a row that is stored: the past of a KPI is not rewritten."""
        if not self._state.adding:
            raise TypeError("the past of a KPI is not rewritten")
        super().save(*args, **kwargs)

    @property
    def words(self) -> str:
        """What it is of, or why it is not known, in the language of whoever reads it, as far as the night knew it."""
        return str(self.descriptions.get(get_language()) or self.description)

    def as_measure(self) -> Measure:
        return Measure(
            self.value,
            Unit(self.unit),
            self.target,
            Better(self.better),
            self.words,
            self.url,
            self.currency,
        )


class KpiRecount(models.Model):
    """What a stored day of a KPI would be with the bills of today: beside what was stored, never in its place."""

    kpi_day = models.OneToOneField(KpiDay, models.CASCADE, related_name="recount")
    value = value_field()
    currency = models.CharField(max_length=3, blank=True)
    counted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "recount of a KPI"
        ordering = ["kpi_day"]

    def __str__(self) -> str:
        return f"{self.kpi_day}, counted again"

    @property
    def differs(self) -> bool:
        """Whether the night would store something else today."""
        return (self.value, self.currency) != (self.kpi_day.value, self.kpi_day.currency)


class KpiComment(models.Model):
    """What somebody who sees the whole company says about a KPI."""

    name = models.CharField(max_length=60, editable=False)
    text = models.TextField(_lazy("comment"), max_length=2000)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+")
    author_name = models.CharField(max_length=200, editable=False, help_text="stays when the account is gone")
    at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OfCompanyQuerySet.as_manager()

    class Meta:
        verbose_name = "comment on a KPI"
        verbose_name_plural = "comments on KPIs"
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.author_name} on {self.name}"
