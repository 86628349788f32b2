"""The API of business metrics and unit costs: programs read both and feed counts."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from costs.query.known_until import known_in
from costs.query.question import company_metric
from finops_site.api.base import BadRequest, ExactDecimalField, HoldsPermission
from finops_site.lib.addresses import BadFilter
from finops_site.lib.periods import Period
from finops_site.lib.person import Person
from finops_site.models import Team
from tagging.calc import unit_costs
from tagging.calc.unit_costs import EntryKey, MetricEntry
from tagging.models import Metric
from tagging.unit_costs import business_metrics

MOST_AT_ONCE = 10_000


class MetricValueInput(serializers.Serializer):
    team = serializers.CharField(max_length=100, required=False, default="", help_text="of a metric counted for teams")
    of = serializers.CharField(
        max_length=500, required=False, default="", help_text="the product or value of a tag; of a pool, its name or id"
    )
    day = serializers.CharField(max_length=10, help_text="2026-03-31, or 2026-03 of a metric by month")
    value = serializers.CharField(max_length=60, help_text="an exact number, not negative")


class MetricFeed(serializers.Serializer):
    metric = serializers.CharField(max_length=100)
    grain = serializers.ChoiceField(choices=Metric.Grain.choices, default=Metric.Grain.DAY)
    counted_for = serializers.CharField(
        max_length=160,
        default=unit_costs.TEAM,
        help_text="of a new metric: team, company, or a dimension of cost, tag:Product",
    )
    values = MetricValueInput(many=True)


class MetricFeedResult(serializers.Serializer):
    metric = serializers.CharField()
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    same = serializers.IntegerField()


class MetricSerializer(serializers.Serializer):
    metric = serializers.CharField(source="name")
    grain = serializers.CharField()
    counted_for = serializers.CharField()
    description = serializers.CharField()
    target = ExactDecimalField(max_digits=38, decimal_places=18, allow_null=True)
    target_currency = serializers.CharField()
    revenue_currency = serializers.CharField()


class UnitCostPointSerializer(serializers.Serializer):
    day = serializers.DateField(help_text="a month is its first day")
    cost = ExactDecimalField(max_digits=None, decimal_places=None, allow_null=True, help_text="null: not in the bills")
    units = ExactDecimalField(max_digits=None, decimal_places=None, allow_null=True, help_text="null: not counted")
    per_unit = ExactDecimalField(max_digits=None, decimal_places=None, allow_null=True)
    margin = ExactDecimalField(
        max_digits=None,
        decimal_places=None,
        allow_null=True,
        help_text="of revenue alone, in its currency, after the cost in every currency; once for each name, with the "
        "cost in that currency, or with the first where there is none",
    )
    why = serializers.CharField(help_text="why there is no cost per unit, or no margin of revenue")


class UnitCostSerializer(serializers.Serializer):
    name = serializers.CharField(help_text="the team, product or value of a tag; Whole company")
    currency = serializers.CharField()
    per_unit = ExactDecimalField(
        max_digits=None,
        decimal_places=None,
        allow_null=True,
        help_text="of all days that have units and all of their cost",
    )
    points = UnitCostPointSerializer(many=True)


class UnitCostAnswer(serializers.Serializer):
    metric = MetricSerializer(allow_null=True)
    basis = serializers.CharField()
    results = UnitCostSerializer(many=True)
    unmatched = serializers.ListField(
        child=serializers.CharField(), help_text="what was counted and has no cost in these months, in sentences"
    )
    known = serializers.DictField(help_text="what the costs lack, as in `spend/`")


class BusinessMetrics(APIView):
    """What the business counts: orders, customers, per team and day or month."""

    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_metric"
    write_permission_required = "tagging.change_metric"

    @extend_schema(responses={200: MetricSerializer(many=True)}, operation_id="business_metrics_list")
    def get(self, request: Request) -> Response:
        return Response(MetricSerializer(Metric.objects.visible_to(request.user), many=True).data)

    @extend_schema(request=MetricFeed, responses={200: MetricFeedResult, 400: BadRequest})
    def post(self, request: Request) -> Response:
        """Saves counts, each in the place of what was there for its team and day; all of them or none."""
        feed = MetricFeed(data=request.data)
        feed.is_valid(raise_exception=True)
        name, grain, rows = (feed.validated_data[field] for field in ("metric", "grain", "values"))
        if len(rows) > MOST_AT_ONCE:
            raise ValidationError({"values": [f"At most {MOST_AT_ONCE} at once."]})
        with transaction.atomic():
            counted_for = feed.validated_data["counted_for"]
            if problem := business_metrics.counted_for_problem(counted_for):
                raise ValidationError({"counted_for": [problem]})
            defaults = {"grain": grain, "counted_for": counted_for}
            metric, _ = Metric.objects.get_or_create(name=name.strip(), defaults=defaults)
            entries = _entries(rows, metric)
            difference = business_metrics.save_values(metric, entries, user=request.user, now=timezone.now())
        result = {"new": difference.new, "changed": difference.changed, "same": difference.same}
        return Response({"metric": metric.name, **result})


class UnitCostsView(APIView):
    """What one order or customer costs a team, a product or the company: the figures of the page."""

    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_metric"

    @extend_schema(
        summary="Cost per unit of a metric",
        operation_id="unit_costs_retrieve",
        parameters=[
            OpenApiParameter("metric", str, description="its name; the first one by default"),
            OpenApiParameter("from", str, description="a month, 2026-01; the last three that have counts by default"),
            OpenApiParameter("to", str, description="a month, that one included"),
            OpenApiParameter(
                "basis", str, enum=list(business_metrics.BASES), description="the company's cost by default"
            ),
            OpenApiParameter("cost", str, enum=["direct", "shared"], default="direct", description="of teams"),
            OpenApiParameter("by", str, enum=["day", "month"], description="day where the metric is counted by day"),
        ],
        responses={200: UnitCostAnswer, 400: BadRequest},
    )
    def get(self, request: Request) -> Response:
        wanted = {name: request.query_params.get(name, default) for name, default in ASKED.items()}
        wanted["basis"] = wanted["basis"] or company_metric()
        if unknown := sorted(set(request.query_params) - {*ASKED, "format"}):
            raise ValidationError({unknown[0]: [f"There is no such parameter: use {', '.join(ASKED)}."]})
        for name, allowed in CHOICES.items():
            if wanted[name] not in allowed:
                raise ValidationError({name: [f"Use {' or '.join(filter(None, allowed))}."]})
        metrics = Metric.objects.visible_to(request.user)
        chosen = metrics.filter(name=wanted["metric"]) if wanted["metric"] else metrics
        metric = chosen.first() if "\0" not in wanted["metric"] else None
        if metric is None and wanted["metric"]:
            raise ValidationError({"metric": [f"There is no metric {wanted['metric']!r}."]})
        try:
            today = timezone.now().date()
            period = business_metrics.chosen_period(metric, wanted["from"], wanted["to"], today)
        except BadFilter as error:
            raise ValidationError({"from": [str(error)]}) from None
        return Response(_answer(request.user, metric, period, wanted))


ASKED = {"metric": "", "from": "", "to": "", "basis": "", "cost": "direct", "by": ""}
CHOICES = {"basis": (*business_metrics.BASES,), "cost": ("direct", "shared"), "by": ("", "day", "month")}


def _answer(user: Person, metric: Metric | None, period: Period, wanted: dict[str, str]) -> dict[str, Any]:
    known = known_in(user, period, timezone.now().date(), metric=wanted["basis"]).as_json()
    results, unmatched = _results(user, metric, period, wanted) if metric else ([], [])
    answer = {"metric": metric, "basis": wanted["basis"], "results": results, "unmatched": unmatched, "known": known}
    return dict(UnitCostAnswer(answer).data)


def _results(
    user: Person, metric: Metric, period: Period, wanted: dict[str, str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The unit costs, and what of the counts has no cost."""
    teams = list(Team.objects.visible_to(user).order_by("name"))
    answer = business_metrics.find_unit_costs(
        user, metric, teams, period, wanted["basis"], timezone.now().date(), shared=wanted["cost"] == "shared"
    )
    costs = answer.series
    totals = business_metrics.beside(costs, metric.revenue_currency, metric, period)
    if wanted["by"] == "month" and metric.grain == Metric.Grain.DAY:
        costs = business_metrics.by_month(costs)
        totals = [total and business_metrics.by_month([total])[0] for total in totals]
    results = []
    for one, total in zip(costs, totals, strict=True):
        margins = total.points if total else [None] * len(one.points)
        points = [
            {
                **{name: getattr(point, name) for name in ("day", "cost", "units", "per_unit")},
                "margin": of_all and of_all.margin,
                "why": point.why or (of_all.lack if of_all else ""),
            }
            for point, of_all in zip(one.points, margins, strict=True)
        ]
        per_unit = unit_costs.overall(one.points).per_unit
        results.append({"name": one.name, "currency": one.currency, "per_unit": per_unit, "points": points})
    return results, business_metrics.without_cost_words(metric, answer.without_cost)


def _entries(rows: list[dict[str, str]], metric: Metric) -> list[unit_costs.MetricEntry]:
    """The values of a feed; raises ValidationError with every one that cannot be used."""
    teams, known = business_metrics.team_ids(), business_metrics.known_groups(metric.counted_for)
    entries, errors = dict[EntryKey, MetricEntry](), list[str]()
    for place, row in enumerate(rows):
        try:
            other = "of" if metric.counted_for == unit_costs.TEAM else "team"
            if row[other]:
                raise unit_costs.InvalidValue(other, row[other], f"{metric} is counted for {metric.counted_for}.")
            team, of = unit_costs.as_group(row["team"] or row["of"], metric.counted_for, teams, known)
            entry = MetricEntry(
                team, unit_costs.as_day(row["day"], metric.grain), unit_costs.as_value(row["value"]), of
            )
            if entry.key in entries:
                name = row["team"] or row["of"] or "The company"
                raise unit_costs.InvalidValue("day", row["day"], f"{name} has {row['day']} twice.")
            entries[entry.key] = entry
        except unit_costs.InvalidValue as error:
            errors.append(f"values[{place}].{error.column}: {error}")
    if errors:
        raise ValidationError({"values": errors[:100]})
    return list(entries.values())
