"""What the business counts: customers, orders, revenue, per team, product, tag or for the company, by day or month."""

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.periods import Month, day_text
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc import unit_costs


class MetricQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "MetricQuerySet":
        """Everybody sees which metrics exist; a team's values are only for those who see the team."""
        return self


class Metric(models.Model):
    """Something the business counts, by the day or by the month; a value for each team, or whatever it is counted for.

    One that counts money that was earned has a `revenue_currency`: what is left of it after cost is the margin.
    """

    class Grain(models.TextChoices):
        DAY = "day", _lazy("by day")
        MONTH = "month", _lazy("by month")

    name = models.CharField(
        max_length=100, unique=True, help_text=_lazy("What is counted, in the plural: orders, customers.")
    )
    grain = models.CharField(_lazy("counted"), max_length=10, choices=Grain, default=Grain.DAY)
    counted_for = models.CharField(
        max_length=160,
        default=unit_costs.TEAM,
        help_text=_lazy("team, company, or a dimension of cost: tag:Product, tag:Environment, account."),
    )
    description = models.CharField(
        max_length=500, blank=True, help_text=_lazy("What exactly counts, and where it is from.")
    )
    target = models.DecimalField(
        _lazy("target per unit"),
        max_digits=38,
        decimal_places=18,
        null=True,
        blank=True,
        help_text=_lazy("What one may cost at most."),
    )
    target_currency = models.CharField(_lazy("currency of the target"), max_length=3, blank=True)
    revenue_currency = models.CharField(
        max_length=3,
        blank=True,
        help_text=_lazy("Where the values are revenue: their currency. The margin is shown then."),
    )

    objects = MetricQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("business metric")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(target__isnull=True) | models.Q(target__gt=0), name="metric_target_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(target__isnull=True) | ~models.Q(target_currency=""),
                name="metric_target_has_currency",
                violation_error_message=_lazy("A target needs its currency."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('tagging:unit_costs')}?metric={self.pk}"


class MetricValueQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "MetricValueQuerySet":
        """Everything, or what was counted for her teams and the teams below them.

        What was counted for the company, a product or a tag is of many teams: its cost is seen by who sees all of them.
        """
        return self if user.sees_whole_company else self.filter(team__in=user.visible_team_ids)

    def in_month(self, month: Month) -> "MetricValueQuerySet":
        return self.filter(day__gte=month.start, day__lt=month.next.start)


class MetricValue(models.Model):
    """How many on a day (of a metric by month: on its first day, for all of it); never negative.

    For a `team`, or `of` the value of the dimension that its metric is counted for; neither: for the company.

    A day without a row is missing, which is not zero.
    """

    metric = models.ForeignKey(Metric, models.CASCADE, related_name="values")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, related_name="metric_values")
    of = models.CharField(max_length=500, blank=True, default="", help_text=_lazy("the product, or value of a tag"))
    day = models.DateField(help_text=_lazy("of a metric by month: the first day of the month"))
    value = models.DecimalField(max_digits=38, decimal_places=18)
    changed_at = models.DateTimeField(default=timezone.now)

    objects = MetricValueQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("business metric value")
        ordering = ["metric", "team", "day"]
        constraints = [
            models.UniqueConstraint(
                fields=["metric", "team", "of", "day"], name="one_metric_value_a_day", nulls_distinct=False
            ),
            models.CheckConstraint(condition=models.Q(value__gte=0), name="metric_value_not_negative"),
        ]

    def __str__(self) -> str:
        of = self.team or self.of or _("the company")
        return _("{value} {metric} of {of} on {day}").format(
            value=f"{self.value.normalize():f}", metric=self.metric, of=of, day=day_text(self.day)
        )
