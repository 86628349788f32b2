"""The API of chargeback: the same statements and the same exact amounts as the pages."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costs.api.serializers import KnownSerializer
from finops_site.api.base import ExactModelSerializer, HoldsPermission, MonthTextField
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.chargeback.periods import known_of_month
from tagging.models import ChargebackPeriod, MonthTotal, Statement, StatementLine

MONTH = OpenApiParameter("month", str, OpenApiParameter.PATH, description="billing month, like 2026-03")


class MonthTotalSerializer(ExactModelSerializer):
    class Meta:
        model = MonthTotal
        fields = ["currency", "bill", "direct", "shared", "unallocated", "unowned", "corrections", "given_back"]


class StatementSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team_name")
    team_id = serializers.IntegerField()

    class Meta:
        model = Statement
        fields = [
            "number",
            "team",
            "team_id",
            "cost_center",
            "currency",
            "direct",
            "shared",
            "spread",
            "corrections",
            "adjustments",
            "total",
        ]


class StatementLineSerializer(ExactModelSerializer):
    pool = serializers.CharField(source="pool.name", default=None, allow_null=True)
    corrects = serializers.CharField(
        source="corrects.number", default=None, allow_null=True, help_text="the number of the statement it corrects"
    )

    class Meta:
        model = StatementLine
        fields = ["kind", "label", "service", "pool", "corrects", "amount", "formula"]


class ChargebackMonthSerializer(ExactModelSerializer):
    """A billing month of chargeback: bill = direct + shared + unallocated + unowned, in each currency."""

    month = MonthTextField(source="billing_month")
    totals = MonthTotalSerializer(many=True, help_text="for those who see the whole company; empty for others")

    class Meta:
        model = ChargebackPeriod
        fields = ["month", "state", "basis", "discounts", "closed_at", "totals"]

    def to_representation(self, instance: ChargebackPeriod) -> dict[str, Any]:
        data = super().to_representation(instance)
        return data if self.context["user"].sees_whole_company else {**data, "totals": []}


class ChargebackSerializer(ChargebackMonthSerializer):
    """The month with the statements that you may see, and what the bills know of it."""

    statements = serializers.SerializerMethodField()
    known = serializers.SerializerMethodField()

    class Meta(ChargebackMonthSerializer.Meta):
        fields = [*ChargebackMonthSerializer.Meta.fields, "statements", "known"]

    @extend_schema_field(KnownSerializer)
    def get_known(self, period: ChargebackPeriod) -> dict[str, Any]:
        return known_of_month(self.context["user"], period, timezone.now().date()).as_json()

    @extend_schema_field(StatementSerializer(many=True))
    def get_statements(self, period: ChargebackPeriod) -> list[dict[str, Any]]:
        rows = Statement.objects.visible_to(self.context["user"]).filter(period=period)
        return StatementSerializer(rows, many=True).data


class StatementWithLinesSerializer(StatementSerializer):
    """A statement with its lines."""

    lines = StatementLineSerializer(many=True)

    class Meta(StatementSerializer.Meta):
        fields = [*StatementSerializer.Meta.fields, "lines"]


class ChargebackView(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_statement"

    def period(self, text: str) -> ChargebackPeriod:
        try:
            start = Month.parse(text).start
        except ValueError as error:
            raise Http404(str(error)) from None
        return get_object_or_404(ChargebackPeriod.objects.prefetch_related("totals"), billing_month=start)


class ChargebackMonths(ChargebackView):
    # No docstring: the schema shows the summary.

    @extend_schema(summary="Months of chargeback, the latest first", responses=ChargebackMonthSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = ChargebackPeriod.objects.prefetch_related("totals")
        return Response(ChargebackMonthSerializer(rows, many=True, context={"user": request.user}).data)


class ChargebackMonth(ChargebackView):
    @extend_schema(
        summary="One billing month: its equation and the statements you may see",
        parameters=[MONTH],
        responses=ChargebackSerializer,
    )
    def get(self, request: Request, month: str) -> Response:
        return Response(ChargebackSerializer(self.period(month), context={"user": request.user}).data)


class ChargebackTeam(ChargebackView):
    @extend_schema(
        summary="One team's statements of a billing month, one for each currency, with their lines",
        parameters=[MONTH, OpenApiParameter("team", int, OpenApiParameter.PATH, description="the team's id")],
        responses=StatementWithLinesSerializer(many=True),
    )
    def get(self, request: Request, month: str, team: int) -> Response:
        period = self.period(month)
        visible_team = get_object_or_404(Team.objects.visible_to(request.user), pk=team)
        rows = Statement.objects.visible_to(request.user).filter(period=period, team=visible_team)
        statements = rows.prefetch_related("lines__pool", "lines__corrects").order_by("currency")
        return Response(StatementWithLinesSerializer(statements, many=True).data)
