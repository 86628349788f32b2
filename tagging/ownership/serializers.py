"""What the API of ownership shows and accepts."""

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
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

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The same checks and messages as on the page."""
        rule = self.build_rule(attrs)
        try:
            rule.full_clean()
        except DjangoValidationError as error:
            problems = {("until" if name == "end" else name): texts for name, texts in error.message_dict.items()}
            detail = problems.pop(NON_FIELD_ERRORS, [])
            raise serializers.ValidationError(
                {**problems, **({"detail": " ".join(detail)} if detail else {})}
            ) from None
        return attrs

    def build_rule(self, attrs: dict[str, Any]) -> OwnershipRule:
        """The rule as it would be; nothing is saved."""
        rule = OwnershipRule.objects.get(pk=self.instance.pk) if self.instance else OwnershipRule()
        for name, value in attrs.items():
            if name != "version":
                setattr(rule, name, value)
        return rule


class ApplicationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Application
        fields = ["id", "state", "reason", "requested_at", "ended_at", "progress", "lines", "message"]
        read_only_fields = fields


class MoveSerializer(serializers.Serializer):
    """Cost that would change its owner: the name of a team, or of a pool after `Shared:`, or `Unowned`."""

    before = serializers.CharField()
    after = serializers.CharField()
    currency = serializers.CharField()
    charges = serializers.IntegerField()
    billed_cost = serializers.CharField(allow_null=True)
    effective_cost = serializers.CharField(allow_null=True)


class OwnedSerializer(serializers.Serializer):
    owner = serializers.CharField(help_text="a team or pool, and in brackets the rule")
    currency = serializers.CharField()
    billed_cost = serializers.CharField()


class RuleProposalSerializer(serializers.Serializer):
    """A rule that the bill suggests; `team` is null where no team is called like it: `new_team` is a name for one."""

    key = serializers.CharField()
    name = serializers.CharField()
    sub_account = serializers.CharField(allow_blank=True)
    tag_key = serializers.CharField(allow_blank=True)
    tag_value = serializers.CharField(allow_blank=True)
    team = serializers.CharField(allow_null=True)
    new_team = serializers.CharField(allow_blank=True)
    why = serializers.CharField()
    is_sure = serializers.BooleanField()
    charges = serializers.IntegerField(help_text="that are nobody's now")
    would_own = serializers.DictField(child=serializers.CharField(), help_text="billed cost by currency")
    owned_already = OwnedSerializer(many=True)


class RuleProposalsSerializer(serializers.Serializer):
    month = serializers.CharField(help_text="2025-11")
    is_whole = serializers.BooleanField(help_text="false: the running month, for no other has cost")
    unowned = serializers.DictField(child=serializers.CharField(), help_text="billed cost by currency")
    proposals = RuleProposalSerializer(many=True)


class AcceptedProposalSerializer(serializers.Serializer):
    key = serializers.CharField()
    team = serializers.CharField(help_text="its name; one that is not there yet is made")


class AcceptProposalsSerializer(serializers.Serializer):
    accept = AcceptedProposalSerializer(many=True)


class PreviewSerializer(serializers.Serializer):
    charges = serializers.IntegerField(help_text="charges of open months that would change their owner")
    teams = serializers.ListField(child=serializers.CharField())
    months = serializers.ListField(child=serializers.CharField(), help_text="billing months, 2025-11")
    moves = MoveSerializer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
