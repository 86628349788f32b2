"""Invoices by API: programs record them, read them beside the books and sign them off."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from costs.calc.invoice_csv import InvoiceRow
from costs.calc.invoices import Basis, Comparison, InvoiceState
from costs.invoices import records
from costs.invoices.comparison import compare
from costs.models import Invoice
from costs.web.forms import currency_code
from costs.web.invoice_forms import InvoiceFilter
from costs.web.invoice_tables import comparison_notes
from finops_site.api.base import (
    BadRequest,
    ExactModelSerializer,
    HoldsPermission,
    MonthTextField,
    VisibleRows,
    refusals,
)
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month

AMOUNT = {"max_digits": 37, "decimal_places": 18}
SIGN = "costs.sign_off_invoice"


class InvoiceComparisonSerializer(serializers.Serializer):
    """An invoice beside the books; null where the bill is not delivered, which is not zero."""

    state = serializers.ChoiceField([str(state) for state in InvoiceState])
    basis = serializers.ChoiceField([str(basis) for basis in Basis], help_text="which charges it is compared with")
    invoiced = serializers.CharField(help_text="what is compared: the total, without tax where the bill has none")
    books = serializers.CharField(allow_null=True, help_text="what the charges sum to")
    difference = serializers.CharField(allow_null=True, help_text="invoiced less books")
    tolerance = serializers.CharField()
    last_day = serializers.DateField(allow_null=True, help_text="the last day that the bill has charges of")
    compared_with = serializers.ListField(
        child=serializers.IntegerField(), help_text="ids of invoices that were compared together with it"
    )
    notes = serializers.ListField(child=serializers.CharField())


class InvoiceSerializer(ExactModelSerializer):
    billing_month = MonthTextField()
    source = serializers.CharField(source="source.name", allow_null=True, default=None)
    signed_by = serializers.EmailField(source="signed_by.email", allow_null=True, default=None)
    comparison = serializers.SerializerMethodField()

    class Meta:
        model = Invoice
        fields = [
            *(
                "id",
                "issuer",
                "billing_account",
                "billing_month",
                "currency",
                "invoice_id",
                "total",
                "tax",
                "issued_on",
            ),
            *("source", "tolerance_amount", "tolerance_percent", "explanation", "received_at"),
            *("signed_by", "signed_at", "signed_invoiced", "signed_books", "reopened_at", "comparison"),
        ]

    @extend_schema_field(InvoiceComparisonSerializer)
    def get_comparison(self, invoice: Invoice) -> dict[str, Any]:
        comparison: Comparison = self.context["comparisons"][invoice.pk]
        return {
            "state": str(comparison.state),
            "basis": str(comparison.basis),
            "invoiced": exact_text(comparison.invoiced),
            "books": exact_text(comparison.books),
            "difference": exact_text(comparison.difference),
            "tolerance": exact_text(comparison.tolerance),
            "last_day": comparison.last_day,
            "compared_with": [pk for pk in comparison.together if pk != invoice.pk],
            "notes": list(comparison_notes(invoice, comparison)),
        }


class InvoiceInputSerializer(serializers.Serializer):
    """An invoice; one with the same account, month, currency and id gets the new values."""

    billing_account = serializers.CharField(max_length=200, allow_blank=True)
    billing_month = serializers.CharField(max_length=10, help_text="2026-03")
    currency = serializers.CharField(validators=[currency_code])
    total = serializers.DecimalField(**AMOUNT, help_text="what is to be paid, tax included")
    invoice_id = serializers.CharField(max_length=200, allow_blank=True, default="")
    issuer = serializers.CharField(max_length=200, required=False, allow_blank=True)
    tax = serializers.DecimalField(**AMOUNT, required=False, allow_null=True)
    issued_on = serializers.DateField(required=False, allow_null=True)
    tolerance_amount = serializers.DecimalField(**AMOUNT, min_value=0, required=False, allow_null=True)
    tolerance_percent = serializers.DecimalField(9, 6, min_value=0, required=False, allow_null=True)
    explanation = serializers.CharField(max_length=2000, required=False, allow_blank=True)

    def validate_billing_month(self, text: str) -> Any:
        try:
            return Month.parse(text).start
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None

    def validate_currency(self, text: str) -> str:
        return text.upper()


class SignOffSerializer(serializers.Serializer):
    explanation = serializers.CharField(
        max_length=2000,
        required=False,
        allow_blank=True,
        help_text="needed where it differs by more than its tolerance",
    )


@extend_schema_view(
    list=extend_schema(summary="Invoices beside the books, the latest month first"),
    retrieve=extend_schema(summary="One invoice beside the books"),
)
class InvoiceViewSet(VisibleRows, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet):
    """Providers' invoices, for those who see the whole company."""

    queryset = Invoice.objects.all()
    serializer_class = InvoiceSerializer
    permission_classes = [HoldsPermission]
    permission_required = "costs.view_invoice"
    write_permission_required = "costs.add_invoice"
    filterset_class = InvoiceFilter
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().select_related("source", "signed_by")

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """With the comparisons of all invoices that are shown: two queries, however many they are."""
        shown = args[0] if kwargs.get("many") else args[:1]
        context = {**self.get_serializer_context(), "comparisons": compare(list(shown))}
        return super().get_serializer(*args, **kwargs, context=context) if args else super().get_serializer(**kwargs)

    @extend_schema(
        summary="Record an invoice, or give one that is there new values",
        request=InvoiceInputSerializer,
        responses={
            201: InvoiceSerializer,
            200: OpenApiResponse(InvoiceSerializer, "It was there, and has the new values."),
            400: OpenApiResponse(BadRequest, "A field is wrong."),
        },
    )
    def create(self, request: Request) -> Response:
        stated = InvoiceInputSerializer(data=request.data)
        stated.is_valid(raise_exception=True)
        row = InvoiceRow(**stated.validated_data)
        with refusals(records.SignedAlready):
            result = records.upsert_invoices([row], user=request.user, now=timezone.now())
        names = ("billing_account", "billing_month", "currency", "invoice_id")
        invoice = self.get_queryset().get(**dict(zip(names, row.key, strict=True)))
        code = status.HTTP_201_CREATED if result.new else status.HTTP_200_OK
        return Response(self.get_serializer(invoice).data, status=code)

    @extend_schema(
        summary="Sign an invoice off as it stands to the books now",
        request=SignOffSerializer,
        responses={200: InvoiceSerializer, 400: OpenApiResponse(BadRequest, "It cannot be signed off, and why.")},
        filters=False,
    )
    @action(detail=True, methods=["post"], url_path="sign-off", filterset_class=None)
    def sign_off(self, request: Request, pk: str) -> Response:
        stated = SignOffSerializer(data=request.data)
        stated.is_valid(raise_exception=True)
        return self._signed(records.sign_off, **stated.validated_data)

    @extend_schema(
        summary="Take a signature back",
        request=None,
        responses={200: InvoiceSerializer, 400: OpenApiResponse(BadRequest, "It is not signed off.")},
        filters=False,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def reopen(self, request: Request, pk: str) -> Response:
        return self._signed(records.reopen)

    def _signed(self, service: Any, **values: Any) -> Response:
        if not self.request.user.has_perm(SIGN):
            raise PermissionDenied
        invoice = self.get_object()
        with refusals(records.CannotSign):
            service(invoice.pk, user=self.request.user, now=timezone.now(), **values)
        return Response(self.get_serializer(self.get_object()).data)
