"""FOCUS 1.0 to 1.4, from any provider: the columns are already the ones we keep.

Column names and what replaced what: the FinOps Open Cost and Usage Specification, versions 1.0 to 1.4.
"""

from costs.formats.base import CHARGE_COLUMNS, Format, Sheet, first, formula, text

# The newest column a file has tells its version; the specification has no version column.
VERSION_MARKS = (
    ("1.4", ("InvoiceDetailId", "CommitmentProgramEligibilityDetails")),
    ("1.3", ("ServiceProviderName", "HostProviderName", "AllocatedMethodId", "ContractApplied")),
    ("1.2", ("InvoiceId", "BillingAccountType", "SubAccountType", "PricingCurrency")),
    ("1.1", ("SkuMeter", "SkuPriceDetails", "CommitmentDiscountQuantity", "ServiceSubcategory")),
)


def version(sheet: Sheet) -> str:
    """The lowest version of FOCUS that has all the file's telling columns."""
    return next((number for number, marks in VERSION_MARKS if any(mark in sheet for mark in marks)), "1.0")


# 1.4 removed ProviderName and PublisherName for the two columns that 1.3 brought.
RENAMED = {
    "ProviderName": text("ServiceProviderName", "ProviderName"),
    "PublisherName": text("PublisherName", "HostProviderName"),
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
    title="FOCUS 1.0 to 1.4",
    required=("BilledCost", "EffectiveCost", "BillingPeriodStart", "ChargePeriodStart", "ChargeCategory"),
    columns={name: text(name) for name in CHARGE_COLUMNS} | RENAMED,
    version=version,
)
