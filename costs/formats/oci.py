"""Oracle Cloud cost reports: one price only, so effective cost is what is billed."""

from costs.formats.base import Format, const, formula, tag_columns, text

OCI = Format(
    name="oci",
    title="Oracle Cloud cost report",
    required=("cost/myCost", "lineItem/intervalUsageStart", "product/service", "lineItem/tenantId"),
    columns={
        "ProviderName": const("OCI"),
        "PublisherName": const("Oracle"),
        "InvoiceIssuerName": const("Oracle"),
        "BillingAccountId": text("lineItem/tenantId"),
        "SubAccountId": text("product/compartmentId"),
        "SubAccountName": text("product/compartmentName"),
        "BillingCurrency": text("cost/currencyCode"),
        "BillingPeriodStart": formula("left({lineItem/intervalUsageStart}, 7) || '-01'"),
        "ChargePeriodStart": text("lineItem/intervalUsageStart"),
        "ChargePeriodEnd": text("lineItem/intervalUsageEnd"),
        "ChargeCategory": const("Usage"),
        "ChargeClass": formula("CASE WHEN lower({lineItem/isCorrection}) = 'true' THEN 'Correction' END"),
        "ChargeDescription": text("product/Description"),
        "ServiceName": text("product/service"),
        "RegionId": text("product/region"),
        "AvailabilityZone": text("product/availabilityDomain"),
        "ResourceId": text("product/resourceId"),
        "ResourceType": text("product/resource"),
        "SkuId": text("cost/productSku"),
        "PricingQuantity": text("usage/billedQuantity"),
        "PricingUnit": text("cost/skuUnitDescription", "cost/billingUnitReadable"),
        "ConsumedQuantity": text("usage/billedQuantity"),
        "ConsumedUnit": text("cost/skuUnitDescription", "cost/billingUnitReadable"),
        "ContractedUnitPrice": text("cost/unitPrice"),
        "BilledCost": text("cost/myCost"),
        "EffectiveCost": text("cost/myCost"),
        # ``tags/<namespace>.<key>``: the namespace is part of the key.
        "Tags": lambda sheet: tag_columns(sheet, "tags/"),
        "x_Operation": text("lineItem/backreferenceNo"),
        "x_UsageType": text("product/resource"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    tags_are_map=True,
)
