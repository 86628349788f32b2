"""Azure cost exports: EA, MCA, pay-as-you-go, and the header variants between them.

An export carries one view of the bill. The actual view is the invoice: purchases of reservations and savings plans are
rows, usage they cover costs nothing. The amortized view has no purchases; covered usage carries its share and what was
not used stands in rows of its own. Billed cost comes from the one, effective cost from the other, never from both.
"""

from collections.abc import Mapping
from dataclasses import replace

from costs.formats.base import Format, Rule, Sheet, const, formula, text
from costs.formats.commitments import term_months
from costs.formats.normalise import ABSENT, Change, Changes, empty_where_unassigned, normalised
from costs.formats.sql import FORMULA, is_mended, literal, map_of_pairs, stored
from finops_site.lib.language import gettext as _

COST = "CostInBillingCurrency|Cost|PreTaxCost"
DATE = "Date|UsageDateTime|UsageDate"
COMMITMENT = "benefitId|ReservationId"

# Of rows that only one view has: what was paid for and not used, and covered usage that costs something.
AMORTIZED_ROW = f"""{{ChargeType}} IN ('UnusedReservation', 'UnusedSavingsPlan')
    OR ({{ChargeType}} = 'Usage' AND {{PricingModel}} IN ('Reservation', 'SavingsPlan')
        AND regexp_matches(regexp_replace({{{COST}}}, '[eE].*', ''), '[1-9]'))"""

# Of rows that only the invoice has: a reservation or a savings plan bought or given back.
ACTUAL_ROW = """{ChargeType} IN ('Purchase', 'Refund') AND {PricingModel} IN ('Reservation', 'SavingsPlan')"""

CATEGORY = """CASE {ChargeType}
    WHEN 'Purchase' THEN 'Purchase'
    WHEN 'Refund' THEN 'Purchase'
    WHEN 'Tax' THEN 'Tax'
    WHEN 'Credit' THEN 'Credit'
    WHEN 'Adjustment' THEN 'Adjustment'
    WHEN 'RoundingAdjustment' THEN 'Adjustment'
    ELSE 'Usage' END"""

# Microsoft's own mapping ("Convert Cost Management data to FOCUS", learn.microsoft.com): a refund is a purchase with a
# negative cost, and a correction.
CLASS = "CASE {ChargeType} WHEN 'Refund' THEN 'Correction' END"

STATUS = """CASE WHEN {ChargeType} IN ('UnusedReservation', 'UnusedSavingsPlan') THEN 'Unused'
    WHEN coalesce({ChargeType}, 'Usage') = 'Usage' AND {PricingModel} IN ('Reservation', 'SavingsPlan') THEN 'Used'
    END"""

PRICING = """CASE {PricingModel} WHEN 'OnDemand' THEN 'Standard' WHEN 'Spot' THEN 'Dynamic'
    WHEN 'Reservation' THEN 'Committed' WHEN 'SavingsPlan' THEN 'Committed' END"""

COMMITMENT_TYPE = (
    """CASE {PricingModel} WHEN 'Reservation' THEN 'Reservation' WHEN 'SavingsPlan' THEN 'Savings Plan' END"""
)
COMMITMENT_CATEGORY = """CASE {PricingModel} WHEN 'Reservation' THEN 'Usage' WHEN 'SavingsPlan' THEN 'Spend' END"""

# ``Reserved VM Instance, Standard_B1s, UK South, 3 Years`` is what an order is of. The term is in months.
ORDER = "concat_ws(' ', {Term}, {ProductOrderName}, {ProductName|Product})"
TERM = f"""CASE WHEN {{{COMMITMENT}}} IS NULL THEN NULL
    WHEN regexp_full_match({{Term}}, '(12|24|36|60)') THEN {{Term}} ELSE {term_months(ORDER)} END"""
IS_ORDER = "{ChargeType} = 'Purchase' AND {PricingModel} IN ('Reservation', 'SavingsPlan')"
COUNT = "CASE WHEN {ChargeType} = 'Purchase' AND {PricingModel} = 'Reservation' THEN {Quantity|UsageQuantity} END"
# A purchase that is paid at once stands in the bill on the day it was made; one paid by the month, each month.
START = f"CASE WHEN {IS_ORDER} AND lower({{Frequency}}) = 'onetime' THEN {{{DATE}}} END"
PAYMENT = f"""CASE WHEN {IS_ORDER} THEN
    CASE lower({{Frequency}}) WHEN 'onetime' THEN 'All Upfront' WHEN 'recurring' THEN 'No Upfront' END END"""
# What nobody used, and what is bought, names its machine in the order alone.
MACHINE = f"""coalesce(json_extract_string(TRY_CAST({{AdditionalInfo}} AS JSON), '$.ServiceType'),
    CASE WHEN {{{COMMITMENT}}} IS NOT NULL
        THEN nullif(regexp_extract({ORDER}, '(Standard_[A-Za-z0-9_-]+)', 1), '') END)"""

# Ids differ by case from one day to the next; the name keeps the writing of the bill.
INSTANCE = "{ResourceId|InstanceId|InstanceName}"
RESOURCE = f"lower(CASE WHEN {INSTANCE} LIKE '/%' THEN {INSTANCE} ELSE '/' || {INSTANCE} END)"
RESOURCE_NAME = f"coalesce({{ResourceName}}, regexp_extract({INSTANCE}, '[^/]+$'))"
RESOURCE_TYPE = f"coalesce({{ResourceType}}, nullif(regexp_extract({INSTANCE}, '(?i)/providers/([^/]+/[^/]+)', 1), ''))"

# A purchase may name no billing period of its own, and pay-as-you-go exports name none at all.
PERIOD = f"coalesce({{BillingPeriodStartDate}}, {{{DATE}}})"

# Quantity counts blocks: 0.0004 at a unit of 10K is 4 operations, 2 at ``100 Hours`` is 200 hours.
BLOCK = "'^ *([0-9][0-9,]*) ?(K\\b|M\\b)?'"


# ``0 Unassigned`` is no block.
BLOCK_NUMBER = f"nullif(TRY_CAST(replace(regexp_extract({{UnitOfMeasure}}, {BLOCK}, 1), ',', '') AS DECIMAL(10, 0)), 0)"
BLOCK_FACTOR = f"CASE regexp_extract({{UnitOfMeasure}}, {BLOCK}, 2) WHEN 'K' THEN 1000 WHEN 'M' THEN 1000000 ELSE 1 END"
CONSUMED = f"""CAST(TRY_CAST({{Quantity|UsageQuantity}} AS DECIMAL(25, 12))
    * CAST(coalesce({BLOCK_NUMBER}, 1) * {BLOCK_FACTOR} AS DECIMAL(13, 0)) AS VARCHAR)"""


def unit_without_block(sheet: Sheet) -> str | None:
    unit = sheet.text("UnitOfMeasure")
    named = f"nullif(trim(regexp_replace({unit}, {BLOCK}, '')), '')"
    return unit and f"coalesce(nullif({named}, 'Unassigned'), 'Units')"


def json_object_tags(sheet: Sheet) -> str | None:
    """JSON objects, which older exports write without their braces; ``""`` is nothing."""
    delivered = sheet.text("Tags")
    braced = f"CASE WHEN {delivered} LIKE '{{%' THEN {delivered} ELSE '{{' || {delivered} || '}}' END"
    return delivered and f"CASE WHEN trim({delivered}, ' \"') <> '' THEN {braced} END"


def unescaped_quotes(sheet: Sheet, written: str, read: str) -> Change | None:
    """Tags whose values have quotes inside that are not escaped: a tag is what stands between ``","``."""
    if written == ABSENT:
        return None
    between = f"""regexp_replace(trim({written}, ' {{}}'), '" *, *"', '"' || chr(1) || '"', 'g')"""
    tag = """'(?s)^ *"(.*?)" *: *"(.*)" *$'"""
    listed = f"string_split({between}, chr(1))"
    pair = f"{{'k': regexp_extract(_each_, {tag}, 1), 'v': regexp_extract(_each_, {tag}, 2)}}"
    are_tags = f"len(list_filter({listed}, lambda _each_: NOT regexp_matches(_each_, {tag}))) = 0"
    pairs = map_of_pairs(f"list_transform({listed}, lambda _each_: {pair})")
    return Change(
        when=f"NOT json_valid({written}) AND NOT {is_mended(written)} AND {are_tags}",
        value=f"CAST(to_json({pairs}) AS VARCHAR)",
        note=literal("tags with quotes inside their values, read from one comma to the next"),
    )


def agreement(sheet: Sheet) -> str:
    """The kind of agreement an export is of: each has columns of its own."""
    if "costInPricingCurrency" in sheet and "ProductId" in sheet:
        return "MCA"
    return "pay-as-you-go" if "PreTaxCost" in sheet else "EA"


def unknown_where_zero(sheet: Sheet, written: str, read: str) -> Change | None:
    """A list cost of 0 of what was not free is no list cost: usage that a commitment covers has one as well."""
    if written == ABSENT:
        return None
    when = f"coalesce(TRY_CAST({{{COST}}} AS {FORMULA}), 0) <> 0 OR ({STATUS}) IS NOT NULL"
    note = literal("list cost written 0 though not free, read as unknown")
    return Change(f"{stored(written)} = 0 AND ({formula(when)(sheet)})", "NULL", note)


# Names that are "Unassigned" where there is none.
NAMES = ("SubAccountName", "ServiceName", "RegionId", "RegionName", "CommitmentDiscountName")

COLUMNS: Mapping[str, Rule] = {
    "ProviderName": const("Azure"),
    "PublisherName": text("PublisherName"),
    "InvoiceIssuerName": text("partnerName"),
    "InvoiceId": text("invoiceId"),
    "BillingAccountId": text("BillingAccountId", "SubscriptionId", "SubscriptionGuid"),
    "BillingAccountName": text("BillingAccountName"),
    "SubAccountId": formula("lower({SubscriptionId|SubscriptionGuid})"),
    "SubAccountName": text("SubscriptionName"),
    "BillingCurrency": text("BillingCurrencyCode", "BillingCurrency", "Currency"),
    "BillingPeriodStart": formula(PERIOD),
    "ChargePeriodStart": text("Date", "UsageDateTime", "UsageDate"),
    "ChargeCategory": formula(CATEGORY),
    "ChargeClass": formula(CLASS),
    "ChargeFrequency": text("Frequency"),
    "ChargeDescription": text("ProductName", "Product", "MeterName"),
    "ServiceCategory": text("ServiceFamily"),
    "ServiceName": text("MeterCategory"),
    "RegionId": formula("lower(replace({ResourceLocation|location}, ' ', ''))"),
    "RegionName": text("ResourceLocation", "location"),
    "AvailabilityZone": text("AvailabilityZone"),
    "ResourceId": formula(RESOURCE),
    "ResourceName": formula(RESOURCE_NAME),
    "ResourceType": formula(RESOURCE_TYPE),
    "SkuId": text("MeterId"),
    "PricingCategory": formula(PRICING),
    "PricingQuantity": text("Quantity", "UsageQuantity"),
    "PricingUnit": text("UnitOfMeasure"),
    "ConsumedQuantity": formula(CONSUMED),
    "ConsumedUnit": unit_without_block,
    "ListUnitPrice": text("PayGPrice", "MarketPrice"),
    "ContractedUnitPrice": text("UnitPrice", "ResourceRate"),
    "BilledCost": formula(f"{{{COST}}}"),
    "ListCost": text("paygCostInBillingCurrency"),
    "CommitmentDiscountId": formula(f"lower({{{COMMITMENT}}})"),
    "CommitmentDiscountName": text("benefitName", "ReservationName"),
    "CommitmentDiscountCategory": formula(COMMITMENT_CATEGORY),
    "CommitmentDiscountType": formula(COMMITMENT_TYPE),
    "CommitmentDiscountStatus": formula(STATUS),
    "Tags": json_object_tags,
    "x_LineType": text("ChargeType"),
    "x_CommitmentTerm": formula(TERM),
    "x_CommitmentPayment": formula(PAYMENT),
    "x_CommitmentCount": formula(COUNT),
    "x_CommitmentStart": formula(START),
    "x_InstanceType": formula(MACHINE),
    "x_UsageType": text("MeterName"),
    "x_Operation": text("MeterSubCategory"),
    "x_BillingProfileId": text("billingProfileId"),
    "x_BillingProfileName": text("billingProfileName"),
    "x_InvoiceSectionId": text("invoiceSectionId"),
    "x_InvoiceSectionName": text("invoiceSectionName", "InvoiceSection"),
}
CHANGES: Changes = {
    **{name: [empty_where_unassigned(name, lambda sheet: "true")] for name in NAMES},
    "Tags": [unescaped_quotes],
}
ACTUAL = normalised(COLUMNS, {**CHANGES, "ListCost": [unknown_where_zero]})
AMORTIZED = normalised(
    {name: rule for name, rule in COLUMNS.items() if name not in ("BilledCost", "ListCost")}
    | {"EffectiveCost": formula(f"{{{COST}}}")},
    CHANGES,
)

AZURE_ACTUAL = Format(
    name="azure-actual",
    title="Azure cost export (actual)",
    required=(COST, DATE, "MeterCategory", "SubscriptionId|SubscriptionGuid", "ConsumedService"),
    columns=ACTUAL.columns,
    aside=ACTUAL.aside,
    lenient=frozenset({"ListCost"}),
    version=agreement,
    view="actual",
    # "Understand usage details fields": dates of EA exports are MM/DD/YYYY.
    date_order="month-first",
    warnings=lambda sheet: [
        _("This is Azure's actual view, the invoice; deliver the month's amortized export as well for effective cost.")
    ],
)

AZURE_AMORTIZED = replace(
    AZURE_ACTUAL,
    name="azure-amortized",
    title="Azure cost export (amortized)",
    columns=AMORTIZED.columns,
    aside=AMORTIZED.aside,
    always=frozenset({"EffectiveCost"}),
    evidence=AMORTIZED_ROW,
    counter_evidence=ACTUAL_ROW,
    view="amortized",
    warnings=lambda sheet: [
        _("This is Azure's amortized view; deliver the month's actual export as well for billed cost.")
    ],
)
