"""The site's own pages for programs: reports, figures of the programme, what waits, health, the audit log."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import ExactDecimalField, HoldsPermission, KeysetPages, VisibleRows
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.models import AuditEntry
from finops_site.ops import health
from finops_site.people.roles import role_of
from finops_site.registry import Better, HealthState, PendingDecision, ToDo, Unit, registry
from finops_site.reports import monthly_report
from finops_site.ui.pending_decisions import waiting_for
from finops_site.ui.to_do import find_to_do

MONTH = OpenApiParameter("month", str, OpenApiParameter.PATH, description="like 2026-03")


class ReportMonthSerializer(serializers.Serializer):
    month = serializers.CharField(help_text="2026-03")
    description = serializers.CharField(allow_blank=True)


class KpiSerializer(serializers.Serializer):
    """A figure of the programme against its target; a percentage is 70 for 70 %."""

    name = serializers.CharField()
    label = serializers.CharField()
    value = ExactDecimalField(max_digits=38, decimal_places=18, allow_null=True)
    unit = serializers.ChoiceField([str(unit) for unit in Unit])
    currency = serializers.CharField(allow_blank=True, help_text="of money; empty for anything else")
    target = ExactDecimalField(max_digits=38, decimal_places=18, allow_null=True)
    better = serializers.ChoiceField([str(better) for better in Better])
    met = serializers.BooleanField(allow_null=True, help_text="null where there is no value or no target")
    description = serializers.CharField()


class ReportPartSerializer(serializers.Serializer):
    """A section of the report, as the page and the PDF draw it. An amount is exact text beside its currency."""

    name = serializers.CharField()
    title = serializers.CharField()
    text = serializers.ListField(child=serializers.CharField())
    stats = serializers.ListField(child=serializers.DictField())
    charts = serializers.ListField(child=serializers.DictField())
    tables = serializers.ListField(child=serializers.DictField(), help_text="title, head, rows and totals of cells")


class GateSerializer(serializers.Serializer):
    label = serializers.CharField()
    value = serializers.CharField()
    target = serializers.CharField(allow_blank=True)
    state = serializers.CharField(allow_blank=True, help_text="met, not met, or empty")
    description = serializers.CharField()


class ReportSerializer(serializers.Serializer):
    month = serializers.CharField()
    title = serializers.CharField()
    subtitle = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    gates = GateSerializer(many=True, help_text="the figures of the programme on the month's last day, in words")
    parts = ReportPartSerializer(many=True)


class HealthStatusSerializer(serializers.Serializer):
    group = serializers.CharField()
    label = serializers.CharField()
    state = serializers.ChoiceField([str(state) for state in HealthState])
    message = serializers.CharField()


class PendingDecisionSerializer(serializers.Serializer):
    text = serializers.CharField()
    url = serializers.CharField(help_text="the page where it is decided")


class ReportMonths(APIView):
    # No docstrings here: the description shows the summaries.
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"

    @extend_schema(
        summary="Months that have a report for you, the newest first",
        responses=ReportMonthSerializer(many=True),
        operation_id="reports_list",
    )
    def get(self, request: Request) -> Response:
        months = registry.report_months(request.user, timezone.now().date())
        rows = [{"month": str(row.month), "description": row.description} for row in months]
        return Response(ReportMonthSerializer(rows, many=True).data)


class ReportOfMonth(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"

    @extend_schema(
        summary="The report of a month, as its page and its PDF", parameters=[MONTH], responses=ReportSerializer
    )
    def get(self, request: Request, month: str) -> Response:
        today = timezone.now().date()
        try:
            wanted = Month.parse(month)
        except ValueError as error:
            raise Http404(str(error)) from None
        if wanted not in {row.month for row in registry.report_months(request.user, today)}:
            raise Http404("no report of that month")
        report = monthly_report.make_report(request.user, wanted, today)
        answer = {
            "month": str(report.month),
            "title": report.title,
            "subtitle": report.subtitle,
            "summary": report.summary,
            "gates": [{name: getattr(gate, name) for name in GateSerializer().fields} for gate in report.gates],
            "parts": [
                {name: _plain(getattr(part, name)) for name in ReportPartSerializer().fields} for part in report.parts
            ],
        }
        return Response(answer)


class Kpis(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"

    @extend_schema(
        summary="The figures of the programme, as the home page shows them", responses=KpiSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        rows = [
            {
                "name": kpi.name,
                "label": kpi.label,
                "value": measure.value,
                "unit": str(measure.unit),
                "currency": measure.currency,
                "target": measure.target,
                "better": str(measure.better),
                "met": measure.met,
                "description": measure.description,
            }
            for kpi, measure in registry.measures(request.user, timezone.now().date())
        ]
        return Response(KpiSerializer(rows, many=True).data)


class PendingDecisions(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"

    @extend_schema(summary="What waits for your decision", responses=PendingDecisionSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = [{"text": item.text, "url": item.url} for item in waiting_for(request.user)]
        return Response(PendingDecisionSerializer(rows, many=True).data)


class ToDoItemSerializer(serializers.Serializer):
    text = serializers.CharField()
    url = serializers.CharField()
    amount = serializers.CharField(
        allow_null=True, help_text="the money that is at stake, as exact text; null: unknown"
    )
    currency = serializers.CharField()
    note = serializers.CharField()


class ToDoGroupSerializer(serializers.Serializer):
    label = serializers.CharField()
    url = serializers.CharField(help_text="the list of all of them; empty where there is none")
    count = serializers.IntegerField(help_text="how many there are, of which the first are listed")
    items = ToDoItemSerializer(many=True, source="shown")


class ToDoSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    decisions = ToDoItemSerializer(many=True)
    groups = ToDoGroupSerializer(many=True)


class ToDoView(APIView):
    """What the page *What to do* lists: decisions that wait for you, then the rest by kind."""

    permission_classes = [HoldsPermission]
    permission_required = ""

    @extend_schema(summary="What there is to do for you", responses=ToDoSerializer)
    def get(self, request: Request) -> Response:
        to_do = find_to_do(request.user, role_of(request.user))
        groups = [
            {"label": group.label, "url": group.url, "count": group.count, "shown": [*map(_to_do_item, group.items)]}
            for group in to_do.groups
        ]
        answer = {"count": to_do.count, "decisions": [*map(_to_do_item, to_do.decisions)], "groups": groups}
        return Response(ToDoSerializer(answer).data)


def _to_do_item(item: ToDo | PendingDecision) -> dict[str, str | None]:
    amount = None if item.amount is None else exact_text(item.amount)
    return {"text": item.text, "url": item.url, "amount": amount, "currency": item.currency, "note": item.note}


class HealthOfSystem(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "finops_site.view_nightlyrun"

    @extend_schema(summary="How the system is, as on the page Health", responses=HealthStatusSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = [
            {"group": group.title, "label": row.label, "state": str(row.state), "message": row.message}
            for group in health.groups(timezone.now())
            for row in group.statuses
        ]
        return Response(HealthStatusSerializer(rows, many=True).data)


class AuditEntrySerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="who", help_text="the address of a person; empty: the system itself")
    thing = serializers.CharField(source="model", help_text="what kind of row, like budgets.budget")
    changes = serializers.SerializerMethodField(help_text="{field: [before, after]}; amounts are text")
    remote_addr = serializers.CharField(source="address", allow_null=True, help_text="where the request came from")
    hash = serializers.SerializerMethodField(help_text="hexadecimal; null until it is sealed")

    class Meta:
        model = AuditEntry
        fields = [
            *("id", "at", "action", "by", "thing", "object_pk", "name", "changes", "remote_addr"),
            *("door", "through", "request", "number", "hash"),
        ]

    @extend_schema_field(serializers.DictField())
    def get_changes(self, entry: AuditEntry) -> dict[str, Any]:
        return entry.changes or {}

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_hash(self, entry: AuditEntry) -> str | None:
        return None if entry.hash is None else bytes(entry.hash).hex()


class AuditFilter(filters.FilterSet):
    thing = filters.CharFilter(method="filter_thing", help_text="the kind of row, like budgets.budget or budget")
    object_pk = filters.CharFilter()
    by = filters.CharFilter(field_name="who", lookup_expr="iexact", help_text="the address of a person")
    action = filters.ChoiceFilter(choices=AuditEntry.Action.choices)
    door = filters.ChoiceFilter(choices=AuditEntry.Door.choices, help_text="how it was done")
    request_id = filters.CharFilter(field_name="request", help_text="what one request or task wrote")
    after_number = filters.NumberFilter(field_name="number", lookup_expr="gt", help_text="sealed behind that number")
    after_day = filters.DateFilter(field_name="at", lookup_expr="date__gte", help_text="on that day or later")
    before_day = filters.DateFilter(field_name="at", lookup_expr="date__lt", help_text="before that day")

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    def filter_thing(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(model=value.lower()) if "." in value else rows.filter(model__endswith=f".{value.lower()}")


@extend_schema_view(
    list=extend_schema(summary="The audit log: who did what, the newest first"),
    retrieve=extend_schema(summary="One entry of the audit log"),
)
class AuditViewSet(VisibleRows, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Who did what, from what to what, when and from where: for those who may open the log."""

    queryset = AuditEntry.objects.all()
    serializer_class = AuditEntrySerializer
    permission_classes = [HoldsPermission]
    permission_required = "finops_site.view_auditentry"
    filterset_class = AuditFilter
    pagination_class = KeysetPages
    keyset = ("-id",)
    lookup_value_regex = r"\d{1,18}"


def _plain(value: Any) -> Any:
    """The same without numbers of a kind that JSON would round: an exact amount is text."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "as_tuple"):
        return exact_text(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
