"""Budgets and alerts as the API shows them: amounts as exact text beside their currency."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from budgets.forecast import status
from budgets.models import Alert, Anomaly, Budget, BudgetPeriod, Forecast
from costs.api.serializers import KnownSerializer
from finops_site.api.base import ExactDecimalField, ExactModelSerializer


class ForecastSerializer(ExactModelSerializer):
    class Meta:
        model = Forecast
        fields = [
            "as_of",
            "spent",
            "complete_until",
            "p10",
            "p50",
            "p90",
            "chance_of_overrun",
            "method",
            "days_of_history",
            "backtest",
        ]


class PeriodSerializer(ExactModelSerializer):
    """The days from `start` up to, not including, `end`."""

    class Meta:
        model = BudgetPeriod
        fields = ["start", "end", "amount", "rolled_over", "is_automatic"]


class BudgetSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    amount = ExactDecimalField(
        source="budgeted", max_digits=38, decimal_places=18, allow_null=True, help_text="of the period that holds today"
    )
    spent = ExactDecimalField(source="now_spent", max_digits=38, decimal_places=18, allow_null=True)
    forecast = ExactDecimalField(source="now_p50", max_digits=38, decimal_places=18, allow_null=True)
    chance_of_overrun = ExactDecimalField(
        source="now_chance_of_overrun", max_digits=5, decimal_places=4, allow_null=True
    )
    forecast_text = serializers.SerializerMethodField(help_text="the same in words")

    class Meta:
        model = Budget
        fields = [
            "id",
            "name",
            "team",
            "scope",
            "basis",
            "currency",
            "kind",
            "start",
            "end",
            "parent",
            "state",
            "version",
            "amount",
            "spent",
            "forecast",
            "chance_of_overrun",
            "forecast_text",
        ]

    def get_forecast_text(self, budget: Any) -> str:
        if budget.now_method is None:
            return status.forecast_text(None, None, budget.currency)
        return status.forecast_text_of(
            budget.now_method,
            budget.now_p10,
            budget.now_p50,
            budget.now_p90,
            budget.now_chance_of_overrun,
            budget.budgeted,
            budget.currency,
        )


class BudgetDetailSerializer(BudgetSerializer):
    periods = PeriodSerializer(many=True)
    known = serializers.SerializerMethodField()

    class Meta(BudgetSerializer.Meta):
        fields = [*BudgetSerializer.Meta.fields, "periods", "known"]

    @extend_schema_field(KnownSerializer(allow_null=True, help_text="of the period that holds today"))
    def get_known(self, budget: Budget) -> dict[str, Any] | None:
        today = timezone.now().date()
        period = next((row for row in budget.periods.all() if today in row.period), None)
        return status.known_of_period(self.context["request"].user, period, today).as_json() if period else None


class AlertSerializer(ExactModelSerializer):
    budget_name = serializers.CharField(source="budget.name")
    currency = serializers.CharField(source="budget.currency")
    threshold = serializers.CharField(source="threshold.level", help_text="like `80 %` or `500 USD`")
    period_start = serializers.DateField(source="period.start")
    acknowledged_by = serializers.CharField(source="acknowledged_by.name", default=None, allow_null=True)

    class Meta:
        model = Alert
        fields = [
            "id",
            "budget",
            "budget_name",
            "currency",
            "period_start",
            "threshold",
            "kind",
            "state",
            "value",
            "limit",
            "peak",
            "as_of",
            "opened_at",
            "acknowledged_at",
            "acknowledged_by",
            "snoozed_until",
            "resolved_at",
            "note",
            "figures",
        ]


class SnoozeSerializer(serializers.Serializer):
    until = serializers.DateField(help_text="the day from which it may notify again")


class AnomalySerializer(ExactModelSerializer):
    """`contributors` sum to `actual` - `expected`."""

    team = serializers.CharField(source="team.name", default=None, allow_null=True)

    class Meta:
        model = Anomaly
        fields = [
            "id",
            "kind",
            "team",
            "service",
            "account",
            "currency",
            "day",
            "last_day",
            "actual",
            "expected",
            "contributors",
            "state",
            "is_learnt",
            "found_as_of",
            "why",
        ]
