"""The API of bills and costs: the same rows, the same services and the same exact amounts as the pages."""

from collections import defaultdict
from typing import Any, cast

from django.db.models import QuerySet, Sum
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costs.api import spend_questions
from costs.api.charges import OF_DELIVERY, delivery_in, line_of
from costs.api.known import KnownList, MatchedKeysetPages
from costs.api.parameters import FILTERS, PERIOD
from costs.api.serializers import (
    ClusterShareSerializer,
    ConformanceResultSerializer,
    CostLineSerializer,
    DecisionSerializer,
    DeliverySerializer,
    FocusExportSerializer,
    ReceivedSerializer,
    RejectSerializer,
    RestatedCostSerializer,
    SpendSerializer,
    TeamSerializer,
    UploadSerializer,
)
from costs.calc.filters import filter_name_pattern, takes_filter
from costs.clusters import shares
from costs.focus_export import request_export
from costs.formats.base import BadBill
from costs.ingest import uploads, withdraw
from costs.ingest.load import retry_delivery
from costs.models import CostLine, DayRollup, Delivery, FocusExport
from costs.query.known_until import KnownDays, known_of
from costs.query.line_addresses import keys_of
from costs.query.question import BadQuestion, company_metric
from costs.query.rows import filtered_rows
from costs.query.stored_values import unmatched_values, unmatched_words
from costs.querysets import METRICS
from costs.retention import FilesRemoved
from costs.versions import restatements
from costs.versions.decisions import AlreadyDelivered
from costs.web.downloads import export_file
from costs.web.filters import DeliveryFilter
from finops_site.api.base import BadRequest, Conflict, HoldsPermission, KeysetPages, VisibleRows, conflicts, refusals
from finops_site.lib.addresses import nearest
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team


def spend_query_of(request: Request) -> spend_questions.SpendQuery:
    """The question in a request's address; one that cannot be asked is 400, with the reason."""
    with refusals(ValueError):
        return spend_questions.read_query(request.query_params, request.user, timezone.now().date())


@extend_schema_view(
    list=extend_schema(summary="Bills that came in, the latest first"),
    retrieve=extend_schema(summary="One delivery: how its load went, its totals, months and files"),
)
class DeliveryViewSet(VisibleRows, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet):
    """Received bills, for those who see the whole company."""

    queryset = Delivery.objects.all()
    serializer_class = DeliverySerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_delivery"
    write_permission_required = "costs.add_delivery"
    filterset_class = DeliveryFilter
    parser_classes = [MultiPartParser]
    keyset = ("id",)
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet:
        return (
            super().get_queryset().select_related("source", "received_by").prefetch_related("months", "files", "beside")
        )

    @extend_schema(
        summary="Deliver a bill",
        description="Keeps the files and queues the load: ask for the delivery until its status is no longer "
        "`received` or `loading`. The same bill again answers 200 with the delivery that is there.",
        request={"multipart/form-data": UploadSerializer},
        responses={
            201: ReceivedSerializer,
            200: OpenApiResponse(ReceivedSerializer, "The same bill is here already."),
            400: OpenApiResponse(BadRequest, "This is no bill that can be read, or a field is wrong."),
        },
    )
    def create(self, request: Request) -> Response:
        upload = UploadSerializer(data=request.data)
        upload.is_valid(raise_exception=True)
        with refusals(BadBill):
            received = self.deliver(**upload.validated_data)
        code = status.HTTP_201_CREATED if received.is_new else status.HTTP_200_OK
        context = {"already_delivered": not received.is_new}
        delivery = self.get_queryset().get(pk=received.delivery.pk)
        return Response(ReceivedSerializer(delivery, context=context).data, status=code)

    def deliver(self, *, files: list[Any], source: str, **options: Any) -> Any:
        (received,) = uploads.deliver(files, source, user=self.request.user, one=True, **options)
        return received

    @extend_schema(
        summary="Rows of the bill that were not read, and why",
        responses=RejectSerializer(many=True),
        filters=False,
    )
    @action(detail=True, pagination_class=KeysetPages, filterset_class=None)
    def rejects(self, request: Request, pk: str) -> Response:
        page = self.paginate_queryset(self.get_object().rejects.all())
        return self.get_paginated_response(RejectSerializer(page, many=True).data)

    @extend_schema(
        summary="Decide about a bill that does not count",
        description="`accept` or `reject` a held bill, `always` to accept it and never hold its stream again, `beside` "
        "to count a held, rejected or withdrawn bill beside those whose rows of the same accounts and days are other "
        "ones, `again` to count an older, withdrawn or rejected version again. 409 when its state does not allow that.",
        request=DecisionSerializer,
        responses={200: DeliverySerializer, 409: OpenApiResponse(BadRequest, "Nothing was changed.")},
    )
    @action(
        detail=True,
        methods=["post"],
        parser_classes=[JSONParser, FormParser, MultiPartParser],
        write_permission_required="costs.accept_delivery",
    )
    def decide(self, request: Request, pk: str) -> Response:
        delivery = self.get_object()
        chosen = DecisionSerializer(data=request.data)
        chosen.is_valid(raise_exception=True)
        decision, beside = chosen.validated_data["decision"], chosen.validated_data["beside"]
        with conflicts(AlreadyDelivered, FilesRemoved):
            sentence = withdraw.decide(delivery, decision, self.request.user, beside)
        if not sentence:
            raise Conflict(f"The bill is {delivery.get_status_display()}: nothing was changed.")
        return Response(DeliverySerializer(self.get_queryset().get(pk=delivery.pk)).data)

    @extend_schema(
        summary="Withdraw a bill that counts; what it had replaced counts again",
        request=None,
        responses={
            200: DeliverySerializer,
            409: OpenApiResponse(BadRequest, "It does not count: nothing was changed."),
        },
    )
    @action(detail=True, methods=["post"], parser_classes=[JSONParser, FormParser, MultiPartParser])
    def withdraw(self, request: Request, pk: str) -> Response:
        delivery = self.get_object()
        if not withdraw.withdraw_delivery(delivery, self.request.user):
            raise Conflict(f"{delivery} does not count: there is nothing to withdraw.")
        return Response(DeliverySerializer(self.get_queryset().get(pk=delivery.pk)).data)

    @extend_schema(
        summary="Load a bill that failed once more",
        request=None,
        responses={200: DeliverySerializer, 409: OpenApiResponse(BadRequest, "It has not failed, or cannot be read.")},
    )
    @action(detail=True, methods=["post"], parser_classes=[JSONParser, FormParser, MultiPartParser])
    def retry(self, request: Request, pk: str) -> Response:
        delivery = self.get_object()
        with conflicts(AlreadyDelivered, FilesRemoved):
            is_queued = retry_delivery(delivery)
        if not is_queued:
            raise Conflict(f"{delivery} has not failed: there is nothing to try again.")
        return Response(DeliverySerializer(self.get_queryset().get(pk=delivery.pk)).data)

    @extend_schema(
        summary="The rules of FOCUS that the bill was judged by, with rows that break them",
        responses=ConformanceResultSerializer(many=True),
        filters=False,
    )
    @action(detail=True, pagination_class=KeysetPages, filterset_class=None)
    def conformance(self, request: Request, pk: str) -> Response:
        page = self.paginate_queryset(self.get_object().conformance_results.all())
        return self.get_paginated_response(ConformanceResultSerializer(page, many=True).data)

    @extend_schema(
        summary="What the bill changed in months it replaced: before, after, and the cost of newer days",
        responses=RestatedCostSerializer(many=True),
        filters=False,
    )
    @action(detail=True, pagination_class=KeysetPages, filterset_class=None)
    def changes(self, request: Request, pk: str) -> Response:
        page = self.paginate_queryset(restatements.restated_costs(self.get_object()).order_by())
        return self.get_paginated_response(RestatedCostSerializer(page, many=True).data)


@extend_schema_view(
    list=extend_schema(summary="Months asked for as FOCUS files, the latest first"),
    retrieve=extend_schema(summary="One export: whether it is ready, its rows and totals"),
)
class FocusExportViewSet(VisibleRows, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet):
    """Billing months of all sources as FOCUS files, for those who see the whole company."""

    queryset = FocusExport.objects.all()
    serializer_class = FocusExportSerializer
    permission_classes = [HoldsPermission]
    # As on the page: who sees the whole company may have it written.
    permission_required = write_permission_required = "costs.view_delivery"
    keyset = ("id",)
    lookup_value_regex = r"\d+"

    @extend_schema(
        summary="Ask for a month as FOCUS 1.2, 1.3 or 1.4",
        description="The file is written in the background: ask until the status is `ready`, then fetch `file/`.",
        request=FocusExportSerializer,
        responses={202: FocusExportSerializer, 400: OpenApiResponse(BadRequest, "No bill of that month counts.")},
    )
    def create(self, request: Request) -> Response:
        serializer = FocusExportSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        export = request_export(
            serializer.validated_data["billing_month"],
            serializer.validated_data.get("kind", FocusExport.Kind.CSV),
            request.user,
            serializer.validated_data.get("version", FocusExport.Version.V1_2),
        )
        return Response(FocusExportSerializer(export).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(summary="The file of an export that is ready", responses={(200, "application/octet-stream"): bytes})
    @action(detail=True)
    def file(self, request: Request, pk: str) -> Any:
        return export_file(self.get_object())


@extend_schema_view(
    list=extend_schema(summary="Cost lines, the latest day first", parameters=[*PERIOD, *FILTERS]),
    retrieve=extend_schema(
        summary="One cost line",
        parameters=[
            OpenApiParameter("id", str, OpenApiParameter.PATH, description="its `key`, or its `id`"),
            OpenApiParameter("delivery", int, description=OF_DELIVERY),
        ],
    ),
)
class CostLineViewSet(KnownList, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """The charges of the current bills, summed per day, account, service, region, resource, tags and category.

    Filters are those of `spend/`, tags too: `tag:<Key>=value`.
    """

    queryset = CostLine.objects.all()
    serializer_class = CostLineSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"
    takes_name, name_pattern = staticmethod(takes_filter), filter_name_pattern()
    pagination_class = MatchedKeysetPages
    keyset = ("-charge_date", "-id")
    lookup_value_regex = r"[0-9a-f-]+"

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().select_related("delivery_month", "tag_set", "owner", "pool")

    def get_object(self) -> CostLine:
        """By its key, which outlives the bill, or by its id, which does not."""
        return line_of(self.request, self.kwargs["pk"], delivery_in(self.request))[0]

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        rows = args[0] if args else ()
        lines = [rows] if isinstance(rows, CostLine) else list(rows)
        context = {**kwargs.pop("context", self.get_serializer_context()), "keys": keys_of(lines)}
        return super().get_serializer(*args, **kwargs, context=context)

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        """One line is found whenever it was used; a list is of the days asked for."""
        return queryset if self.detail else filtered_rows(queryset, spend_query_of(self.request).question)

    def known(self) -> KnownDays:
        user = cast(Person, self.request.user)
        return known_of(user, spend_query_of(self.request).question, timezone.now().date())

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().list(request, *args, **kwargs)
        missing = unmatched_values(cast(Person, request.user), spend_query_of(request).question)
        response.data["unmatched"] = unmatched_words(missing)
        return response


@extend_schema_view(
    list=extend_schema(summary="The teams whose cost you may see, with what they spent this month"),
    retrieve=extend_schema(summary="One team"),
)
class TeamViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Your teams and those below them; all of them for those who see the whole company."""

    queryset = Team.objects.all()
    serializer_class = TeamSerializer
    permission_classes = [HoldsPermission]
    permission_required = "finops_site.view_team"
    lookup_value_regex = r"\d+"

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "month_to_date": month_to_date(self.request.user)}


class SpendView(APIView):
    """Sums of cost, by charge day (UTC), of what you may see.

    `group_by` takes any of the filters' names, `tag:<Key>` and one step of time (month, week, day). Every filter may be
    given several times: any of its values will do; `group_by` too, for all of them. Tags are filtered by
    `tag:<Key>=value`; an empty value stands for lines without the tag.
    """

    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"
    takes_name, name_pattern = staticmethod(takes_filter), filter_name_pattern()
    joined = ("group_by",)

    @extend_schema(
        summary="Spend, grouped and filtered",
        parameters=[
            OpenApiParameter("group_by", str, description="like `service,month`"),
            OpenApiParameter("metric", str, enum=METRICS, description="if left out, what the company shows"),
            OpenApiParameter("in", str, description="a currency to turn costs into; without it they are as billed"),
            *PERIOD,
            *FILTERS,
        ],
        responses=SpendSerializer,
    )
    def get(self, request: Request) -> Response:
        today = timezone.now().date()
        with refusals(BadQuestion):
            return Response(spend_questions.answer_spend(request.user, spend_query_of(request), today))


class ClusterSharesView(APIView):
    """The cost of a month's Kubernetes machines, split among what ran on them: it is in the other sums already."""

    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"

    @extend_schema(
        summary="Shares of clusters",
        parameters=[
            OpenApiParameter("month", str, required=True, description="by charge day: 2025-11"),
            OpenApiParameter("by", str, default="namespace", description="one of the groupings, or label:<key>"),
            OpenApiParameter("cluster", str),
            OpenApiParameter("metric", str, enum=shares.METRICS, description="if left out, what the company shows"),
        ],
        responses=ClusterShareSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        chosen = {name: request.query_params.get(name, "") for name in ("month", "by", "cluster", "metric")}
        user, metric, cluster = cast(Person, request.user), chosen["metric"] or company_metric(), chosen["cluster"]
        with refusals(ValueError):
            period = Month.parse(chosen["month"]).period
            if cluster and cluster not in (names := shares.clusters(user, period, metric)):
                near = nearest(cluster, names)
                hint = f" Did you mean {near!r}?" if near else ""
                raise ValueError(f"Nothing that you may see has the cluster {cluster[:80]!r}.{hint}")
            rows = shares.split(user, period, chosen["by"] or "namespace", metric=metric, cluster=cluster)
        return Response(ClusterShareSerializer(rows, many=True).data)


def month_to_date(user: Person) -> dict[int, dict[str, dict[str, str | None]]]:
    """{team id: {currency: {metric: exact text}}} of the current month by charge day, each team's own cost."""
    month = Month.of(timezone.now().date())
    rows = DayRollup.objects.visible_to(user).charged_in(month.period).exclude(owner=None).order_by()
    sums = rows.values("owner", "currency").annotate(billed=Sum("billed_cost"), effective=Sum("effective_cost"))
    by_team: dict[int, dict[str, dict[str, str | None]]] = defaultdict(dict)
    for row in sums:
        amounts = {"billed_cost": exact_text(row["billed"]), "effective_cost": exact_text(row["effective"])}
        by_team[row["owner"]][row["currency"]] = amounts
    return dict(by_team)
