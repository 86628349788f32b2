"""Datadog: its own cost by organisation and product, and the files of custom costs that are uploaded to it.

Headers: "New CSV headers for Individual Organizations Summary" (docs.datadoghq.com/account_management/guide) and
"Custom Costs" (docs.datadoghq.com/cloud_cost_management/setup/custom). Of custom costs the last day is inclusive, and
their columns are a handful of those of FOCUS: a bill of FOCUS that lacks a column must not be taken for one of them.
"""

from costs.formats.base import Format, const, formula, month_of, object_tags, text

DATADOG_USAGE = Format(
    name="datadog-usage",
    title="Datadog cost summary by organisation",
    required=("Organization Name", "Public ID", "Month", "Product Name", "Cost"),
    columns={
        "ProviderName": const("Datadog"),
        "PublisherName": const("Datadog"),
        "InvoiceIssuerName": const("Datadog"),
        "SubAccountId": text("Public ID"),
        "SubAccountName": text("Organization Name"),
        "BillingCurrency": const("USD"),
        "BillingPeriodStart": month_of("Month"),
        "ChargePeriodStart": month_of("Month"),
        "ChargeCategory": const("Usage"),
        "ChargeDescription": text("Product Name"),
        "ServiceName": text("Product Name"),
        "ServiceCategory": const("Management and Governance"),
        "BilledCost": text("Cost"),
        "EffectiveCost": text("Cost"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
)

DATADOG_CUSTOM = Format(
    name="datadog-custom",
    title="Datadog custom costs",
    required=(
        "ProviderName",
        "ChargeDescription",
        "ChargePeriodStart",
        "ChargePeriodEnd",
        "BilledCost",
        "BillingCurrency",
    ),
    # What FOCUS states about a charge and custom costs do not.
    foreign=(
        *("EffectiveCost", "AmortizedCost", "ListCost", "ContractedCost", "BillingPeriodStart", "BillingPeriodEnd"),
        *("ChargeCategory", "ChargeType", "ChargeSubcategory", "ChargeClass", "ChargeFrequency", "PricingCategory"),
        *("BillingAccountId", "InvoiceIssuerName", "CommitmentDiscountId", "CommitmentDiscountStatus"),
        *("ListUnitPrice", "ContractedUnitPrice", "PricingQuantity"),
    ),
    columns={
        "ProviderName": text("ProviderName"),
        "InvoiceIssuerName": text("ProviderName"),
        "SubAccountId": text("SubAccountId"),
        "SubAccountName": text("SubAccountName"),
        "BillingCurrency": text("BillingCurrency"),
        "BillingPeriodStart": month_of("ChargePeriodStart"),
        "ChargePeriodStart": text("ChargePeriodStart"),
        "ChargePeriodEnd": formula("CAST(TRY_CAST({ChargePeriodEnd} AS DATE) + 1 AS VARCHAR)"),
        "ChargeCategory": const("Usage"),
        "ChargeDescription": text("ChargeDescription"),
        "ServiceName": text("ServiceName", "ProviderName"),
        "ServiceCategory": text("ServiceCategory"),
        "RegionId": text("RegionId"),
        "RegionName": text("RegionName"),
        "ResourceId": text("ResourceId"),
        "ResourceName": text("ResourceName"),
        "ResourceType": text("ResourceType"),
        "BilledCost": text("BilledCost"),
        "EffectiveCost": text("BilledCost"),
        "Tags": object_tags("Tags"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    keeps_all=True,
)
