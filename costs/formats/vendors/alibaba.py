"""Alibaba Cloud's instance bill: the detailed bill that is exported to OSS, or the answers of DescribeInstanceBill.

Fields: alibabacloud.com/help, "Detailed file format" (BSS OpenAPI) and "DescribeInstanceBill". The pretax amount is
what is due after discounts and coupons, the pretax gross amount is the list price. Times are Beijing's, and so are
days and months here: a bill is for the month that it names.
"""

from costs.formats.base import Format, Pages, const, formula, listed_tags, text

CATEGORY = """CASE {Item} WHEN 'SubscriptionOrder' THEN 'Purchase' WHEN 'Refund' THEN 'Purchase'
    WHEN 'Adjustment' THEN 'Adjustment' ELSE 'Usage' END"""
CYCLE = "CASE WHEN length({BillingCycle}) = 6 THEN left({BillingCycle}, 4) || '-' || right({BillingCycle}, 2) \
ELSE left({BillingCycle}, 7) END || '-01'"

# An answer is about a month, or about a single day of it (Granularity DAILY).
DAYS = "list_distinct(json_extract_string(object, '$.Data.Items[*].BillingDate'))"
PAGES = Pages(
    content="CAST(json_extract(object, '$.Data.Items') AS VARCHAR)",
    answer="concat_ws(' ', json_extract_string(object, '$.Data.AccountID'), "
    "json_extract_string(object, '$.Data.BillingCycle'))",
    is_last="coalesce(json_extract_string(object, '$.Data.NextToken'), '') = ''",
    rows="json_array_length(object, '$.Data.Items')",
    total="TRY_CAST(json_extract_string(object, '$.Data.TotalCount') AS BIGINT)",
    part=f"CASE WHEN len({DAYS}) = 1 THEN {DAYS}[1] END",
)

ALIBABA = Format(
    name="alibaba",
    title="Alibaba Cloud instance bill",
    required=(
        "BillingCycle|document.Data.BillingCycle",
        "ProductCode",
        "SubscriptionType",
        "InstanceID",
        "PretaxAmount",
    ),
    columns={
        "ProviderName": const("Alibaba Cloud"),
        "PublisherName": const("Alibaba Cloud"),
        "InvoiceIssuerName": const("Alibaba Cloud"),
        "BillingAccountId": text("AccountID", "BillAccountID", "document.Data.AccountID"),
        "BillingAccountName": text("AccountName", "BillAccountName", "document.Data.AccountName"),
        "SubAccountId": text("OwnerID", "BillAccountID"),
        "SubAccountName": text("OwnerAccountName", "OwnerName", "BillAccountName"),
        "BillingCurrency": text("Currency"),
        "BillingPeriodStart": formula(CYCLE.replace("{BillingCycle}", "{BillingCycle|document.Data.BillingCycle}")),
        "ChargePeriodStart": formula(
            "coalesce({BillingDate}, {UsageStartTime}, "
            + CYCLE.replace("{BillingCycle}", "{BillingCycle|document.Data.BillingCycle}")
            + ")"
        ),
        "ChargePeriodEnd": text("UsageEndTime"),
        "ChargeCategory": formula(CATEGORY),
        "ChargeClass": formula("CASE WHEN {Item} = 'Refund' THEN 'Correction' END"),
        "ChargeDescription": text("BillingItem", "ProductDetail"),
        "ServiceName": text("ProductCode"),
        "RegionId": text("RegionId", "Region"),
        "RegionName": text("Region"),
        "AvailabilityZone": text("Zone"),
        "ResourceId": text("InstanceID"),
        "ResourceName": text("NickName"),
        "ResourceType": text("ProductType"),
        "SkuId": text("CommodityCode", "ProductType"),
        "PricingCategory": formula("CASE {SubscriptionType} WHEN 'PayAsYouGo' THEN 'Standard' END"),
        "ListUnitPrice": text("ListPrice"),
        "PricingUnit": text("ListPriceUnit"),
        "ConsumedQuantity": text("Usage"),
        "ConsumedUnit": text("UsageUnit"),
        "BilledCost": text("PretaxAmount"),
        "EffectiveCost": text("PretaxAmount"),
        "ListCost": text("PretaxGrossAmount"),
        "Tags": listed_tags("Tag", ";", "(?:key:)?(.*?)(?: value)?:(.*)"),
        "x_ServiceTitle": text("ProductName"),
        "x_LineType": text("Item"),
        "x_InstanceType": text("InstanceSpec"),
        "x_UsageType": text("BillingItem"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    tags_are_map=True,
    rows_in="Data.Items[]",
    pages=PAGES,
    warnings=lambda sheet: [
        "Alibaba Cloud's days are Beijing's; costs are before tax, and a subscription counts on the day it was paid."
    ],
)
