"""The API of imports: metrics, inventories and recommendations are sent as files, and withdrawn."""

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals
from usage.models import FactImport
from usage.sources import imports
from usage.sources.imports import CannotImport

REFUSED = OpenApiResponse(BadRequest, "It cannot be imported: `detail` holds the file, the row and the reason.")


class FactImportSerializer(serializers.ModelSerializer):
    class Meta:
        model = FactImport
        fields = [
            *("id", "kind", "layout", "source", "state", "rows_read", "rows_rejected", "rejects", "first_day"),
            *("last_day", "made_at"),
        ]


class FactFileBody(serializers.Serializer):
    file = serializers.FileField()


@extend_schema_view(
    list=extend_schema(summary="Imports of metrics, inventories and recommendations"),
    retrieve=extend_schema(summary="One import with the rows that were not read"),
)
class FactImportViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """What is known of resources beside the bill."""

    queryset = FactImport.objects.all()
    serializer_class = FactImportSerializer
    permission_classes = [HoldsPermission]
    permission_required = "usage.view_factimport"
    write_permission_required = "usage.add_factimport"
    lookup_value_regex = r"\d{1,18}"
    parser_classes = [MultiPartParser]

    @extend_schema(summary="Import a file", request=FactFileBody, responses={201: FactImportSerializer, 400: REFUSED})
    def create(self, request: Request) -> Response:
        body = FactFileBody(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals(CannotImport):
            row = imports.receive_upload(body.validated_data["file"], request.user)
        return Response(FactImportSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Withdraw an import", request=None, responses={200: FactImportSerializer, 400: REFUSED})
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        row = self.get_object()
        with refusals(CannotImport):
            imports.withdraw(request.user, row)
        return Response(FactImportSerializer(row).data)
