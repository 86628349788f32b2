"""The API of controls: the same rows and the same steps as the pages, refused alike."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.api.control_serializers import (
    ControlChangeDetailSerializer,
    ControlChangeSerializer,
    ControlCommentSerializer,
    ControlPasteSerializer,
    ControlRunSerializer,
    ControlScriptSerializer,
    ControlSerializer,
    ControlUndoSerializer,
)
from budgets.calc.controls.rules import CannotControl
from budgets.calc.controls.scripts import VERBS
from budgets.controls import approvals, running
from budgets.controls.next_steps import scripts_for, take_step
from budgets.controls.scripts import script_of
from budgets.models import Control, ControlChangeSet
from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals

REFUSED = OpenApiResponse(BadRequest, "It cannot be done now, or not by you: `detail` holds the reason.")
DONE = {200: ControlChangeDetailSerializer, 400: REFUSED}


@extend_schema_view(list=extend_schema(summary="Controls you may see"), retrieve=extend_schema(summary="One control"))
class ControlViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """What a threshold or an anomaly proposes to do. Defined and armed on their pages."""

    queryset = Control.objects.all()
    serializer_class = ControlSerializer
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_control"
    filterset_fields = ["action", "budget", "is_active"]
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Control]:
        return super().get_queryset().select_related("budget__team", "threshold__budget", "team", "armed_by")


@extend_schema_view(
    list=extend_schema(summary="Change sets of controls, the latest first"),
    retrieve=extend_schema(summary="One change set, with its steps and what happened"),
)
class ControlChangeViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Proposed by a control, approved by a second person, run by hand or by role, and undone after its time."""

    queryset = ControlChangeSet.objects.all()
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_controlchangeset"
    filterset_fields = ["state", "control"]
    lookup_value_regex = r"\d+"

    @property
    def write_permission_required(self) -> str:
        return approvals.MAY_APPROVE if self.action in ("approve", "refuse") else approvals.MAY_RUN

    def get_serializer_class(self) -> type[ControlChangeSerializer]:
        return ControlChangeSerializer if self.action == "list" else ControlChangeDetailSerializer

    def get_queryset(self) -> QuerySet[ControlChangeSet]:
        rows = super().get_queryset().select_related("team", "proposed_by", "approved_by", "control__budget__team")
        return rows if self.action == "list" else rows.prefetch_related("steps", "events__by")

    @extend_schema(summary="Approve what somebody else proposed", request=ControlCommentSerializer, responses=DONE)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        return self._take("approve", ControlCommentSerializer)

    @extend_schema(summary="Refuse it, with the reason", request=ControlCommentSerializer, responses=DONE)
    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, pk: str) -> Response:
        return self._take("refuse", ControlCommentSerializer)

    @extend_schema(summary="Look by role at what is there now", request=None, responses=DONE)
    @action(detail=True, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request, pk: str) -> Response:
        return self._take("dry_run")

    @extend_schema(summary="Record what the checking script printed", request=ControlPasteSerializer, responses=DONE)
    @action(detail=True, methods=["post"])
    def checked(self, request: Request, pk: str) -> Response:
        return self._take("checked", ControlPasteSerializer)

    @extend_schema(summary="Begin it, by hand or by role", request=ControlRunSerializer, responses=DONE)
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        body = ControlRunSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return self._take("by_role" if body.validated_data["by_role"] else "by_hand")

    @extend_schema(
        summary="Record what the running or undoing script printed", request=ControlPasteSerializer, responses=DONE
    )
    @action(detail=True, methods=["post"])
    def ran(self, request: Request, pk: str) -> Response:
        return self._take("ran", ControlPasteSerializer)

    @extend_schema(summary="Undo it, as it ran or by hand", request=ControlUndoSerializer, responses=DONE)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        body = ControlUndoSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return self._take("undo_by_hand" if body.validated_data["by_hand"] else "undo")

    @extend_schema(
        summary="A script to run by hand, in a state in which it belongs",
        parameters=[OpenApiParameter("verb", str, required=True, enum=list(VERBS))],
        responses={200: ControlScriptSerializer, 400: REFUSED},
    )
    @action(detail=True)
    def script(self, request: Request, pk: str) -> Response:
        row, verb = self.get_object(), request.query_params.get("verb", "")
        if verb not in dict(scripts_for(row, request.user)):
            raise ValidationError({"detail": f"There is no such script for you now: it is {row.get_state_display()}."})
        if objection := running.script_objection(row, verb, timezone.now()):
            raise ValidationError({"detail": objection})
        return Response({"verb": verb, "script": script_of(row, verb)})

    def _take(self, verb: str, serializer: Any = None) -> Response:
        values: dict[str, str] = {}
        if serializer is not None:
            body = serializer(data=self.request.data)
            body.is_valid(raise_exception=True)
            values = body.validated_data
        with refusals(CannotControl):
            take_step(self.get_object(), verb, user=self.request.user, now=timezone.now(), values=values)
        return Response(ControlChangeDetailSerializer(self.get_object()).data)
