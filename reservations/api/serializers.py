"""Commitments, recommendations, purchases and savings as JSON. Amounts are decimal strings."""

from typing import Any

from rest_framework import serializers

from finops_site.api.base import (
    ExactDecimalField,
    ExactModelSerializer,
    FiniteFloatField,
    MonthTextField,
)
from reservations.calc.realised_savings import REASONS
from reservations.calc.terms import OPTIONS, PAYMENTS
from reservations.models import (
    Commitment,
    LedgerMonth,
    Plan,
    PlanItem,
    PurchaseEvent,
    PurchaseRequest,
    Rate,
    StandingOrder,
)
from reservations.recommendations import demand_sources
from reservations.recommendations.plan_parameters import Parameters, default_parameters


class CommitmentSerializer(ExactModelSerializer):
    owner = serializers.CharField(source="owner.name", default=None, allow_null=True, read_only=True)

    class Meta:
        model = Commitment
        fields = [
            *("id", "provider", "commitment_id", "name", "kind", "term_months", "payment", "scope", "account"),
            *("region", "service", "instance_type", "system", "count", "hourly_commitment", "unit", "upfront"),
            *("recurring_hourly", "currency", "start", "end", "owner", "source", "first_seen", "last_seen"),
        ]


class KindCoverageSerializer(serializers.Serializer):
    name = serializers.CharField()
    currency = serializers.CharField()
    hours, units, cost, covered, eligible = (
        ExactDecimalField(max_digits=38, decimal_places=18, allow_null=True) for _ in range(5)
    )


class PlanItemSerializer(ExactModelSerializer):
    saving = ExactDecimalField(max_digits=38, decimal_places=18, read_only=True)
    working = serializers.DictField(read_only=True)

    class Meta:
        model = PlanItem
        fields = [
            *("position", "provider", "kind", "term_months", "payment", "region", "instance_type", "system"),
            *("quantity", "unit", "hourly", "upfront", "monthly", "on_demand_cost", "committed_cost", "saving"),
            *("utilisation", "break_even_months", "rate_source", "rate_day", "is_indicative", "working"),
        ]


class PlanSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True, read_only=True)
    saving = ExactDecimalField(max_digits=38, decimal_places=18, read_only=True, allow_null=True)
    items = PlanItemSerializer(many=True, read_only=True)
    notes = serializers.ListField(child=serializers.CharField(), read_only=True)
    parameters = serializers.DictField(read_only=True)
    best_saving = ExactDecimalField(max_digits=38, decimal_places=18, read_only=True, allow_null=True)
    slices = serializers.ListField(
        child=serializers.DictField(),
        source="working.frontier",
        default=list,
        read_only=True,
        help_text="plans from little to this one: committed, upfront, saving, and the return of the last slice",
    )
    limits_cost = serializers.ListField(
        child=serializers.DictField(),
        source="working.limits_cost",
        default=list,
        read_only=True,
        help_text="what a year would save more without each limit",
    )
    replayed = serializers.DictField(
        source="working.replayed", default=dict, read_only=True, help_text="the saving by the bill's own rules"
    )

    class Meta:
        model = Plan
        fields = [
            *("id", "state", "as_of", "lookback_days", "team", "currency", "cost_before", "cost_after"),
            *(
                "lower_bound",
                "gap",
                "saving",
                "best_saving",
                "upfront",
                "confidence",
                "is_indicative",
                "notes",
                "parameters",
            ),
            *("message", "created_at", "ready_at", "slices", "limits_cost", "replayed", "items"),
        ]


_LIMIT: dict[str, Any] = {"required": False, "allow_null": True, "min_value": 0}


class RecommendationRequestSerializer(serializers.Serializer):
    """What may be recommended; what is left out is by finance's policy, and null is no limit.

    Shares are between 0 and 1, terms in months.
    """

    as_of = serializers.DateField(required=False)
    lookback_days = serializers.IntegerField(default=30, min_value=1, max_value=demand_sources.HISTORY_DAYS)
    team = serializers.CharField(required=False, allow_null=True, max_length=100)
    kinds = serializers.ListField(child=serializers.ChoiceField(list(OPTIONS)), required=False, min_length=1)
    terms = serializers.ListField(child=serializers.ChoiceField([12, 36]), required=False, min_length=1)
    payments = serializers.ListField(child=serializers.ChoiceField(list(PAYMENTS)), required=False, min_length=1)
    target_coverage = FiniteFloatField(help_text="cover at most", max_value=1, **_LIMIT)
    minimum_coverage = FiniteFloatField(max_value=1, **_LIMIT)
    minimum_utilisation = FiniteFloatField(max_value=1, **_LIMIT)
    max_upfront = FiniteFloatField(max_value=1e14, **_LIMIT)
    max_monthly = FiniteFloatField(max_value=1e14, **_LIMIT)
    break_even_months = FiniteFloatField(max_value=36, **_LIMIT)
    cash_rate = FiniteFloatField(
        required=False, min_value=0, max_value=1, help_text="what cash costs a year: the least that a slice must return"
    )
    negotiated = FiniteFloatField(
        required=False, min_value=0, max_value=0.99, help_text="share off list prices on demand, by contract"
    )
    negotiated_on_commitments = serializers.BooleanField(required=False, help_text="on commitments too")
    is_shared = serializers.BooleanField(required=False, help_text="accounts share their commitments, as by default")

    def parameters(self) -> Parameters:
        """The limits of the request. Raises InvalidParameters."""
        return default_parameters(**self.validated_data)


class PurchaseEventSerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.email", default=None, allow_null=True, read_only=True)

    class Meta:
        model = PurchaseEvent
        fields = ["at", "by", "verb", "before", "after", "comment"]


class PurchaseSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True, read_only=True)
    saving = ExactDecimalField(max_digits=38, decimal_places=18, read_only=True)
    standing_order = serializers.CharField(source="standing_order.name", default=None, allow_null=True, read_only=True)
    requested_by = serializers.CharField(source="requested_by.email", default=None, allow_null=True, read_only=True)
    approved_by = serializers.CharField(source="approved_by.email", default=None, allow_null=True, read_only=True)
    events = PurchaseEventSerializer(many=True, read_only=True)

    class Meta:
        model = PurchaseRequest
        fields = [
            *("id", "state", "plan", "position", "batch", "team", "standing_order", "provider", "kind"),
            *("term_months", "payment", "region", "instance_type", "system", "quantity", "unit", "hourly", "upfront"),
            *("monthly", "value", "on_demand_cost", "committed_cost", "saving", "utilisation", "currency"),
            *("is_indicative", "requested_by", "requested_at", "comment", "expires_at", "approved_by", "approved_at"),
            *("executed_at", "through_api", "reference", "commitment", "message", "events"),
        ]


class NewPurchaseSerializer(serializers.Serializer):
    recommendation = serializers.IntegerField(min_value=1, max_value=1 << 62, help_text="its id")
    position = serializers.IntegerField(min_value=0, max_value=100_000, help_text="of the purchase in it")
    batch = serializers.IntegerField(
        required=False, min_value=0, max_value=1000, help_text="0: all of it; without it the first monthly batch"
    )
    comment = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class PriceSerializer(ExactModelSerializer):
    class Meta:
        model = Rate
        fields = [
            *("id", "provider", "service", "region", "zone", "instance_type", "system", "tenancy", "kind"),
            *("term_months", "payment", "hourly", "upfront", "currency", "source", "day", "is_indicative"),
        ]


class StandingOrderSerializer(ExactModelSerializer):
    team = serializers.CharField(source="team.name", default=None, allow_null=True, help_text="null: the company's")

    class Meta:
        model = StandingOrder
        fields = ["id", "name", "team", "minimum_utilisation", "is_active", "last_request_month", "last_result"]


class CommentSerializer(serializers.Serializer):
    comment = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class ExportSerializer(serializers.Serializer):
    purchase = PurchaseSerializer()
    commands = serializers.CharField(help_text="for the AWS CLI; empty where it expired instead", allow_blank=True)
    csv = serializers.CharField(allow_blank=True)


class SavingSerializer(ExactModelSerializer):
    month = MonthTextField()
    purchase = serializers.IntegerField(source="request_id", help_text="id of the purchase request")
    commitment = serializers.CharField(
        source="request.commitment.commitment_id", default="", help_text="the id by which the bill knows it"
    )

    class Meta:
        model = LedgerMonth
        fields = [
            *("month", "purchase", "commitment", "currency", "days", "promised", "on_demand", "paid", "realised"),
            *REASONS,
            "reason",
        ]


_EXACT = {"max_digits": 38, "decimal_places": 18}


class SavedYearSerializer(serializers.Serializer):
    """Twelve months in one currency: promised - realised = the sum of the five reasons."""

    currency = serializers.CharField()
    promised = ExactDecimalField(**_EXACT)
    realised = ExactDecimalField(**_EXACT)
    timing = ExactDecimalField(**_EXACT)
    demand = ExactDecimalField(**_EXACT)
    utilisation = ExactDecimalField(**_EXACT)
    displaced = ExactDecimalField(**_EXACT)
    price = ExactDecimalField(**_EXACT)
