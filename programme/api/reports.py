"""The API of reports: those that were made, and the schedules that make and send them."""

from collections.abc import Mapping
from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form
from finops_site.models import User
from finops_site.ui.downloads import PDF, download
from programme.models import MadeReport, ReportSchedule
from programme.reports import runs, schedules
from programme.reports.forms import ScheduleForm

ScheduleBody = body_of("ReportScheduleBody", ScheduleForm)
REFUSED = OpenApiResponse(BadRequest, "A field is wrong.")


class MadeReportSerializer(serializers.ModelSerializer):
    """A report as it was made; `figures` are what it says, amounts as exact text."""

    class Meta:
        model = MadeReport
        fields = [
            "id",
            "kind",
            "title",
            "scope",
            "known",
            "start",
            "end",
            "as_of",
            "made_at",
            "pages",
            "sha256",
            "is_archivable",
        ]
        read_only_fields = fields


class MadeReportDetailSerializer(MadeReportSerializer):
    class Meta(MadeReportSerializer.Meta):
        fields = [*MadeReportSerializer.Meta.fields, "figures"]
        read_only_fields = fields


@extend_schema_view(
    list=extend_schema(
        summary="Reports that were made, of what you may see", responses=MadeReportSerializer(many=True)
    ),
    retrieve=extend_schema(summary="One report with its figures", responses=MadeReportDetailSerializer),
)
class MadeReportViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Reviews, updates, monthly reports and statements as they were made: bills that come later change none of them."""

    queryset = MadeReport.objects.defer("content")
    permission_classes = [HoldsPermission]
    permission_required = "programme.view_madereport"
    lookup_value_regex = r"\d{1,18}"

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return MadeReportDetailSerializer if self.action == "retrieve" else MadeReportSerializer

    @extend_schema(summary="The PDF, byte by byte as it was made", responses={(200, PDF): OpenApiTypes.BINARY})
    @action(detail=True)
    def pdf(self, request: Request, pk: str) -> HttpResponseBase:
        made = self.get_object()
        return download(bytes(made.content), made.file_name, "pdf", PDF)


class ReportScheduleSerializer(serializers.ModelSerializer):
    """A schedule. The address of its channel is as secret as a key and is never answered."""

    owner = serializers.CharField(source="owner.email")
    team = serializers.CharField(source="team.name", default=None, help_text="only of this team")
    view = serializers.CharField(source="view.name", default=None, help_text="with this saved view")
    people = serializers.SerializerMethodField(help_text="e-mail addresses of people with a login")
    addresses = serializers.SerializerMethodField(help_text="addresses outside")
    next_due = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = ReportSchedule
        fields = [
            "id",
            "name",
            "kind",
            "team",
            "view",
            "every",
            "weekday",
            "day",
            "hour",
            "time_zone",
            "channel",
            "people",
            "addresses",
            "to_leads",
            "owner",
            "is_paused",
            "next_due",
        ]
        read_only_fields = fields

    def get_people(self, schedule: ReportSchedule) -> list[str]:
        return [row.user.email for row in schedule.recipients.all() if row.user and row.left_at is None]

    def get_addresses(self, schedule: ReportSchedule) -> list[str]:
        return [row.address for row in schedule.recipients.all() if row.address and row.left_at is None]


@extend_schema_view(
    list=extend_schema(summary="Schedules of reports"),
    retrieve=extend_schema(summary="One schedule"),
)
class ReportScheduleViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Reports that are made and sent by themselves; each recipient gets what she may see at that moment."""

    queryset = ReportSchedule.objects.select_related("owner", "team", "view").prefetch_related("recipients__user")
    serializer_class = ReportScheduleSerializer
    permission_classes = [HoldsPermission]
    permission_required = "programme.view_reportschedule"
    write_permission_required = "programme.change_reportschedule"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="A new schedule; `people` are ids of people",
        request=ScheduleBody,
        responses={201: ReportScheduleSerializer, 400: REFUSED},
    )
    def create(self, request: Request) -> Response:
        self._needs("programme.add_reportschedule")
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a schedule; what is left out stays",
        request=ScheduleBody,
        responses={200: ReportScheduleSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Delete a schedule; what was sent stays", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        self._needs("programme.delete_reportschedule")
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Send nothing until it goes on", request=None, responses=ReportScheduleSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        schedules.pause(self.get_object())
        return Response(self._answer(int(pk)))

    @extend_schema(summary="Go on with the next moment", request=None, responses=ReportScheduleSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        schedules.resume(self.get_object(), timezone.now())
        return Response(self._answer(int(pk)))

    @extend_schema(
        summary="Make it yours; addresses outside get what you see",
        request=None,
        responses=ReportScheduleSerializer,
    )
    @action(detail=True, methods=["post"], url_path="take-over")
    def take_over(self, request: Request, pk: str) -> Response:
        schedules.take_over(self.get_object(), self._user)
        return Response(self._answer(int(pk)))

    @extend_schema(summary="Make it now, and send it to everybody on it", request=None, responses={202: None})
    @action(detail=True, methods=["post"])
    def send(self, request: Request, pk: str) -> Response:
        self._needs("programme.send_madereport")
        runs.run_now(self.get_object(), self._user, timezone.now())
        return Response(status=status.HTTP_202_ACCEPTED)

    @property
    def _user(self) -> User:
        user: User = self.request.user
        return user

    def _needs(self, permission: str) -> None:
        if not self._user.has_perm(permission):
            raise PermissionDenied

    def _save(self, schedule: ReportSchedule | None) -> Mapping[str, Any]:
        ScheduleBody(data=self.request.data).is_valid(raise_exception=True)

        def make_form(data: Any) -> ScheduleForm:
            return ScheduleForm(data, instance=fresh_copy(schedule), user=self._user)

        form = valid_form(make_form, {**self.request.data})
        chosen = form.cleaned_data
        saved = schedules.save_schedule(form.instance, chosen["people"], chosen["addresses"], timezone.now())
        return self._answer(saved.pk)

    def _answer(self, pk: int) -> Mapping[str, Any]:
        return self.get_serializer(self.get_queryset().get(pk=pk)).data
