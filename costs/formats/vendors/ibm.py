"""IBM Cloud's usage report by instance, versions 0.1 to 1.2; its FOCUS export is read as any FOCUS bill.

Header: cloud.ibm.com/docs, "Exporting your usage data", "Instances CSV". Account and month stand above the header, in a
table of one row.
"""

from costs.formats.base import Format, const, formula, listed_tags, text

COST = "Cost|Usage Cost"
UNCHARGED = "lower({Non Chargeable}) = 'true' OR lower({Billable}) IN ('false', 'no')"
MONTH = "{Billing Month} || '-01'"

IBM = Format(
    name="ibm",
    title="IBM Cloud usage report by instance",
    required=(
        "Service Name",
        "Service ID",
        "Instance ID",
        "Plan Name",
        "Currency",
        "Original Cost",
        COST,
        "Billing Month",
    ),
    columns={
        "ProviderName": const("IBM Cloud"),
        "PublisherName": const("IBM"),
        "InvoiceIssuerName": const("IBM"),
        "BillingAccountId": text("Account Owner ID", "Account ID"),
        "BillingAccountName": text("Account Name"),
        "SubAccountId": text("Resource Group ID"),
        "SubAccountName": text("Resource Group Name"),
        "BillingCurrency": text("Currency"),
        "BillingPeriodStart": formula(MONTH),
        "ChargePeriodStart": formula(MONTH),
        "ChargeCategory": const("Usage"),
        "ChargeDescription": formula("concat_ws(', ', {Plan Name}, {Usage Metric|Metric})"),
        "ServiceName": text("Service Name"),
        "RegionId": text("Region"),
        "ResourceId": text("Instance ID"),
        "ResourceName": text("Instance Name"),
        "SkuId": text("Plan ID"),
        "ConsumedQuantity": text("Usage Quantity", "Quantity"),
        "ConsumedUnit": text("Usage Unit", "Unit"),
        "BilledCost": formula(f"CASE WHEN {UNCHARGED} THEN '0' ELSE {{{COST}}} END"),
        "EffectiveCost": formula(f"CASE WHEN {UNCHARGED} THEN '0' ELSE {{{COST}}} END"),
        "ListCost": formula(f"CASE WHEN {UNCHARGED} THEN '0' ELSE {{Original Cost}} END"),
        "Tags": listed_tags("Other Tags", ";,", "([^:]*):(.*)"),
        "x_LineType": formula(f"CASE WHEN {UNCHARGED} THEN 'not charged' END"),
        "x_UsageType": text("Usage Metric", "Metric"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    tags_are_map=True,
    remarks={"x_LineType = 'not charged'": "Rows for information only, which are not charged and count 0: {}."},
)
