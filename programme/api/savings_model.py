"""The API of the savings model: the same figures and the same change of an assumption as on its pages."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import (
    BadRequest,
    ExactDecimalField,
    ExactModelSerializer,
    HoldsPermission,
    Pages,
    VisibleRows,
    conflicts,
    refusals,
)
from programme.calc.savings_model import CASES, HUNDRED, LEVERS, AssumptionUnit
from programme.models import Assumption, AssumptionChange
from programme.savings_model import assumptions
from programme.savings_model.assumptions import CannotChange, WasChanged
from programme.savings_model.evidence_rows import evidence_rows
from programme.savings_model.figures import SavingsFigures, load_figures

VIEW, CHANGE = "programme.view_assumption", "programme.change_assumption"
REFUSED = OpenApiResponse(BadRequest, "It cannot be changed so: `detail` holds the reason.")
NUMBER: dict[str, Any] = {"max_digits": 60, "decimal_places": 30}


def amount(**options: Any) -> ExactDecimalField:
    return ExactDecimalField(**NUMBER, allow_null=True, **options)


class SavingsCaseSerializer(serializers.Serializer):
    """A case: savings of a year, what follows, and the investment; null is not known."""

    case = serializers.ChoiceField(list(CASES))
    savings = serializers.DictField(child=amount(), help_text="{pillar: saved in a year}")
    total = amount()
    investment = amount()
    roi = amount(help_text="(total - investment) / investment, in per cent")
    payback = amount(help_text="in months")


class StatedSerializer(serializers.Serializer):
    """A claim of the plan against what follows from its assumptions: the conservative case, then the optimistic one."""

    name = serializers.CharField()
    unit = serializers.ChoiceField([str(unit) for unit in AssumptionUnit])
    stated = serializers.ListField(child=amount())
    follows = serializers.ListField(child=amount())
    differences = serializers.ListField(child=amount(), help_text="what follows less what was stated")


class RealisedMonthSerializer(serializers.Serializer):
    month = serializers.CharField(help_text="2026-03")
    by_lever = serializers.DictField(child=amount(), help_text="null: nothing is proved of that month")
    total = amount()


class SavingsModelSerializer(serializers.Serializer):
    """The model and what is realised, in one currency; `apart` are sums that no exchange rate converts."""

    currency = serializers.CharField()
    start = serializers.CharField(help_text="the month from which savings count")
    cases = SavingsCaseSerializer(many=True)
    stated = StatedSerializer(many=True)
    realised = amount(help_text="since the start; null while nothing is proved")
    realised_by_month = RealisedMonthSerializer(many=True)
    apart = serializers.DictField(child=amount())
    paid = amount(help_text="for the programme, as entered")
    realised_roi = amount(help_text="(realised - paid) / paid, in per cent")
    payback = serializers.IntegerField(allow_null=True, help_text="months until realised had reached paid")


def model_as_json(figures: SavingsFigures) -> dict[str, Any]:
    """The figures as SavingsModelSerializer takes them."""
    realised, share = figures.realised, figures.realised_return
    return {
        "currency": figures.model.currency,
        "start": str(figures.model.month),
        "cases": [
            {
                "case": case.case,
                "savings": case.savings,
                "total": case.total,
                "investment": case.investment,
                "roi": None if case.roi is None else case.roi * HUNDRED,
                "payback": case.payback,
            }
            for case in figures.cases
        ],
        "stated": figures.comparisons,
        "realised": figures.realised_total,
        "realised_by_month": [
            {
                "month": str(month),
                "by_lever": {lever: realised.of_month(month, lever) for lever in LEVERS},
                "total": realised.of_month(month),
            }
            for month in figures.months
        ],
        "apart": realised.apart,
        "paid": figures.paid,
        "realised_roi": None if share is None else share * HUNDRED,
        "payback": figures.payback,
    }


class SavingsModelView(APIView):
    """The savings model; 404 while there is none."""

    permission_classes = [HoldsPermission]
    permission_required = VIEW

    @extend_schema(summary="The savings model, and what is realised", responses=SavingsModelSerializer)
    def get(self, request: Request) -> Response:
        figures = load_figures(request.user, timezone.now().date())
        if figures is None:
            raise Http404
        return Response(SavingsModelSerializer(model_as_json(figures)).data)


class SavingsEvidenceSerializer(serializers.Serializer):
    """What a pillar proves of a month, and how much of it counts: what others show already counts once."""

    month = serializers.CharField(help_text="2026-03")
    lever = serializers.ChoiceField(list(LEVERS))
    what = serializers.CharField()
    amount = ExactDecimalField(**NUMBER)
    counted = ExactDecimalField(**NUMBER)
    currency = serializers.CharField()
    source = serializers.CharField()
    evidence = serializers.CharField()
    url = serializers.CharField()
    same_as = serializers.CharField(help_text="rows that show the rest of it")


class SavingsEvidenceView(APIView):
    """Realised savings, row by row."""

    permission_classes = [HoldsPermission]
    permission_required = VIEW

    @extend_schema(summary="What is proved, row by row", responses=SavingsEvidenceSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(SavingsEvidenceSerializer(evidence_rows(request.user, timezone.now().date()), many=True).data)


class AssumptionSerializer(ExactModelSerializer):
    """An assumption, with what the books say of it; `version` is sent back with a change."""

    unit = serializers.SerializerMethodField()
    changed_by = serializers.CharField(source="changed_by.email", default="", read_only=True)

    class Meta:
        model = Assumption
        fields = ["id", "key", "unit", *CASES, "currency", "source", "changed_by", "changed_at", "version"]

    def get_unit(self, row: Assumption) -> str:
        return str(row.kind.unit)


class AssumptionBodySerializer(serializers.Serializer):
    """What changes of an assumption; what is left out stays. `reason` stands in its history."""

    conservative = amount(required=False)
    expected = amount(required=False)
    optimistic = amount(required=False)
    currency = serializers.CharField(max_length=3, required=False)
    source = serializers.CharField(max_length=500, required=False)
    reason = serializers.CharField(max_length=500)
    version = serializers.IntegerField(required=False, help_text="that was read; another one is refused with 409")


@extend_schema_view(
    list=extend_schema(summary="Assumptions of the savings model"),
    retrieve=extend_schema(summary="One assumption"),
)
class AssumptionViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """What the model takes for granted, in three cases."""

    queryset = Assumption.objects.all()
    serializer_class = AssumptionSerializer
    permission_classes = [HoldsPermission]
    permission_required = VIEW
    write_permission_required = CHANGE
    pagination_class = Pages
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Assumption]:
        return super().get_queryset().select_related("changed_by")

    @extend_schema(
        summary="Change an assumption, with the reason",
        request=AssumptionBodySerializer,
        responses={200: AssumptionSerializer, 400: REFUSED, 409: BadRequest},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        row: Assumption = self.get_object()
        body = AssumptionBodySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        with refusals(CannotChange), conflicts(WasChanged):
            assumptions.change_assumption(
                row.pk,
                user=request.user,
                values={case: sent.get(case, row.values[case]) for case in CASES},
                currency=sent.get("currency", row.currency),
                source=sent.get("source", row.source),
                reason=sent["reason"],
                version=sent.get("version"),
                now=timezone.now(),
            )
        return Response(AssumptionSerializer(self.get_object()).data)


class AssumptionChangeSerializer(serializers.ModelSerializer):
    key = serializers.CharField(source="assumption.key")

    class Meta:
        model = AssumptionChange
        fields = ["id", "key", "at", "by_name", "before", "after", "reason"]


@extend_schema_view(list=extend_schema(summary="Changes of assumptions, the latest first"))
class AssumptionChangeViewSet(VisibleRows, mixins.ListModelMixin, viewsets.GenericViewSet):
    """Every change of every assumption."""

    queryset = AssumptionChange.objects.select_related("assumption")
    serializer_class = AssumptionChangeSerializer
    permission_classes = [HoldsPermission]
    permission_required = VIEW
    pagination_class = Pages
