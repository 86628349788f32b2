"""Deliveries, cost lines and teams as JSON. Amounts are decimal strings, exact to the last digit."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from costs.clusters.shares import Share
from costs.formats import NAMES
from costs.ingest.uploads import too_big
from costs.models import (
    ConformanceResult,
    CostLine,
    Delivery,
    DeliveryFile,
    DeliveryMonth,
    FocusExport,
    Reject,
    RestatedCost,
    Source,
)
from costs.web.forms import currency_code
from finops_site.api.base import ExactModelSerializer, MonthTextField
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.models import Team


class SumsField(serializers.DictField):
    """{currency: {metric: exact decimal text, null where the bill does not say}}"""

    def __init__(self, **options: Any) -> None:
        amounts = serializers.DictField(child=serializers.CharField(allow_null=True))
        super().__init__(child=amounts, **options)


class SourceSerializer(serializers.ModelSerializer):
    credential = serializers.CharField(
        source="credential.name", default=None, allow_null=True, help_text="its name; what is secret of it is not shown"
    )

    class Meta:
        model = Source
        fields = [
            *("id", "name", "delivery_mode", "kind", "place", "bucket", "prefix", "region", "endpoint", "credential"),
            *("format", "currency", "date_order", "decimal_mark", "is_enabled", "expected_every_hours"),
            *("sync", "sync_message", "synced_at", "created_at"),
        ]


class DeliveryFileSerializer(serializers.ModelSerializer):
    class Meta:
        model = DeliveryFile
        fields = ["id", "name", "bytes", "sha256"]


class DeliveryMonthSerializer(serializers.ModelSerializer):
    billing_month = MonthTextField(read_only=True)
    totals = SumsField(read_only=True)

    class Meta:
        model = DeliveryMonth
        fields = ["billing_month", "view", "is_current", "charges", "lines", "totals"]


class ConformanceSerializer(serializers.Serializer):
    """How many rows keep every rule of FOCUS that counts, with their cost regardless of sign."""

    rows = serializers.IntegerField()
    conforming = serializers.IntegerField()
    cost = serializers.DictField(child=serializers.CharField())
    conforming_cost = serializers.DictField(child=serializers.CharField())
    families = serializers.DictField(child=serializers.IntegerField(), help_text="rows that keep the rules about it")


class ConformanceResultSerializer(serializers.ModelSerializer):
    cost = serializers.DictField(child=serializers.CharField(), help_text="of the rows, regardless of sign")
    examples = serializers.DictField(help_text="the rows that cost most: columns, and their texts by row")

    class Meta:
        model = ConformanceResult
        fields = ["id", "rule", "family", "sentence", "severity", "verdict", "judged", "rows", "cost", "examples"]


class DeliverySerializer(serializers.ModelSerializer):
    source = serializers.CharField(source="source.name")
    received_by = serializers.EmailField(source="received_by.email", allow_null=True, default=None)
    billing_months = serializers.ListField(child=serializers.CharField())
    totals = SumsField(help_text="control totals, at the full precision of the bill's text")
    residual = SumsField(help_text="the part of the totals beyond the 18 decimals that cost lines keep")
    files = DeliveryFileSerializer(many=True)
    months = DeliveryMonthSerializer(many=True)
    conformance = serializers.SerializerMethodField()

    @extend_schema_field(ConformanceSerializer(allow_null=True))
    def get_conformance(self, delivery: Delivery) -> dict[str, Any] | None:
        return delivery.conformance or None

    class Meta:
        model = Delivery
        fields = [
            "id",
            "source",
            "status",
            "format",
            "provider",
            "billing_months",
            "rows_read",
            "rows_loaded",
            "rows_rejected",
            "totals",
            "residual",
            "conformance",
            "message",
            "export",
            "partition",
            "part",
            "held_because",
            "beside",
            "stage",
            "progress",
            "received_by",
            "received_at",
            "loaded_at",
            "files_removed_at",
            "months",
            "files",
        ]
        read_only_fields = fields


class ReceivedSerializer(DeliverySerializer):
    already_delivered = serializers.SerializerMethodField(help_text="the same bill was here before")

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "already_delivered"]

    def get_already_delivered(self, delivery: Delivery) -> bool:
        return self.context["already_delivered"]


class DecisionSerializer(serializers.Serializer):
    """What is decided about a bill that does not count."""

    decision = serializers.ChoiceField(["accept", "always", "beside", "reject", "again"])
    beside = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        default=None,
        allow_null=True,
        help_text="with `beside`: the deliveries it stands beside; it replaces the others that bill the same",
    )


class UploadSerializer(serializers.Serializer):
    """A bill as multipart: its files, with their manifest if there is one, and what it does not say itself."""

    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True, max_length=1000), allow_empty=False
    )
    source = serializers.CharField(max_length=100, help_text="a new name makes a new source")
    mode = serializers.ChoiceField(Source.Mode.choices, required=False)
    format = serializers.ChoiceField(["auto", *NAMES], default="auto")
    month = serializers.CharField(required=False, help_text="2025-11, for bills without dates")
    currency = serializers.CharField(required=False, validators=[currency_code], help_text="for bills that name none")
    date_order = serializers.ChoiceField(
        Source.DateOrder.choices, required=False, help_text="for dates like 03/04/2026 that nothing in the bill decides"
    )
    decimal_mark = serializers.ChoiceField(
        Source.DecimalMark.choices, required=False, help_text="for amounts like 1,234 that nothing in the bill decides"
    )
    bill_stopped = serializers.BooleanField(default=False, help_text="inventories: charge stopped machines too")

    def validate_files(self, files: list[Any]) -> list[Any]:
        if problem := too_big(files):
            raise serializers.ValidationError(problem)
        return files

    def validate_month(self, text: str) -> Month:
        try:
            return Month.parse(text)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class RejectSerializer(serializers.ModelSerializer):
    class Meta:
        model = Reject
        fields = ["id", "file", "line", "column", "value", "reason"]


class RestatedCostSerializer(ExactModelSerializer):
    billing_month = MonthTextField(source="restatement.billing_month")
    replaced = serializers.IntegerField(source="restatement.replaced_id", help_text="the delivery that counted before")
    owner = serializers.CharField(source="owner.name", allow_null=True, default=None, help_text="null: no team's alone")
    pool = serializers.CharField(source="pool.name", allow_null=True, default=None, help_text="of shared cost")

    class Meta:
        model = RestatedCost
        fields = [
            *("id", "billing_month", "replaced", "service", "sub_account", "owner", "pool", "currency"),
            *("billed_before", "billed_after", "billed_new"),
            *("effective_before", "effective_after", "effective_new"),
        ]


class FocusExportSerializer(serializers.ModelSerializer):
    month = serializers.CharField(write_only=True, help_text="the billing month, 2025-11")
    billing_month = MonthTextField(read_only=True)

    class Meta:
        model = FocusExport
        fields = [
            "id",
            "month",
            "billing_month",
            "version",
            "kind",
            "status",
            "rows",
            "bytes",
            "totals",
            "filled",
            "notes",
            "message",
        ]
        read_only_fields = ["id", "status", "rows", "bytes", "totals", "filled", "notes", "message"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            start = Month.parse(attrs.pop("month")).start
        except ValueError as error:
            raise serializers.ValidationError({"month": str(error)}) from None
        if not DeliveryMonth.objects.current().filter(billing_month=start).exists():
            raise serializers.ValidationError({"month": "No bill of that month counts."})
        return {**attrs, "billing_month": start}


class CostLineSerializer(ExactModelSerializer):
    key = serializers.SerializerMethodField(
        help_text="leads to this line, and to what stands in its place when another bill counts; the id does not"
    )
    delivery = serializers.IntegerField(source="delivery_month.delivery_id")
    billing_month = MonthTextField()
    tags = serializers.DictField(source="tag_set.tags", child=serializers.CharField(allow_blank=True))
    virtual_tags = serializers.DictField(
        source="tag_set.virtual", child=serializers.CharField(allow_blank=True), help_text="of `tags`, those we set"
    )
    owner = serializers.CharField(source="owner.name", allow_null=True, default=None, help_text="null: no team's alone")
    pool = serializers.CharField(
        source="pool.name", allow_null=True, default=None, help_text="of shared cost; without owner and pool: unowned"
    )

    class Meta:
        model = CostLine
        fields = [
            "id",
            "key",
            "delivery",
            "billing_month",
            "charge_date",
            "provider",
            "billing_account",
            "sub_account",
            "service",
            "service_category",
            "service_subcategory",
            "invoice_issuer",
            "region",
            "resource",
            "resource_name",
            "resource_type",
            "instance_type",
            "sku",
            "charge_category",
            "charge_class",
            "charge_description",
            "pricing_category",
            "commitment",
            "commitment_status",
            "tags",
            "virtual_tags",
            "owner",
            "pool",
            "owner_rule",
            "currency",
            "billed_cost",
            "effective_cost",
            "list_cost",
            "contracted_cost",
            "quantity",
            "unit",
            "charges",
        ]

    def get_key(self, line: CostLine) -> str:
        return self.context["keys"][line.pk]


class TeamSerializer(serializers.ModelSerializer):
    parent = serializers.IntegerField(source="parent_id", allow_null=True)
    month_to_date = serializers.SerializerMethodField()

    class Meta:
        model = Team
        fields = ["id", "name", "cost_center", "parent", "month_to_date"]

    def get_month_to_date(self, team: Team) -> dict[str, dict[str, str | None]]:
        return self.context["month_to_date"].get(team.pk, {})


class MissingPartSerializer(serializers.Serializer):
    """Days that a total lacks, and of which bill; `metric` where only one of the costs is missing."""

    provider = serializers.CharField()
    source = serializers.CharField(help_text="for those who see the whole company; empty for others")
    export = serializers.CharField(help_text="for those who see the whole company; empty for others")
    to = serializers.DateField()
    known_until = serializers.DateField(allow_null=True)
    metric = serializers.CharField(allow_blank=True)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's and cannot name a field above.
        return {"from": serializers.DateField(), **super().get_fields()}


class KnownSerializer(serializers.Serializer):
    """What the bills know of the days asked about: what is not delivered is unknown, and never zero."""

    until = serializers.DateField(allow_null=True, help_text="the last day that every bill has delivered")
    is_complete = serializers.BooleanField(help_text="whether nothing that is expected by now is missing")
    is_final = serializers.BooleanField(help_text="whether no later bill is expected to change it")
    missing = MissingPartSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField(), help_text="the same in sentences")


class SpendSerializer(serializers.Serializer):
    """The answer to a question about spend; `from` and `to` are its first and last day."""

    group_by = serializers.ListField(child=serializers.CharField())
    to = serializers.DateField()
    metric = serializers.CharField()
    results = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField(allow_null=True)),
        help_text="a value for each of group_by (null: unowned), the currency, and the metric as exact decimal text",
    )
    totals = serializers.DictField(
        child=serializers.CharField(allow_null=True), help_text="{currency: the whole as exact decimal text}"
    )
    rates = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="with `in`: by which rates of which day; null: none"
    )
    unmatched = serializers.ListField(
        child=serializers.CharField(), help_text="values of the filters that nothing here has, in sentences"
    )
    known = KnownSerializer(help_text="what the totals lack, as pages say it beside them")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's and cannot name a field above.
        return {"from": serializers.DateField(), **super().get_fields()}


class ClusterShareSerializer(serializers.Serializer):
    """What a namespace, a workload, a pod, a machine or the value of a label costs of a cluster's machines."""

    cluster = serializers.CharField()
    key = serializers.CharField(help_text="the namespace, workload ...; empty where a row has none")
    is_idle = serializers.BooleanField(help_text="what nothing took")
    currency = serializers.CharField()
    amount = serializers.SerializerMethodField(help_text="every digit, as text")

    def get_amount(self, share: Share) -> str | None:
        return exact_text(share.amount)
