"""Where bills come from and what is doubtful about them: sources, rates, overlaps, corrections of earlier months."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costs.api.serializers import SourceSerializer
from costs.models import CostLine, ExchangeRate, Source
from costs.sources.connection_test import try_connection
from costs.sources.sync import queue_sync, sync_after_change
from costs.versions import overlaps, restatements
from costs.web.source_form import SourceForm
from finops_site.api.base import BadRequest, Conflict, ExactModelSerializer, HoldsPermission, KeysetPages, VisibleRows
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month


class ConnectionTestSerializer(serializers.Serializer):
    is_ok = serializers.BooleanField()
    words = serializers.CharField(help_text="what was found, in sentences")
    missing = serializers.CharField(allow_blank=True, help_text="the right that is missing, and what to do")
    files = serializers.IntegerField()
    bills = serializers.IntegerField(help_text="that would be fetched")
    newest = serializers.CharField(allow_blank=True, help_text="the newest of them")
    written_at = serializers.CharField(allow_blank=True)
    format = serializers.CharField(allow_blank=True, help_text="of the newest; empty where it was not looked into")
    months = serializers.ListField(child=serializers.CharField(), help_text="billing months of the newest")
    rows = serializers.IntegerField(allow_null=True)


SourceBody = body_of("SourceBody", SourceForm)
REFUSED = OpenApiResponse(BadRequest, "A field is wrong.")


@extend_schema_view(
    list=extend_schema(summary="Where bills come from"),
    retrieve=extend_schema(summary="One source"),
)
class SourceViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Where bills come from, for those who see the whole company."""

    queryset = Source.objects.select_related("credential")
    serializer_class = SourceSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_source"
    write_permission_required = "costs.change_source"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="Describe a source; its bills are looked for at once",
        request=SourceBody,
        responses={201: SourceSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a source; what is left out stays",
        request=SourceBody,
        responses={200: SourceSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(
        summary="Look for its bills now",
        request=None,
        responses={202: SourceSerializer, 409: OpenApiResponse(BadRequest, "It is not fetched from.")},
    )
    @action(detail=True, methods=["post"])
    def sync(self, request: Request, pk: str) -> Response:
        source = self.get_object()
        if not queue_sync(source):
            raise Conflict(f"{source} is not fetched from: people deliver its bills.")
        return Response(SourceSerializer(self.get_object()).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Test the connection: what lies there, or which right is missing; nothing is loaded",
        request=None,
        responses={200: ConnectionTestSerializer},
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        return Response(ConnectionTestSerializer(try_connection(self.get_object()).as_row()).data)

    def _save(self, source: Source | None) -> dict[str, Any]:
        body = SourceBody(data=self.request.data)
        body.is_valid(raise_exception=True)
        sent = {**self.request.data}
        form = valid_form(lambda data: SourceForm(data, instance=fresh_copy(source)), sent)
        saved = form.save()
        sync_after_change(saved)
        return SourceSerializer(saved).data


class ExchangeRateSerializer(ExactModelSerializer):
    class Meta:
        model = ExchangeRate
        fields = ["id", "base", "quote", "day", "monthly", "rate", "source", "loaded_at"]


@extend_schema_view(list=extend_schema(summary="Exchange rates: what one unit of `base` is worth in `quote`"))
class ExchangeRateViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """Rates of a day, or of a month's average from its first day; they convert costs where they are shown."""

    queryset = ExchangeRate.objects.all()
    serializer_class = ExchangeRateSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_exchangerate"
    filterset_fields = ["base", "quote", "day", "monthly"]
    pagination_class = KeysetPages
    keyset = ("-day", "-id")


class OverlapSerializer(serializers.Serializer):
    billing_month = serializers.CharField(help_text="2026-03")
    account = serializers.CharField()
    sources = serializers.ListField(child=serializers.CharField(), help_text="sources, or exports of one")


class OverlapsView(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_delivery"

    @extend_schema(
        summary="Accounts and months that arrive twice, so that their cost counts twice",
        responses=OverlapSerializer(many=True),
        operation_id="overlaps_list",
    )
    def get(self, request: Request) -> Response:
        rows = [
            {"billing_month": str(Month.of(row.billing_month)), "account": row.account, "sources": list(row.sources)}
            for row in overlaps.find_overlaps()
        ]
        return Response(rows)


class CorrectionSerializer(serializers.Serializer):
    billing_month = serializers.CharField(help_text="invoiced in, 2026-03")
    charge_month = serializers.CharField(help_text="belongs to")
    service = serializers.CharField(allow_blank=True)
    account = serializers.CharField(allow_blank=True)
    team = serializers.CharField(allow_null=True)
    pool = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    billed_cost = serializers.CharField(allow_null=True)
    effective_cost = serializers.CharField(allow_null=True)

    def to_representation(self, row: Any) -> dict[str, Any]:
        return {
            "billing_month": str(Month.of(row["billing_month"])),
            "charge_month": f"{row['charge_date__year']}-{row['charge_date__month']:02}",
            "service": row["service"],
            "account": row["sub_account"],
            "team": row["team"],
            "pool": row["pool_name"],
            "currency": row["currency"],
            "billed_cost": exact_text(row["billed"]),
            "effective_cost": exact_text(row["effective"]),
        }


@extend_schema_view(list=extend_schema(summary="Charges invoiced in a later month than the one they belong to"))
class CorrectionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """Adjustments of months that had been invoiced already, summed by service, account and team."""

    serializer_class = CorrectionSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_delivery"
    filter_backends: list[Any] = []

    def get_queryset(self) -> QuerySet:
        # The description of the API is made without a person.
        if getattr(self, "swagger_fake_view", False):
            return CostLine.objects.none()
        return restatements.corrections(self.request.user)
