"""Tag compliance as JSON: exact counts and exact decimal strings."""

from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from costs.api.serializers import KnownSerializer
from finops_site.api.base import ExactDecimalField, MonthTextField
from tagging.models import TaggedResource
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
