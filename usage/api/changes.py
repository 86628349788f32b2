"""The API of change sets of findings: made, looked at, approved, applied and undone by the services of the pages."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from costs.change_set_reviews import CannotChange
from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows, refusals
from finops_site.ui.bulk_results import BulkRefused
from usage.changes import fix_sets
from usage.changes.verbs import DRY_RUN, VERB_RIGHTS, act
from usage.models import FixSet, FixStep

REFUSED = OpenApiResponse(BadRequest, "It is not possible now: `detail` says why.")


class FixStepSerializer(serializers.ModelSerializer):
    can_be_undone = serializers.SerializerMethodField()

    class Meta:
        model = FixStep
        fields = [
            *("finding", "action", "account", "region", "target", "wanted", "before", "call", "undo_call", "result"),
            *("message", "can_be_undone", "done_at", "undone_at"),
        ]

    def get_can_be_undone(self, row: FixStep) -> bool:
        return row.rules.undo is not None


class FixSetSerializer(serializers.ModelSerializer):
    steps = FixStepSerializer(many=True, read_only=True)

    class Meta:
        model = FixSet
        fields = [
            *("id", "title", "state", "message", "made_by", "made_at", "reviewed_by", "reviewed_at", "review"),
            *("applied_by", "dry_run_at", "started_at", "finished_at", "steps"),
        ]


class FixSetBody(serializers.Serializer):
    findings = serializers.ListField(child=serializers.IntegerField(min_value=1), min_length=1, max_length=200)


class FixSetVerbBody(serializers.Serializer):
    verb = serializers.ChoiceField([DRY_RUN, *VERB_RIGHTS])
    review = serializers.CharField(required=False, allow_blank=True, max_length=1000, help_text="the comment")


@extend_schema_view(
    list=extend_schema(summary="Change sets of findings"),
    retrieve=extend_schema(summary="One change set with its steps and what was sent"),
)
class FixSetViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Findings mended at the provider by a role, after somebody else approved."""

    queryset = FixSet.objects.prefetch_related("steps")
    serializer_class = FixSetSerializer
    permission_classes = [HoldsPermission]
    permission_required = "usage.view_fixset"
    write_permission_required = "usage.add_fixset"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(
        summary="Put findings into a change set", request=FixSetBody, responses={201: FixSetSerializer, 400: REFUSED}
    )
    def create(self, request: Request) -> Response:
        body = FixSetBody(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals(BulkRefused):
            row, _ignored = fix_sets.create(body.validated_data["findings"], user=request.user, now=timezone.now())
        return Response(FixSetSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Look (dry run), send, approve, send back, apply or undo",
        request=FixSetVerbBody,
        responses={200: FixSetSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def act(self, request: Request, pk: str) -> Response:
        row: Any = self.get_object()
        body = FixSetVerbBody(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals(CannotChange):
            act(row.pk, body.validated_data["verb"], request.user, comment=body.validated_data.get("review", ""))
        return Response(FixSetSerializer(self.get_object()).data)
