"""What ran on a cluster's machines, by weight: what the cost of those machines is split by."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from costs.models.lines import money
from finops_site.lib.periods import days_text
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy


class ClusterFileQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "ClusterFileQuerySet":
        """Files of whole clusters are for those who see the whole company."""
        return self if user.sees_whole_company else self.none()


class ClusterFile(models.Model):
    """Files of allocations as they came in: of OpenCost, Kubecost, or AWS's split cost allocation."""

    name = models.CharField(max_length=300)
    fingerprint = models.CharField(
        max_length=64, unique=True, help_text=_lazy("sha256 over the files and the cluster that was stated")
    )
    kind = models.CharField(max_length=40)
    clusters = models.JSONField(default=list)
    first_day = models.DateField()
    last_day = models.DateField()
    rows = models.BigIntegerField(help_text=_lazy("rows of usage it brought"))
    notes = models.TextField(blank=True)
    delivery = models.ForeignKey(
        "costs.Delivery",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="cluster_files",
        help_text=_lazy("the bill that says it itself; empty where somebody brought the files"),
    )
    received_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now)

    objects: Any = ClusterFileQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(self.clusters)}, {days_text(self.first_day, self.last_day)}"


class ClusterUsage(models.Model):
    """What a workload, or nothing at all, took of a machine on a day. Never a cost: a weight to split cost by."""

    file = models.ForeignKey(ClusterFile, models.CASCADE)
    day = models.DateField()
    cluster = models.CharField(max_length=200)
    node = models.CharField(
        max_length=1000, blank=True, help_text=_lazy("the machine as bills name it; empty: any of them")
    )
    namespace = models.CharField(max_length=300, blank=True)
    controller_kind = models.CharField(max_length=100, blank=True)
    controller = models.CharField(max_length=300, blank=True)
    pod = models.CharField(max_length=500, blank=True)
    labels = models.JSONField(default=dict)
    is_idle = models.BooleanField(default=False)
    weight = money(_lazy("what the file says it cost, in whatever currency: only proportions count"))

    class Meta:
        indexes = [models.Index(fields=["day", "cluster"], name="cluster_usage_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.cluster} {self.namespace}/{self.pod}"
