"""AWS Cost and Usage Reports: legacy (slashes, or underscores as Athena has them) and 2.0, as CSV or Parquet.

Billed cost is the unblended cost, whose sum over all line types is the invoice. Where an account has private discounts
and the export shows them in a column instead of rows of their own (2.0's default), the invoice is the sum of the net
unblended cost, and the net columns are read instead.

Effective cost follows the amortised cost of AWS's Cloud Intelligence Dashboards (summary_view): covered usage carries
its share of the commitment, fees carry only what was not used, upfront fees carry nothing.
"""

import re

from costs.formats.base import Format, Rule, Sheet, const, first, formula, json_text, tag_columns, text
from costs.formats.sql import tags

CATEGORY = """CASE {lineItem/LineItemType}
    WHEN 'Tax' THEN 'Tax'
    WHEN 'Credit' THEN 'Credit'
    WHEN 'RIFee' THEN 'Purchase'
    WHEN 'Fee' THEN 'Purchase'
    WHEN 'SavingsPlanUpfrontFee' THEN 'Purchase'
    WHEN 'SavingsPlanRecurringFee' THEN 'Purchase'
    WHEN 'FlatRateSubscription' THEN 'Purchase'
    WHEN 'EdpDiscount' THEN 'Adjustment'
    WHEN 'PrivateRateDiscount' THEN 'Adjustment'
    WHEN 'RiVolumeDiscount' THEN 'Adjustment'
    WHEN 'BundledDiscount' THEN 'Adjustment'
    WHEN 'Discount' THEN 'Adjustment'
    ELSE 'Usage' END"""

# Rows that split the cost of a shared machine among its pods repeat cost that the machine's own row carries.
SPLIT = "'EKSPod-EC2', 'ECSTask-EC2'"
IS_SPLIT = f"{{lineItem/Operation}} IN ({SPLIT})"

UNUSED = "{savingsPlan/TotalCommitmentToDate:n} - {savingsPlan/UsedCommitment:n}"

# What is unused of a plan has no net column: its share of the discount is that of the plan's fee of the same row,
# unused * net fee / fee, cut to twelve decimals. Whole numbers are divided, for decimals would be floats; the bounds
# keep their product within 38 digits.
_PARTS = ("AmortizedUpfrontCommitmentForBillingPeriod", "RecurringCommitmentForBillingPeriod")
_FEE = " + ".join(f"{{savingsPlan/{part}:n}}" for part in _PARTS)
_NET_FEE = " + ".join(f"{{savingsPlan/Net{part}|savingsPlan/{part}:n}}" for part in _PARTS)


def _units(sql: str, decimals: int) -> str:
    return f"CAST(trunc(CAST({sql} AS DECIMAL(38, {decimals})) * {10**decimals}) AS HUGEINT)"


NET_UNUSED = f"""CASE WHEN {_FEE} > 0 AND {UNUSED} BETWEEN -1e7 AND 1e7 AND {_NET_FEE} BETWEEN -1e9 AND 1e9
    THEN CAST({_units(UNUSED, 12)} * {_units(_NET_FEE, 9)} // {_units(_FEE, 9)} AS DECIMAL(25, 0))
        * CAST(0.000000000001 AS DECIMAL(13, 12))
    ELSE {UNUSED} END"""

EFFECTIVE = f"""CASE WHEN {IS_SPLIT} THEN '0' ELSE CASE {{lineItem/LineItemType}}
    WHEN 'SavingsPlanCoveredUsage' THEN coalesce({{savingsPlan/SavingsPlanEffectiveCost}}, '0')
    WHEN 'SavingsPlanRecurringFee' THEN CAST({UNUSED} AS VARCHAR)
    WHEN 'SavingsPlanNegation' THEN '0'
    WHEN 'SavingsPlanUpfrontFee' THEN '0'
    WHEN 'DiscountedUsage' THEN coalesce({{reservation/EffectiveCost}}, '0')
    WHEN 'RIFee' THEN CAST({{reservation/UnusedAmortizedUpfrontFeeForBillingPeriod:n}}
        + {{reservation/UnusedRecurringFee:n}} AS VARCHAR)
    WHEN 'Fee' THEN CASE WHEN {{reservation/ReservationARN}} IS NULL THEN {{lineItem/UnblendedCost}} ELSE '0' END
    WHEN 'Refund' THEN CASE WHEN {{lineItem/ProductCode}} LIKE '%SavingsPlans' THEN '0'
        ELSE {{lineItem/UnblendedCost}} END
    ELSE {{lineItem/UnblendedCost}} END END"""

BILLED = f"CASE WHEN {IS_SPLIT} THEN '0' ELSE {{lineItem/UnblendedCost}} END"

# Gross column -> the same after private discounts.
NET = {
    "lineItem/UnblendedCost": "lineItem/NetUnblendedCost",
    "savingsPlan/SavingsPlanEffectiveCost": "savingsPlan/NetSavingsPlanEffectiveCost",
    "reservation/EffectiveCost": "reservation/NetEffectiveCost",
    "reservation/UnusedRecurringFee": "reservation/NetUnusedRecurringFee",
    "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": (
        "reservation/NetUnusedAmortizedUpfrontFeeForBillingPeriod"
    ),
}

# A negation only takes back what a savings plan covered: it has no on-demand price of its own.
LIST = f"""CASE WHEN {{lineItem/LineItemType}} = 'SavingsPlanNegation' OR {IS_SPLIT} THEN '0'
    ELSE {{pricing/publicOnDemandCost}} END"""

STATUS = """CASE {lineItem/LineItemType}
    WHEN 'SavingsPlanCoveredUsage' THEN 'Used'
    WHEN 'DiscountedUsage' THEN 'Used' END"""

COMMITMENT_TYPE = """CASE WHEN {savingsPlan/SavingsPlanARN} IS NOT NULL THEN 'Savings Plan'
    WHEN {reservation/ReservationARN} IS NOT NULL THEN 'Reserved Instance' END"""
COMMITMENT_CATEGORY = """CASE WHEN {savingsPlan/SavingsPlanARN} IS NOT NULL THEN 'Spend'
    WHEN {reservation/ReservationARN} IS NOT NULL THEN 'Usage' END"""

PRICING = """CASE WHEN {lineItem/LineItemType} IN ('SavingsPlanCoveredUsage', 'DiscountedUsage') THEN 'Committed'
    WHEN {lineItem/UsageType} LIKE '%SpotUsage%' THEN 'Dynamic'
    WHEN {lineItem/LineItemType} = 'Usage' THEN 'Standard' END"""

# A charge for a month before the one it is invoiced in changes a month that was closed.
CLASS = """CASE WHEN left({lineItem/UsageStartDate}, 7) < left({bill/BillingPeriodStartDate}, 7)
    AND {lineItem/UsageStartDate} LIKE '____-__-%' THEN 'Correction' END"""


def has_discount_column(sheet: Sheet) -> bool:
    """Discounts in a column and no rows of their own: without "manual discount compatibility"."""
    return "discount/TotalDiscount" in sheet


def after_discounts(template: str) -> Rule:
    """A formula that reads the net columns where discounts are in a column; an empty net cell means no discount."""

    def rule(sheet: Sheet) -> str | None:
        if not has_discount_column(sheet):
            return formula(template)(sheet)
        has_net_fee = any(f"savingsPlan/Net{part}" in sheet for part in _PARTS)
        net = template.replace(UNUSED, NET_UNUSED) if has_net_fee else template
        for gross, after in NET.items():
            net = net.replace(f"{{{gross}}}", f"{{{after}|{gross}}}").replace(
                f"{{{gross}:n}}", f"{{{after}|{gross}:n}}"
            )
        return formula(net)(sheet)

    return rule


def resource_tags(sheet: Sheet) -> str | None:
    """Tags from columns of their own, or from 2.0's map, whose keys are ``user_team`` for ``user:team``."""
    if not sheet.has("resource_tags"):
        columns = tag_columns(sheet, "resourceTags/")
        return columns or tag_columns(sheet, "resource_tags_", lambda key: re.sub("^(user|aws)_", r"\1:", key))
    delivered = tags(sheet.text("resource_tags") or "NULL")
    key = "regexp_replace(_each_.key, '^(user|aws)_', '\\1:')"
    entries = f"list_transform(map_entries({delivered}), lambda _each_: {{'k': {key}, 'v': _each_.value}})"
    return f"map_from_entries(list_distinct({entries}))"


# Columns that only 2.0 has.
_OF_2_0 = ("resource_tags", "product", "cost_category", "discount", "bill_payer_account_name")


def warn_of_missing_net_cost(sheet: Sheet) -> list[str]:
    if has_discount_column(sheet) and "lineItem/NetUnblendedCost" not in sheet:
        return [
            "This export shows private discounts in a column and lacks line_item_net_unblended_cost: billed cost is "
            "before discounts. Add that column to the export."
        ]
    return []


AWS_CUR = Format(
    name="aws-cur",
    title="AWS Cost and Usage Report (legacy and 2.0)",
    required=("lineItem/UnblendedCost", "lineItem/LineItemType", "lineItem/UsageStartDate", "bill/PayerAccountId"),
    columns={
        "ProviderName": const("AWS"),
        "PublisherName": text("lineItem/LegalEntity"),
        "InvoiceIssuerName": first(text("bill/InvoicingEntity"), const("AWS")),
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
        "ChargeClass": formula(CLASS),
        "ChargeDescription": text("lineItem/LineItemDescription"),
        "ServiceCategory": text("product/productFamily"),
        "ServiceName": text("lineItem/ProductCode"),
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
        "BilledCost": after_discounts(BILLED),
        "EffectiveCost": after_discounts(EFFECTIVE),
        "ListCost": formula(LIST),
        "CommitmentDiscountId": text("savingsPlan/SavingsPlanARN", "reservation/ReservationARN"),
        "CommitmentDiscountCategory": formula(COMMITMENT_CATEGORY),
        "CommitmentDiscountType": formula(COMMITMENT_TYPE),
        "CommitmentDiscountStatus": formula(STATUS),
        "Tags": resource_tags,
        # A Marketplace line's product code is a random id: people know the product by its name.
        "x_ServiceTitle": first(
            text("product/ProductName"), json_text("product", "product_name"), text("product/servicename")
        ),
        "x_LineType": text("lineItem/LineItemType"),
        "x_InstanceType": text("product/instanceType"),
        "x_Operation": text("lineItem/Operation"),
        "x_UsageType": text("lineItem/UsageType"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    lenient=frozenset({"ListCost"}),
    tags_are_map=True,
    version=lambda sheet: "2.0" if any(sheet.has(name) for name in _OF_2_0) else "",
    warnings=warn_of_missing_net_cost,
    remarks={
        f"x_Operation IN ({SPLIT})": (
            "{} rows split the cost of machines among pods or tasks; the machines' own rows carry it, so they count 0."
        )
    },
)
