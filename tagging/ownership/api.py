"""The API of ownership: the same rules, the same preview and the same services as the pages."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, HoldsPermission, Problem, VisibleRows
from finops_site.lib.money import exact_text
from tagging import queues
from tagging.models import OwnershipRule, StaleVersion
from tagging.ownership import ownership_figures, rule_application
from tagging.ownership.serializers import ApplicationSerializer, OwnershipRuleSerializer, PreviewSerializer


class SavedBySomebodyElse(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "Somebody else saved this rule after you read it, or no version was given: read it again."
    default_code = "conflict"


CONFLICT = {409: OpenApiResponse(Problem, "Not the version that stands.")}
SAVED = {200: OwnershipRuleSerializer, 400: OpenApiResponse(BadRequest, "This is no rule."), **CONFLICT}


@extend_schema_view(
    list=extend_schema(summary="Ownership rules in the order they are asked"),
    retrieve=extend_schema(summary="One ownership rule"),
    create=extend_schema(summary="Add a rule; the open months are owned anew in the background"),
    update=extend_schema(summary="Change a rule", responses=SAVED),
    partial_update=extend_schema(summary="Change parts of a rule", responses=SAVED),
    destroy=extend_schema(summary="Remove a rule"),
)
class OwnershipRuleViewSet(VisibleRows, viewsets.ModelViewSet):
    """Whose cost is: ordered rules, the first that matches wins. Changing one has the open months owned anew."""

    queryset = OwnershipRule.objects.listed()
    serializer_class = OwnershipRuleSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_ownershiprule"
    write_permission_required = "tagging.change_ownershiprule"
    lookup_value_regex = r"\d+"

    def perform_create(self, serializer: Any) -> None:
        rule = serializer.save(version=1)
        queues.apply(self.request.user, f"{rule.name} was added")

    def perform_update(self, serializer: Any) -> None:
        said = serializer.validated_data
        rule = serializer.made_of(said)
        try:
            rule.save_version(said.get("version") or 0)
        except StaleVersion:
            raise SavedBySomebodyElse from None
        serializer.instance = rule
        queues.apply(self.request.user, f"{rule.name} was saved")

    def perform_destroy(self, rule: OwnershipRule) -> None:
        rule.delete()
        queues.apply(self.request.user, f"{rule.name} was removed")

    @extend_schema(
        summary="Apply today's rules and virtual tags to the open months",
        request=None,
        responses={202: ApplicationSerializer},
        filters=False,
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def apply(self, request: Request) -> Response:
        application = queues.apply(request.user, "Asked for by the API")
        return Response(ApplicationSerializer(application).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="What a new rule would move, without saving it",
        request=OwnershipRuleSerializer,
        responses={200: PreviewSerializer, 400: OpenApiResponse(BadRequest, "This is no rule.")},
        filters=False,
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def preview(self, request: Request) -> Response:
        said = OwnershipRuleSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        rule = said.made_of(said.validated_data)
        moved = ownership_figures.summarise_moves(rule_application.preview_rule_change(rule))
        moves = [
            {
                **{name: row[name] for name in ("before", "after", "currency", "charges")},
                "billed_cost": exact_text(row["billed"]),
                "effective_cost": exact_text(row["effective"]),
            }
            for row in moved["pairs"]
        ]
        months = [str(row["month"]) for row in moved["months"]]
        said = {**moved, "months": list(dict.fromkeys(months)), "moves": moves, "warnings": rule.warnings()}
        return Response(PreviewSerializer(said).data)
