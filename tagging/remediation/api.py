"""The API of suggestions, virtual tags and business metrics."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, ExactModelSerializer, HoldsPermission, Pages, Problem, VisibleRows
from tagging import queues
from tagging.calc import unit_costs
from tagging.models import Metric, Suggestion, TaggedResource, VirtualTag
from tagging.remediation import tag_fixes
from tagging.remediation.tag_fixes import RemediationError
from tagging.unit_costs import business_metrics

MOST_AT_ONCE = 10_000


class EvidenceSerializer(serializers.Serializer):
    kind = serializers.CharField()
    words = serializers.CharField()
    agree = serializers.IntegerField(required=False)
    total = serializers.IntegerField(required=False)
    confidence = serializers.CharField(required=False)


class SuggestionSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, help_text="whose resource it is; null: nobody's")
    evidence = EvidenceSerializer(many=True)

    class Meta:
        model = Suggestion
        fields = [
            *(
                "id",
                "resource_key",
                "resource",
                "resource_name",
                "provider",
                "sub_account",
                "service",
                "region",
                "team",
            ),
            *("tag", "state", "said", "value", "kind", "confidence", "evidence", "cost", "currency", "charge_month"),
        ]


class VirtualTagSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None)
    made_by = serializers.CharField(source="made_by.email")
    evidence = EvidenceSerializer(many=True)

    class Meta:
        model = VirtualTag
        fields = [
            *("id", "resource_key", "resource", "resource_name", "provider", "sub_account", "team", "key", "value"),
            *("start", "end", "state", "confidence", "evidence", "batch", "made_by", "made_at"),
        ]


class NewVirtualTag(serializers.Serializer):
    resource_key = serializers.CharField(max_length=32, help_text="as suggestions and compliance name the resource")
    key = serializers.CharField(max_length=1000)
    value = serializers.CharField(max_length=2000)
    start = serializers.DateField(required=False, help_text="first charge day; the month last seen when left out")
    end = serializers.DateField(required=False, allow_null=True)


class Count(serializers.Serializer):
    accepted = serializers.IntegerField(required=False)
    refused = serializers.IntegerField(required=False)
    batch = serializers.IntegerField(required=False, allow_null=True)


class Ids(serializers.Serializer):
    ids = serializers.ListField(child=serializers.IntegerField(), max_length=MOST_AT_ONCE)


def _need(request: Request, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


class SuggestionViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """What tags should say, with evidence and confidence; accepted ones become virtual tags."""

    queryset = Suggestion.objects.select_related("team")
    serializer_class = SuggestionSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_suggestion"
    write_permission_required = "tagging.decide_suggestion"
    pagination_class = Pages

    @extend_schema(request=Ids, responses={200: Count, 400: BadRequest})
    @action(detail=False, methods=["post"])
    def accept(self, request: Request) -> Response:
        """Sets the suggestions as virtual tags; those somebody else has answered meanwhile are left out."""
        done = tag_fixes.accept_suggestions(self._asked(request), user=request.user, now=timezone.now())
        if done.batch:
            transaction.on_commit(lambda: queues.apply_tags(done.batch))
        return Response({"accepted": done.set, "batch": done.batch.pk if done.batch else None})

    @extend_schema(request=Ids, responses={200: Count, 400: BadRequest})
    @action(detail=False, methods=["post"])
    def refuse(self, request: Request) -> Response:
        """These values will not be suggested for these resources again."""
        return Response(
            {"refused": tag_fixes.refuse_suggestions(self._asked(request), user=request.user, now=timezone.now())}
        )

    def _asked(self, request: Request) -> Any:
        said = Ids(data=request.data)
        said.is_valid(raise_exception=True)
        mine = Suggestion.objects.visible_to(request.user)
        return mine.filter(pk__in=[pk for pk in said.validated_data["ids"] if abs(pk) < 1 << 62])


class VirtualTagViewSet(VisibleRows, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Tags that we set for our own numbers."""

    queryset = VirtualTag.objects.select_related("team", "made_by")
    serializer_class = VirtualTagSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_virtualtag"
    write_permission_required = "tagging.add_virtualtag"
    pagination_class = Pages

    @extend_schema(request=NewVirtualTag, responses={201: VirtualTagSerializer, 400: BadRequest, 404: Problem})
    def create(self, request: Request) -> Response:
        """Sets one tag on a resource you see."""
        said = NewVirtualTag(data=request.data)
        said.is_valid(raise_exception=True)
        data = said.validated_data
        mine = TaggedResource.objects.visible_to(request.user).filter(key=data["resource_key"])
        row = mine.order_by("-charge_month").first()
        if row is None:
            raise NotFound
        days = {"start": data.get("start") or row.charge_month, "end": data.get("end")}
        try:
            now = timezone.now()
            tag = tag_fixes.set_virtual_tag(row, data["key"], data["value"], **days, user=request.user, now=now)
        except RemediationError as problem:
            raise ValidationError({"detail": str(problem)}) from None
        transaction.on_commit(lambda: queues.apply_tags(tag.batch))
        return Response(VirtualTagSerializer(tag).data, status=201)

    @extend_schema(request=None, responses={200: VirtualTagSerializer, 400: BadRequest})
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """It no longer holds from today on."""
        now = timezone.now()
        try:
            tag = tag_fixes.end_virtual_tag(self.get_object().pk, now.date(), user=request.user, now=now)
        except RemediationError as problem:
            raise ValidationError({"detail": str(problem)}) from None
        transaction.on_commit(lambda: queues.apply_tags(tag.batch))
        return Response(VirtualTagSerializer(tag).data)


class MetricValueIn(serializers.Serializer):
    team = serializers.CharField(max_length=100)
    day = serializers.CharField(max_length=10, help_text="2026-03-31, or 2026-03 of a metric by month")
    value = serializers.CharField(max_length=60, help_text="an exact number, not negative")


class MetricFeed(serializers.Serializer):
    metric = serializers.CharField(max_length=100)
    grain = serializers.ChoiceField(choices=Metric.Grain.choices, default=Metric.Grain.DAY)
    values = MetricValueIn(many=True)


class MetricSaved(serializers.Serializer):
    metric = serializers.CharField()
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    same = serializers.IntegerField()


class MetricFound(serializers.Serializer):
    metric = serializers.CharField(source="name")
    grain = serializers.CharField()
    description = serializers.CharField()


class BusinessMetrics(APIView):
    """What the business counts: orders, customers, per team and day or month."""

    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_metric"
    write_permission_required = "tagging.change_metric"

    @extend_schema(responses={200: MetricFound(many=True)}, operation_id="business_metrics_list")
    def get(self, request: Request) -> Response:
        return Response(MetricFound(Metric.objects.visible_to(request.user), many=True).data)

    @extend_schema(request=MetricFeed, responses={200: MetricSaved, 400: BadRequest})
    def post(self, request: Request) -> Response:
        """Saves counts, each in the place of what was there for its team and day; all of them or none."""
        said = MetricFeed(data=request.data)
        said.is_valid(raise_exception=True)
        data = said.validated_data
        if len(data["values"]) > MOST_AT_ONCE:
            raise ValidationError({"values": [f"At most {MOST_AT_ONCE} at once."]})
        with transaction.atomic():
            metric, _ = Metric.objects.get_or_create(name=data["metric"].strip(), defaults={"grain": data["grain"]})
            values = _values(data["values"], metric.grain)
            done = business_metrics.save_values(metric, values, user=request.user, now=timezone.now())
        return Response({"metric": metric.name, "new": done.new, "changed": done.changed, "same": done.same})


def _values(rows: list[dict[str, str]], grain: str) -> list[unit_costs.MetricEntry]:
    """The values of a feed; raises ValidationError with every one that cannot be used."""
    teams, found, wrong = business_metrics.team_names(), {}, []
    for place, row in enumerate(rows):
        try:
            key = unit_costs.as_team(row["team"], teams), unit_costs.as_day(row["day"], grain)
            if key in found:
                raise unit_costs.InvalidValue("day", row["day"], f"{row['team']} has {row['day']} twice.")
            found[key] = unit_costs.as_value(row["value"])
        except unit_costs.InvalidValue as refused:
            wrong.append(f"values[{place}].{refused.column}: {refused}")
    if wrong:
        raise ValidationError({"values": wrong[:100]})
    return [unit_costs.MetricEntry(team, day, value) for (team, day), value in found.items()]
