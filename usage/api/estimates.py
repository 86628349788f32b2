"""The API of estimates: what something would cost, and its scenarios, as on their pages."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, ExactModelSerializer, HoldsPermission, VisibleRows, refusals
from finops_site.lib.money import ISO_4217, exact_text
from finops_site.models import Team
from usage.estimates import estimate_changes
from usage.estimates.effects import effect_rows
from usage.estimates.estimate_changes import CannotEstimate
from usage.estimates.figures import scenarios_of
from usage.models import Estimate, EstimateLine, Scenario

REFUSED = OpenApiResponse(BadRequest, "It cannot be estimated so: `detail` holds the line and the reason.")


class EstimateLineSerializer(ExactModelSerializer):
    """A line in an average month of 730 hours; null is not known, and never zero."""

    class Meta:
        model = EstimateLine
        fields = [
            *("text", "item", "region", "count", "monthly_quantity", "unit", "terms", "list_price", "own_rate"),
            *("list_cost", "cost", "committed_cost", "price_source", "problem"),
        ]


class ScenarioSerializer(ExactModelSerializer):
    lines = EstimateLineSerializer(many=True, read_only=True)

    class Meta:
        model = Scenario
        fields = ["id", "name", "is_chosen", "priced_on", "lines"]


class EstimateSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None)
    made_by = serializers.CharField(source="made_by.email")
    scenarios = ScenarioSerializer(many=True, read_only=True)

    class Meta:
        model = Estimate
        fields = [
            *("id", "name", "team", "currency", "starts", "tag_key", "tag_value", "note", "made_by", "made_at"),
            *("archived_at", "scenarios"),
        ]


class ScenarioValueSerializer(serializers.Serializer):
    scenario = serializers.CharField()
    value = serializers.CharField(allow_null=True)


class EffectSerializer(serializers.Serializer):
    """A figure as it is, and as it would be with each scenario; null is not known, and `note` says why."""

    label = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = ScenarioValueSerializer(many=True)
    unit = serializers.CharField()
    currency = serializers.CharField()
    note = serializers.CharField()


class LinesBody(serializers.Serializer):
    """Typed lines, a CSV or the JSON of a Terraform plan."""

    name = serializers.CharField(max_length=200)
    text = serializers.CharField(max_length=estimate_changes.MOST_BYTES, help_text="10 x m7g.large in eu-west-1, 24x7")


class EstimateBody(LinesBody):
    scenario = serializers.CharField(max_length=200, required=False, default="")
    currency = serializers.ChoiceField(sorted(ISO_4217))
    team = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1)
    starts = serializers.DateField(required=False, allow_null=True, default=None)
    tag_key = serializers.CharField(max_length=128, required=False, default="", allow_blank=True)
    tag_value = serializers.CharField(max_length=256, required=False, default="", allow_blank=True)
    note = serializers.CharField(max_length=10_000, required=False, default="", allow_blank=True)


@extend_schema_view(
    list=extend_schema(summary="Estimates with their scenarios and lines"),
    retrieve=extend_schema(summary="One estimate"),
)
class EstimateViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """What something would cost before it runs, at list prices and at the company's own rates."""

    queryset = Estimate.objects.select_related("team", "made_by").prefetch_related("scenarios__lines")
    serializer_class = EstimateSerializer
    permission_classes = [HoldsPermission]
    permission_required = "usage.view_estimate"
    write_permission_required = "usage.add_estimate"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="A new estimate, priced at once",
        request=EstimateBody,
        responses={201: EstimateSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        body = EstimateBody(data=request.data)
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = dict(body.validated_data)
        text, scenario, team = values.pop("text"), values.pop("scenario"), values.pop("team")
        with refusals(CannotEstimate):
            if team and not Team.objects.visible_to(request.user).filter(pk=team).exists():
                raise CannotEstimate(f"There is no team {team} of yours.")
            made = estimate_changes.make_estimate(request.user, Estimate(team_id=team, **values), scenario, text)
        return Response(EstimateSerializer(self._again(made.pk)).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Another scenario for an estimate", request=LinesBody, responses={200: EstimateSerializer, 400: REFUSED}
    )
    @action(detail=True, methods=["post"])
    def scenarios(self, request: Request, pk: str) -> Response:
        body = LinesBody(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals(CannotEstimate):
            estimate_changes.add_scenario(request.user, self.get_object(), **body.validated_data)
        return Response(EstimateSerializer(self._again(int(pk))).data)

    @extend_schema(
        summary="What its scenarios would change: budgets, the forecast, commitments, unit cost",
        responses={200: EffectSerializer(many=True)},
    )
    @action(detail=True, pagination_class=None)
    def effects(self, request: Request, pk: str) -> Response:
        estimate = self.get_object()
        figures = scenarios_of(estimate)
        names = [one.scenario.name for one in figures]
        rows = effect_rows(request.user, estimate, figures, timezone.now().date())
        answers = [
            {
                "label": row.effect.label,
                "before": exact_text(row.effect.before),
                "after": [
                    {"scenario": name, "value": exact_text(value)}
                    for name, value in zip(names, row.effect.after, strict=True)
                ],
                "unit": str(row.effect.unit),
                "currency": row.effect.currency,
                "note": row.effect.note,
            }
            for row in rows
        ]
        return Response(EffectSerializer(answers, many=True).data)

    @extend_schema(summary="Archive an estimate", request=None, responses={200: EstimateSerializer, 400: REFUSED})
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        with refusals(CannotEstimate):
            estimate_changes.archive_estimate(request.user, self.get_object())
        return Response(EstimateSerializer(self._again(int(pk))).data)

    def _again(self, pk: int) -> Estimate:
        rows: QuerySet[Estimate] = self.queryset.all()
        return rows.get(pk=pk)
