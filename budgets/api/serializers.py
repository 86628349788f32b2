"""Budgets and alerts as the API shows them: amounts as exact text beside their currency."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from budgets.alerts.rule_forms import ThresholdForm
from budgets.anomalies.sensitivity import check_sensitivity
from budgets.calc import amounts
from budgets.forecast import status
from budgets.models import (
    Alert,
    Anomaly,
    AnomalySensitivity,
    Budget,
    BudgetPeriod,
    BudgetVersion,
    Forecast,
    KnownCharge,
    ProposedChange,
    Threshold,
)
from budgets.planning.budget_changes import DECISIONS
from budgets.planning.budget_forms import BudgetForm
from budgets.planning.proposed_changes import VERBS as CHANGE_VERBS
from costs.api.serializers import KnownSerializer
from finops_site.api.base import ExactDecimalField, ExactModelSerializer
from finops_site.api.form_bodies import body_of


class ForecastSerializer(ExactModelSerializer):
    class Meta:
        model = Forecast
        fields = [
            "as_of",
            "spent",
            "complete_until",
            "quiet_since",
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
    known_until = serializers.DateField(
        source="now_complete_until", allow_null=True, help_text="the last day that every bill of its scope has brought"
    )
    quiet_since = serializers.DateField(
        source="now_quiet_since", allow_null=True, help_text="the last day with cost of a scope that has none any more"
    )
    status = serializers.SerializerMethodField(help_text="as on the page, like `on track` or `waits for the bill`")
    doubt = serializers.SerializerMethodField(help_text="why its scope may match nothing; empty where it has cost")

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
            "calendar",
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
            "known_until",
            "quiet_since",
            "status",
            "doubt",
        ]

    def get_status(self, budget: Any) -> str:
        return status.badge_of_row(budget)[0]

    def get_doubt(self, budget: Any) -> str:
        return status.scope_doubt(status.forecast_of_row(budget))

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


class KnownChargeSerializer(ExactModelSerializer):
    """A charge that no bill shows yet; a credit is below zero. A field that it has not is refused, not ignored."""

    currency = serializers.CharField(
        source="budget.currency", required=False, help_text="the budget's; none needs to be sent, and no other is taken"
    )

    class Meta:
        model = KnownCharge
        fields = ["id", "day", "amount", "currency", "description", "repeats", "until"]

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, "A known charge has no such field."))
        currency = self.context["budget"].currency
        if values.pop("budget", {"currency": currency})["currency"] != currency:
            raise serializers.ValidationError({"currency": f"The budget is in {currency}, and nothing is converted."})
        return values


class ThresholdSerializer(ExactModelSerializer):
    level = serializers.CharField(help_text="like `80%` or `500 USD`")

    class Meta:
        model = Threshold
        fields = ["id", "kind", "percent", "amount", "probability", "is_active", "level"]


class BudgetVersionSerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.email", default=None, allow_null=True)

    class Meta:
        model = BudgetVersion
        fields = ["number", "at", "by", "what", "why", "before", "after"]


class ProposedChangeSerializer(serializers.ModelSerializer):
    """Other amounts for a budget in force; `before` and `after` are exact amounts by the first day of their period."""

    proposed_by = serializers.CharField(source="proposed_by.email", default=None, allow_null=True)
    decided_by = serializers.CharField(source="decided_by.email", default=None, allow_null=True)

    class Meta:
        model = ProposedChange
        fields = [
            "id",
            "budget",
            "state",
            "before",
            "after",
            "why",
            "proposed_by",
            "proposed_at",
            "decided_by",
            "decided_at",
            "decision_why",
        ]


class BudgetDetailSerializer(BudgetSerializer):
    periods = PeriodSerializer(many=True)
    known_charges = KnownChargeSerializer(many=True)
    thresholds = ThresholdSerializer(many=True)
    versions = BudgetVersionSerializer(many=True, help_text="who changed it, the newest first; amounts by first day")
    proposed_changes = serializers.SerializerMethodField(help_text="other amounts that were proposed, the newest first")
    known = serializers.SerializerMethodField()

    class Meta(BudgetSerializer.Meta):
        fields = [
            *BudgetSerializer.Meta.fields,
            "periods",
            "known_charges",
            "thresholds",
            "versions",
            "proposed_changes",
            "known",
        ]

    @extend_schema_field(ProposedChangeSerializer(many=True))
    def get_proposed_changes(self, budget: Budget) -> list[dict[str, Any]]:
        rows = budget.proposed_changes.select_related("proposed_by", "decided_by")
        return list(ProposedChangeSerializer(rows, many=True).data)

    @extend_schema_field(KnownSerializer(allow_null=True, help_text="of the period that holds today"))
    def get_known(self, budget: Budget) -> dict[str, Any] | None:
        today = timezone.now().date()
        period = next((row for row in budget.periods.all() if today in row.period), None)
        return status.known_of_period(self.context["request"].user, period, today).as_json() if period else None


BudgetBody = body_of(
    "BudgetBody",
    BudgetForm,
    scope=serializers.DictField(
        required=False,
        child=serializers.ListField(child=serializers.CharField(max_length=1000, allow_blank=True)),
        help_text='what it counts, as filters of `spend/`: {"service": ["Amazon S3"]}; without it all of its team',
    ),
)


ThresholdBody = body_of(
    "ThresholdBody",
    ThresholdForm,
    threshold=serializers.IntegerField(
        required=False, min_value=1, max_value=1 << 62, help_text="the one to change; without it a new one"
    ),
    is_active=serializers.BooleanField(required=False, help_text="whether it warns; its alerts stay"),
)


class SuggestedMonthSerializer(serializers.Serializer):
    month = serializers.CharField(help_text="2025-11")
    billed_cost = serializers.CharField()


class BudgetProposalSerializer(serializers.Serializer):
    """A budget that nobody made yet; `amount` is null where too little is known, and `words` says what it stands on."""

    key = serializers.CharField()
    name = serializers.CharField()
    team = serializers.CharField(allow_null=True, help_text="null: the company")
    currency = serializers.CharField()
    amount = serializers.CharField(allow_null=True)
    months = SuggestedMonthSerializer(many=True)
    is_sure = serializers.BooleanField()
    words = serializers.CharField()


class ChosenAmountSerializer(serializers.Serializer):
    key = serializers.CharField()
    amount = serializers.CharField(help_text="of each month")


class CreateProposedSerializer(serializers.Serializer):
    create = ChosenAmountSerializer(many=True)


class BudgetDecisionSerializer(serializers.Serializer):
    decision = serializers.ChoiceField(list(DECISIONS))
    version = serializers.IntegerField(help_text="the version that was read; an older one is refused")
    why = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class ChangeProposalSerializer(serializers.Serializer):
    amounts = serializers.DictField(
        child=ExactDecimalField(max_digits=38, decimal_places=18),
        allow_empty=False,
        help_text='{"2026-12-01": "8900"}: the amount of each period by its first day',
    )
    version = serializers.IntegerField(help_text="the version that was read; an older one is refused")
    why = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")

    def validate_amounts(self, values: dict[str, Decimal]) -> dict[date, Decimal]:
        try:
            return {date.fromisoformat(day): amounts.check_amount(amount) for day, amount in values.items()}
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class ChangeDecisionSerializer(serializers.Serializer):
    decision = serializers.ChoiceField(list(CHANGE_VERBS), help_text="finance approves and rejects, a lead withdraws")
    change = serializers.IntegerField(min_value=1, max_value=1 << 62, help_text="the id of the proposed change")
    why = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class AlertSerializer(ExactModelSerializer):
    budget_name = serializers.CharField(source="budget.name")
    currency = serializers.CharField(source="budget.currency")
    threshold = serializers.CharField(source="threshold.level", help_text="like `80%` or `500 USD`")
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
    """`contributors` sum to `actual` - `expected`, which of a drop is below zero."""

    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    difference = ExactDecimalField(max_digits=38, decimal_places=18, help_text="how much money it is about so far")
    per_month = ExactDecimalField(
        max_digits=38, decimal_places=18, allow_null=True, help_text="at the rate of its last week; null for a jump"
    )

    class Meta:
        model = Anomaly
        fields = [
            "id",
            "kind",
            "pattern",
            "severity",
            "team",
            "service",
            "account",
            "currency",
            "day",
            "last_day",
            "actual",
            "expected",
            "difference",
            "per_month",
            "contributors",
            "state",
            "is_learnt",
            "found_as_of",
            "why",
        ]


class AnomalyAnswerSerializer(serializers.Serializer):
    expected = serializers.BooleanField(help_text="then nobody is notified of its like for half a year")
    why = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class SensitivitySerializer(serializers.ModelSerializer):
    """How much it takes to be an anomaly of a team, a service, an account, or what these have in common."""

    class Meta:
        model = AnomalySensitivity
        fields = ["id", "team", "service", "account", "level", "why"]

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """By the same rules as the page: see `check_sensitivity`."""
        row = self.instance or AnomalySensitivity()
        for name, value in values.items():
            setattr(row, name, value)
        try:
            check_sensitivity(row, self.context["request"].user)
        except DjangoValidationError as error:
            raise serializers.ValidationError({"detail": " ".join(error.messages)}) from None
        return values
