"""Controls and their change sets as the API shows them."""

from rest_framework import serializers

from budgets.calc.controls.scripts import VERBS
from budgets.models import Control, ControlChangeSet, ControlEvent, ControlStep
from finops_site.api.base import ExactModelSerializer


class ControlSerializer(ExactModelSerializer):
    budget_name = serializers.CharField(source="budget.name", default=None, allow_null=True)
    team = serializers.CharField(source="owner.name", default=None, allow_null=True)
    when = serializers.CharField(help_text="what proposes it, in words")
    box = serializers.CharField(source="box_words", help_text="how long it lasts, in words")
    armed_by = serializers.CharField(source="armed_by.email", default=None, allow_null=True)

    class Meta:
        model = Control
        fields = [
            *("id", "name", "trigger", "budget", "budget_name", "threshold", "team", "service", "account", "when"),
            *("action", "targets", "wanted", "accounts", "environment_tag", "dev_values", "exempt_tags"),
            *("most_resources", "most_share", "box", "time_zone", "quiet_from", "quiet_until", "is_active"),
            *("armed_by", "armed_at", "armed_until", "last_result"),
        ]


class ControlStepSerializer(ExactModelSerializer):
    class Meta:
        model = ControlStep
        fields = [
            *("number", "kind", "cloud", "account", "region", "target", "name", "service", "environment", "cost"),
            *("saving", "currency", "saving_note", "before", "result", "message", "done_at", "undone_at"),
        ]


class ControlEventSerializer(ExactModelSerializer):
    by = serializers.CharField(source="by.email", default=None, allow_null=True)

    class Meta:
        model = ControlEvent
        fields = ["at", "verb", "by", "after", "comment"]


class LeftOutResourceSerializer(serializers.Serializer):
    resource = serializers.CharField()
    account = serializers.CharField()
    why = serializers.CharField()


class ControlChangeSerializer(ExactModelSerializer):
    control_name = serializers.CharField(source="control.name")
    team = serializers.CharField(source="owner.name", default=None, allow_null=True)
    proposed_by = serializers.CharField(source="proposed_by.email")
    approved_by = serializers.CharField(source="approved_by.email", default=None, allow_null=True)

    class Meta:
        model = ControlChangeSet
        fields = [
            *("id", "control", "control_name", "team", "alert", "anomaly", "state", "why", "proposed_by"),
            *("is_automatic", "proposed_at", "expires_at", "approved_by", "approved_at", "is_armed", "dry_run_at"),
            *("by_role", "started_at", "ends_at", "undone_at", "left_out_count", "saved", "saved_currency"),
            *("saved_days", "saved_until", "saved_note", "message"),
        ]


class ControlChangeDetailSerializer(ControlChangeSerializer):
    steps = ControlStepSerializer(many=True)
    left_out = LeftOutResourceSerializer(many=True)
    events = ControlEventSerializer(many=True)

    class Meta(ControlChangeSerializer.Meta):
        fields = [*ControlChangeSerializer.Meta.fields, "steps", "left_out", "events"]


class ControlCommentSerializer(serializers.Serializer):
    comment = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")


class ControlPasteSerializer(serializers.Serializer):
    pasted = serializers.CharField(max_length=100_000, help_text="what the script printed")


class ControlRunSerializer(serializers.Serializer):
    by_role = serializers.BooleanField(default=False, help_text="otherwise a person runs the script")


class ControlUndoSerializer(serializers.Serializer):
    by_hand = serializers.BooleanField(default=False, help_text="a person runs the undoing script, whatever ran it")


class ControlScriptSerializer(serializers.Serializer):
    verb = serializers.ChoiceField(choices=list(VERBS))
    script = serializers.CharField(help_text="a script for a POSIX shell")
