"""The API of commitments, recommendations, purchases and savings. Amounts are decimal strings."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import (
    PROPOSES,
    BadRequest,
    HoldsPermission,
    KeysetPages,
    Problem,
    VisibleRows,
    refusals,
)
from finops_site.api.form_bodies import valid_form
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from reservations.api.serializers import (
    CommentSerializer,
    CommitmentSerializer,
    ExportSerializer,
    KindCoverageSerializer,
    NewPurchaseSerializer,
    PlanSerializer,
    PriceSerializer,
    PurchaseSerializer,
    RecommendationRequestSerializer,
    SavedYearSerializer,
    SavingSerializer,
    StandingOrderSerializer,
)
from reservations.calc import purchase_files, purchase_rules
from reservations.inventory import metrics
from reservations.inventory.coverage_by_kind import coverage_by_kind
from reservations.models import Commitment, LedgerMonth, Plan, PurchaseRequest, Rate, StandingOrder
from reservations.pricing.forms import RateFilter
from reservations.purchases import approvals, buying, purchase_requests
from reservations.purchases.forms import PurchaseRequestForm
from reservations.recommendations import demand_sources, recommend
from reservations.recommendations.plan_parameters import InvalidParameters
from reservations.savings import ledger


@extend_schema_view(
    list=extend_schema(summary="Commitments you may see, those that end first before others"),
    retrieve=extend_schema(summary="One commitment"),
)
class CommitmentViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Reserved instances, savings plans, Azure reservations and GCP CUDs: of your teams, or all of the company's."""

    queryset = Commitment.objects.select_related("owner")
    serializer_class = CommitmentSerializer
    permission_classes = [HoldsPermission]
    permission_required = "reservations.view_commitment"
    lookup_value_regex = r"\d+"

    @extend_schema(
        summary="Coverage of the newest 30 days: of reservations, of each kind of plan, and of all",
        responses=KindCoverageSerializer(many=True),
        filters=False,
    )
    @action(detail=False, pagination_class=None)
    def coverage(self, request: Request) -> Response:
        period = metrics.newest_period(request.user, timezone.now().date())
        currencies = [row.currency for row in metrics.metrics_by_currency(request.user, period)] if period else []
        rows = [row for code in currencies for row in coverage_by_kind(request.user, period, code)] if period else []
        return Response(KindCoverageSerializer(rows, many=True).data)


@extend_schema_view(
    list=extend_schema(summary="Recommendations you may see, the latest first"),
    retrieve=extend_schema(summary="One recommendation, with what to buy and its working"),
)
class RecommendationViewSet(VisibleRows, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet):
    """What to commit to. Costs are for a year of the observed demand; no plan costs less than `lower_bound`."""

    queryset = Plan.objects.all()
    serializer_class = PlanSerializer
    permission_classes = [HoldsPermission]
    permission_required = "reservations.view_plan"
    write_permission_required = "reservations.add_plan"
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().select_related("team").prefetch_related("items")

    @extend_schema(
        summary="Request a recommendation",
        description="It is computed in the background: poll it until its `state` is `ready` or `failed`.",
        request=RecommendationRequestSerializer,
        responses={202: PlanSerializer, 400: OpenApiResponse(BadRequest, "A limit makes no sense: `detail` names it.")},
        extensions={PROPOSES: True},
    )
    def create(self, request: Request) -> Response:
        body = RecommendationRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        with refusals(InvalidParameters):
            plan = recommend.request_recommendation(
                request.user,
                body.parameters(),
                as_of=values.get("as_of") or demand_sources.newest_billed_day(timezone.now().date()),
                lookback_days=values["lookback_days"],
                team=visible_team(request.user, values.get("team")),
            )
        return Response(PlanSerializer(plan).data, status=status.HTTP_202_ACCEPTED)


def visible_team(user: Person, name: str | None) -> Team | None:
    """The team by its name; who does not see the whole company must name one of hers."""
    if not name and user.sees_whole_company:
        return None
    team = Team.objects.visible_to(user).filter(name=name or "").first()
    if team is None:
        raise ValidationError({"team": [f"there is no team {name!r} that you may see: name one of yours."]})
    return team


REFUSED = OpenApiResponse(BadRequest, "It cannot be done now, or not by you: `detail` holds the reason.")


@extend_schema_view(
    list=extend_schema(summary="Purchases you may see, the latest first"),
    retrieve=extend_schema(summary="One purchase, with what happened to it"),
)
class PurchaseViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Purchases of commitments: requested by one person, approved by another, bought, found in a bill.

    A request whose prices or demand moved expires instead of being approved or exported: look at its `state`.
    """

    queryset = PurchaseRequest.objects.all()
    serializer_class = PurchaseSerializer
    permission_classes = [HoldsPermission]
    permission_required = "reservations.view_purchaserequest"
    filterset_fields = ["state", "kind"]
    lookup_value_regex = r"\d+"

    @property
    def write_permission_required(self) -> str:
        needed = {"create": "add_purchaserequest", "export": "buy_purchaserequest"}
        return f"reservations.{needed.get(self.action, 'approve_purchaserequest')}"

    def get_queryset(self) -> QuerySet:
        rows = super().get_queryset()
        return rows.select_related("team", "requested_by", "approved_by", "standing_order").prefetch_related(
            "events__by"
        )

    @extend_schema(
        summary="Request a recommended purchase, or one monthly batch of it: somebody else approves it",
        request=NewPurchaseSerializer,
        responses={201: PurchaseSerializer, 400: REFUSED, 404: OpenApiResponse(Problem, "No such recommendation.")},
        extensions={PROPOSES: True},
    )
    def create(self, request: Request) -> Response:
        body = NewPurchaseSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        chosen = body.validated_data
        plans = Plan.objects.visible_to(request.user).filter(state=Plan.State.READY)
        plan = get_object_or_404(plans, pk=chosen["recommendation"])
        item = get_object_or_404(plan.items.select_related("plan__team"), position=chosen["position"])

        def make_form(data: Any) -> PurchaseRequestForm:
            return PurchaseRequestForm(data, item=item)

        form = valid_form(make_form, {name: chosen[name] for name in ("batch", "comment") if name in chosen})
        with refusals(purchase_rules.CannotBuy):
            row = purchase_requests.request_purchase(item, user=request.user, now=timezone.now(), **form.cleaned_data)
        return Response(PurchaseSerializer(self.get_queryset().get(pk=row.pk)).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Approve what somebody else requested",
        request=CommentSerializer,
        responses={200: PurchaseSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        return Response(PurchaseSerializer(self._take_step(approvals.approve_purchase, comment=self._comment())).data)

    @extend_schema(
        summary="Reject it, with the reason",
        request=CommentSerializer,
        responses={200: PurchaseSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        return Response(PurchaseSerializer(self._take_step(approvals.reject_purchase, comment=self._comment())).data)

    @extend_schema(
        summary="Export what is approved, to be bought by hand",
        request=None,
        responses={200: ExportSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def export(self, request: Request, pk: str) -> Response:
        row = self._take_step(buying.export_purchase)
        orders = [row.order] if row.state == purchase_rules.EXPORTED else []
        commands, sheet = (
            (purchase_files.cli_script(orders), purchase_files.orders_as_csv(orders)) if orders else ("", "")
        )
        return Response({"purchase": PurchaseSerializer(row).data, "commands": commands, "csv": sheet})

    def _comment(self) -> str:
        body = CommentSerializer(data=self.request.data)
        body.is_valid(raise_exception=True)
        return str(body.validated_data["comment"])

    def _take_step(self, service: Callable[..., PurchaseRequest], **values: str) -> PurchaseRequest:
        with refusals(purchase_rules.CannotBuy):
            service(self.get_object().pk, user=self.request.user, now=timezone.now(), **values)
        return self.get_object()


_MONTHS = [
    OpenApiParameter(name, str, description=f"the {which} month, like 2026-03")
    for name, which in (("from", "first"), ("to", "last"))
]


def month_parameter(request: Request, name: str) -> Month | None:
    text = request.query_params.get(name)
    try:
        return Month.parse(text) if text else None
    except ValueError as error:
        raise ValidationError({name: [str(error)]}) from None


class SavingViewSet(VisibleRows, mixins.ListModelMixin, viewsets.GenericViewSet):
    """The savings ledger: each purchase you may see, month by month, promised and proved by the bill."""

    queryset = LedgerMonth.objects.select_related("request__commitment")
    serializer_class = SavingSerializer
    permission_classes = [HoldsPermission]
    permission_required = "reservations.view_ledgermonth"

    @extend_schema(summary="Lines of the savings ledger, the newest month first", parameters=_MONTHS)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        first, last = (month_parameter(self.request, name) for name in ("from", "to"))
        queryset = queryset.filter(month__gte=first.start) if first else queryset
        return queryset.filter(month__lte=last.start) if last else queryset

    @extend_schema(
        summary="The twelve months up to this one, summed by currency: the figure Savings realised",
        responses=SavedYearSerializer(many=True),
        filters=False,
    )
    @action(detail=False, pagination_class=None)
    def year(self, request: Request) -> Response:
        rows = ledger.sum_lines(ledger.lines_of_year(request.user, timezone.now().date()))
        return Response(SavedYearSerializer(rows, many=True).data)


@extend_schema_view(list=extend_schema(summary="What machines cost on demand and under each option, the newest first"))
class PriceViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """Prices of the lists that were loaded; indicative ones are worked out, and marked so."""

    queryset = Rate.objects.all()
    serializer_class = PriceSerializer
    permission_classes = [HoldsPermission]
    permission_required = "reservations.view_rate"
    filterset_class = RateFilter
    pagination_class = KeysetPages
    keyset = ("-day", "-id")


@extend_schema_view(list=extend_schema(summary="Standing orders: each month they request the newest plan's next batch"))
class StandingOrderViewSet(VisibleRows, mixins.ListModelMixin, viewsets.GenericViewSet):
    """They buy nothing themselves: what they request is approved like any other."""

    queryset = StandingOrder.objects.select_related("team")
    serializer_class = StandingOrderSerializer
    permission_classes = [HoldsPermission]
    permission_required = "reservations.view_standingorder"
