"""What the business counts: customers, orders, requests, per team and day or month."""

from django.db import models
from django.urls import reverse
from django.utils import timezone

from finops_site.lib.periods import Month
from finops_site.lib.person import Person


class MetricQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "MetricQuerySet":
        """Everybody sees which metrics exist; a team's values are only for those who see the team."""
        return self


class Metric(models.Model):
    """Something the business counts, by the day or by the month; a value for each team."""

    class Grain(models.TextChoices):
        DAY = "day", "by day"
        MONTH = "month", "by month"

    name = models.CharField(max_length=100, unique=True, help_text="What is counted, in the plural: orders, customers.")
    grain = models.CharField("counted", max_length=10, choices=Grain, default=Grain.DAY)
    description = models.CharField(max_length=500, blank=True, help_text="What exactly counts, and where it is from.")

    objects = MetricQuerySet.as_manager()

    class Meta:
        verbose_name = "business metric"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('tagging:unit_costs')}?metric={self.pk}"


class MetricValueQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "MetricValueQuerySet":
        """Everything, or what was counted for her teams and the teams below them."""
        return self if user.sees_whole_company else self.filter(team__in=user.visible_team_ids)

    def in_month(self, month: Month) -> "MetricValueQuerySet":
        return self.filter(day__gte=month.start, day__lt=month.next.start)


class MetricValue(models.Model):
    """How many on a day (of a metric by month: on its first day, for all of it) for a team; never negative.

    A day without a row is missing, which is not zero.
    """

    metric = models.ForeignKey(Metric, models.CASCADE, related_name="values")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, related_name="metric_values")
    day = models.DateField(help_text="of a metric by month: the first day of the month")
    value = models.DecimalField(max_digits=38, decimal_places=18)
    changed_at = models.DateTimeField(default=timezone.now)

    objects = MetricValueQuerySet.as_manager()

    class Meta:
        verbose_name = "business metric value"
        ordering = ["metric", "team", "day"]
        constraints = [
            models.UniqueConstraint(fields=["metric", "team", "day"], name="one_metric_value_a_day"),
            models.CheckConstraint(condition=models.Q(value__gte=0), name="metric_value_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.value.normalize():f} {self.metric} of {self.team} on {self.day}"
