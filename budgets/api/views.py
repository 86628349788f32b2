"""The API of budgets and alerts: the same rows, the same services and the same exact amounts as the pages."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.alerts.acknowledgement import TooLate, acknowledge, snooze
from budgets.anomalies.cost_scopes import known_of_checked_days
from budgets.api.serializers import (
    AlertSerializer,
    AnomalySerializer,
    BudgetDetailSerializer,
    BudgetSerializer,
    SnoozeSerializer,
)
from budgets.forecast.status import known_of_budgets, with_status
from budgets.models import Alert, Anomaly, Budget
from costs.api.known import KnownList, KnownPages
from costs.query.known_until import KnownDays
from finops_site.api.base import BadRequest, HoldsPermission, VisibleRows


@extend_schema_view(
    list=extend_schema(summary="Budgets, with the actual cost and the forecast of this period"),
    retrieve=extend_schema(summary="One budget, with the amounts of its periods"),
)
class BudgetViewSet(KnownList, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """The budgets of your teams and of those below them; all of them for those who see the whole company."""

    queryset = Budget.objects.all()
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_budget"
    filterset_fields = ["state", "kind", "currency"]
    pagination_class = KnownPages
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Budget]:
        return with_status(super().get_queryset().select_related("team"), timezone.now().date())

    def known(self) -> KnownDays:
        return known_of_budgets(self.request.user, self.filter_queryset(self.get_queryset()), timezone.now().date())

    def get_serializer_class(self) -> type[BudgetSerializer]:
        return BudgetDetailSerializer if self.action == "retrieve" else BudgetSerializer


@extend_schema_view(
    list=extend_schema(summary="Alerts, the newest first"),
    retrieve=extend_schema(summary="One alert"),
)
class AlertViewSet(VisibleRows, viewsets.ReadOnlyModelViewSet):
    """A threshold breached in a period: one alert, however often it is evaluated."""

    queryset = Alert.objects.all()
    serializer_class = AlertSerializer
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_alert"
    write_permission_required = "budgets.change_alert"
    filterset_fields = ["state", "kind", "budget"]
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Alert]:
        return super().get_queryset().select_related("budget", "threshold__budget", "period", "acknowledged_by")

    @extend_schema(
        summary="Acknowledge: you look after it, and nobody else is reminded",
        request=None,
        responses={
            200: AlertSerializer,
            400: OpenApiResponse(BadRequest, "It is resolved or acknowledged already."),
        },
    )
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        return self._respond(acknowledge, by=request.user)

    @extend_schema(
        summary="Snooze: quiet until a day",
        request=SnoozeSerializer,
        responses={
            200: AlertSerializer,
            400: OpenApiResponse(BadRequest, "It is resolved, or that day is refused."),
        },
    )
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        snoozing = SnoozeSerializer(data=request.data)
        snoozing.is_valid(raise_exception=True)
        return self._respond(snooze, by=request.user, until=snoozing.validated_data["until"])

    def _respond(self, service: Callable[..., Alert], **values: Any) -> Response:
        try:
            service(self.get_object(), now=timezone.now(), **values)
        except TooLate as error:
            raise ValidationError({"detail": str(error)}) from None
        return Response(self.get_serializer(self.get_object()).data)


@extend_schema_view(
    list=extend_schema(summary="Anomalies, the newest first"),
    retrieve=extend_schema(summary="One anomaly, with what makes it up"),
)
class AnomalyViewSet(KnownList, VisibleRows, viewsets.ReadOnlyModelViewSet):
    """Days on which a service in an account, or a team, cost far more than expected."""

    queryset = Anomaly.objects.all()
    serializer_class = AnomalySerializer
    permission_classes = [HoldsPermission]
    permission_required = "budgets.view_alert"
    filterset_fields = ["state", "kind", "service", "account", "day"]
    pagination_class = KnownPages
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Anomaly]:
        return super().get_queryset().select_related("team")

    def known(self) -> KnownDays:
        return known_of_checked_days(self.request.user, timezone.now().date())
