"""The API of programmes: the plan, its milestones, risks and decisions; starting, ticking, deciding as on the pages."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, ExactModelSerializer, HoldsPermission, VisibleRows, refusals
from programme.calc.decision_rule import Verdict
from programme.calc.maturity import Level
from programme.calc.programme_dates import LONGEST_DAYS, BadDates
from programme.models import DecisionPoint, Milestone, Programme, Risk
from programme.roadmap import decisions, milestones
from programme.roadmap.live_figures import is_hidden_money, why_unknown_text
from programme.roadmap.maturity import maturity
from programme.roadmap.plans import CannotDo
from programme.roadmap.programmes import current_programme, start_programme

REFUSED = OpenApiResponse(BadRequest, "It cannot be done now, or not by you: `detail` holds the reason.")


class FigureSerializer(ExactModelSerializer):
    """A row with a figure: money of the company, and reasons that may name it, are for those who see all of it."""

    def to_representation(self, instance: Milestone | Risk) -> dict[str, Any]:
        data: dict[str, Any] = super().to_representation(instance)
        reader = self.context["request"].user
        data["why_unknown"] = why_unknown_text(instance, reader)
        if is_hidden_money(instance, reader):
            data |= {name: None for name in ("limit", "last_value", "met_value") if name in data}
        return data


class ProgrammeSerializer(ExactModelSerializer):
    last_day = serializers.DateField(read_only=True)

    class Meta:
        model = Programme
        fields = ["id", "name", "start", "days", "last_day", "status", "ended_on", "checked_on"]


class StartSerializer(serializers.Serializer):
    plan = serializers.CharField(default="ninety-days", help_text="ninety-days, the id of a template, or programme-3")
    name = serializers.CharField(max_length=200, required=False, default="")
    start = serializers.DateField()
    days = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=LONGEST_DAYS)
    begins_now = serializers.BooleanField(default=True)


class MilestoneSerializer(FigureSerializer):
    owner = serializers.CharField(source="owner_text")
    team = serializers.CharField(source="team_text")

    class Meta:
        model = Milestone
        fields = [
            *("id", "programme", "name", "deliverable", "due", "is_required", "owner", "team", "figure", "comparison"),
            *(
                "limit",
                "last_value",
                "last_unit",
                "last_currency",
                "read_on",
                "why_unknown",
                "met_on",
                "met_value",
                "note",
            ),
        ]


class TickSerializer(serializers.Serializer):
    note = serializers.CharField(max_length=500)


class RiskSerializer(FigureSerializer):
    owner = serializers.CharField(source="owner_text")

    class Meta:
        model = Risk
        fields = [
            *("id", "programme", "name", "trigger", "mitigation", "contingency", "owner", "figure", "comparison"),
            *(
                "limit",
                "watched_from",
                "last_value",
                "last_unit",
                "read_on",
                "why_unknown",
                "happened_on",
                "over_on",
                "note",
            ),
        ]


class DecisionSerializer(serializers.ModelSerializer):
    signatures = serializers.SerializerMethodField(help_text="role, name and moment of each")

    class Meta:
        model = DecisionPoint
        fields = [
            *("id", "programme", "name", "question", "due", "verdict", "why", "decided_by_name", "decided_at"),
            *("recommended", "reasons", "signatures"),
        ]

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_signatures(self, row: DecisionPoint) -> list[dict[str, Any]]:
        return [{"role": one.role, "name": one.name, "at": one.at} for one in row.signatures.all()]


class DecideSerializer(serializers.Serializer):
    verdict = serializers.ChoiceField([str(verdict) for verdict in Verdict])
    why = serializers.CharField(max_length=2000)


class FigureLevelSerializer(serializers.Serializer):
    label = serializers.CharField()
    value = serializers.CharField()
    level = serializers.ChoiceField([str(level) for level in Level])
    walk = serializers.CharField()
    run = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)


class MaturitySerializer(serializers.Serializer):
    name = serializers.CharField()
    domain = serializers.CharField()
    level = serializers.ChoiceField([str(level) for level in Level])
    figures = FigureLevelSerializer(many=True)


@extend_schema_view(
    list=extend_schema(summary="Programmes, the latest first"), retrieve=extend_schema(summary="One programme")
)
class ProgrammeViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    queryset = Programme.objects.all()
    serializer_class = ProgrammeSerializer
    permission_classes = [HoldsPermission]
    permission_required = "programme.view_programme"
    write_permission_required = milestones.MAY_CHANGE
    filterset_fields = ["status"]
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="Start a programme from a plan",
        request=StartSerializer,
        responses={201: ProgrammeSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        body = StartSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals(BadDates, CannotDo):
            values = dict(body.validated_data)
            programme = start_programme(values.pop("plan"), values, by=request.user, now=timezone.now())
        return Response(ProgrammeSerializer(programme).data, status=201)


@extend_schema_view(
    list=extend_schema(summary="Milestones of programmes"), retrieve=extend_schema(summary="One milestone")
)
class MilestoneViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    queryset = Milestone.objects.select_related("owner", "team", "programme")
    serializer_class = MilestoneSerializer
    permission_classes = [HoldsPermission]
    permission_required = "programme.view_programme"
    write_permission_required = milestones.MAY_TICK
    filterset_fields = ["programme"]
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="Say that it is met", request=TickSerializer, responses={200: MilestoneSerializer, 400: REFUSED}
    )
    @action(detail=True, methods=["post"])
    def tick(self, request: Request, pk: str) -> Response:
        row = self.get_object()
        body = TickSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals(CannotDo):
            milestones.tick(row, by=request.user, note=body.validated_data["note"], day=timezone.now().date())
        return Response(self.get_serializer(row).data)


@extend_schema_view(list=extend_schema(summary="Risks of programmes"), retrieve=extend_schema(summary="One risk"))
class RiskViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    queryset = Risk.objects.select_related("owner", "programme")
    serializer_class = RiskSerializer
    permission_classes = [HoldsPermission]
    permission_required = "programme.view_programme"
    filterset_fields = ["programme"]
    lookup_value_regex = r"\d{1,18}"


@extend_schema_view(
    list=extend_schema(summary="Decision points of programmes"), retrieve=extend_schema(summary="One decision point")
)
class DecisionViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    queryset = DecisionPoint.objects.select_related("programme").prefetch_related("signatures")
    serializer_class = DecisionSerializer
    permission_classes = [HoldsPermission]
    permission_required = "programme.view_decisionpoint"
    write_permission_required = decisions.MAY_DECIDE
    filterset_fields = ["programme"]
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[DecisionPoint]:
        rows: QuerySet[DecisionPoint] = super().get_queryset()
        return rows

    @extend_schema(
        summary="Record the decision, for good",
        request=DecideSerializer,
        responses={200: DecisionSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        row = self.get_object()
        body = DecideSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals(CannotDo):
            decisions.record_decision(row, **body.validated_data, by=request.user, now=timezone.now())
        return Response(DecisionSerializer(row).data)


class MaturityOfCapabilities(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_company"

    @extend_schema(
        summary="Crawl, walk or run: each FinOps capability by the books", responses=MaturitySerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        today, programme = timezone.now().date(), current_programme()
        rows = maturity(programme.start if programme else today, today)
        return Response(MaturitySerializer(rows, many=True).data)
