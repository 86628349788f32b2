"""What the API of ownership says and takes."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from costs.models import Pool
from finops_site.models import Team
from tagging.models import CONDITIONS, Application, OwnershipRule


class OwnershipRuleSerializer(serializers.ModelSerializer):
    """A rule names a team or a pool, by name; `until` is the first charge day on which it no longer holds."""

    team = serializers.SlugRelatedField(
        slug_field="name", queryset=Team.objects.all(), allow_null=True, required=False, help_text="the team's name"
    )
    pool = serializers.SlugRelatedField(
        slug_field="name", queryset=Pool.objects.all(), allow_null=True, required=False, help_text="the pool's name"
    )
    until = serializers.DateField(source="end", allow_null=True, required=False)
    version = serializers.IntegerField(
        required=False, help_text="needed to change a rule: the version that was read; an older one is refused"
    )

    class Meta:
        model = OwnershipRule
        fields = ["id", "order", "name", "team", "pool", "start", "until", "is_active", *CONDITIONS, "version"]

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        """The same sentences as on the page."""
        rule = self.made_of(said)
        try:
            rule.full_clean()
        except DjangoValidationError as error:
            found = {("until" if name == "end" else name): texts for name, texts in error.message_dict.items()}
            whole = found.pop("__all__", [])
            raise serializers.ValidationError({**found, **({"detail": " ".join(whole)} if whole else {})}) from None
        return said

    def made_of(self, said: dict[str, Any]) -> OwnershipRule:
        """The rule as it would be; nothing is saved."""
        rule = OwnershipRule.objects.get(pk=self.instance.pk) if self.instance else OwnershipRule()
        for name, value in said.items():
            if name != "version":
                setattr(rule, name, value)
        return rule


class ApplicationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Application
        fields = ["id", "state", "reason", "requested_at", "ended_at", "progress", "lines", "message"]
        read_only_fields = fields


class MoveSerializer(serializers.Serializer):
    """Cost that would change hands; names of a team, or of a pool behind `Shared:`, or `Unowned`."""

    before = serializers.CharField()
    after = serializers.CharField()
    currency = serializers.CharField()
    charges = serializers.IntegerField()
    billed_cost = serializers.CharField(allow_null=True)
    effective_cost = serializers.CharField(allow_null=True)


class PreviewSerializer(serializers.Serializer):
    charges = serializers.IntegerField(help_text="charges of open months that would change hands")
    teams = serializers.ListField(child=serializers.CharField())
    months = serializers.ListField(child=serializers.CharField(), help_text="billing months, 2025-11")
    moves = MoveSerializer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
