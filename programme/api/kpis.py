"""The API of KPIs: what one is and where it stands, its past, its target, and comments."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, ExactDecimalField, HoldsPermission, refusals
from finops_site.models import User
from finops_site.registry import Better, Unit
from programme.calc.kpi_progress import Progress
from programme.kpis import kpi_figures, targets
from programme.kpis.kpi_figures import History, KpiFigure, PastValue
from programme.models import KpiComment

NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="of the KPI, like tag-compliance")
BY = OpenApiParameter("by", str, enum=("day", "month"), description="a month is its last stored day; day without it")


def value_field(**more: Any) -> ExactDecimalField:
    return ExactDecimalField(max_digits=38, decimal_places=18, allow_null=True, **more)


class KpiInputSerializer(serializers.Serializer):
    label = serializers.CharField()
    value = value_field()
    unit = serializers.ChoiceField([str(unit) for unit in Unit])
    currency = serializers.CharField()
    url = serializers.CharField(help_text="the page that lists what was counted")


class KpiDetailSerializer(serializers.Serializer):
    """A KPI as it is now, of what you may see; a percentage is 70 for 70 %, and null is not known."""

    name = serializers.CharField()
    label = serializers.CharField()
    definition = serializers.CharField()
    formula = serializers.CharField()
    foundation_name = serializers.CharField(help_text="what the FinOps Foundation calls it; empty where it does not")
    value = value_field()
    unit = serializers.ChoiceField([str(unit) for unit in Unit])
    currency = serializers.CharField(allow_blank=True)
    description = serializers.CharField(help_text="what was measured, or why it is not known")
    inputs = KpiInputSerializer(many=True)
    target = value_field()
    target_day = serializers.DateField(allow_null=True)
    better = serializers.ChoiceField([str(side) for side in Better])
    state = serializers.ChoiceField([str(state) for state in Progress])
    baseline = value_field()
    baseline_day = serializers.DateField(allow_null=True)
    owner = serializers.EmailField(allow_null=True)
    changed_by = serializers.EmailField(allow_null=True)
    changed_at = serializers.DateTimeField(allow_null=True)


class KpiSettingsSerializer(serializers.Serializer):
    """What finance decides; what is left out stays as it is."""

    target = value_field(required=False)
    target_day = serializers.DateField(required=False, allow_null=True)
    owner = serializers.SlugRelatedField(
        slug_field="email", queryset=User.objects.filter(is_active=True), required=False, allow_null=True
    )
    baseline = value_field(required=False)
    baseline_day = serializers.DateField(required=False, allow_null=True)


class PastValueSerializer(serializers.Serializer):
    period = serializers.CharField(source="when", help_text="2026-03-31, or 2026-03 by month")
    day = serializers.DateField(allow_null=True, help_text="of whose night the value is; null: no night of the month")
    value = value_field()
    currency = serializers.CharField()
    target = value_field()
    why_unknown = serializers.CharField(source="reason")
    stored_at = serializers.DateTimeField(source="made_at", allow_null=True)
    differs = serializers.BooleanField(help_text="whether today's bills would give another value")
    with_todays_bills = value_field(source="today")
    counted_at = serializers.DateTimeField(allow_null=True)


class KpiCommentSerializer(serializers.ModelSerializer):
    author = serializers.CharField(source="author_name", read_only=True)

    class Meta:
        model = KpiComment
        fields = ["text", "author", "at"]
        read_only_fields = ["at"]


class OneKpi(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "programme.view_kpi"

    def figure(self, request: Request, name: str) -> KpiFigure:
        figure = kpi_figures.find_figure(request.user, name, timezone.now().date())
        if figure is None:
            raise Http404("no such KPI, or it is not yours to see")
        return figure


class KpiDetail(OneKpi):
    write_permission_required = "programme.change_kpi"

    @extend_schema(
        summary="A KPI: what it is, and where it stands now", parameters=[NAME], responses=KpiDetailSerializer
    )
    def get(self, request: Request, name: str) -> Response:
        return Response(KpiDetailSerializer(as_dict(self.figure(request, name))).data)

    @extend_schema(
        summary="Sets target, owner and baseline of a KPI",
        parameters=[NAME],
        request=KpiSettingsSerializer,
        responses={200: KpiDetailSerializer, 400: BadRequest},
    )
    def patch(self, request: Request, name: str) -> Response:
        figure = self.figure(request, name)
        sent = KpiSettingsSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with refusals(targets.BadTarget):
            targets.save_settings(figure.kpi, sent.validated_data, by=request.user, now=timezone.now())
        return Response(KpiDetailSerializer(as_dict(self.figure(request, name))).data)


class KpiHistory(OneKpi):
    @extend_schema(
        summary="The past of a KPI, of the whole company, as nights stored it",
        parameters=[NAME, BY],
        responses=PastValueSerializer(many=True),
        operation_id="kpis_history",
    )
    def get(self, request: Request, name: str) -> Response:
        history = History(request.user, self.figure(request, name).kpi.name)
        by = request.query_params.get("by", "day")
        if by not in ("day", "month"):
            raise serializers.ValidationError({"by": [_("Choose: {names}.").format(names="day, month")]})
        past: list[PastValue] = list(history.by(by))
        return Response(PastValueSerializer(past, many=True).data)


class KpiComments(OneKpi):
    write_permission_required = "programme.add_kpicomment"

    @extend_schema(
        summary="Comments on a KPI, the newest first",
        parameters=[NAME],
        responses=KpiCommentSerializer(many=True),
        operation_id="kpis_comments_list",
    )
    def get(self, request: Request, name: str) -> Response:
        comments = KpiComment.objects.visible_to(request.user).filter(name=self.figure(request, name).kpi.name)
        return Response(KpiCommentSerializer(comments, many=True).data)

    @extend_schema(
        summary="Comments on a KPI",
        parameters=[NAME],
        request=KpiCommentSerializer,
        responses={201: KpiCommentSerializer, 400: BadRequest},
        operation_id="kpis_comments_create",
    )
    def post(self, request: Request, name: str) -> Response:
        kpi = self.figure(request, name).kpi
        sent = KpiCommentSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with refusals(targets.BadTarget):
            made = targets.add_comment(kpi, sent.validated_data["text"], by=request.user, now=timezone.now())
        return Response(KpiCommentSerializer(made).data, status=201)


def as_dict(figure: KpiFigure) -> dict[str, Any]:
    kpi, measure, row = figure.kpi, figure.measure, figure.settings
    return {
        **{name: str(getattr(kpi, name)) for name in ("name", "label", "definition", "formula", "foundation_name")},
        **{name: getattr(measure, name) for name in ("value", "unit", "currency", "inputs", "target", "better")},
        "description": str(measure.description),
        "target_day": figure.target_day,
        "state": str(figure.progress),
        "baseline": figure.baseline,
        "baseline_day": figure.baseline_day,
        "owner": row.owner and row.owner.email,
        "changed_by": row.changed_by and row.changed_by.email,
        "changed_at": row.changed_at if row.pk else None,
    }
