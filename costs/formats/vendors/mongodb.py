"""MongoDB Atlas: the invoice's usage summary as CSV, and the invoice as the Administration API answers it.

CSV: Atlas, "Manage Invoices" (mongodb.com/docs/atlas/billing/invoices), "CSV Usage Summary"; some lines about the
invoice stand above the header. API: "Return One Invoice for One Organization"; its amounts are in cents. The FOCUS
report of the same page is read as any FOCUS bill.
"""

from costs.formats.base import Format, Pages, Rule, cents, const, first, formula, object_tags, text

# ``03/05/2026``
DAY = "coalesce(CAST(TRY_CAST(try_strptime({Usage Date}, '%m/%d/%Y') AS DATE) AS VARCHAR), {Usage Date})"


def category(sku: str, note: str, amount: str) -> Rule:
    return formula(
        f"""CASE WHEN upper({{{sku}}}) LIKE '%TAX' THEN 'Tax'
        WHEN upper({{{sku}}}) LIKE '%CREDIT%' OR (trim({{{amount}}}) LIKE '-%' AND {{{note}}} IS NOT NULL) THEN 'Credit'
        WHEN upper({{{sku}}}) LIKE '%SUPPORT%' THEN 'Purchase' ELSE 'Usage' END"""
    )


PROVIDER: dict[str, Rule] = {
    "ProviderName": const("MongoDB Atlas"),
    "PublisherName": const("MongoDB"),
    "InvoiceIssuerName": const("MongoDB"),
    "ServiceCategory": const("Databases"),
    "BillingCurrency": const("USD"),
}

MONGODB_CSV = Format(
    name="mongodb",
    title="MongoDB Atlas invoice",
    required=("Usage Date", "Organization ID", "Project", "SKU", "Cluster", "Unit", "Quantity", "Amount"),
    columns={
        **PROVIDER,
        "BillingAccountId": text("Organization ID"),
        "BillingAccountName": text("Organization Name"),
        "SubAccountId": text("Project ID", "Project"),
        "SubAccountName": text("Project"),
        "BillingPeriodStart": formula(f"left({DAY}, 7) || '-01'"),
        "ChargePeriodStart": formula(DAY),
        "ChargeCategory": category("SKU", "Note", "Amount"),
        "ChargeDescription": text("Description", "SKU"),
        "ServiceName": text("SKU"),
        "RegionId": text("Region"),
        "ResourceId": text("Cluster", "Application"),
        "ResourceName": text("Cluster", "Application"),
        "SkuId": text("SKU"),
        "ConsumedQuantity": text("Quantity"),
        "ConsumedUnit": text("Unit"),
        "ListUnitPrice": text("Unit Price"),
        "BilledCost": text("Amount"),
        "EffectiveCost": text("Amount"),
        "x_LineType": text("Note"),
        "x_UsageType": text("SKU"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    # "CSV Usage Summary": dates are MM/DD/YYYY.
    date_order="month-first",
)

# An invoice is a page by itself, and the same invoice again is the same one.
INVOICE = Pages(
    content="CAST(json_extract(object, '$.lineItems') AS VARCHAR)",
    answer="json_extract_string(object, '$.id')",
    times="""[{start: json_extract_string(object, '$.startDate'), stop: json_extract_string(object, '$.endDate'),
        rows: json_array_length(object, '$.lineItems')}]""",
    left_out={
        """TRY_CAST(json_extract_string(object, '$.salesTaxCents') AS DECIMAL(20, 4))
        * CAST(0.01 AS DECIMAL(3, 2))""": (
            "The invoice states {} USD of sales tax, which is in none of its lines: it is not in this bill's cost."
        )
    },
)

MONGODB_API = Format(
    name="mongodb-api",
    title="MongoDB Atlas invoice from the API",
    required=("sku", "totalPriceCents", "groupId", "startDate"),
    columns={
        **PROVIDER,
        "InvoiceId": text("document.id"),
        "BillingAccountId": text("document.orgId"),
        "SubAccountId": text("groupId"),
        "SubAccountName": text("groupName"),
        # Without the invoice around it, a line is of the month in which it starts.
        "BillingPeriodStart": formula("left({document.startDate|startDate}, 7) || '-01'"),
        "ChargePeriodStart": text("startDate"),
        "ChargePeriodEnd": text("endDate"),
        "ChargeCategory": category("sku", "note", "totalPriceCents"),
        "ChargeDescription": text("sku"),
        "ServiceName": text("sku"),
        "ResourceId": first(text("clusterName"), text("stitchAppName")),
        "ResourceName": first(text("clusterName"), text("stitchAppName")),
        "SkuId": text("sku"),
        "ConsumedQuantity": text("quantity"),
        "ConsumedUnit": text("unit"),
        "ListUnitPrice": text("unitPriceDollars"),
        "BilledCost": cents("totalPriceCents"),
        "EffectiveCost": cents("totalPriceCents"),
        "Tags": object_tags("tags"),
        "x_LineType": text("note"),
        "x_UsageType": text("sku"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    rows_in="lineItems[]",
    pages=INVOICE,
)
