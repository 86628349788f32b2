"""Many resources at once by the API: which ones a request names, and what became of it."""

from collections.abc import Sequence

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from finops_site.api.base import refusals
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from tagging.models import TaggedResource
from tagging.policy import compliance_figures
from tagging.policy.bulk_results import MOST_AT_ONCE, BulkResult


class ResourceKeys(serializers.Serializer):
    resource_keys = serializers.ListField(
        child=serializers.CharField(max_length=32),
        max_length=MOST_AT_ONCE,
        help_text="as compliance names the resources",
    )
    month = serializers.CharField(
        required=False, allow_blank=True, default="", help_text="the charge month that they are of; the latest if empty"
    )


class LeftOutSerializer(serializers.Serializer):
    name = serializers.CharField()
    reason = serializers.CharField()


class BulkResultSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="for so many resources it was done")
    left_out = LeftOutSerializer(many=True)
    batch = serializers.IntegerField(allow_null=True, help_text="of the virtual tags that were set together")


def named_resources(user: Person, keys: Sequence[str], month: str) -> list[TaggedResource]:
    """The rows of these resources in the month, of what the person sees; one that she does not see is answered 400."""
    with refusals(ValueError):
        chosen: Month | None = compliance_figures.chosen_month(month, timezone.now().date())
    rows = TaggedResource.objects.visible_to(user).filter(key__in=keys)
    rows = rows.filter(charge_month=chosen.start) if chosen else rows.none()
    found = list(rows.select_related("owner", "verdict"))
    if missing := sorted({*keys} - {row.key for row in found}):
        raise ValidationError({"detail": f"There is no resource {missing[0]!r} in {chosen or 'any month'}."})
    return found


def result_json(result: BulkResult) -> dict[str, object]:
    answer: dict[str, object] = BulkResultSerializer(result).data
    return answer
