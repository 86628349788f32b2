"""Commitments and recommendations as JSON. Amounts are decimal strings."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import (
    BadRequest,
    ExactDecimalField,
    ExactModelSerializer,
    HoldsPermission,
    MonthTextField,
    VisibleRows,
)
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from reservations import queues
from reservations.calc import purchase_rules
from reservations.calc.realised_savings import REASONS
from reservations.calc.terms import OPTIONS, PAYMENTS
from reservations.models import Commitment, LedgerMonth, Plan, PlanItem, PurchaseEvent, PurchaseRequest
from reservations.purchases import purchase_requests
from reservations.recommendations import demand_sources, recommend
from reservations.savings import ledger


class CommitmentSerializer(ExactModelSerializer):
    owner = serializers.CharField(source="owner.name", default=None, allow_null=True, read_only=True)

    class Meta:
        model = Commitment
        fields = [
            *("id", "provider", "commitment_id", "name", "kind", "term_months", "payment", "scope", "account"),
            *("region", "instance_type", "system", "count", "hourly_commitment", "unit", "upfront"),
            *("recurring_hourly", "currency", "start", "end", "owner", "source", "first_seen", "last_seen"),
        ]


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


class PlanItemSerializer(ExactModelSerializer):
    saving = ExactDecimalField(max_digits=38, decimal_places=18, read_only=True)
    working = serializers.DictField(read_only=True)

    class Meta:
        model = PlanItem
        fields = [
            *("position", "provider", "kind", "term_months", "payment", "region", "instance_type", "system"),
            *("quantity", "unit", "hourly", "upfront", "monthly", "on_demand_cost", "committed_cost", "saving"),
            *("utilisation", "break_even_months", "rate_source", "rate_day", "is_indicative", "working"),
        ]


class PlanSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True, read_only=True)
    saving = ExactDecimalField(max_digits=38, decimal_places=18, read_only=True, allow_null=True)
    items = PlanItemSerializer(many=True, read_only=True)
    notes = serializers.ListField(child=serializers.CharField(), read_only=True)
    parameters = serializers.DictField(read_only=True)

    class Meta:
        model = Plan
        fields = [
            *("id", "state", "as_of", "lookback_days", "team", "currency", "cost_before", "cost_after"),
            *("lower_bound", "gap", "saving", "upfront", "confidence", "is_indicative", "notes", "parameters"),
            *("message", "created_at", "ready_at", "items"),
        ]


class AskSerializer(serializers.Serializer):
    """What may be bought. Shares are between 0 and 1, terms in months."""

    as_of = serializers.DateField(required=False)
    lookback_days = serializers.IntegerField(default=30, min_value=1, max_value=demand_sources.HISTORY_DAYS)
    team = serializers.CharField(required=False, allow_null=True, max_length=100)
    kinds = serializers.ListField(child=serializers.ChoiceField(list(OPTIONS)), required=False, min_length=1)
    terms = serializers.ListField(child=serializers.ChoiceField([12, 36]), required=False, min_length=1)
    payments = serializers.ListField(child=serializers.ChoiceField(list(PAYMENTS)), required=False, min_length=1)
    target_coverage = serializers.FloatField(required=False, min_value=0, max_value=1, help_text="cover at most")
    minimum_coverage = serializers.FloatField(required=False, min_value=0, max_value=1)
    minimum_utilisation = serializers.FloatField(required=False, min_value=0, max_value=1)
    max_upfront = serializers.FloatField(required=False, min_value=0, max_value=1e14)
    max_monthly = serializers.FloatField(required=False, min_value=0, max_value=1e14)
    break_even_months = serializers.FloatField(required=False, min_value=0, max_value=36)
    negotiated = serializers.FloatField(
        required=False, min_value=0, max_value=0.99, help_text="share off list prices on demand, by contract"
    )
    negotiated_on_commitments = serializers.BooleanField(required=False, help_text="on commitments too")

    def parameters(self) -> recommend.Parameters:
        """What was asked for. Raises recommending.BadRequest."""
        said = self.validated_data
        return recommend.Parameters.from_json(dict(said))


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
        summary="Ask for a recommendation",
        description="It is worked out in the background: ask for it until its `state` is `ready` or `failed`.",
        request=AskSerializer,
        responses={202: PlanSerializer, 400: OpenApiResponse(BadRequest, "Something asked for makes no sense.")},
    )
    def create(self, request: Request) -> Response:
        said = AskSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            plan = self._ask(said)
        except recommend.BadRequest as error:
            raise ValidationError({"detail": str(error)}) from None
        transaction.on_commit(lambda: queues.work(plan))
        return Response(PlanSerializer(plan).data, status=status.HTTP_202_ACCEPTED)

    def _ask(self, said: AskSerializer) -> Plan:
        asked: Any = said.validated_data
        return recommend.ask(
            self.request.user,
            said.parameters(),
            as_of=asked.get("as_of") or demand_sources.newest_day(timezone.now().date()),
            lookback_days=asked["lookback_days"],
            team=_team(self.request.user, asked.get("team")),
        )


def _team(user: Person, name: str | None) -> Team | None:
    """The team by its name; who does not see the whole company must name one of hers."""
    if not name and user.sees_whole_company:
        return None
    found = Team.objects.visible_to(user).filter(name=name or "").first()
    if found is None:
        raise ValidationError({"team": [f"there is no team {name!r} that you may see: name one of yours."]})
    return found


class PurchaseEventSerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.email", default=None, allow_null=True, read_only=True)

    class Meta:
        model = PurchaseEvent
        fields = ["at", "by", "verb", "before", "after", "comment"]


class PurchaseSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True, read_only=True)
    saving = ExactDecimalField(max_digits=38, decimal_places=18, read_only=True)
    standing_order = serializers.CharField(source="standing_order.name", default=None, allow_null=True, read_only=True)
    requested_by = serializers.CharField(source="requested_by.email", default=None, allow_null=True, read_only=True)
    approved_by = serializers.CharField(source="approved_by.email", default=None, allow_null=True, read_only=True)
    events = PurchaseEventSerializer(many=True, read_only=True)

    class Meta:
        model = PurchaseRequest
        fields = [
            *("id", "state", "plan", "position", "batch", "team", "standing_order", "provider", "kind"),
            *("term_months", "payment", "region", "instance_type", "system", "quantity", "unit", "hourly", "upfront"),
            *("monthly", "value", "on_demand_cost", "committed_cost", "saving", "utilisation", "currency"),
            *("is_indicative", "requested_by", "requested_at", "comment", "expires_at", "approved_by", "approved_at"),
            *("executed_at", "through_api", "reference", "commitment", "message", "events"),
        ]


class CommentSerializer(serializers.Serializer):
    comment = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class HandedOutSerializer(serializers.Serializer):
    purchase = PurchaseSerializer()
    commands = serializers.CharField(help_text="for the AWS CLI; empty where it expired instead", allow_blank=True)
    csv = serializers.CharField(allow_blank=True)


REFUSED = OpenApiResponse(BadRequest, "It cannot be done now, or not by you: `detail` says why.")


@extend_schema_view(
    list=extend_schema(summary="Purchases you may see, the latest first"),
    retrieve=extend_schema(summary="One purchase, with what happened to it"),
)
class PurchaseViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Purchases of commitments: asked for by one person, approved by another, bought, found in a bill.

    A request whose prices or demand moved expires instead of being approved or handed out: look at its `state`.
    """

    queryset = PurchaseRequest.objects.all()
    serializer_class = PurchaseSerializer
    permission_classes = [HoldsPermission]
    permission_required = "reservations.view_purchaserequest"
    filterset_fields = ["state", "kind"]
    lookup_value_regex = r"\d+"

    @property
    def write_permission_required(self) -> str:
        bought = "reservations.buy_purchaserequest"
        return bought if self.action == "export" else "reservations.approve_purchaserequest"

    def get_queryset(self) -> QuerySet:
        rows = super().get_queryset()
        return rows.select_related("team", "requested_by", "approved_by", "standing_order").prefetch_related(
            "events__by"
        )

    @extend_schema(
        summary="Approve what somebody else asked for",
        request=CommentSerializer,
        responses={200: PurchaseSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        return Response(PurchaseSerializer(self._act(purchase_requests.approve, comment=self._comment())).data)

    @extend_schema(
        summary="Reject it, with the reason",
        request=CommentSerializer,
        responses={200: PurchaseSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        return Response(PurchaseSerializer(self._act(purchase_requests.reject, comment=self._comment())).data)

    @extend_schema(
        summary="Hand out what is approved, to be bought by a person",
        request=None,
        responses={200: HandedOutSerializer, 400: REFUSED},
    )
    @action(detail=True, methods=["post"])
    def export(self, request: Request, pk: str) -> Response:
        row = self._act(purchase_requests.export)
        orders = [row.order] if row.state == purchase_rules.EXPORTED else []
        commands, sheet = (purchase_rules.commands(orders), purchase_rules.as_csv(orders)) if orders else ("", "")
        return Response({"purchase": PurchaseSerializer(row).data, "commands": commands, "csv": sheet})

    def _comment(self) -> str:
        said = CommentSerializer(data=self.request.data)
        said.is_valid(raise_exception=True)
        return str(said.validated_data["comment"])

    def _act(self, verb: Any, **said: Any) -> PurchaseRequest:
        try:
            verb(self.get_object().pk, user=self.request.user, now=timezone.now(), **said)
        except purchase_rules.CannotBuy as problem:
            raise ValidationError({"detail": str(problem)}) from None
        return self.get_object()


class SavingSerializer(ExactModelSerializer):
    month = MonthTextField()
    purchase = serializers.IntegerField(source="request_id", help_text="id of the purchase request")
    commitment = serializers.CharField(
        source="request.commitment.commitment_id", default="", help_text="the id by which the bill knows it"
    )

    class Meta:
        model = LedgerMonth
        fields = [
            *("month", "purchase", "commitment", "currency", "days", "promised", "on_demand", "paid", "realised"),
            *REASONS,
            "reason",
        ]


_EXACT = {"max_digits": 38, "decimal_places": 18}


class SavedYearSerializer(serializers.Serializer):
    """Twelve months in one currency: promised - realised = the sum of the five reasons."""

    currency = serializers.CharField()
    promised = ExactDecimalField(**_EXACT)
    realised = ExactDecimalField(**_EXACT)
    timing = ExactDecimalField(**_EXACT)
    demand = ExactDecimalField(**_EXACT)
    utilisation = ExactDecimalField(**_EXACT)
    displaced = ExactDecimalField(**_EXACT)
    price = ExactDecimalField(**_EXACT)


_MONTHS = [
    OpenApiParameter(name, str, description=f"the {which} month, like 2026-03")
    for name, which in (("from", "first"), ("to", "last"))
]


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
        bounds = {name: _month(self.request, name) for name in ("from", "to")}
        first, last = bounds["from"], bounds["to"]
        queryset = queryset.filter(month__gte=first.start) if first else queryset
        return queryset.filter(month__lte=last.start) if last else queryset

    @extend_schema(
        summary="The twelve months up to this one, summed by currency: the figure Savings realised",
        responses=SavedYearSerializer(many=True),
        filters=False,
    )
    @action(detail=False, pagination_class=None)
    def year(self, request: Request) -> Response:
        rows = ledger.sums(ledger.of_year(request.user, timezone.now().date()))
        return Response(SavedYearSerializer(rows, many=True).data)


def _month(request: Any, name: str) -> Month | None:
    text = request.query_params.get(name)
    try:
        return Month.parse(text) if text else None
    except ValueError as error:
        raise ValidationError({name: [str(error)]}) from None
