"""FOCUS 1.2, 1.3 or 1.4 out again: each of its columns as SQL over the charges of one delivery. Pure: no Django.

What a bill does not say but FOCUS forbids to be null is filled by the rule that stands beside its column, and only
where it is null: costs that the bill states leave as they came. What changed from version to version: the changelogs
of the specification's data set Cost and Usage (57 columns in 1.2, 65 in 1.3 and in 1.4).
"""

from collections.abc import Collection

from costs.formats.service_families import ALLOWED, families_sql, same_family
from costs.formats.sql import STORED, is_plain, literal, quoted, tags

NAMED = "coalesce(c.x_ServiceTitle, c.ServiceName, 'unknown')"
# As cost lines have it; a marketplace is none of FOCUS's categories.
CATEGORY = f"CASE WHEN f.category IN ({', '.join(map(literal, ALLOWED))}) THEN f.category ELSE 'Other' END"

# Units as FOCUS writes them: GB, Hours, API Requests, GB-Months, GB/Hour, 1000 Requests.
WORDS = "[A-Za-z][A-Za-z0-9]*( +[A-Za-z][A-Za-z0-9]*)*"
TIMES, A_TIME = "(Year|Month|Day|Hour|Minute|Second)s", "(Year|Month|Day|Hour|Minute|Second)"
UNIT = f"([0-9]+ )?{WORDS}|{WORDS}-{TIMES}|{WORDS}/{A_TIME}"


def _unit(sql: str) -> str:
    """A unit that FOCUS would not write so is put in plain words; what has none left counts Units."""
    months = f"regexp_replace(regexp_replace({sql}, '-(Mo|Month)$', '-Months'), '-(Hrs|Hour|hours|hour)$', '-Hours')"
    words = f"trim(regexp_replace(regexp_replace({sql}, '[^A-Za-z ]', ' ', 'g'), ' +', ' ', 'g'))"
    return (
        f"CASE WHEN regexp_full_match({months}, {literal(UNIT)}) THEN {months} "
        f"ELSE coalesce(nullif({words}, ''), 'Units') END"
    )


# Who sends the invoice, under the provider's name where it is the provider itself under its legal one.
HOUSES = {"AWS": "amazon|aws", "Azure": "microsoft|azure", "Microsoft": "microsoft|azure", "GCP": "google"}
HOUSES |= {"Google Cloud": "google", "OCI": "oracle", "Oracle": "oracle"}
HOUSES = {name: f"(^|[^a-z])({words})([^a-z]|$)" for name, words in HOUSES.items()}
PROVIDER = "coalesce(c.ProviderName, 'unknown')"
ITSELF = " ".join(
    f"WHEN {PROVIDER} = {literal(name)} AND regexp_matches(lower(c.InvoiceIssuerName), {literal(pattern)}) "
    f"THEN {PROVIDER}"
    for name, pattern in HOUSES.items()
)
ISSUER = f"CASE {ITSELF} ELSE coalesce(c.InvoiceIssuerName, {PROVIDER}) END"

CHARGE_CATEGORY = "CASE WHEN c.ChargeCategory IN ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment') "
CHARGE_CATEGORY += "THEN c.ChargeCategory ELSE 'Usage' END"
IS_PRICED = f"({CHARGE_CATEGORY}) IN ('Usage', 'Purchase')"
IS_USAGE = f"({CHARGE_CATEGORY}) = 'Usage'"
FREQUENCY = f"""CASE WHEN c.ChargeFrequency IN ('One-Time', 'Recurring', 'Usage-Based') THEN c.ChargeFrequency
    WHEN {IS_USAGE} THEN 'Usage-Based' WHEN ({CHARGE_CATEGORY}) = 'Purchase' THEN 'Recurring' ELSE 'One-Time' END"""
COMMITTED = "c.CommitmentDiscountId IS NOT NULL"
STATUS = f"CASE WHEN {COMMITTED} AND {IS_USAGE} THEN coalesce(c.CommitmentDiscountStatus, 'Used') END"
PRICING_CATEGORY = f"""CASE WHEN NOT {IS_PRICED} THEN NULL
    WHEN c.PricingCategory IN ('Standard', 'Dynamic', 'Committed', 'Other') THEN c.PricingCategory
    WHEN {COMMITTED} AND {IS_USAGE} THEN 'Committed' ELSE 'Standard' END"""
SUBCATEGORY = f"CASE WHEN f.category IS NULL OR f.category <> ({CATEGORY}) THEN 'Other (Other)' ELSE f.subcategory END"
UNITS = _unit("coalesce(c.ConsumedUnit, c.PricingUnit, 'Units')")
PRICING_UNITS = _unit("coalesce(c.PricingUnit, c.ConsumedUnit, 'Units')")

# Column of FOCUS 1.2 -> SQL; {Name} is a column that only some bills have, {effective} and its like a cost that may be
# unknown.
COLUMNS = {
    "AvailabilityZone": "c.AvailabilityZone",
    "BilledCost": f"coalesce(c.BilledCost, 0::{STORED})",
    "BillingAccountId": "coalesce(c.BillingAccountId, 'unknown')",
    "BillingAccountName": "coalesce(c.BillingAccountName, c.BillingAccountId, 'unknown')",
    "BillingAccountType": "coalesce({BillingAccountType}, 'Billing Account')",
    "BillingCurrency": "c.BillingCurrency",
    "BillingPeriodEnd": "date_trunc('month', c.BillingPeriodStart) + INTERVAL 1 MONTH",
    "BillingPeriodStart": "date_trunc('month', c.BillingPeriodStart)",
    "CapacityReservationId": "{CapacityReservationId}",
    "CapacityReservationStatus": "{CapacityReservationStatus}",
    "ChargeCategory": CHARGE_CATEGORY,
    "ChargeClass": "CASE WHEN c.ChargeClass = 'Correction' THEN 'Correction' END",
    "ChargeDescription": f"coalesce(c.ChargeDescription, {NAMED})",
    "ChargeFrequency": FREQUENCY,
    "ChargePeriodEnd": "coalesce(c.ChargePeriodEnd, c.ChargePeriodStart + INTERVAL 1 DAY)",
    "ChargePeriodStart": "c.ChargePeriodStart",
    "CommitmentDiscountCategory": f"CASE WHEN {COMMITTED} THEN coalesce(c.CommitmentDiscountCategory, 'Usage') END",
    "CommitmentDiscountId": "c.CommitmentDiscountId",
    "CommitmentDiscountName": f"CASE WHEN {COMMITTED} THEN c.CommitmentDiscountName END",
    "CommitmentDiscountQuantity": f"CASE WHEN {COMMITTED} AND {IS_PRICED} THEN "
    "coalesce(c.CommitmentDiscountQuantity, c.PricingQuantity, c.ConsumedQuantity, 0) END",
    "CommitmentDiscountStatus": STATUS,
    "CommitmentDiscountType": f"CASE WHEN {COMMITTED} THEN coalesce(c.CommitmentDiscountType, 'Commitment') END",
    "CommitmentDiscountUnit": f"CASE WHEN {COMMITTED} AND {IS_PRICED} THEN "
    "coalesce(c.CommitmentDiscountUnit, c.PricingUnit, c.ConsumedUnit, 'Units') END",
    "ConsumedQuantity": f"CASE WHEN {IS_USAGE} AND coalesce(({STATUS}), '') <> 'Unused' "
    "THEN coalesce(c.ConsumedQuantity, c.PricingQuantity, 0) END",
    "ConsumedUnit": f"CASE WHEN {IS_USAGE} AND coalesce(({STATUS}), '') <> 'Unused' THEN {UNITS} END",
    "ContractedCost": "{contracted}",
    "ContractedUnitPrice": f"CASE WHEN {IS_PRICED} THEN c.ContractedUnitPrice END",
    "EffectiveCost": "{effective}",
    "InvoiceId": "c.InvoiceId",
    "InvoiceIssuerName": ISSUER,
    "ListCost": "{list}",
    "ListUnitPrice": f"CASE WHEN {IS_PRICED} THEN c.ListUnitPrice END",
    "PricingCategory": PRICING_CATEGORY,
    "PricingCurrency": "coalesce({PricingCurrency}, c.BillingCurrency)",
    "PricingCurrencyContractedUnitPrice": f"CASE WHEN {IS_PRICED} THEN "
    f"coalesce(TRY_CAST({{PricingCurrencyContractedUnitPrice}} AS {STORED}), c.ContractedUnitPrice) END",
    "PricingCurrencyEffectiveCost": f"coalesce(TRY_CAST({{PricingCurrencyEffectiveCost}} AS {STORED}), {{effective}})",
    "PricingCurrencyListUnitPrice": f"CASE WHEN {IS_PRICED} THEN "
    f"coalesce(TRY_CAST({{PricingCurrencyListUnitPrice}} AS {STORED}), c.ListUnitPrice) END",
    "PricingQuantity": f"CASE WHEN {IS_PRICED} THEN coalesce(c.PricingQuantity, c.ConsumedQuantity, 1) END",
    "PricingUnit": f"CASE WHEN {IS_PRICED} THEN {PRICING_UNITS} END",
    "RegionId": "c.RegionId",
    "RegionName": "CASE WHEN c.RegionId IS NOT NULL THEN coalesce(c.RegionName, c.RegionId) END",
    "ResourceId": "c.ResourceId",
    "ResourceName": "CASE WHEN c.ResourceId IS NOT NULL THEN coalesce(c.ResourceName, c.ResourceId) END",
    "ResourceType": "CASE WHEN c.ResourceId IS NOT NULL THEN coalesce(c.ResourceType, 'Resource') END",
    "ServiceCategory": CATEGORY,
    "ServiceName": f"trim(regexp_replace({NAMED}, '[®™]', '', 'g'))",
    "ServiceSubcategory": SUBCATEGORY,
    "SkuId": f"CASE WHEN {IS_PRICED} THEN coalesce(c.SkuId, c.SkuPriceId) END",
    "SkuMeter": f"CASE WHEN {IS_PRICED} AND coalesce(c.SkuId, c.SkuPriceId) IS NOT NULL "
    "THEN coalesce({SkuMeter}, c.x_UsageType, c.SkuId, c.SkuPriceId) END",
    "SkuPriceDetails": f"CASE WHEN {IS_PRICED} AND coalesce(c.SkuPriceId, c.SkuId) IS NOT NULL "
    "THEN {SkuPriceDetails} END",
    "SkuPriceId": f"CASE WHEN {IS_PRICED} THEN coalesce(c.SkuPriceId, c.SkuId) END",
    "SubAccountId": "c.SubAccountId",
    "SubAccountName": "CASE WHEN c.SubAccountId IS NOT NULL THEN coalesce(c.SubAccountName, c.SubAccountId) END",
    "SubAccountType": "CASE WHEN c.SubAccountId IS NOT NULL THEN coalesce({SubAccountType}, 'Account') END",
    # As delivered, unless it was no JSON that others can read.
    "Tags": f"CASE WHEN {is_plain('c.Tags')} THEN c.Tags ELSE CAST(to_json({tags('c.Tags')}) AS VARCHAR) END",
    "ProviderName": PROVIDER,
    "PublisherName": f"coalesce(c.PublisherName, {PROVIDER})",
}
# The provider of a service, and who hosts it: itself, where a cloud sells its own.
OWN_CLOUD = " OR ".join(f"{PROVIDER} = {literal(name)}" for name in HOUSES)
HOST = f"coalesce({{HostProviderName}}, CASE WHEN {OWN_CLOUD} THEN {PROVIDER} END)"
COLUMNS_1_3 = COLUMNS | {
    "ServiceProviderName": PROVIDER,
    "HostProviderName": HOST,
    # Splits that the provider itself made, as far as its bill has them.
    "AllocatedMethodId": "{AllocatedMethodId}",
    "AllocatedMethodDetails": "{AllocatedMethodDetails}",
    "AllocatedResourceId": "{AllocatedResourceId}",
    "AllocatedResourceName": "{AllocatedResourceName}",
    "AllocatedTags": "{AllocatedTags}",
    "ContractApplied": "{ContractApplied}",
}
COLUMNS_1_4 = {name: sql for name, sql in COLUMNS_1_3.items() if name not in ("ProviderName", "PublisherName")} | {
    "InvoiceDetailId": "{InvoiceDetailId}",
    "CommitmentProgramEligibilityDetails": "{CommitmentProgramEligibilityDetails}",
}
VERSIONS = {"1.2": COLUMNS, "1.3": COLUMNS_1_3, "1.4": COLUMNS_1_4}
SOMETIMES = (
    *("BillingAccountType", "CapacityReservationId", "CapacityReservationStatus", "PricingCurrency"),
    *("PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice"),
    *("SkuMeter", "SkuPriceDetails", "SubAccountType"),
    *("HostProviderName", "AllocatedMethodId", "AllocatedMethodDetails", "AllocatedResourceId"),
    *("AllocatedResourceName", "AllocatedTags", "ContractApplied", "InvoiceDetailId"),
    "CommitmentProgramEligibilityDetails",
)


def _cost_sql(known: Collection[str]) -> dict[str, str]:
    """A cost the bill states somewhere is 0 in rows without it, so that the sum stays the bill's; one it never states
    is taken from the next better known.
    """
    # Where both halves of a bill are here, each charge stands in both: its effective cost is in one of them.
    charged = "c.EffectiveCost" if "EffectiveCost" in known else "c.EffectiveCost, c.BilledCost"
    rest = {
        "effective": "EffectiveCost, c.BilledCost",
        "contracted": f"ContractedCost, {charged}",
        "list": f"ListCost, c.ContractedCost, {charged}",
    }
    names = {"effective": "EffectiveCost", "contracted": "ContractedCost", "list": "ListCost"}
    return {key: f"coalesce(c.{name if name in known else rest[key]}, 0::{STORED})" for key, name in names.items()}


def export_sql(table: str, present: Collection[str], known: Collection[str], version: str = "1.2") -> str:
    """SQL for the charges of one delivery as a version of FOCUS.

    `present` are its Parquet's columns; `known` are the metrics that the month's bill of its source states.
    """
    costs, columns_here = _cost_sql(known), {name.lower() for name in present}
    columns = []
    for name, sql in VERSIONS[version].items():
        for sometimes in SOMETIMES:
            there = f"c.{quoted(sometimes)}" if sometimes.lower() in columns_here else "NULL::VARCHAR"
            sql = sql.replace(f"{{{sometimes}}}", there)
        for key, cost in costs.items():
            sql = sql.replace(f"{{{key}}}", cost)
        columns.append(f"{sql} AS {quoted(name)}")
    if "servicesubcategory" not in columns_here:
        # Written before charges had it.
        table = f"(SELECT *, NULL::VARCHAR AS ServiceSubcategory FROM {table})"
    families = f"LEFT JOIN ({families_sql(table)}) f ON {same_family('c', 'f')}"
    return f"SELECT {', '.join(columns)} FROM {table} c {families} WHERE c.x_Problem IS NULL"


def csv_cell(name: str) -> str:
    """A column as FOCUS writes it in CSV: moments in UTC with their Z."""
    if name.endswith(("PeriodStart", "PeriodEnd")):
        return f"strftime({quoted(name)}, '%Y-%m-%dT%H:%M:%SZ') AS {quoted(name)}"
    return quoted(name)
