"""The API of shared cost and what is objected to: pools, splits, disputes, adjustments."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from costs.models import Pool
from finops_site.api.base import (
    PROPOSES,
    BadRequest,
    ExactDecimalField,
    ExactModelSerializer,
    HoldsPermission,
    MonthTextField,
    VisibleRows,
    refusals,
)
from finops_site.api.form_bodies import body_of, fresh_copy, valid_form
from finops_site.lib.money import exact_text
from tagging.calc.pool_splits import BadSplit
from tagging.chargeback import disputes, splits
from tagging.chargeback.api import DocumentAmountField, ExactAmountField
from tagging.chargeback.disputes import CorrectingEntry, InvalidDispute
from tagging.chargeback.web.forms import ResolveForm, SplitForm
from tagging.models import Adjustment, Dispute, Split, SplitPart, Statement, StatementLine
from tagging.ownership.forms import PoolForm

REFUSED = OpenApiResponse(BadRequest, "It is refused, with the reason.")
PoolBody = body_of("PoolBody", PoolForm)
SplitBody = body_of("SplitBody", SplitForm)


class PoolSerializer(serializers.ModelSerializer):
    rules = serializers.SlugRelatedField(
        source="ownership_rules", slug_field="name", many=True, read_only=True, help_text="the rules that fill it"
    )

    class Meta:
        model = Pool
        fields = ["id", "name", "description", "rules"]


@extend_schema_view(
    list=extend_schema(summary="Pools: cost that several teams share"), retrieve=extend_schema(summary="One pool")
)
class PoolViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Ownership rules fill pools; splits say who shares them. For those who see the whole company."""

    queryset = Pool.objects.prefetch_related("ownership_rules")
    serializer_class = PoolSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_pool"
    write_permission_required = "costs.change_pool"
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(summary="Add a pool", request=PoolBody, responses={201: PoolSerializer, 400: REFUSED})
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(summary="Change a pool", request=PoolBody, responses={200: PoolSerializer, 400: REFUSED})
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    def _save(self, pool: Pool | None) -> dict[str, Any]:
        body = PoolBody(data=self.request.data)
        body.is_valid(raise_exception=True)

        def make_form(data: Any) -> PoolForm:
            return PoolForm(data, instance=fresh_copy(pool))

        return PoolSerializer(valid_form(make_form, {**self.request.data}).save()).data


class SplitPartSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    pool = serializers.CharField(source="into.name", default=None, allow_null=True, help_text="that is split itself")

    class Meta:
        model = SplitPart
        fields = ["team", "pool", "share"]


class SplitSerializer(serializers.ModelSerializer):
    pool = serializers.CharField(source="pool.name")
    metric = serializers.CharField(source="metric.name", default=None, allow_null=True)
    start = MonthTextField(allow_null=True, help_text="first billing month; null: always")
    end = MonthTextField(allow_null=True, help_text="first billing month it no longer holds")
    parts = SplitPartSerializer(many=True, help_text="who takes part, with the percentage where shares are fixed")

    class Meta:
        model = Split
        fields = ["id", "pool", "method", "metric", "start", "end", "version", "parts"]


class SharedCostChangeSerializer(serializers.Serializer):
    team = serializers.CharField()
    currency = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    difference = serializers.CharField()


class SplitPreviewSerializer(serializers.Serializer):
    """What saving the split would move in the latest draft; `month` is null where no month is open."""

    month = serializers.CharField(allow_null=True)
    changes = SharedCostChangeSerializer(many=True)
    problems = serializers.ListField(child=serializers.CharField())


@extend_schema_view(
    list=extend_schema(summary="How pools are split among teams"), retrieve=extend_schema(summary="One split")
)
class SplitViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Who takes how much of shared cost, by billing month: everybody may see it, finance decides it."""

    queryset = Split.objects.with_parts()
    serializer_class = SplitSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_split"
    write_permission_required = "tagging.change_split"
    filterset_fields = ["pool", "method"]
    lookup_value_regex = r"\d{1,18}"

    @extend_schema(summary="Add a split", request=SplitBody, responses={201: SplitSerializer, 400: REFUSED})
    def create(self, request: Request) -> Response:
        return Response(self._save(None), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a split; what is left out stays",
        request=SplitBody,
        responses={200: SplitSerializer, 400: REFUSED},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        return Response(self._save(self.get_object()))

    @extend_schema(summary="Remove a split that no closed month was made by", responses={204: None, 400: REFUSED})
    def destroy(self, request: Request, pk: str) -> Response:
        with refusals(BadSplit):
            splits.delete_split(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="What a new split would move in the open month, without saving it",
        request=SplitBody,
        responses={200: SplitPreviewSerializer, 400: REFUSED},
        filters=False,
        extensions={PROPOSES: True},
    )
    @action(detail=False, methods=["post"], filterset_fields=None, pagination_class=None)
    def preview(self, request: Request) -> Response:
        form = self._form(None)
        period = splits.preview_period(form.instance)
        if period is None:
            return Response({"month": None, "changes": [], "problems": []})
        with refusals(BadSplit):
            changes, problems = splits.preview_split(form.instance, form.parts, period)
        rows = [
            {
                "team": row.team,
                "currency": row.currency,
                "before": exact_text(row.before),
                "after": exact_text(row.after),
                "difference": exact_text(row.difference),
            }
            for row in changes
        ]
        return Response({"month": str(period.month), "changes": rows, "problems": problems})

    def _form(self, split: Split | None) -> SplitForm:
        body = SplitBody(data=self.request.data)
        body.is_valid(raise_exception=True)

        def make_form(data: Any) -> SplitForm:
            return SplitForm(data, instance=fresh_copy(split))

        return valid_form(make_form, {**self.request.data})

    def _save(self, split: Split | None) -> dict[str, Any]:
        form = self._form(split)
        with refusals(BadSplit):
            saved = splits.save_split(form.instance, form.parts)
        return SplitSerializer(Split.objects.with_parts().get(pk=saved.pk)).data


class AdjustmentSerializer(ExactModelSerializer):
    month = MonthTextField(source="period.billing_month", help_text="in which it is booked")
    dispute = serializers.IntegerField(source="dispute_id")
    from_team = serializers.CharField(source="from_team.name")
    to_team = serializers.CharField(source="to_team.name", default=None, allow_null=True, help_text="null: nobody")
    created_by = serializers.EmailField(source="created_by.email")

    class Meta:
        model = Adjustment
        fields = ["id", "month", "dispute", "from_team", "to_team", "currency", "amount", "created_at", "created_by"]


@extend_schema_view(
    list=extend_schema(summary="Correcting entries after disputes, of your teams' statements"),
    retrieve=extend_schema(summary="One correcting entry"),
)
class AdjustmentViewSet(viewsets.ReadOnlyModelViewSet):
    """Amounts moved from a team's statement to another's, or back to nobody, in a month that was open."""

    queryset = Adjustment.objects.select_related("period", "from_team", "to_team", "created_by").order_by("-pk")
    serializer_class = AdjustmentSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_statement"
    filterset_fields = ["currency", "dispute"]
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Adjustment]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False) or self.request.user.sees_whole_company:
            return rows
        teams = self.request.user.visible_team_ids
        return rows.filter(from_team__in=teams) | rows.filter(to_team__in=teams)


class DisputeSerializer(serializers.ModelSerializer):
    month = MonthTextField(source="line.statement.period.billing_month")
    statement = serializers.CharField(source="line.statement.number", allow_null=True, help_text="null: of a draft")
    team = serializers.CharField(source="line.statement.team_name")
    line = serializers.IntegerField(source="line_id")
    label = serializers.CharField(source="line.label", help_text="of the line")
    amount = DocumentAmountField(
        "line.statement.currency",
        "line.document_amount",
        help_text="of the line, in whole cents as its statement shows it",
    )
    exact_amount = ExactAmountField("line.amount")
    currency = serializers.CharField(source="line.statement.currency")
    raised_by = serializers.EmailField(source="raised_by.email")
    proposed_amount = ExactDecimalField(
        max_digits=38,
        decimal_places=18,
        allow_null=True,
        help_text="of a correcting entry that a second person confirms",
    )
    proposed_to = serializers.CharField(source="proposed_to.name", default=None, allow_null=True)
    proposed_by = serializers.EmailField(source="proposed_by.email", default=None, allow_null=True)
    resolved_by = serializers.EmailField(source="resolved_by.email", default=None, allow_null=True)

    class Meta:
        model = Dispute
        fields = [
            *(
                "id",
                "month",
                "statement",
                "team",
                "line",
                "label",
                "amount",
                "exact_amount",
                "currency",
                "state",
                "comment",
            ),
            *("raised_by", "raised_at", "answer", "proposed_amount", "proposed_to", "proposed_by", "rejected_why"),
            *("resolved_by", "resolved_at"),
        ]


class NewDisputeSerializer(serializers.Serializer):
    line = serializers.IntegerField(min_value=1, max_value=1 << 62, help_text="the id of a line of a statement")
    comment = serializers.CharField(max_length=4000, help_text="what is wrong with it")


class DisputeReasonSerializer(serializers.Serializer):
    why = serializers.CharField(max_length=2000, help_text="whoever proposed it reads your reason")


ResolveBody = body_of("ResolveBody", ResolveForm)


@extend_schema_view(
    list=extend_schema(summary="Disputes you may see, the newest first"), retrieve=extend_schema(summary="One dispute")
)
class DisputeViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Lines of statements that a lead disputes, and the answers of finance."""

    queryset = Dispute.objects.with_statement()
    serializer_class = DisputeSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_dispute"
    filterset_fields = ["state"]
    lookup_value_regex = r"\d{1,18}"

    @property
    def write_permission_required(self) -> str:
        return "tagging.add_dispute" if self.action == "create" else "tagging.change_dispute"

    @extend_schema(
        summary="Dispute a line of a statement of a team that you lead",
        request=NewDisputeSerializer,
        responses={201: DisputeSerializer, 400: REFUSED, 404: OpenApiResponse(description="No such line of yours.")},
        extensions={PROPOSES: True},
    )
    def create(self, request: Request) -> Response:
        body = NewDisputeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        visible = StatementLine.objects.filter(statement__in=Statement.objects.visible_to(request.user))
        rows = visible.select_related("statement__period", "statement__team")
        line = get_object_or_404(rows, pk=body.validated_data["line"])
        if not disputes.leads_team(request.user, line.statement.team):
            raise PermissionDenied
        with refusals(InvalidDispute):
            row = disputes.raise_dispute(line, request.user, body.validated_data["comment"], timezone.now())
        return Response(DisputeSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Answer it, with a correcting entry where an amount is given",
        request=ResolveBody,
        responses={200: DisputeSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        dispute = self.get_object()
        body = ResolveBody(data=request.data)
        body.is_valid(raise_exception=True)
        form = valid_form(ResolveForm, {**request.data})
        amount = form.cleaned_data["amount"]
        entry = None if amount is None else CorrectingEntry(amount, form.cleaned_data["to_team"])
        with refusals(InvalidDispute):
            disputes.resolve_dispute(dispute, request.user, form.cleaned_data["answer"], timezone.now(), entry)
        return Response(DisputeSerializer(self.get_object()).data)

    @extend_schema(
        summary="Confirm the correcting entry that somebody else proposed",
        request=None,
        responses={200: DisputeSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        return self._decide(disputes.confirm_correction, now=timezone.now())

    @extend_schema(
        summary="Turn a proposed correcting entry down, or take back one that a draft holds: the dispute is open again",
        request=DisputeReasonSerializer,
        responses={200: DisputeSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"], url_path="turn-down")
    def turn_down(self, request: Request, pk: str) -> Response:
        body = DisputeReasonSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return self._decide(disputes.reject_correction, why=body.validated_data["why"], now=timezone.now())

    def _decide(self, service: Callable[..., Dispute], **values: Any) -> Response:
        with refusals(InvalidDispute):
            service(self.get_object(), self.request.user, **values)
        return Response(DisputeSerializer(self.get_object()).data)
