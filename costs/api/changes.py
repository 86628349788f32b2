"""What changed between two periods and why, by any dimensions: the same comparison as on the page."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costs.api import spend_questions
from costs.api.parameters import FILTERS
from costs.api.serializers import KnownSerializer
from costs.calc.change_parts import KIND_LABELS
from costs.calc.filters import filter_name_pattern, takes_filter
from costs.calc.period_changes import days_just_before, same_part
from costs.query import latest_month
from costs.query.known_until import known_of, known_together
from costs.query.period_comparison import ComparedGroup, compare_periods
from costs.query.question import BadQuestion, Question
from costs.query.stored_values import unmatched_in_all
from costs.querysets import METRICS
from finops_site.api.base import HoldsPermission, refusals
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Period, parse_range
from finops_site.lib.person import Person

AGAINST = ("against_from", "against_to")
PARAMETERS = [
    OpenApiParameter("group_by", str, description="dimensions, like `service` or `team,tag:Environment`"),
    OpenApiParameter("metric", str, enum=METRICS, description="the company's default without it"),
    OpenApiParameter("from", str, description="first month or day; without it the latest month with cost, so far"),
    OpenApiParameter("to", str, description="last month or day, inclusive"),
    OpenApiParameter("against_from", str, description="of what it is compared with: the days just before by default"),
    OpenApiParameter("against_to", str),
    *FILTERS,
]
PARTS_HELP = f"{{kind: amount}}, which sum to the difference: {', '.join(KIND_LABELS)}"


class ChangeSerializer(serializers.Serializer):
    """A group in both periods; null where it has no cost. Its values stand under the names of `group_by` too."""

    label = serializers.CharField(allow_blank=True)
    currency = serializers.CharField()
    before = serializers.CharField(allow_null=True, help_text="exact decimal text")
    after = serializers.CharField(allow_null=True)
    difference = serializers.CharField(help_text="after less before")
    parts = serializers.DictField(child=serializers.CharField(), help_text=PARTS_HELP)


class ChangesSerializer(serializers.Serializer):
    """`totals` are what `results` sum to, by currency, each as it was billed."""

    to = serializers.DateField()
    against_from = serializers.DateField()
    against_to = serializers.DateField()
    group_by = serializers.ListField(child=serializers.CharField())
    metric = serializers.CharField()
    results = ChangeSerializer(many=True, help_text="the largest difference of a currency first")
    totals = ChangeSerializer(many=True)
    unmatched = serializers.ListField(
        child=serializers.CharField(), help_text="values of the filters that neither period has, in sentences"
    )
    known = KnownSerializer(help_text="what both periods lack")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's and cannot name a field above.
        return {"from": serializers.DateField(), **super().get_fields()}


class ChangesView(APIView):
    """The latest month with cost, so far, against the days before, or any two periods."""

    permission_classes = [HoldsPermission]
    permission_required = "costs.view_costline"
    takes_name, name_pattern = staticmethod(takes_filter), filter_name_pattern()
    joined = ("group_by",)

    @extend_schema(
        summary="What changed between two periods, and why", parameters=PARAMETERS, responses=ChangesSerializer
    )
    def get(self, request: Request) -> Response:
        with refusals(ValueError):
            return Response(answer_changes(request.user, request.query_params, timezone.now().date()))


def answer_changes(user: Person, parameters: QueryDict, today: date) -> dict[str, Any]:
    """Raises ValueError, with the reason, for what cannot be compared."""
    own = parameters.copy()
    first, last = ((own.pop(name, None) or [""])[-1] for name in AGAINST)
    if not own.get("from") and not own.get("to"):
        own["from"] = own["to"] = str(latest_month.month(user, today))
    query = spend_questions.read_query(own, user, today)
    if query.question.grain or query.target:
        raise BadQuestion("periods are compared as a whole, each currency as it was billed: leave out `in` and steps.")
    now, before = _compared_days(user, query.question, first, last, today)
    question = query.question.in_period(now)
    compared = compare_periods(user, question, before, top=None)
    both = (question, question.in_period(before))
    known = [known_of(user, one, today) for one in both]
    return {
        "from": now.start,
        "to": now.last_day,
        "against_from": before.start,
        "against_to": before.last_day,
        "group_by": list(query.names),
        "metric": question.metric,
        "results": [_row(group, one.currency, query.names) for one in compared for group in one.groups],
        "totals": [_row(one.total, one.currency, ()) for one in compared],
        "unmatched": unmatched_in_all(user, both),
        "known": known_together(known).as_json(),
    }


def _compared_days(user: Person, question: Question, first: str, last: str, today: date) -> tuple[Period, Period]:
    """The days of a question that are billed, and those they are compared with, as on the page."""
    period = question.period
    now = latest_month.billed_days(user, period, today, question.filters)
    if not first and not last:
        return now, days_just_before(period, now)
    return now, same_part(period, now, parse_range(first or last, last or first))


def _row(group: ComparedGroup, currency: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        **dict(zip(names, group.keys, strict=False)),
        "label": group.label,
        "currency": currency,
        "before": exact_text(group.before),
        "after": exact_text(group.after),
        "difference": exact_text(group.difference),
        "parts": {kind: exact_text(amount or Decimal(0)) for kind, amount in group.parts.items()},
    }
