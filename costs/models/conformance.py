"""How well a delivery keeps the rules of FOCUS: a row for each rule that its charges were judged by."""

from django.db import models

from costs.charges import conformance
from costs.models.deliveries import Delivery
from finops_site.translation import gettext_lazy as _lazy


class ConformanceResult(models.Model):
    """What became of one rule in one delivery. The sentence is kept as it was when the delivery was judged."""

    class Verdict(models.TextChoices):
        KEPT = conformance.Verdict.KEPT.value, _lazy("Kept")
        BROKEN = conformance.Verdict.BROKEN.value, _lazy("Broken")
        NOT_STATED = conformance.Verdict.NOT_STATED.value, _lazy("Not stated")

    class Severity(models.TextChoices):
        MUST = conformance.Severity.MUST.value, _lazy("Counts")
        SHOULD = conformance.Severity.SHOULD.value, _lazy("Worth a look")

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="conformance_results")
    rule = models.CharField(max_length=80)
    family = models.CharField(max_length=20)
    sentence = models.CharField(max_length=300)
    severity = models.CharField(max_length=10, choices=Severity)
    verdict = models.CharField(max_length=10, choices=Verdict)
    judged = models.BigIntegerField(default=0, help_text=_lazy("rows that were looked at"))
    rows = models.BigIntegerField(default=0, help_text=_lazy("rows that break the rule"))
    cost = models.JSONField(default=dict, help_text=_lazy("{currency: their cost regardless of sign, as exact text}"))
    examples = models.JSONField(default=dict, help_text=_lazy("the largest of them: {columns: [name], rows: [[text]]}"))

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["delivery", "rule"], name="one_result_per_rule")]

    def __str__(self) -> str:
        return f"{self.delivery}: {self.sentence} {self.get_verdict_display()}"
