"""The API of findings: the list, one with its evidence, and answers."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import (
    BadRequest,
    ExactModelSerializer,
    HoldsPermission,
    Pages,
    VisibleRows,
    refusals,
)
from finops_site.models import User
from finops_site.ui.bulk_results import MOST_AT_ONCE, BulkRefused, BulkResult
from usage.models import Finding, FindingEvent, QuietRule, Ticket
from usage.worklist import answers, finding_texts, tickets
from usage.worklist.answers import ANSWER, Answer, Verb
from usage.worklist.filters import FindingFilter
from usage.worklist.quiet_rules import TEACH, QuietScope, remove_quiet_rule
from usage.worklist.rule_names import title_of


class FindingEventSerializer(serializers.ModelSerializer):
    person = serializers.CharField(source="person.email", default=None, allow_null=True, read_only=True)

    class Meta:
        model = FindingEvent
        fields = ["at", "person", "verb", "before", "after", "note"]


class TicketSerializer(serializers.ModelSerializer):
    tracker = serializers.CharField(source="tracker.name", default=None, allow_null=True, read_only=True)

    class Meta:
        model = Ticket
        fields = ["system", "tracker", "state", "url", "reference", "message"]


class FindingFixSerializer(serializers.Serializer):
    title = serializers.CharField()
    language = serializers.CharField()
    text = serializers.CharField()
    undo = serializers.CharField()


class FindingSerializer(ExactModelSerializer):
    """Savings and cost are for an average month; null is not known."""

    what = serializers.SerializerMethodField(help_text="what the rule is called")
    team = serializers.CharField(source="owner.name", default=None, allow_null=True, read_only=True)
    assignee = serializers.CharField(source="assignee.email", default=None, allow_null=True, read_only=True)

    class Meta:
        model = Finding
        fields = [
            *("id", "rule", "what", "provider", "account", "region", "resource", "resource_name", "part", "service"),
            *("environment", "team", "state", "effort", "risk", "confidence", "currency", "monthly_cost", "saving"),
            *("counted_saving", "counted_after", "assignee", "due_day", "snoozed_until", "reason", "first_seen"),
            *("last_seen", "mended_day", "promised_saving", "evidence", "target", "sources"),
        ]
        read_only_fields = fields

    def get_what(self, row: Finding) -> str:
        return title_of(row.rule)


class WholeFindingSerializer(FindingSerializer):
    """One finding with what people read of it, its fixes, its ticket and its history."""

    explanation = serializers.SerializerMethodField()
    makes_certain = serializers.SerializerMethodField()
    counting = serializers.SerializerMethodField(help_text="why its saving counts as it does")
    fixes = serializers.SerializerMethodField()
    ticket = serializers.SerializerMethodField()
    events = FindingEventSerializer(many=True, read_only=True)

    class Meta(FindingSerializer.Meta):
        fields = [
            *FindingSerializer.Meta.fields,
            *("explanation", "makes_certain", "counting", "fixes", "ticket", "events"),
        ]
        read_only_fields = fields

    def get_explanation(self, row: Finding) -> str:
        return finding_texts.explanation(row)

    def get_makes_certain(self, row: Finding) -> str:
        return finding_texts.makes_certain(row)

    def get_counting(self, row: Finding) -> str:
        return finding_texts.counting(row)

    @extend_schema_field(FindingFixSerializer(many=True))
    def get_fixes(self, row: Finding) -> Any:
        return FindingFixSerializer(finding_texts.fixes(row), many=True).data

    @extend_schema_field(TicketSerializer(allow_null=True))
    def get_ticket(self, row: Finding) -> Any:
        return TicketSerializer(row.ticket).data if hasattr(row, "ticket") else None


class QuietScopeSerializer(serializers.Serializer):
    """For what the rule stays quiet: all that is named holds together."""

    account = serializers.BooleanField(default=False, help_text="in the account of the finding")
    name_begins = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    tag_key = serializers.CharField(required=False, allow_blank=True, max_length=128, default="")
    tag_value = serializers.CharField(required=False, allow_blank=True, max_length=256, default="")
    for_company = serializers.BooleanField(
        default=False, help_text="in every team; for who sees the company, needed where nobody owns it"
    )
    until = serializers.DateField(required=False, allow_null=True, default=None)


class FindingAnswerSerializer(serializers.Serializer):
    ids = serializers.ListField(child=serializers.IntegerField(), max_length=MOST_AT_ONCE)
    verb = serializers.ChoiceField([str(verb) for verb in Verb])
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=500, default="", help_text="needed to snooze and to dismiss"
    )
    assignee = serializers.EmailField(required=False, allow_null=True, default=None, help_text="to accept")
    due_day = serializers.DateField(required=False, allow_null=True, default=None, help_text="to accept")
    until = serializers.DateField(required=False, allow_null=True, default=None, help_text="to snooze")
    mended_day = serializers.DateField(required=False, allow_null=True, default=None, help_text="null: today")
    quiet = QuietScopeSerializer(
        required=False, allow_null=True, default=None, help_text="what a dismissal of one finding teaches"
    )

    def validate_assignee(self, value: str | None) -> User | None:
        if not value:
            return None
        person = User.objects.filter(email__iexact=value, is_active=True).first()
        if person is None:
            raise serializers.ValidationError("There is nobody with this address.")
        return person

    def answer(self) -> Answer:
        data = {**self.validated_data}
        data.pop("ids")
        quiet = data.pop("quiet")
        return Answer(**{**data, "verb": Verb(data["verb"]), "quiet": QuietScope(**quiet) if quiet else None})


class LeftOutFindingSerializer(serializers.Serializer):
    name = serializers.CharField()
    reason = serializers.CharField()


class FindingOutcomeSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="how many findings it was done for")
    left_out = LeftOutFindingSerializer(many=True)


class TicketRequestSerializer(serializers.Serializer):
    ids = serializers.ListField(child=serializers.IntegerField(), max_length=tickets.MOST_AT_ONCE)
    tracker = serializers.IntegerField(min_value=1, max_value=1 << 62, help_text="the id of a tracker")


class FindingViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """What could cost less: those that wait for somebody, unless another state is asked for."""

    queryset = Finding.objects.select_related("owner", "assignee", "counted_after", "ticket__tracker")
    permission_classes = [HoldsPermission]
    permission_required = "usage.view_finding"
    write_permission_required = ANSWER
    pagination_class = Pages
    filterset_class = FindingFilter

    def get_serializer_class(self) -> Any:
        return FindingSerializer if self.action == "list" else WholeFindingSerializer

    def filter_queryset(self, queryset: Any) -> Any:
        # One by its id is shown in whatever state it is.
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    @extend_schema(request=FindingAnswerSerializer, responses={200: FindingOutcomeSerializer, 400: BadRequest})
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def answer(self, request: Request) -> Response:
        """Gives one answer to findings you see; left out are those that it is not possible for, with the reason."""
        data = FindingAnswerSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        with refusals(BulkRefused):
            result = answers.answer_findings(
                _ids(data.validated_data["ids"]), data.answer(), user=request.user, now=timezone.now()
            )
        return Response(_outcome(result))

    @extend_schema(request=TicketRequestSerializer, responses={200: FindingOutcomeSerializer, 400: BadRequest})
    @action(
        detail=False,
        methods=["post"],
        write_permission_required=tickets.TICKET,
        pagination_class=None,
        filterset_class=None,
    )
    def ticket(self, request: Request) -> Response:
        """Asks for a ticket for each; a worker makes them, once each."""
        data = TicketRequestSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        ids, tracker = _ids(data.validated_data["ids"]), str(data.validated_data["tracker"])
        with refusals(BulkRefused):
            result = tickets.request_tickets(ids, tracker, user=request.user, now=timezone.now())
        return Response(_outcome(result))


def _ids(values: list[int]) -> list[int]:
    return [pk for pk in dict.fromkeys(values) if 0 < pk < 1 << 62]


def _outcome(result: BulkResult) -> dict[str, Any]:
    left_out = [{"name": row.name, "reason": row.reason} for row in result.left_out]
    return {"count": result.count, "left_out": left_out}


class QuietRuleSerializer(serializers.ModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True, help_text="null: every team")
    made_by = serializers.CharField(source="made_by.email", default=None, allow_null=True)

    class Meta:
        model = QuietRule
        fields = [
            *("id", "rule", "team", "account", "name_begins", "tag_key", "tag_value", "reason", "until"),
            *("made_by", "made_at"),
        ]
        read_only_fields = fields


class QuietRuleViewSet(VisibleRows, mixins.DestroyModelMixin, viewsets.ReadOnlyModelViewSet):
    """What dismissals taught: for these nothing is listed. One that is deleted speaks again from the next night on."""

    queryset = QuietRule.objects.select_related("team", "made_by")
    serializer_class = QuietRuleSerializer
    permission_classes = [HoldsPermission]
    permission_required = "usage.view_quietrule"
    write_permission_required = TEACH
    pagination_class = Pages

    def perform_destroy(self, instance: QuietRule) -> None:
        remove_quiet_rule(instance, user=self.request.user)
