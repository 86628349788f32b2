"""The API of ownership: the same rules, the same preview and the same services as the pages."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import BadRequest, Conflict, HoldsPermission, Problem, VisibleRows, refusals
from finops_site.lib.money import exact_text
from tagging.models import OwnershipRule
from tagging.ownership import ownership_figures, rule_application, rules
from tagging.ownership.proposals import CannotAccept, accept_proposals, find_proposals, proposal_rows
from tagging.ownership.serializers import (
    AcceptProposalsSerializer,
    ApplicationSerializer,
    OwnershipRuleSerializer,
    PreviewSerializer,
    RuleProposalsSerializer,
)


class VersionConflict(Conflict):
    default_detail = "Somebody else saved this rule after you read it, or no version was given: read it again."


CONFLICT = {409: OpenApiResponse(Problem, "Not the current version.")}
SAVED = {200: OwnershipRuleSerializer, 400: OpenApiResponse(BadRequest, "Not a valid rule."), **CONFLICT}


@extend_schema_view(
    list=extend_schema(summary="Ownership rules in the order in which they are tried"),
    retrieve=extend_schema(summary="One ownership rule"),
    create=extend_schema(summary="Add a rule; the open months are reallocated in the background"),
    update=extend_schema(summary="Change a rule", responses=SAVED),
    partial_update=extend_schema(summary="Change parts of a rule", responses=SAVED),
    destroy=extend_schema(summary="Remove a rule"),
)
class OwnershipRuleViewSet(VisibleRows, viewsets.ModelViewSet):
    """Ordered rules that allocate cost to teams and pools: the first that matches wins. A change reallocates the open
    months.
    """

    queryset = OwnershipRule.objects.listed()
    serializer_class = OwnershipRuleSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_ownershiprule"
    write_permission_required = "tagging.change_ownershiprule"
    lookup_value_regex = r"\d+"

    def perform_create(self, serializer: OwnershipRuleSerializer) -> None:
        serializer.instance = rule = serializer.build_rule(serializer.validated_data)
        rules.save_rule(rule, self.request.user)

    def perform_update(self, serializer: OwnershipRuleSerializer) -> None:
        changes = serializer.validated_data
        rule = serializer.build_rule(changes)
        try:
            rules.save_rule(rule, self.request.user, read_version=changes.get("version") or 0)
        except rules.StaleVersion:
            raise VersionConflict from None
        serializer.instance = rule

    def perform_destroy(self, instance: OwnershipRule) -> None:
        rules.delete_rules([instance], self.request.user)

    @extend_schema(
        summary="Apply today's rules and virtual tags to the open months",
        request=None,
        responses={202: ApplicationSerializer},
        filters=False,
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def apply(self, request: Request) -> Response:
        application = rule_application.queue_application(request.user, "Requested by the API")
        return Response(ApplicationSerializer(application).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        methods=["GET"],
        summary="Rules that the latest whole month suggests: tags and accounts that are called like teams",
        responses=RuleProposalsSerializer,
        filters=False,
    )
    @extend_schema(
        methods=["POST"],
        summary="Accept proposed rules, all or none",
        request=AcceptProposalsSerializer,
        responses={
            201: OwnershipRuleSerializer(many=True),
            400: OpenApiResponse(BadRequest, "One is not proposed, or would not be valid."),
        },
        filters=False,
    )
    @action(detail=False, methods=["get", "post"], pagination_class=None)
    def proposals(self, request: Request) -> Response:
        today = timezone.now().date()
        if request.method == "GET":
            return Response(proposal_rows(find_proposals(request.user, today)))
        body = AcceptProposalsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        choices = {row["key"]: row["team"] for row in body.validated_data["accept"]}
        with refusals(CannotAccept):
            accepted = accept_proposals(request.user, choices, today)
        return Response(OwnershipRuleSerializer(accepted, many=True).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="What a new rule would move, without saving it",
        request=OwnershipRuleSerializer,
        responses={200: PreviewSerializer, 400: OpenApiResponse(BadRequest, "Not a valid rule.")},
        filters=False,
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def preview(self, request: Request) -> Response:
        serializer = OwnershipRuleSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        rule = serializer.build_rule(serializer.validated_data)
        summary = ownership_figures.summarise_moves(rule_application.preview_rule_change(rule))
        moves = [
            {
                **{name: pair[name] for name in ("before", "after", "currency", "charges")},
                "billed_cost": exact_text(pair["billed"]),
                "effective_cost": exact_text(pair["effective"]),
            }
            for pair in summary["pairs"]
        ]
        months = list(dict.fromkeys(str(row["month"]) for row in summary["months"]))
        preview = {**summary, "months": months, "moves": moves, "warnings": rule.warnings()}
        return Response(PreviewSerializer(preview).data)
