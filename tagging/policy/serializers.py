"""Tag compliance as JSON: exact counts and exact decimal strings."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from costs.api.serializers import KnownSerializer
from finops_site.api.base import ExactDecimalField, MonthTextField, refusals
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from tagging.models import TaggedResource
from tagging.policy import compliance_figures
from tagging.policy.bulk_results import MOST_AT_ONCE, BulkResult
from tagging.policy.explanations import Explainer


class StateCostSerializer(serializers.Serializer):
    compliant = ExactDecimalField(max_digits=38, decimal_places=18)
    wrong = ExactDecimalField(max_digits=38, decimal_places=18)
    excepted = ExactDecimalField(max_digits=38, decimal_places=18)


class TallySerializer(serializers.Serializer):
    """`counted` = compliant + wrong; `compliance` = compliant / counted. Costs are exact, by currency and state."""

    key = serializers.CharField(help_text="the group's value; `none`: unowned, `shared`: held by pools")
    name = serializers.CharField()
    resources = serializers.DictField(child=serializers.IntegerField(), help_text="by state")
    resources_by_currency = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        help_text="{currency: {state: how many are billed in it}}",
    )
    counted = serializers.IntegerField()
    compliance = serializers.CharField(allow_null=True, help_text="a ratio; null where nothing is counted")
    cost = serializers.DictField(
        child=serializers.DictField(child=serializers.CharField()), help_text="{currency: {state: exact text}}"
    )


class UntaggableSerializer(serializers.Serializer):
    reason = serializers.CharField()
    currency = serializers.CharField()
    cost = serializers.CharField()


class ComplianceSerializer(serializers.Serializer):
    month = serializers.CharField(allow_null=True, help_text="the charge month, null while none is computed")
    target = serializers.CharField(help_text="the share that should comply")
    group_by = serializers.CharField(allow_blank=True)
    total = TallySerializer()
    groups = TallySerializer(many=True, help_text="by tag the states are ok, missing, empty, not_allowed")
    untaggable = UntaggableSerializer(many=True, help_text="charges that cannot carry tags; not counted")
    known = KnownSerializer(allow_null=True, help_text="what the figures lack")


class TagStatusSerializer(serializers.Serializer):
    tag = serializers.CharField()
    required = serializers.BooleanField()
    state = serializers.CharField(help_text="ok, missing, empty or not_allowed")
    key = serializers.CharField(allow_blank=True, help_text="the key it stands under")
    value = serializers.CharField(allow_blank=True)


class TaggedResourceSerializer(serializers.ModelSerializer):
    month = MonthTextField(source="charge_month")
    account = serializers.CharField(source="sub_account")
    team = serializers.CharField(source="owner.name", default=None, allow_null=True)
    pool = serializers.CharField(source="pool.name", default=None, allow_null=True)
    tags = serializers.DictField(source="tag_set.tags", default=dict, child=serializers.CharField(allow_null=True))
    facts = serializers.SerializerMethodField()
    cost = ExactDecimalField(max_digits=38, decimal_places=18)
    billed_cost = ExactDecimalField(max_digits=38, decimal_places=18, allow_null=True)
    effective_cost = ExactDecimalField(max_digits=38, decimal_places=18, allow_null=True)

    class Meta:
        model = TaggedResource
        fields = [
            *("key", "month", "provider", "account", "service", "region", "resource", "resource_name"),
            *("resource_type", "team", "pool", "currency", "cost", "billed_cost", "effective_cost"),
            *("first_day", "last_day", "why_not", "excepted_until", "tags", "facts"),
        ]
        read_only_fields = fields

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer()

    @extend_schema_field(TagStatusSerializer(many=True))
    def get_facts(self, row: TaggedResource) -> list[dict[str, Any]]:
        return TagStatusSerializer(self._explainer.statuses(row), many=True).data


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
    named = list(rows.select_related("owner", "verdict"))
    if missing := sorted({*keys} - {row.key for row in named}):
        raise ValidationError({"detail": f"There is no resource {missing[0]!r} in {chosen or 'any month'}."})
    return named


def result_json(result: BulkResult) -> dict[str, object]:
    answer: dict[str, object] = BulkResultSerializer(result).data
    return answer
