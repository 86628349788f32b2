"""The API of carbon: what providers state of the emissions of a month, as on its page. It is no money."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, HoldsPermission
from finops_site.lib.money import exact_text
from usage.carbon.figures import Carbon, CarbonSum


class CarbonSumSerializer(serializers.Serializer):
    """Kilograms of CO2e as exact text; null is not delivered, and never zero."""

    name = serializers.CharField(help_text="empty: accounts of several teams, or of nobody")
    is_delivered = serializers.BooleanField()
    market_kg = serializers.CharField(allow_null=True)
    location_kg = serializers.CharField(allow_null=True)
    scope1_kg = serializers.CharField(allow_null=True)
    scope2_market_kg = serializers.CharField(allow_null=True)
    scope3_market_kg = serializers.CharField(allow_null=True)
    of_a_part = serializers.ListField(
        child=serializers.CharField(),
        help_text="the figures that part of the rows do not state: their sums are too small",
    )


class CarbonAnswer(serializers.Serializer):
    month = serializers.CharField(allow_null=True, help_text="null: nothing is delivered")
    months = serializers.ListField(child=serializers.CharField(), help_text="those that anything is delivered of")
    providers = CarbonSumSerializer(many=True)
    teams = CarbonSumSerializer(many=True)


class CarbonView(APIView):
    """Emissions as providers state them, by provider and by team, of a month or the newest."""

    permission_classes = [HoldsPermission]
    permission_required = "usage.view_carbonmonth"

    @extend_schema(
        summary="Carbon of a month, by provider and by team",
        parameters=[OpenApiParameter("month", str, description="2026-03; without it the newest that all delivered")],
        responses={200: CarbonAnswer, 400: OpenApiResponse(BadRequest, "Nothing is delivered of the month.")},
    )
    def get(self, request: Request) -> Response:
        carbon = Carbon(request.user)
        month = carbon.newest
        if wanted := request.query_params.get("month", ""):
            month = next((one for one in carbon.months if carbon.rows and str(one) == wanted), None)
            if month is None:
                raise ValidationError({"detail": f"month: nothing is delivered of {wanted[:80]!r}."})
        return Response(
            {
                "month": None if month is None else str(month),
                "months": [str(one) for one in carbon.months] if carbon.rows else [],
                "providers": [] if month is None else [_row(one) for one in carbon.by_provider(month)],
                "teams": [] if month is None else [_row(one) for one in carbon.by_team(month)],
            }
        )


def _row(one: CarbonSum) -> dict[str, Any]:
    return {
        "name": one.name,
        "is_delivered": one.is_delivered,
        "market_kg": exact_text(one.market),
        "location_kg": exact_text(one.location),
        "scope1_kg": exact_text(one.scope1),
        "scope2_market_kg": exact_text(one.scope2),
        "scope3_market_kg": exact_text(one.scope3),
        "of_a_part": [f"{name}_kg" for name in sorted(one.of_a_part)],
    }
