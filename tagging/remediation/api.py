"""The API of suggestions and virtual tags."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from finops_site.api.base import (
    BadRequest,
    ExactModelSerializer,
    HoldsPermission,
    Pages,
    Problem,
    VisibleRows,
    refusals,
)
from tagging.models import Suggestion, TaggedResource, VirtualTag
from tagging.models.remediation import SuggestionQuerySet
from tagging.policy.bulk_results import MOST_AT_ONCE, BulkRefused
from tagging.policy.serializers import BulkResultSerializer, ResourceKeys, named_resources, result_json
from tagging.remediation import bulk_actions, virtual_tags
from tagging.remediation.suggestion_answers import accept_suggestions, refuse_suggestions
from tagging.remediation.virtual_tags import RemediationError


class EvidenceSerializer(serializers.Serializer):
    kind = serializers.CharField()
    words = serializers.CharField()
    agree = serializers.IntegerField(required=False)
    total = serializers.IntegerField(required=False)
    confidence = serializers.CharField(required=False)


class SuggestionSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, help_text="the owner of the resource; null: unowned")
    evidence = EvidenceSerializer(many=True)

    class Meta:
        model = Suggestion
        fields = [
            *("id", "resource_key", "resource", "resource_name", "provider", "sub_account", "service", "region"),
            *("team", "tag", "state", "current_value", "value", "kind", "confidence", "evidence", "cost"),
            *("currency", "charge_month"),
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


class VirtualTagOfMany(ResourceKeys):
    key = serializers.CharField(max_length=1000)
    value = serializers.CharField(max_length=2000)


class AnswerCount(serializers.Serializer):
    accepted = serializers.IntegerField(required=False)
    refused = serializers.IntegerField(required=False)
    batch = serializers.IntegerField(required=False, allow_null=True)


class SuggestionIds(serializers.Serializer):
    ids = serializers.ListField(child=serializers.IntegerField(), max_length=MOST_AT_ONCE)


class SuggestionViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Suggested values of tags with evidence and confidence; accepted ones become virtual tags."""

    queryset = Suggestion.objects.select_related("team")
    serializer_class = SuggestionSerializer
    permission_classes = [HoldsPermission]
    permission_required = "tagging.view_suggestion"
    write_permission_required = "tagging.decide_suggestion"
    pagination_class = Pages

    @extend_schema(request=SuggestionIds, responses={200: AnswerCount, 400: BadRequest})
    @action(detail=False, methods=["post"])
    def accept(self, request: Request) -> Response:
        """Sets the suggestions as virtual tags; those that somebody else has answered meanwhile are left out."""
        result = accept_suggestions(self._named(request), user=request.user, now=timezone.now())
        return Response({"accepted": result.tags_set, "batch": result.batch and result.batch.pk})

    @extend_schema(request=SuggestionIds, responses={200: AnswerCount, 400: BadRequest})
    @action(detail=False, methods=["post"])
    def refuse(self, request: Request) -> Response:
        """These values will not be suggested for these resources again."""
        count = refuse_suggestions(self._named(request), user=request.user, now=timezone.now())
        return Response({"refused": count})

    def _named(self, request: Request) -> SuggestionQuerySet:
        """The visible suggestions of the request's ids."""
        data = SuggestionIds(data=request.data)
        data.is_valid(raise_exception=True)
        ids = [pk for pk in data.validated_data["ids"] if abs(pk) < 1 << 62]
        return Suggestion.objects.visible_to(request.user).filter(pk__in=ids)


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
        new = NewVirtualTag(data=request.data)
        new.is_valid(raise_exception=True)
        data = new.validated_data
        visible = TaggedResource.objects.visible_to(request.user).filter(key=data["resource_key"])
        row = visible.order_by("-charge_month").first()
        if row is None:
            raise NotFound
        days = {"start": data.get("start") or row.charge_month, "end": data.get("end")}
        with refusals(RemediationError):
            tag = virtual_tags.set_virtual_tag(
                row, data["key"], data["value"], **days, user=request.user, now=timezone.now()
            )
        return Response(VirtualTagSerializer(tag).data, status=201)

    @extend_schema(request=VirtualTagOfMany, responses={200: BulkResultSerializer, 400: BadRequest})
    @action(detail=False, methods=["post"])
    def many(self, request: Request) -> Response:
        """Sets one tag on many resources, from the first day of their month on; says which were left out and why."""
        new = VirtualTagOfMany(data=request.data)
        new.is_valid(raise_exception=True)
        sent = new.validated_data
        rows = named_resources(request.user, sent["resource_keys"], sent["month"])
        with refusals(BulkRefused, RemediationError):
            result = bulk_actions.set_tag(rows, sent["key"], sent["value"], user=request.user, now=timezone.now())
        return Response(result_json(result))

    @extend_schema(request=None, responses={200: VirtualTagSerializer, 400: BadRequest})
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """It no longer holds from today on."""
        now = timezone.now()
        with refusals(RemediationError):
            tag = virtual_tags.end_virtual_tag(self.get_object().pk, now.date(), user=request.user, now=now)
        return Response(VirtualTagSerializer(tag).data)
