"""Estimates: what something would cost before it runs, in scenarios, compared with what came."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from usage.models.findings import amount


class EstimateQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "EstimateQuerySet":
        """All for who sees the company; else her own, and those of her teams and the teams below."""
        return self if user.sees_whole_company else self.filter(Q(made_by=user.pk) | Q(team__in=user.visible_team_ids))


class Estimate(models.Model):
    """A question of what a change would cost, with its scenarios side by side."""

    name = models.CharField(_lazy("name"), max_length=200)
    team = models.ForeignKey(
        "finops_site.Team", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_lazy("team")
    )
    currency = models.CharField(_lazy("currency"), max_length=10)
    starts = models.DateField(_lazy("starts"), null=True, blank=True)
    tag_key = models.CharField(
        _lazy("tag"), max_length=128, blank=True, help_text=_lazy("By which tag it is recognised in the bill later.")
    )
    tag_value = models.CharField(_lazy("value of the tag"), max_length=256, blank=True)
    note = models.TextField(_lazy("note"), blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EstimateQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("estimate")
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("usage:estimate", args=[self.pk])


class Scenario(models.Model):
    """One way to do it: typed lines, a CSV or a Terraform plan, priced on a day."""

    estimate = models.ForeignKey(Estimate, models.CASCADE, related_name="scenarios")
    name = models.CharField(_lazy("name"), max_length=200)
    text = models.TextField(blank=True, help_text=_lazy("the lines as they were typed or read"))
    is_chosen = models.BooleanField(default=False, help_text=_lazy("the one that was done"))
    priced_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["estimate", "name"],
                name="scenario_name_once",
                violation_error_message=_lazy("There is a scenario of this name."),
            ),
            models.UniqueConstraint(fields=["estimate"], condition=Q(is_chosen=True), name="scenario_chosen_once"),
        ]

    def __str__(self) -> str:
        return self.name


class EstimateLine(models.Model):
    """So many of a thing, in a region, for so many hours a month, and its price; null where no price is loaded."""

    scenario = models.ForeignKey(Scenario, models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField(default=0)
    text = models.CharField(max_length=500, help_text=_lazy("as it was typed or read"))
    provider = models.CharField(max_length=200, blank=True)
    service = models.CharField(max_length=200, blank=True)
    item = models.CharField(max_length=300, blank=True)
    region = models.CharField(max_length=200, blank=True)
    count = models.DecimalField(max_digits=20, decimal_places=6, default=1)
    monthly_quantity = models.DecimalField(max_digits=38, decimal_places=10, null=True)
    unit = models.CharField(max_length=50, blank=True)
    terms = models.CharField(
        max_length=20, blank=True, help_text="months and payment of a commitment: 12-none; empty on demand"
    )
    list_price = amount(help_text=_lazy("for one unit"))
    own_rate = amount(help_text=_lazy("for one unit, as the company's own bill charges it"))
    list_cost = amount(help_text=_lazy("for an average month"))
    cost = amount(help_text=_lazy("for an average month, at the company's own rate where there is one"))
    committed_cost = amount(help_text=_lazy("under the best commitment of a year without upfront, where it is less"))
    price_source = models.CharField(max_length=200, blank=True)
    problem = models.CharField(max_length=300, blank=True, help_text=_lazy("why it has no price"))

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.text
