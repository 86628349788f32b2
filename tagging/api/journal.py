"""The API of the journal: the layouts that ledgers read, and the journal of a month in one of them."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costs.api.serializers import KnownSerializer
from finops_site.api.base import HoldsPermission, refusals
from finops_site.api.csv_rows import CSV
from finops_site.api.form_bodies import form_errors
from finops_site.ui.downloads import csv_download
from tagging.calc.journal import CannotBook, amount_text
from tagging.calc.journal_layouts import LAYOUTS
from tagging.chargeback.api import MONTH, ChargebackView
from tagging.chargeback.exports import make_journal
from tagging.chargeback.periods import known_of_month
from tagging.chargeback.web.forms import JournalForm

USUAL_LAYOUT = "plain"


class JournalLayoutSerializer(serializers.Serializer):
    name = serializers.CharField(help_text="as `layout` takes it")
    label = serializers.CharField(help_text="the ledger that reads it")
    columns = serializers.ListField(child=serializers.CharField())


class JournalSumSerializer(serializers.Serializer):
    currency = serializers.CharField()
    debit = serializers.CharField(help_text="equal to `credit`")
    credit = serializers.CharField()


class JournalSerializer(serializers.Serializer):
    """The journal of a closed month, or the accruals of a draft and their reversal."""

    name = serializers.CharField()
    month = serializers.CharField()
    state = serializers.CharField(help_text="of the month: a draft's are accruals")
    layout = serializers.CharField()
    posted = serializers.DateField()
    reversed_on = serializers.DateField(allow_null=True, help_text="of accruals; null for a closed month")
    sums = JournalSumSerializer(many=True)
    results = serializers.ListField(
        child=serializers.DictField(), help_text="a row for each entry, by the columns of the layout"
    )
    known = KnownSerializer()


class JournalLayouts(APIView):
    permission_classes = [HoldsPermission]
    permission_required = "tagging.close_chargebackperiod"

    @extend_schema(
        summary="The columns that a journal is written in, by the ledger that reads them",
        responses=JournalLayoutSerializer(many=True),
        operation_id="journal_layouts_list",
    )
    def get(self, request: Request) -> Response:
        rows = [
            {"name": name, "label": layout.label, "columns": list(layout.columns)} for name, layout in LAYOUTS.items()
        ]
        return Response(rows)


class JournalOfMonth(ChargebackView):
    permission_required = "tagging.close_chargebackperiod"

    @extend_schema(
        summary="The journal of a month, in the columns of a ledger",
        description="`format=csv` is the file that the ledger imports.",
        parameters=[
            MONTH,
            OpenApiParameter("layout", str, enum=list(LAYOUTS), default=USUAL_LAYOUT, description="in whose columns"),
            OpenApiParameter(
                "posted", OpenApiTypes.DATE, description="the posting date; left out: the last day of the month"
            ),
        ],
        responses=JournalSerializer,
    )
    def get(self, request: Request, month: str) -> Any:
        period = self.period(month)
        names = ("layout", "posted")
        query = {name: request.query_params[name] for name in names if name in request.query_params}
        form = JournalForm({"layout": USUAL_LAYOUT, **query})
        if not form.is_valid():
            raise ValidationError(form_errors(form))
        layout = form.cleaned_data["layout"]
        with refusals(CannotBook):
            made = make_journal(period, form.cleaned_data["posted"])
            header, *rows = made.rows(layout)
        if request.accepted_renderer.format == CSV:
            return csv_download([header, *rows], f"journal {made.name}", for_excel=False)
        return Response(
            {
                "name": made.name,
                "month": made.month,
                "state": period.state,
                "layout": layout,
                "posted": made.posted,
                "reversed_on": made.reversed_on,
                "sums": [
                    {"currency": code, "debit": amount_text(debit, code), "credit": amount_text(credit, code)}
                    for code, (debit, credit) in made.sums().items()
                ],
                "results": [dict(zip(map(str, header), row, strict=True)) for row in rows],
                "known": known_of_month(request.user, period, timezone.now().date()).as_json(),
            }
        )
