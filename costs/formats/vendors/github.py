"""GitHub's usage reports, summarised and detailed, also the one of premium requests.

Header: "Billing reports reference", docs.github.com/en/billing/reference/billing-reports. Amounts are in US dollars,
which no column says. The net amount is what GitHub bills; the gross amount is before what the plan includes.

The usage report is of all paid products, premium requests among them; the report of premium requests has the same cost
again, by user and model.
"""

from dataclasses import replace

from costs.formats.base import Format, const, month_of, tags_of, text

GITHUB = Format(
    name="github",
    title="GitHub usage report",
    required=("date|Usage at", "product", "sku", "quantity", "unit_type", "gross_amount", "net_amount"),
    columns={
        "ProviderName": const("GitHub"),
        "PublisherName": const("GitHub"),
        "InvoiceIssuerName": const("GitHub"),
        "SubAccountId": text("organization"),
        "SubAccountName": text("organization"),
        "BillingCurrency": const("USD"),
        "BillingPeriodStart": lambda sheet: month_of("date" if "date" in sheet else "Usage at")(sheet),
        "ChargePeriodStart": text("date", "Usage at"),
        "ChargeCategory": const("Usage"),
        "ChargeDescription": text("sku"),
        "ServiceName": text("product"),
        "ServiceCategory": const("Developer Tools"),
        "ResourceId": text("repository"),
        "ResourceName": text("repository"),
        "SkuId": text("sku"),
        "PricingQuantity": text("quantity"),
        "PricingUnit": text("unit_type"),
        "ConsumedQuantity": text("quantity"),
        "ConsumedUnit": text("unit_type"),
        "ListUnitPrice": text("applied_cost_per_quantity"),
        "BilledCost": text("net_amount"),
        "EffectiveCost": text("net_amount"),
        "ListCost": text("gross_amount"),
        "Tags": tags_of(
            {
                "cost_center": "cost_center_name",
                "username": "username",
                "workflow": "workflow_path",
                "model": "model",
            }
        ),
        "x_UsageType": text("sku"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    tags_are_map=True,
)

GITHUB_PREMIUM = replace(
    GITHUB,
    name="github-premium",
    title="GitHub report of premium requests",
    required=(*GITHUB.required, "model|exceeds_quota|total_monthly_quota"),
    foreign=("repository", "workflow_path"),
    repeats=GITHUB.name,
)
