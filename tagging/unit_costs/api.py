"""The API of business metrics: programs read them and feed counts."""

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, HoldsPermission
from tagging.calc import unit_costs
from tagging.models import Metric
from tagging.unit_costs import business_metrics

MOST_AT_ONCE = 10_000


class MetricValueInput(serializers.Serializer):
    team = serializers.CharField(max_length=100)
    day = serializers.CharField(max_length=10, help_text="2026-03-31, or 2026-03 of a metric by month")
    value = serializers.CharField(max_length=60, help_text="an exact number, not negative")


class MetricFeed(serializers.Serializer):
    metric = serializers.CharField(max_length=100)
    grain = serializers.ChoiceField(choices=Metric.Grain.choices, default=Metric.Grain.DAY)
    values = MetricValueInput(many=True)


class MetricFeedResult(serializers.Serializer):
    metric = serializers.CharField()
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    same = serializers.IntegerField()


class MetricSerializer(serializers.Serializer):
    metric = serializers.CharField(source="name")
    grain = serializers.CharField()
    description = serializers.CharField()


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
            metric, _ = Metric.objects.get_or_create(name=name.strip(), defaults={"grain": grain})
            entries = _entries(rows, metric.grain)
            difference = business_metrics.save_values(metric, entries, user=request.user, now=timezone.now())
        result = {"new": difference.new, "changed": difference.changed, "same": difference.same}
        return Response({"metric": metric.name, **result})


def _entries(rows: list[dict[str, str]], grain: str) -> list[unit_costs.MetricEntry]:
    """The values of a feed; raises ValidationError with every one that cannot be used."""
    teams, values, errors = business_metrics.team_ids_by_name(), {}, []
    for place, row in enumerate(rows):
        try:
            key = unit_costs.as_team(row["team"], teams), unit_costs.as_day(row["day"], grain)
            if key in values:
                raise unit_costs.InvalidValue("day", row["day"], f"{row['team']} has {row['day']} twice.")
            values[key] = unit_costs.as_value(row["value"])
        except unit_costs.InvalidValue as error:
            errors.append(f"values[{place}].{error.column}: {error}")
    if errors:
        raise ValidationError({"values": errors[:100]})
    return [unit_costs.MetricEntry(team, day, value) for (team, day), value in values.items()]
