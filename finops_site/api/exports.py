"""The API of files that are too large to wait for: asked for, followed, fetched, cancelled. Only one's own."""

from typing import Any

from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals
from finops_site.exports import jobs
from finops_site.exports.page_files import NoFile, page_of
from finops_site.exports.pages import file_response
from finops_site.models import ApiToken, Export
from finops_site.people.tokens import pillar_names


class ExportBody(serializers.Serializer):
    address = serializers.CharField(help_text="of the file, as a page has it: /costs/lines/?month=2026-03&_export=csv")


class ExportSerializer(serializers.ModelSerializer):
    percent = serializers.IntegerField(allow_null=True, help_text="null while nobody knows how many rows there will be")
    file = serializers.SerializerMethodField(help_text="where it is fetched once it is ready; else null")

    class Meta:
        model = Export
        fields = [
            *("id", "address", "title", "state", "rows", "rows_expected", "percent", "bytes", "problem"),
            *("asked_at", "ended_at", "file"),
        ]
        read_only_fields = fields

    def get_file(self, job: Export) -> str | None:
        return reverse("api:export-file", [job.pk]) if job.state == Export.State.READY else None


@extend_schema_view(
    list=extend_schema(summary="Your files that are made, or were in the last days"),
    retrieve=extend_schema(summary="How far a file is"),
)
class ExportViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Files of pages, made in the background: ask, follow, fetch. Who asks the same again follows the same job."""

    queryset = Export.objects.all()
    serializer_class = ExportSerializer
    permission_classes = [HoldsPermission]
    permission_required = write_permission_required = ""
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="Ask for a file of a page: the answer says where to follow it",
        request=ExportBody,
        responses={202: ExportSerializer, 400: OpenApiResponse(BadRequest, "It is no file of a page, or not yours.")},
    )
    def create(self, request: Request) -> Response:
        body = ExportBody(data=request.data)
        body.is_valid(raise_exception=True)
        address = body.validated_data["address"]
        with refusals(jobs.CannotExport, NoFile):
            _check_token(request, address)
            job = jobs.ask(request.user, address, timezone.now())
        where = reverse("api:export-detail", [job.pk])
        return Response(self.get_serializer(job).data, status.HTTP_202_ACCEPTED, headers={"Location": where})

    @extend_schema(summary="Cancel it", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        jobs.cancel(self.get_object(), timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="The file itself",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, 403: OpenApiResponse(BadRequest)},
    )
    @action(detail=True, methods=["get"])
    def file(self, request: Request, pk: str) -> FileResponse:
        job: Any = self.get_object()
        _check_token(request, job.address)
        if reason := jobs.why_not(job, request.user):
            raise PermissionDenied(reason)
        return file_response(job)


def _check_token(request: Request, address: str) -> None:
    """Raises PermissionDenied where the token is for other apps than the one whose page it is."""
    token = request.auth
    app = page_of(address).__module__.partition(".")[0]
    if isinstance(token, ApiToken) and token.pillars and app in pillar_names() and app not in token.pillars:
        raise PermissionDenied(f"The token {token.name} is for {', '.join(token.pillars)} alone, and not for {app}.")
