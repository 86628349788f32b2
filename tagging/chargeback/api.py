"""The API of chargeback: the same statements as the pages, in whole cents, and each amount exactly beside it."""

from decimal import Decimal
from functools import reduce
from typing import Any, cast

from django.db.models import Model, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costs.api.serializers import KnownSerializer
from finops_site.api.base import (
    BadRequest,
    ExactDecimalField,
    ExactModelSerializer,
    HoldsPermission,
    MonthTextField,
    refusals,
)
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.calc.journal import amount_text
from tagging.chargeback import closing
from tagging.chargeback.periods import known_of_month
from tagging.models import ChargebackPeriod, MonthTotal, Statement, StatementLine

REFUSED = OpenApiResponse(BadRequest, "It is refused, with the reason.")
MONTH = OpenApiParameter("month", str, OpenApiParameter.PATH, description="billing month, like 2026-03")


@extend_schema_field({"type": "string", "format": "decimal"})
class DocumentAmountField(serializers.Field):
    """An amount as the documents state it: rounded once, with all places of its currency.

    `amount` is where it stands, unless that is `document_` and the name of the field.
    """

    def __init__(self, currency: str = "currency", amount: str = "", **kwargs: Any) -> None:
        super().__init__(**{"source": "*", "read_only": True, **kwargs})
        self.currency, self.amount = currency, amount

    def to_representation(self, value: Model) -> str:
        amount, code = (
            reduce(getattr, path.split("."), value)
            for path in (self.amount or f"document_{self.field_name}", self.currency)
        )
        return amount_text(cast(Decimal, amount), str(code))


class ExactAmountField(ExactDecimalField):
    """The same amount before it is rounded, with every digit."""

    def __init__(self, source: str) -> None:
        super().__init__(source=source, max_digits=38, decimal_places=18, read_only=True, help_text="every digit")


class MonthTotalSerializer(ExactModelSerializer):
    """bill = direct + shared + unallocated + unowned + rounding."""

    bill = DocumentAmountField()
    direct = DocumentAmountField()
    shared = DocumentAmountField()
    unallocated = DocumentAmountField()
    unowned = DocumentAmountField()
    corrections = DocumentAmountField()
    given_back = DocumentAmountField()
    rounding = DocumentAmountField(help_text="of months closed before all parts were rounded together; else zero")
    exact_bill = ExactAmountField("bill")
    exact_direct = ExactAmountField("direct")
    exact_shared = ExactAmountField("shared")
    exact_unallocated = ExactAmountField("unallocated")
    exact_unowned = ExactAmountField("unowned")

    class Meta:
        model = MonthTotal
        fields = [
            "currency",
            "bill",
            "direct",
            "shared",
            "unallocated",
            "unowned",
            "rounding",
            "corrections",
            "given_back",
            "exact_bill",
            "exact_direct",
            "exact_shared",
            "exact_unallocated",
            "exact_unowned",
        ]


class StatementSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team_name")
    team_id = serializers.IntegerField()
    direct = DocumentAmountField()
    shared = DocumentAmountField()
    spread = DocumentAmountField()
    corrections = DocumentAmountField()
    adjustments = DocumentAmountField()
    total = DocumentAmountField()
    exact_total = ExactAmountField("total")

    class Meta:
        model = Statement
        fields = [
            "number",
            "team",
            "team_id",
            "cost_center",
            "currency",
            "direct",
            "shared",
            "spread",
            "corrections",
            "adjustments",
            "total",
            "exact_total",
        ]


class StatementLineSerializer(ExactModelSerializer):
    amount = DocumentAmountField(currency="statement.currency")
    exact_amount = ExactAmountField("amount")
    pool = serializers.CharField(
        source="pool_name", default=None, allow_null=True, help_text="as it was called when the line was written"
    )
    corrects = serializers.CharField(
        source="corrects.number", default=None, allow_null=True, help_text="the number of the statement it corrects"
    )

    class Meta:
        model = StatementLine
        fields = ["id", "kind", "label", "service", "pool", "corrects", "amount", "exact_amount", "formula"]


class ChargebackMonthSerializer(ExactModelSerializer):
    """A billing month of chargeback: bill = direct + shared + unallocated + unowned, in each currency."""

    month = MonthTextField(source="billing_month")
    totals = MonthTotalSerializer(many=True, help_text="for those who see the whole company; empty for others")

    class Meta:
        model = ChargebackPeriod
        fields = ["month", "state", "basis", "discounts", "closed_at", "set_aside_at", "totals"]

    def to_representation(self, instance: ChargebackPeriod) -> dict[str, Any]:
        data = super().to_representation(instance)
        return data if self.context["user"].sees_whole_company else {**data, "totals": []}


class ChargebackSerializer(ChargebackMonthSerializer):
    """The month with the statements that you may see, and what the bills know of it."""

    statements = serializers.SerializerMethodField()
    known = serializers.SerializerMethodField()

    class Meta(ChargebackMonthSerializer.Meta):
        fields = [*ChargebackMonthSerializer.Meta.fields, "statements", "known"]

    @extend_schema_field(KnownSerializer)
    def get_known(self, period: ChargebackPeriod) -> dict[str, Any]:
        return known_of_month(self.context["user"], period, timezone.now().date()).as_json()

    @extend_schema_field(StatementSerializer(many=True))
    def get_statements(self, period: ChargebackPeriod) -> list[dict[str, Any]]:
        rows = Statement.objects.visible_to(self.context["user"]).filter(period=period)
        return StatementSerializer(rows, many=True).data


class StatementWithLinesSerializer(StatementSerializer):
    """A statement with its lines."""

    lines = StatementLineSerializer(many=True)

    class Meta(StatementSerializer.Meta):
        fields = [*StatementSerializer.Meta.fields, "lines"]


class ChargebackView(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_statement"

    def period(self, text: str) -> ChargebackPeriod:
        try:
            start = Month.parse(text).start
        except ValueError as error:
            raise Http404(str(error)) from None
        return get_object_or_404(ChargebackPeriod.objects.prefetch_related("totals"), billing_month=start)


def _months(request: Request, rows: QuerySet[ChargebackPeriod]) -> Any:
    months = rows.prefetch_related("totals")
    return ChargebackMonthSerializer(months, many=True, context={"user": request.user}).data


class ChargebackMonths(ChargebackView):
    # No docstring: the schema shows the summary.

    @extend_schema(summary="Months of chargeback, the latest first", responses=ChargebackMonthSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(_months(request, ChargebackPeriod.objects.all()))


class ChargebackMonth(ChargebackView):
    @extend_schema(
        summary="One billing month: its equation and the statements you may see",
        parameters=[MONTH],
        responses=ChargebackSerializer,
    )
    def get(self, request: Request, month: str) -> Response:
        return Response(ChargebackSerializer(self.period(month), context={"user": request.user}).data)


class ChargebackTeam(ChargebackView):
    @extend_schema(
        summary="One team's statements of a billing month, one for each currency, with their lines",
        parameters=[MONTH, OpenApiParameter("team", int, OpenApiParameter.PATH, description="the team's id")],
        responses=StatementWithLinesSerializer(many=True),
    )
    def get(self, request: Request, month: str, team: int) -> Response:
        period = self.period(month)
        visible_team = get_object_or_404(Team.objects.visible_to(request.user), pk=team)
        rows = Statement.objects.visible_to(request.user).filter(period=period, team=visible_team)
        # Django gives each line its statement, whose currency says how many places its amount has.
        statements = rows.prefetch_related("lines__corrects").order_by("currency")
        return Response(StatementWithLinesSerializer(statements, many=True).data)


class AsideBodySerializer(serializers.Serializer):
    and_before = serializers.BooleanField(default=False, help_text="with every draft before it")


class SetMonthAside(ChargebackView):
    write_permission_required = "tagging.close_chargebackperiod"

    @extend_schema(
        summary="Set a month before the first closing aside: nobody is charged for it",
        parameters=[MONTH],
        request=AsideBodySerializer,
        responses={200: ChargebackMonthSerializer(many=True), 400: REFUSED},
        operation_id="chargeback_aside_create",
    )
    def post(self, request: Request, month: str) -> Response:
        period = self.period(month)
        body = AsideBodySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        with refusals(closing.CannotClose):
            months = closing.set_aside(period, request.user, timezone.now(), **body.validated_data)
        rows = ChargebackPeriod.objects.filter(billing_month__in=[one.start for one in months])
        return Response(_months(request, rows))


class TakeMonthBack(ChargebackView):
    write_permission_required = "tagging.close_chargebackperiod"

    @extend_schema(
        summary="Make a month that was set aside a draft again",
        parameters=[MONTH],
        request=None,
        responses={200: ChargebackMonthSerializer, 400: REFUSED},
    )
    def post(self, request: Request, month: str) -> Response:
        period = self.period(month)
        with refusals(closing.CannotClose):
            closing.take_back(period)
        return Response(ChargebackMonthSerializer(period, context={"user": request.user}).data)
