"""The API of connections: described, changed, tested and read, in the words of their pages."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form
from usage.models import Connection
from usage.sources.connection_form import ConnectionForm
from usage.sources.connections import queue_reading, try_connection

ConnectionBody = body_of("UsageConnectionBody", ConnectionForm)
REFUSED = OpenApiResponse(BadRequest, "A field is wrong.")


class PartSerializer(serializers.Serializer):
    part = serializers.CharField()
    rows = serializers.IntegerField()
    problems = serializers.ListField(child=serializers.CharField(), help_text="what is not known of it, and why")


class UsageConnectionSerializer(serializers.ModelSerializer):
    parts = PartSerializer(many=True, read_only=True)

    class Meta:
        model = Connection
        fields = [
            *("id", "name", "provider", "credential", "accounts", "regions", "endpoint", "with_metrics"),
            *("with_advice", "is_enabled", "state", "message", "parts", "read_at"),
        ]


class UsageConnectionTestSerializer(serializers.Serializer):
    is_ok = serializers.BooleanField()
    words = serializers.CharField(help_text="what was answered, in sentences")
    missing = serializers.ListField(child=serializers.CharField(), help_text="the rights that are denied")


@extend_schema_view(
    list=extend_schema(summary="Connections to providers, with what became of the newest reading"),
    retrieve=extend_schema(summary="One connection"),
)
class ConnectionViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Where inventories, metrics and recommendations are asked for, by roles that only read."""

    queryset = Connection.objects.select_related("credential")
    serializer_class = UsageConnectionSerializer
    permission_classes = [HoldsPermission]
    permission_required = "usage.view_connection"
    write_permission_required = "usage.change_connection"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="Describe a connection; it is read at once",
        request=ConnectionBody,
        responses={201: UsageConnectionSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a connection; what is left out stays",
        request=ConnectionBody,
        responses={200: UsageConnectionSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Read it now", request=None, responses={202: UsageConnectionSerializer})
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        row = self.get_object()
        queue_reading(row, request.user)
        return Response(UsageConnectionSerializer(row).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Test the connection: which rights are missing; nothing is stored",
        request=None,
        responses={200: UsageConnectionTestSerializer},
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        return Response(UsageConnectionTestSerializer(try_connection(self.get_object()).as_row()).data)

    def _save(self, row: Connection | None) -> dict[str, Any]:
        body = ConnectionBody(data=self.request.data)
        body.is_valid(raise_exception=True)
        form = valid_form(lambda data: ConnectionForm(data, instance=fresh_copy(row)), {**self.request.data})
        saved = form.save()
        if saved.is_enabled:
            queue_reading(saved, self.request.user)
        return UsageConnectionSerializer(saved).data
