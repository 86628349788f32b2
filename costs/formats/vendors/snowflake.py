"""Snowflake's daily usage in currency: the view ORGANIZATION_USAGE.USAGE_IN_CURRENCY_DAILY, exported.

Header: docs.snowflake.com/en/sql-reference/organization-usage/usage_in_currency_daily. The legacy form of the view
lacks BILLING_TYPE, RATING_TYPE, SERVICE_TYPE and IS_ADJUSTMENT.
"""

from costs.formats.base import Format, const, formula, month_of, text

CATEGORY = """CASE WHEN lower({BILLING_TYPE}) IN ('rebate', 'support_credit') THEN 'Credit'
    WHEN lower({BILLING_TYPE}) IN ('priority support', 'vps_deployment_fee') THEN 'Purchase' ELSE 'Usage' END"""

UNIT = """CASE WHEN lower({RATING_TYPE}) = 'compute' THEN 'Credits'
    WHEN lower({RATING_TYPE}) IN ('storage', 'data transfer', 'data_transfer') THEN 'TB' ELSE {RATING_TYPE} END"""

SNOWFLAKE = Format(
    name="snowflake",
    title="Snowflake USAGE_IN_CURRENCY_DAILY",
    required=("ORGANIZATION_NAME", "ACCOUNT_LOCATOR", "USAGE_DATE", "USAGE_TYPE", "CURRENCY", "USAGE_IN_CURRENCY"),
    columns={
        "ProviderName": const("Snowflake"),
        "PublisherName": const("Snowflake"),
        "InvoiceIssuerName": const("Snowflake"),
        "BillingAccountId": text("CONTRACT_NUMBER", "ORGANIZATION_NAME"),
        "BillingAccountName": text("ORGANIZATION_NAME"),
        "SubAccountId": text("ACCOUNT_LOCATOR"),
        "SubAccountName": text("ACCOUNT_NAME"),
        "BillingCurrency": text("CURRENCY"),
        "BillingPeriodStart": month_of("USAGE_DATE"),
        "ChargePeriodStart": text("USAGE_DATE"),
        "ChargeCategory": formula(CATEGORY),
        "ChargeClass": formula("CASE WHEN lower({IS_ADJUSTMENT}) = 'true' THEN 'Correction' END"),
        "ChargeDescription": text("USAGE_TYPE"),
        "ServiceName": text("SERVICE_TYPE", "USAGE_TYPE"),
        "ServiceCategory": const("Databases"),
        "RegionId": text("REGION"),
        "RegionName": text("REGION"),
        "SkuId": text("USAGE_TYPE"),
        "ConsumedQuantity": text("USAGE"),
        "ConsumedUnit": formula(UNIT),
        "PricingQuantity": text("USAGE"),
        "PricingUnit": formula(UNIT),
        "BilledCost": text("USAGE_IN_CURRENCY"),
        "EffectiveCost": text("USAGE_IN_CURRENCY"),
        "x_LineType": text("BALANCE_SOURCE"),
        "x_UsageType": text("RATING_TYPE"),
        "x_Operation": text("SERVICE_LEVEL"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    remarks={
        "lower(x_LineType) IN ('free usage', 'rebate')": (
            "Rows paid from free or rebate credits, which cost what Snowflake rates them at: {}."
        )
    },
)
