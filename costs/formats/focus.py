"""FOCUS 1.0-preview to 1.4, from any provider: the columns are already the ones we keep.

Column names and what replaced what: the FinOps Open Cost and Usage Specification, versions 1.0-preview to 1.4.
"""

from costs.formats.base import CHARGE_COLUMNS, Format, Rule, Sheet, aside, first, formula, text
from costs.formats.commitments import payment, term_months
from costs.formats.focus_dialects import CHANGES, ISSUERS
from costs.formats.normalise import normalised
from costs.formats.sql import as_json, literal, map_of_pairs, tag_pairs

# The newest column a file has shows its version; the specification has no version column.
VERSION_MARKS = (
    ("1.4", ("InvoiceDetailId", "CommitmentProgramEligibilityDetails")),
    ("1.3", ("ServiceProviderName", "HostProviderName", "AllocatedMethodId", "ContractApplied")),
    ("1.2", ("InvoiceId", "BillingAccountType", "SubAccountType", "PricingCurrency")),
    ("1.1", ("SkuMeter", "SkuPriceDetails", "CommitmentDiscountQuantity", "ServiceSubcategory")),
)


PREVIEW = ("ChargeSubcategory", "UsageQuantity", "AmortizedCost", "ChargeType")
# What 1.0 has for them; Oracle's report, with names of both, has none of these.
SINCE_1_0 = ("ChargeClass", "CommitmentDiscountStatus", "ConsumedQuantity")


def version(sheet: Sheet) -> str:
    """The lowest version of FOCUS that has all of the file's marking columns."""
    has_all_of_1_0 = "ChargeCategory" in sheet and any(mark in sheet for mark in SINCE_1_0)
    if any(mark in sheet for mark in PREVIEW) and not has_all_of_1_0:
        return "1.0-preview"
    return next((number for number, marks in VERSION_MARKS if any(mark in sheet for mark in marks)), "1.0")


# Some exports leave the provider empty; a column that only one of them adds shows which it is.
PROVIDER_MARKS = {
    "AWS": ("x_ServiceCode", "x_Discounts", "x_CostCategories"),
    "Google Cloud": ("x_Project", "x_Credits", "x_ServiceId"),
    "Microsoft": ("x_BillingProfileId", "x_InvoiceSectionId"),
    "Oracle": ("oci_ReferenceNumber", "oci_CompartmentId"),
}


def provider(sheet: Sheet) -> str | None:
    marked = [name for name, marks in PROVIDER_MARKS.items() if any(mark in sheet for mark in marks)]
    guess = literal(marked[0]) if len(marked) == 1 else None
    cells = [sql for sql in (sheet.text("ServiceProviderName", "ProviderName", "Provider"), guess) if sql]
    return f"coalesce({', '.join(cells)})" if cells else None


def list_of_tags(sheet: Sheet) -> str | None:
    """Tags that are no JSON object as FOCUS wants: a list of keys and values, or JSON in a JSON text. Else null."""
    written = sheet.text("Tags")
    if written is None:
        return None
    inside = f"json_extract_string(TRY_CAST({written} AS JSON), '$')"
    cases = f"""WHEN starts_with({written}, '[') THEN {written} WHEN starts_with({written}, '"') THEN {inside}"""
    return as_json(f"CASE {cases} END")


def json_object_tags(sheet: Sheet) -> str | None:
    """Tags as a JSON object."""
    written = sheet.text("Tags")
    listed = f"CAST(to_json({map_of_pairs(aside('tag pairs'))}) AS VARCHAR)"
    return written and f"CASE WHEN {aside('tag pairs')} IS NULL THEN {written} ELSE {listed} END"


# FOCUS has no column for a commitment's term and payment. Where the issuer writes them in words they are read; the name
# comes last, for a person may have chosen it.
COMMITMENT_WORDS = """CASE WHEN {CommitmentDiscountId} <> '' THEN concat_ws(' ', {x_UsageType}, {SkuPriceDetails},
    {CommitmentDiscountType}, {x_SkuOrderName}, {x_SkuDescription},
    CASE WHEN {ChargeCategory|ChargeType} <> 'Usage' OR lower({CommitmentDiscountStatus}) = 'unused'
        THEN {ChargeDescription} END, {CommitmentDiscountName}) END"""


def commitment_words(sheet: Sheet) -> str | None:
    return formula(COMMITMENT_WORDS)(sheet) if "CommitmentDiscountId" in sheet else None


def _of_commitment(sql: str) -> Rule:
    """A formula that reads what is said of commitments, where the file names any."""
    return lambda sheet: formula(sql)(sheet) if "CommitmentDiscountId" in sheet else None


# Microsoft has the months of a term in a column of its own.
TERM = f"""CASE WHEN {{CommitmentDiscountId}} <> '' THEN coalesce(
    CASE WHEN regexp_full_match({{x_SkuTerm}}, '(12|24|36|60)') THEN {{x_SkuTerm}} END,
    {term_months(aside("commitment words"))}) END"""
PAYMENT = payment(aside("commitment words"))
# What is paid once is bought on that day; its charge period is the term (FOCUS, "Commitment Discount Purchases").
IS_BOUGHT = """{CommitmentDiscountId} <> '' AND {ChargeCategory|ChargeType} = 'Purchase'
    AND lower({ChargeFrequency}) = 'one-time' AND coalesce({ChargeClass}, '') <> 'Correction'"""
START = f"CASE WHEN {IS_BOUGHT} THEN {{ChargePeriodStart}} END"
END = f"""CASE WHEN {IS_BOUGHT} AND date_diff('day', TRY_CAST(left({{ChargePeriodStart}}, 10) AS DATE),
    TRY_CAST(left({{ChargePeriodEnd}}, 10) AS DATE)) > 300 THEN {{ChargePeriodEnd}} END"""

# 1.4 removed ProviderName and PublisherName for the two columns that 1.3 brought.
RENAMED: dict[str, Rule] = {
    "ProviderName": provider,
    "PublisherName": text("PublisherName", "HostProviderName", "Publisher"),
    "InvoiceId": text("InvoiceId", "x_InvoiceId"),
    "Tags": json_object_tags,
    # The names of 1.0-preview, which Oracle still writes.
    "InvoiceIssuerName": text("InvoiceIssuerName", "InvoiceIssuer"),
    "ChargeCategory": text("ChargeCategory", "ChargeType"),
    "EffectiveCost": text("EffectiveCost", "AmortizedCost"),
    "RegionId": text("RegionId", "Region"),
    "ConsumedQuantity": text("ConsumedQuantity", "UsageQuantity"),
    "ConsumedUnit": text("ConsumedUnit", "UsageUnit"),
    "x_LineType": text("x_LineItemType", "x_ChargeType"),
    "x_InstanceType": first(
        formula("json_extract_string(TRY_CAST({SkuPriceDetails} AS JSON), '$.InstanceType')"),
        formula("json_extract_string(TRY_CAST({x_SkuDetails} AS JSON), '$.ServiceType')"),
        # AWS's export before 1.2 has no SkuPriceDetails: ``EUC1-BoxUsage:m5.large``.
        formula(
            "nullif(regexp_extract({x_UsageType|SkuMeter}, "
            "'(?:Usage|Box|Ded|Instance|Node|Optimized):([a-z][a-z0-9.-]*)$', 1)"
            " || CASE WHEN contains({x_UsageType|SkuMeter}, 'ESInstance:') THEN '.search' ELSE '' END, '')"
        ),
    ),
    "x_CommitmentTerm": _of_commitment(TERM),
    "x_CommitmentPayment": _of_commitment(PAYMENT),
    "x_CommitmentStart": _of_commitment(START),
    "x_CommitmentEnd": _of_commitment(END),
    "x_Operation": text("x_Operation"),
    "x_UsageType": text("x_UsageType", "SkuMeter"),
}

READ = normalised({name: text(name) for name in CHARGE_COLUMNS} | RENAMED, CHANGES)

FOCUS = Format(
    name="focus",
    title="FOCUS 1.0-preview to 1.4",
    required=(
        *("BilledCost", "EffectiveCost|AmortizedCost", "BillingPeriodStart", "ChargePeriodStart"),
        "ChargeCategory|ChargeType",
    ),
    columns=READ.columns,
    aside={
        **ISSUERS,
        "list of tags": list_of_tags,
        "commitment words": commitment_words,
        "tag pairs": lambda sheet: tag_pairs(aside("list of tags")) if "Tags" in sheet else None,
        **READ.aside,
    },
    version=version,
    # Tencent's month of March starts at midnight in Beijing, 2026-02-28T16:00:00Z.
    period_end=text("BillingPeriodEnd"),
    keeps_all=True,
)
