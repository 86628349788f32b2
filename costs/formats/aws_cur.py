"""AWS Cost and Usage Report, legacy CSV: one row for each line item, tags as columns.

Billed cost is the unblended cost, whose sum over all line types is the invoice. Effective cost follows the amortised
cost of AWS's Cloud Intelligence Dashboards (summary_view): covered usage carries its share of the commitment, fees
carry only what was not used, upfront fees carry nothing.
"""

from costs.formats.base import Format, Sheet, const, first, formula, tag_columns, text

CATEGORY = """CASE {lineItem/LineItemType}
    WHEN 'Tax' THEN 'Tax'
    WHEN 'Credit' THEN 'Credit'
    WHEN 'RIFee' THEN 'Purchase'
    WHEN 'Fee' THEN 'Purchase'
    WHEN 'SavingsPlanUpfrontFee' THEN 'Purchase'
    WHEN 'SavingsPlanRecurringFee' THEN 'Purchase'
    WHEN 'FlatRateSubscription' THEN 'Purchase'
    WHEN 'SavingsPlanNegation' THEN 'Usage'
    ELSE 'Usage' END"""

EFFECTIVE = """CASE {lineItem/LineItemType}
    WHEN 'SavingsPlanCoveredUsage' THEN coalesce({savingsPlan/SavingsPlanEffectiveCost}, '0')
    WHEN 'SavingsPlanRecurringFee' THEN CAST(
        {savingsPlan/TotalCommitmentToDate:n} - {savingsPlan/UsedCommitment:n} AS VARCHAR)
    WHEN 'SavingsPlanNegation' THEN '0'
    WHEN 'SavingsPlanUpfrontFee' THEN '0'
    WHEN 'DiscountedUsage' THEN coalesce({reservation/EffectiveCost}, '0')
    WHEN 'RIFee' THEN CAST(
        {reservation/UnusedAmortizedUpfrontFeeForBillingPeriod:n} + {reservation/UnusedRecurringFee:n} AS VARCHAR)
    WHEN 'Fee' THEN CASE WHEN {reservation/ReservationARN} IS NULL THEN {lineItem/UnblendedCost} ELSE '0' END
    ELSE {lineItem/UnblendedCost} END"""

# A negation only takes back what a savings plan covered: it has no on-demand price of its own.
LIST = """CASE {lineItem/LineItemType}
    WHEN 'SavingsPlanNegation' THEN '0' ELSE {pricing/publicOnDemandCost} END"""

STATUS = """CASE {lineItem/LineItemType}
    WHEN 'SavingsPlanCoveredUsage' THEN 'Used'
    WHEN 'DiscountedUsage' THEN 'Used' END"""

PRICING = """CASE WHEN {lineItem/LineItemType} IN ('SavingsPlanCoveredUsage', 'DiscountedUsage') THEN 'Committed'
    WHEN {lineItem/UsageType} LIKE '%SpotUsage%' THEN 'Dynamic'
    WHEN {lineItem/LineItemType} = 'Usage' THEN 'Standard' END"""

# Marketplace lines carry a random id as their product code; the product's name tells what was bought.
SERVICE = """CASE WHEN {bill/BillingEntity} = 'AWS Marketplace'
    THEN coalesce({product/ProductName}, {lineItem/ProductCode}) ELSE {lineItem/ProductCode} END"""


def _tags(sheet: Sheet) -> str | None:
    return tag_columns(sheet, "resourceTags/")


AWS_CUR = Format(
    name="aws-cur",
    title="AWS Cost and Usage Report (legacy)",
    required=("lineItem/UnblendedCost", "lineItem/LineItemType", "lineItem/UsageStartDate", "bill/PayerAccountId"),
    columns={
        "ProviderName": const("AWS"),
        "PublisherName": text("lineItem/LegalEntity"),
        "InvoiceIssuerName": text("bill/InvoicingEntity", "lineItem/LegalEntity"),
        "InvoiceId": text("bill/InvoiceId"),
        "BillingAccountId": text("bill/PayerAccountId"),
        "BillingAccountName": text("bill/PayerAccountName"),
        "SubAccountId": text("lineItem/UsageAccountId"),
        "SubAccountName": text("lineItem/UsageAccountName"),
        "BillingCurrency": text("lineItem/CurrencyCode"),
        "BillingPeriodStart": text("bill/BillingPeriodStartDate"),
        "ChargePeriodStart": text("lineItem/UsageStartDate"),
        "ChargePeriodEnd": text("lineItem/UsageEndDate"),
        "ChargeCategory": formula(CATEGORY),
        "ChargeDescription": text("lineItem/LineItemDescription"),
        "ServiceCategory": text("product/productFamily"),
        "ServiceName": formula(SERVICE),
        "RegionId": text("product/regionCode", "product/region"),
        "RegionName": text("product/location"),
        "AvailabilityZone": text("lineItem/AvailabilityZone"),
        "ResourceId": text("lineItem/ResourceId"),
        "ResourceType": text("product/productFamily"),
        "SkuId": text("product/sku"),
        "SkuPriceId": text("pricing/RateCode"),
        "PricingCategory": formula(PRICING),
        "PricingQuantity": text("lineItem/UsageAmount"),
        "PricingUnit": text("pricing/unit"),
        "ConsumedQuantity": text("lineItem/UsageAmount"),
        "ConsumedUnit": text("pricing/unit"),
        "ListUnitPrice": text("pricing/publicOnDemandRate"),
        "BilledCost": text("lineItem/UnblendedCost"),
        "EffectiveCost": formula(EFFECTIVE),
        "ListCost": formula(LIST),
        "CommitmentDiscountId": first(
            text("savingsPlan/SavingsPlanARN", "reservation/ReservationARN"),
        ),
        "CommitmentDiscountStatus": formula(STATUS),
        "Tags": _tags,
        "x_LineType": text("lineItem/LineItemType"),
        "x_InstanceType": text("product/instanceType"),
        "x_Operation": text("lineItem/Operation"),
        "x_UsageType": text("lineItem/UsageType"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    lenient=frozenset({"ListCost"}),
    tags_are_map=True,
)
