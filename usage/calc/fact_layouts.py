"""Exports of metrics, inventories and recommendations: the header of each, and what its columns mean. Pure.

A layout names the columns it needs and gives the SQL of each column of a tidy row. Names are compared without case,
blanks and signs, so that ``Resource Id``, ``resource_id`` and ``resourceId`` are one. Files of JSON are made into rows
with such names first (`usage.calc.fact_json`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from costs.calc.providers import AWS, AZURE, GOOGLE
from costs.formats.sql import literal

METRICS, INVENTORY, ADVICE, CARBON = "metrics", "inventory", "advice", "carbon"


@dataclass(frozen=True, slots=True)
class Layout:
    """`needs` are columns without which a file is not of it; `columns` are {column of a tidy row: SQL over text
    columns, written ``[name]``}. What a layout does not name is null."""

    name: str
    kind: str
    needs: Sequence[str]
    columns: Mapping[str, str]
    optional: Sequence[str] = ()
    where: str = "true"


def squeezed(name: str) -> str:
    """A column's name without case and signs."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _plain(*names: str) -> dict[str, str]:
    return {name: f"[{name}]" for name in names}


def _same(text: str) -> str:
    return literal(text)


_PLACE = ("provider", "account", "region", "resource")
PLAIN_METRICS = Layout(
    "plain metrics",
    METRICS,
    ("provider", "resource", "metric", "time", "value"),
    {**_plain(*_PLACE, "metric", "time", "value", "unit", "statistic"), "source": "'CSV'"},
    ("account", "region", "unit", "statistic"),
)
PLAIN_INVENTORY = Layout(
    "plain inventory",
    INVENTORY,
    ("provider", "account", "resource", "kind"),
    _plain(
        *(
            *_PLACE,
            "kind",
            "name",
            "state",
            "attached_to",
            "parent",
            "created_day",
            "last_used_day",
            "size",
            "size_unit",
        ),
        *("type", "attributes"),
    ),
    (
        *("region", "name", "state", "attached_to", "parent", "created_day", "last_used_day", "size", "size_unit"),
        *("type", "attributes"),
    ),
)
PLAIN_ADVICE = Layout(
    "plain recommendations",
    ADVICE,
    ("provider", "resource", "title", "monthly_saving", "currency"),
    _plain(*_PLACE, "source", "rule", "title", "target", "monthly_saving", "currency", "effort"),
    ("account", "region", "source", "rule", "target", "effort"),
)
# The inventory the product started from: its states, types and sizes. The figures of a moment that stand beside them
# (CPUUtilization) are no measurements of two weeks, and prove nothing.
MACHINE_LIST = Layout(
    "list of EC2 machines",
    INVENTORY,
    ("ResourceId", "InstanceType", "State", "CreationDate"),
    {
        "provider": _same(AWS),
        "account": "NULL",
        "region": "[Region]",
        "resource": "[ResourceId]",
        "kind": "'machine'",
        "name": "NULL",
        "state": "[State]",
        "attached_to": "NULL",
        "parent": "NULL",
        "created_day": "[CreationDate]",
        "last_used_day": "NULL",
        "size": "NULL",
        "size_unit": "NULL",
        "type": "[InstanceType]",
        "attributes": "NULL",
    },
    ("Region",),
    # Spreadsheets leave empty rows behind.
    "[ResourceId] IS NOT NULL OR [State] IS NOT NULL",
)
BUCKET_LIST = Layout(
    "list of S3 buckets",
    INVENTORY,
    ("BucketName", "StorageClass", "ObjectCount", "TotalSizeGB"),
    {
        **MACHINE_LIST.columns,
        "resource": "[BucketName]",
        "kind": "'bucket'",
        "state": "NULL",
        "size": "[TotalSizeGB]",
        "size_unit": "'GB'",
        "type": "[StorageClass]",
        "attributes": "json_object('objects', TRY_CAST([ObjectCount] AS BIGINT), "
        "'versioning', lower([VersionEnabled]) = 'true')",
    },
    ("Region", "CreationDate", "VersionEnabled"),
    "[BucketName] IS NOT NULL OR [StorageClass] IS NOT NULL",
)
# AWS Cost Optimization Hub, data exports: COST_OPTIMIZATION_RECOMMENDATIONS.
_HUB_RULES = " ".join(
    f"WHEN [action_type] = '{action}' AND [current_resource_type] = '{kind}' THEN '{rule}'"
    for action, kind, rule in (
        ("Stop", "Ec2Instance", "machine_idle"),
        ("Rightsize", "Ec2Instance", "machine_rightsize"),
        ("MigrateToGraviton", "Ec2Instance", "machine_arm"),
        ("Upgrade", "EbsVolume", "disk_gp2"),
        ("Delete", "EbsVolume", "disk_unattached"),
        ("Rightsize", "LambdaFunction", "function_memory"),
        ("Rightsize", "RdsDbInstance", "database_rightsize"),
        ("Stop", "RdsDbInstance", "database_idle"),
    )
)
COST_OPTIMIZATION_HUB = Layout(
    "AWS Cost Optimization Hub",
    ADVICE,
    ("account_id", "action_type", "resource_arn", "estimated_monthly_savings_after_discount", "currency_code"),
    {
        "provider": _same(AWS),
        "account": "[account_id]",
        "region": "[region]",
        "resource": "[resource_arn]",
        "source": "'AWS Cost Optimization Hub'",
        "rule": f"CASE {_HUB_RULES} END",
        "title": "[action_type] || ': ' || coalesce([recommended_resource_summary], [current_resource_summary], '')",
        "target": "json_object('summary', [recommended_resource_summary])",
        "monthly_saving": "[estimated_monthly_savings_after_discount]",
        "currency": "[currency_code]",
        "effort": "lower([implementation_effort])",
    },
    (
        "region",
        "current_resource_type",
        "recommended_resource_summary",
        "current_resource_summary",
        "implementation_effort",
    ),
)
# AWS Compute Optimizer, export of EC2 instances: the first option is the one that it ranks first.
_FIRST_SAVING = "recommendationOptions_1_estimatedMonthlySavings"
COMPUTE_OPTIMIZER = Layout(
    "AWS Compute Optimizer (EC2)",
    ADVICE,
    ("accountId", "instanceArn", "finding", "currentInstanceType", "recommendationOptions_1_instanceType"),
    {
        "provider": _same(AWS),
        "account": "[accountId]",
        "region": "split_part([instanceArn], ':', 4)",
        "resource": "[instanceArn]",
        "source": "'AWS Compute Optimizer'",
        "rule": "CASE WHEN upper([finding]) LIKE 'OVER%' THEN 'machine_rightsize' END",
        "title": "[finding] || ': ' || [currentInstanceType] || ' -> ' || [recommendationOptions_1_instanceType]",
        "target": "json_object('type', [recommendationOptions_1_instanceType])",
        "monthly_saving": "[recommendationOptions_1_estimatedMonthlySavings_value]",
        "currency": "coalesce([recommendationOptions_1_estimatedMonthlySavings_currency], 'USD')",
    },
    (
        "recommendationOptions_1_estimatedMonthlySavings_value",
        "recommendationOptions_1_estimatedMonthlySavings_currency",
    ),
    "upper([finding]) NOT LIKE 'OPTIMIZED%'",
)
# AWS Trusted Advisor, the check "Low Utilization Amazon EC2 Instances" and its like.
TRUSTED_ADVISOR = Layout(
    "AWS Trusted Advisor",
    ADVICE,
    ("Region/AZ", "Instance ID", "Estimated Monthly Savings"),
    {
        "provider": _same(AWS),
        "region": "regexp_replace([Region/AZ], '[a-f]$', '')",
        "resource": "[Instance ID]",
        "source": "'AWS Trusted Advisor'",
        "rule": "'machine_idle'",
        "title": "'Low utilization: ' || coalesce([Instance Type], '')",
        "monthly_saving": "regexp_replace([Estimated Monthly Savings], '[$,]', '', 'g')",
        "currency": "'USD'",
    },
    ("Instance Type",),
)
AZURE_ADVISOR = Layout(
    "Azure Advisor",
    ADVICE,
    ("Category", "Recommendation", "Subscription ID", "Resource Name", "Potential Annual Cost Savings"),
    {
        "provider": _same(AZURE),
        "account": "lower([Subscription ID])",
        "resource": "coalesce(nullif([Resource ID], ''), [Resource Name])",
        "source": "'Azure Advisor'",
        "title": "[Recommendation]",
        # A year's, as Advisor states it; rules count months.
        "monthly_saving": "CAST(TRY_CAST(regexp_replace([Potential Annual Cost Savings], ',', '', 'g')"
        " AS DECIMAL(28, 8)) / 12 AS DECIMAL(28, 8))::VARCHAR",
        "currency": "coalesce(nullif([Potential Cost Savings Currency], ''), 'USD')",
    },
    ("Resource ID", "Potential Cost Savings Currency"),
    "lower([Category]) = 'cost'",
)
GCP_RECOMMENDER = Layout(
    "Google Cloud Recommender",
    ADVICE,
    ("cloud_entity_id", "recommender", "recommender_subtype", "target_resource", "cost_units", "cost_currency"),
    {
        "provider": _same(GOOGLE),
        "account": "[cloud_entity_id]",
        "region": "[location]",
        "resource": "[target_resource]",
        "source": "'Google Cloud Recommender'",
        "rule": "CASE WHEN [recommender] LIKE '%IdleResource%' THEN 'machine_idle'"
        " WHEN [recommender] LIKE '%MachineType%' THEN 'machine_rightsize' END",
        "title": "[recommender_subtype]",
        # Savings are negative cost there.
        "monthly_saving": "CASE WHEN [cost_units] LIKE '-%' THEN substr([cost_units], 2) ELSE '-' || [cost_units] END",
        "currency": "[cost_currency]",
    },
    ("location",),
)
# Emissions of greenhouse gases by month, as providers state them (`usage.calc.carbon_reading` for the columns).
PLAIN_CARBON = Layout(
    "plain carbon",
    CARBON,
    ("provider", "account", "month", "kg_market"),
    {
        **_plain("provider", "account", "region", "service", "month"),
        "scope1": "[kg_scope1]",
        "scope2_market": "[kg_scope2_market]",
        "scope2_location": "[kg_scope2_location]",
        "scope3_market": "[kg_scope3]",
        "scope3_location": "[kg_scope3]",
        "market": "[kg_market]",
        "location": "[kg_location]",
    },
    (*("region", "service", "kg_location", "kg_scope1", "kg_scope2_market", "kg_scope2_location", "kg_scope3"),),
)
# AWS Data Exports: CARBON_EMISSIONS, in tonnes. Scopes apart are newer than the totals.
AWS_CARBON = Layout(
    "AWS carbon emissions (Data Exports)",
    CARBON,
    ("usage_account_id", "usage_period_start", "total_mbm_emissions_value", "total_mbm_emissions_unit"),
    {
        "provider": _same(AWS),
        "account": "[usage_account_id]",
        "region": "[region_code]",
        "service": "[product_code]",
        "month": "[usage_period_start]",
        "scope1": "[total_scope_1_emissions_value]",
        "scope2_market": "[total_scope_2_mbm_emissions_value]",
        "scope2_location": "[total_scope_2_lbm_emissions_value]",
        "scope3_market": "[total_scope_3_mbm_emissions_value]",
        "scope3_location": "[total_scope_3_lbm_emissions_value]",
        "market": "[total_mbm_emissions_value]",
        "location": "[total_lbm_emissions_value]",
        "unit": "[total_mbm_emissions_unit]",
        "model": "[model_version]",
    },
    (
        *("region_code", "product_code", "total_lbm_emissions_value", "model_version"),
        *("total_scope_1_emissions_value", "total_scope_2_mbm_emissions_value", "total_scope_2_lbm_emissions_value"),
        *("total_scope_3_mbm_emissions_value", "total_scope_3_lbm_emissions_value"),
    ),
)
# Microsoft Cloud for Sustainability, emissions of an enrollment: a row for each scope, in tonnes, market-based.
AZURE_CARBON = Layout(
    "Azure emissions of an enrollment",
    CARBON,
    ("dateKey", "subscriptionId", "azureServiceName", "azureRegionName", "scopeId", "totalEmissions"),
    {
        "provider": _same(AZURE),
        "account": "lower([subscriptionId])",
        "region": "[azureRegionName]",
        "service": "[azureServiceName]",
        "month": "[dateKey]",
        "scope": "[scopeId]",
        "value": "[totalEmissions]",
        "unit": "'MTCO2e'",
    },
)
# Google Cloud Carbon Footprint, its table of BigQuery saved as CSV, in kilograms.
GCP_CARBON = Layout(
    "Google Cloud Carbon Footprint",
    CARBON,
    ("usage_month", "project.id", "service.description", "carbon_footprint_total_kgCO2e.market_based"),
    {
        "provider": _same(GOOGLE),
        "account": "coalesce(nullif([project.id], ''), [billing_account_id])",
        "region": "[location.region]",
        "service": "[service.description]",
        "month": "[usage_month]",
        "scope1": "[carbon_footprint_kgCO2e.scope1]",
        "scope2_market": "[carbon_footprint_kgCO2e.scope2.market_based]",
        "scope2_location": "[carbon_footprint_kgCO2e.scope2.location_based]",
        "scope3_market": "[carbon_footprint_kgCO2e.scope3]",
        "scope3_location": "[carbon_footprint_kgCO2e.scope3]",
        "market": "[carbon_footprint_total_kgCO2e.market_based]",
        "location": "[carbon_footprint_total_kgCO2e.location_based]",
        "model": "[carbon_model_version]",
    },
    (
        *("billing_account_id", "location.region", "carbon_footprint_kgCO2e.scope1", "carbon_model_version"),
        *("carbon_footprint_kgCO2e.scope2.market_based", "carbon_footprint_kgCO2e.scope2.location_based"),
        *("carbon_footprint_kgCO2e.scope3", "carbon_footprint_total_kgCO2e.location_based"),
    ),
)
LAYOUTS = (
    PLAIN_METRICS,
    PLAIN_INVENTORY,
    COST_OPTIMIZATION_HUB,
    COMPUTE_OPTIMIZER,
    TRUSTED_ADVISOR,
    AZURE_ADVISOR,
    GCP_RECOMMENDER,
    MACHINE_LIST,
    BUCKET_LIST,
    PLAIN_ADVICE,
    AWS_CARBON,
    AZURE_CARBON,
    GCP_CARBON,
    PLAIN_CARBON,
)


def layout_of(header: Sequence[str]) -> Layout | None:
    """The layout whose needs the header has; the one with most of them, None where none has all."""
    there = {squeezed(name) for name in header}
    fitting = [one for one in LAYOUTS if all(squeezed(name) in there for name in one.needs)]
    return max(fitting, key=lambda one: len(one.needs), default=None)


def nearest_layout(header: Sequence[str]) -> tuple[Layout, list[str]]:
    """The layout that lacks least, and what it lacks: for a message that helps."""
    there = {squeezed(name) for name in header}
    lacking = [(one, [name for name in one.needs if squeezed(name) not in there]) for one in LAYOUTS]
    return min(lacking, key=lambda pair: len(pair[1]) / len(pair[0].needs))


@dataclass(frozen=True, slots=True)
class MetricName:
    """Ours, and by what a value of a provider's metric is multiplied to become ours."""

    name: str
    factor: float = 1.0


_MINUTE = 1 / 60
# What providers call what we measure. CloudWatch's network metrics are bytes in a period of five minutes, its disk
# operations too (EC2 basic monitoring); Azure's are totals of a minute.
METRIC_NAMES: Mapping[str, MetricName] = {
    **{
        squeezed(name): MetricName("cpu")
        for name in ("CPUUtilization", "cpu", "cpu_percent", "Percentage CPU", "cpu_utilization")
    },
    **{
        squeezed(name): MetricName("memory")
        for name in ("memory", "mem_used_percent", "memory_percent", "MemoryUtilization")
    },
    # Google's monitoring states shares of one.
    "computegoogleapiscominstancecpuutilization": MetricName("cpu", 100),
    "agentgoogleapiscommemorypercentused": MetricName("memory"),
    "networkin": MetricName("network_in", _MINUTE / 5),
    "networkout": MetricName("network_out", _MINUTE / 5),
    "networkintotal": MetricName("network_in", _MINUTE),
    "networkouttotal": MetricName("network_out", _MINUTE),
    "volumereadops": MetricName("disk_read_ops", _MINUTE / 5),
    "volumewriteops": MetricName("disk_write_ops", _MINUTE / 5),
    "volumereadbytes": MetricName("disk_read_bytes", _MINUTE / 5),
    "volumewritebytes": MetricName("disk_write_bytes", _MINUTE / 5),
    "databaseconnections": MetricName("connections"),
    "numberofobjects": MetricName("objects"),
    "blobcount": MetricName("objects"),
}
# {unit as written, squeezed: factor to ours}; a rate is for a second.
UNITS: Mapping[str, float] = {
    **{"": 1, "percent": 1, "none": 1, "count": 1, "bytes": 1, "bytessecond": 1, "countsecond": 1, "milliseconds": 1},
    **{"fraction": 100, "ratio": 100, "bits": 0.125, "bitssecond": 0.125, "seconds": 1000},
    **{"kilobytes": 1e3, "megabytes": 1e6, "gigabytes": 1e9, "kilobytessecond": 1e3, "megabytessecond": 1e6},
    **{"kilobitssecond": 125, "megabitssecond": 125e3, "mib": 2**20, "gib": 2**30, "kib": 2**10},
}
PERCENTS = ("cpu", "memory", "gpu", "disk_used", "tokens_repeated", "tokens_not_urgent", "spot_interruption")
STATISTICS: Mapping[str, str] = {
    **dict.fromkeys(("", "average", "avg", "mean", "value"), "average"),
    **dict.fromkeys(("maximum", "max"), "maximum"),
    **dict.fromkeys(("sum", "total"), "average"),
}


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not read: its line in the file, its column and why."""

    line: int
    column: str
    reason: str
    value: str = field(default="")
