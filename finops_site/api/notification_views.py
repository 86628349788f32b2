"""Notifications of the person who asks, and where she gets each kind, for programs."""

from typing import Any

from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from finops_site.api.base import BadRequest, HoldsPermission, KeysetPages, VisibleRows, refusals
from finops_site.mail import notifications
from finops_site.models import Notification


class NotificationSerializer(serializers.ModelSerializer):
    text = serializers.CharField(
        source="words", help_text="a sentence without figures where you may not see it any more"
    )
    may_open = serializers.BooleanField(help_text="whether you may still see what it is about")

    class Meta:
        model = Notification
        fields = ["id", "kind", "text", "url", "may_open", "created_at", "read_at"]


class NotificationFilter(filters.FilterSet):
    is_read = filters.BooleanFilter(field_name="read_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Notification
        fields = ["kind"]


class ReadSerializer(serializers.Serializer):
    """Which notifications were read; all of them where no ids are given."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), required=False, max_length=1000
    )


class CountSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="how many were unread before")


@extend_schema_view(list=extend_schema(summary="Your notifications, the newest first"))
class NotificationViewSet(VisibleRows, mixins.ListModelMixin, viewsets.GenericViewSet):
    """What happened that concerns you: the subjects of the mails to you, with read and unread."""

    queryset = Notification.objects.all()
    serializer_class = NotificationSerializer
    permission_classes = [HoldsPermission]
    permission_required = write_permission_required = ""
    filterset_class = NotificationFilter
    pagination_class = KeysetPages
    keyset = ("-created_at", "-id")

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset)
        notifications.check_rights(self.request.user, rows)
        return rows

    @extend_schema(
        summary="Mark some of your notifications as read, or all",
        request=ReadSerializer,
        responses={200: CountSerializer, 400: BadRequest},
        filters=False,
    )
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def read(self, request: Request) -> Response:
        body = ReadSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        count = notifications.mark_read(request.user, timezone.now(), body.validated_data.get("ids"))
        return Response({"count": count})


class PreferenceSerializer(serializers.Serializer):
    kind = serializers.CharField(source="kind.name", max_length=50)
    label = serializers.CharField(source="kind.label", read_only=True)
    always_mailed = serializers.CharField(
        source="kind.always_mailed", read_only=True, help_text="why its mail cannot be switched off; empty where it can"
    )
    on_site = serializers.BooleanField()
    by_mail = serializers.BooleanField()


class NotificationPreferences(APIView):
    permission_classes = [HoldsPermission]
    permission_required = write_permission_required = ""

    @extend_schema(summary="Where you get each kind of notification", responses=PreferenceSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(PreferenceSerializer(notifications.preferences_of(request.user), many=True).data)

    @extend_schema(
        summary="Choose where you get some kinds of notification; others stay as they are",
        request=PreferenceSerializer(many=True),
        responses={200: PreferenceSerializer(many=True), 400: BadRequest},
    )
    def put(self, request: Request) -> Response:
        body = PreferenceSerializer(data=request.data, many=True)
        body.is_valid(raise_exception=True)
        wanted = {one["kind"]["name"]: (one["on_site"], one["by_mail"]) for one in body.validated_data}
        with refusals(ValueError):
            notifications.set_preferences(request.user, wanted)
        return self.get(request)
