"""FOCUS 1.0-preview to 1.4, from any provider: the columns are already the ones we keep.

Column names and what replaced what: the FinOps Open Cost and Usage Specification, versions 1.0-preview to 1.4.
"""

from costs.formats.base import CHARGE_COLUMNS, Format, Sheet, first, formula, text
from costs.formats.sql import literal

# The newest column a file has shows its version; the specification has no version column.
VERSION_MARKS = (
    ("1.4", ("InvoiceDetailId", "CommitmentProgramEligibilityDetails")),
    ("1.3", ("ServiceProviderName", "HostProviderName", "AllocatedMethodId", "ContractApplied")),
    ("1.2", ("InvoiceId", "BillingAccountType", "SubAccountType", "PricingCurrency")),
    ("1.1", ("SkuMeter", "SkuPriceDetails", "CommitmentDiscountQuantity", "ServiceSubcategory")),
)


PREVIEW = ("ChargeSubcategory", "UsageQuantity", "AmortizedCost", "ChargeType")


def version(sheet: Sheet) -> str:
    """The lowest version of FOCUS that has all of the file's marking columns."""
    if any(mark in sheet for mark in PREVIEW) and "ChargeCategory" not in sheet:
        return "1.0-preview"
    return next((number for number, marks in VERSION_MARKS if any(mark in sheet for mark in marks)), "1.0")


# Some exports leave the provider empty; a column that only one of them adds shows which it is.
PROVIDER_MARKS = {
    "AWS": ("x_ServiceCode", "x_Discounts", "x_CostCategories"),
    "Google Cloud": ("x_Project", "x_Credits", "x_ServiceId"),
    "Microsoft": ("x_BillingProfileId", "x_InvoiceSectionId"),
}


def provider(sheet: Sheet) -> str | None:
    marked = [name for name, marks in PROVIDER_MARKS.items() if any(mark in sheet for mark in marks)]
    guess = literal(marked[0]) if len(marked) == 1 else None
    cells = [sql for sql in (sheet.text("ServiceProviderName", "ProviderName"), guess) if sql]
    return f"coalesce({', '.join(cells)})" if cells else None


# 1.4 removed ProviderName and PublisherName for the two columns that 1.3 brought.
RENAMED = {
    "ProviderName": provider,
    "PublisherName": text("PublisherName", "HostProviderName"),
    # The names of 1.0-preview.
    "ChargeCategory": text("ChargeCategory", "ChargeType"),
    "EffectiveCost": text("EffectiveCost", "AmortizedCost"),
    "RegionId": text("RegionId", "Region"),
    "ConsumedQuantity": text("ConsumedQuantity", "UsageQuantity"),
    "ConsumedUnit": text("ConsumedUnit", "UsageUnit"),
    "x_LineType": text("x_LineItemType", "x_ChargeType"),
    "x_InstanceType": first(
        formula("json_extract_string(TRY_CAST({SkuPriceDetails} AS JSON), '$.InstanceType')"),
        formula("json_extract_string(TRY_CAST({x_SkuDetails} AS JSON), '$.ServiceType')"),
    ),
    "x_Operation": text("x_Operation"),
    "x_UsageType": text("x_UsageType", "SkuMeter"),
}

FOCUS = Format(
    name="focus",
    title="FOCUS 1.0-preview to 1.4",
    required=(
        *("BilledCost", "EffectiveCost|AmortizedCost", "BillingPeriodStart", "ChargePeriodStart"),
        "ChargeCategory|ChargeType",
    ),
    columns={name: text(name) for name in CHARGE_COLUMNS} | RENAMED,
    version=version,
    # Tencent's month of March starts at midnight in Beijing, 2026-02-28T16:00:00Z.
    period_end=text("BillingPeriodEnd"),
    keeps_all=True,
)
