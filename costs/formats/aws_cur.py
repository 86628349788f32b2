"""AWS Cost and Usage Reports: legacy (slashes, or underscores as Athena has them) and 2.0, as CSV or Parquet.

Billed cost is the unblended cost, whose sum over all line types is the invoice. Where an account has private discounts
and the export shows them in a column instead of rows of their own (2.0's default), the invoice is the sum of the net
unblended cost, and the net columns are read instead.

Effective cost follows the amortised cost of AWS's Cloud Intelligence Dashboards (summary_view): covered usage carries
its share of the commitment, fees carry only what was not used, upfront fees carry nothing. What stands in columns that
an export leaves out, or in empty cells, is unknown and never zero (`METRIC_COLUMNS`).

The fee of a commitment carries in one row what is invoiced for it and what nobody used of it. FOCUS has two charges for
that, and so have we: a purchase that costs nothing in effective cost, and usage with the status Unused.

Charge categories are those of FOCUS's own example mappings (FOCUS_Spec, supporting_content/columns/chargecategory.md):
a refund is an adjustment, support is usage, negations and bundled discounts belong to the usage they lower. Discounts
of a contract (EDP, private rates, Solution Provider Programme, distributors) are adjustments of the month.
"""

import re
from collections.abc import Sequence

from costs.formats.base import (
    IS_UNUSED_PART,
    Format,
    MetricColumns,
    Rule,
    Sheet,
    UnusedPart,
    const,
    first,
    formula,
    json_text,
    text,
)
from costs.formats.sql import literal, month_moment, tags
from finops_site.lib.language import gettext as _

FEES = "'RIFee', 'SavingsPlanRecurringFee'"

# Support is invoiced as a fee and is what was used of it; another fee buys something: a reservation, a product of the
# Marketplace for a year, a domain.
CATEGORY = f"""CASE WHEN {IS_UNUSED_PART} THEN 'Usage'
    WHEN {{lineItem/LineItemType}} IN ('Tax', 'Credit') THEN {{lineItem/LineItemType}}
    WHEN {{lineItem/LineItemType}} = 'Fee' AND {{lineItem/ProductCode}} ILIKE '%Support%' THEN 'Usage'
    WHEN {{lineItem/LineItemType}} IN ('Fee', {FEES}, 'SavingsPlanUpfrontFee', 'FlatRateSubscription') THEN 'Purchase'
    WHEN {{lineItem/LineItemType}} = 'BundledDiscount' THEN 'Usage'
    WHEN {{lineItem/LineItemType}} = 'Refund' OR {{lineItem/LineItemType}} LIKE '%Discount' THEN 'Adjustment'
    ELSE 'Usage' END"""

# Rows that split the cost of a shared machine among its pods repeat cost that the machine's own row carries.
SPLIT = "'EKSPod-EC2', 'ECSTask-EC2'"
IS_SPLIT = f"{{lineItem/Operation}} IN ({SPLIT})"

# A quantity is consumed in these rows alone; negations, fees, taxes, credits and refunds repeat one, or count nothing.
CONSUMING = "'Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage', 'FlatRateSubscription'"
IS_CONSUMED = f"""NOT {IS_UNUSED_PART} AND ({IS_SPLIT}) IS NOT TRUE
    AND {{lineItem/LineItemType}} IN ({CONSUMING})"""
QUANTITY = f"CASE WHEN {IS_CONSUMED} THEN {{lineItem/UsageAmount}} END"
UNIT = f"CASE WHEN {IS_CONSUMED} THEN {{pricing/unit}} END"

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

UNUSED_IS_STATED = "{savingsPlan/TotalCommitmentToDate} IS NOT NULL AND {savingsPlan/UsedCommitment} IS NOT NULL"

RI_UNUSED_PARTS = ("reservation/UnusedAmortizedUpfrontFeeForBillingPeriod", "reservation/UnusedRecurringFee")
RI_UNUSED = " + ".join(f"{{{part}:n}}" for part in RI_UNUSED_PARTS)
# Stands for SQL that is true where the row states it: of a plan without an upfront fee that part may be empty, but a
# column that is not there states nothing. See `_reservations_state_unused`.
RI_UNUSED_IS_STATED = "<what is unused of a reservation is stated>"

# The upfront fee of a plan that is returned within seven days comes back. The fee was no effective cost of a month, so
# its return is none. Any other refund on a savings plan, like that of a private discount, is one.
DAYS_OF_PLAN = """date_diff('day', TRY_CAST(left({savingsPlan/StartTime}, 10) AS DATE),
    TRY_CAST(left(coalesce({until}, {savingsPlan/EndTime}), 10) AS DATE))"""
IS_RETURNED_PLAN = f"""({{lineItem/LineItemDescription}} ILIKE 'Refund for one-time fee for Savings Plan ID%'
    OR coalesce({{lineItem/ProductCode}} LIKE '%SavingsPlans' AND {{savingsPlan/SavingsPlanARN}} IS NOT NULL
        AND NOT regexp_matches(coalesce({{lineItem/LineItemDescription}}, ''), '(?i)discount|\\bEDP\\b|private')
        AND ({DAYS_OF_PLAN.replace("{until}", "NULL")} BETWEEN 0 AND 7
            OR {DAYS_OF_PLAN.replace("{until}", "{lineItem/UsageStartDate}")} BETWEEN 0 AND 7), false))"""

# Where the reservation's own column is not there, the fee is told by how AWS describes it.
IS_UPFRONT_FEE = """({reservation/ReservationARN} IS NOT NULL
    OR coalesce({lineItem/LineItemDescription} ILIKE 'Sign up charge for subscription%', false))"""

EFFECTIVE = f"""CASE WHEN {IS_SPLIT} THEN '0' ELSE CASE {{lineItem/LineItemType}}
    WHEN 'SavingsPlanCoveredUsage' THEN {{savingsPlan/SavingsPlanEffectiveCost}}
    WHEN 'SavingsPlanRecurringFee' THEN CASE WHEN NOT ({UNUSED_IS_STATED}) THEN NULL
        WHEN {IS_UNUSED_PART} THEN CAST({UNUSED} AS VARCHAR)
        WHEN ({UNUSED}) IS NULL THEN {{savingsPlan/TotalCommitmentToDate}} || ' - ' || {{savingsPlan/UsedCommitment}}
        ELSE '0' END
    WHEN 'SavingsPlanNegation' THEN '0'
    WHEN 'SavingsPlanUpfrontFee' THEN '0'
    WHEN 'DiscountedUsage' THEN {{reservation/EffectiveCost}}
    WHEN 'RIFee' THEN CASE WHEN NOT ({RI_UNUSED_IS_STATED}) THEN NULL
        WHEN {IS_UNUSED_PART} THEN CAST({RI_UNUSED} AS VARCHAR)
        WHEN ({RI_UNUSED}) IS NULL THEN concat_ws(' + ', {", ".join(f"{{{part}}}" for part in RI_UNUSED_PARTS)})
        ELSE '0' END
    WHEN 'Fee' THEN CASE WHEN {IS_UPFRONT_FEE} THEN '0' ELSE {{lineItem/UnblendedCost}} END
    WHEN 'Refund' THEN CASE WHEN {IS_RETURNED_PLAN} THEN '0' ELSE {{lineItem/UnblendedCost}} END
    ELSE {{lineItem/UnblendedCost}} END END"""

HAS_UNUSED_PART = f"""CASE {{lineItem/LineItemType}}
    WHEN 'SavingsPlanRecurringFee' THEN {UNUSED_IS_STATED} AND {UNUSED} <> 0
    WHEN 'RIFee' THEN {RI_UNUSED_IS_STATED} AND {RI_UNUSED} <> 0 ELSE false END"""

BILLED = f"CASE WHEN {IS_SPLIT} OR {IS_UNUSED_PART} THEN '0' ELSE {{lineItem/UnblendedCost}} END"

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

# A negation only takes back what a savings plan covered, and what nobody used ran nowhere: neither has an on-demand
# price of its own.
LIST = f"""CASE WHEN {{lineItem/LineItemType}} = 'SavingsPlanNegation' OR {IS_SPLIT} OR {IS_UNUSED_PART} THEN '0'
    ELSE {{pricing/publicOnDemandCost}} END"""

STATUS = f"""CASE WHEN {IS_UNUSED_PART} THEN 'Unused'
    WHEN {{lineItem/LineItemType}} IN ('SavingsPlanCoveredUsage', 'DiscountedUsage') THEN 'Used' END"""

# Fees name the kind of their plan, its term and its payment in their usage type too: ComputeSP:1yrNoUpfront.
COMMITMENT_TYPE = """CASE WHEN {savingsPlan/SavingsPlanARN} IS NOT NULL THEN
    CASE regexp_extract(coalesce({savingsPlan/OfferingType}, {lineItem/UsageType}),
        '(EC2|Compute|SageMaker|Database)(Instance)?S(P|avings)', 1)
        WHEN 'EC2' THEN 'EC2 Instance Savings Plan' WHEN 'Compute' THEN 'Compute Savings Plan'
        WHEN 'SageMaker' THEN 'SageMaker Savings Plan' WHEN 'Database' THEN 'Database Savings Plan'
        ELSE 'Savings Plan' END
    WHEN {reservation/ReservationARN} IS NOT NULL THEN
    CASE lower({pricing/OfferingClass}) WHEN 'convertible' THEN 'Convertible Reserved Instance'
        WHEN 'standard' THEN 'Standard Reserved Instance' ELSE 'Reserved Instance' END END"""
COMMITMENT_CATEGORY = """CASE WHEN {savingsPlan/SavingsPlanARN} IS NOT NULL THEN 'Spend'
    WHEN {reservation/ReservationARN} IS NOT NULL THEN 'Usage' END"""
IS_COMMITTED = "{savingsPlan/SavingsPlanARN|reservation/ReservationARN} IS NOT NULL"
TERM = f"""CASE WHEN {IS_COMMITTED} THEN CAST(12 * TRY_CAST(regexp_extract(coalesce({{savingsPlan/PurchaseTerm}},
    {{pricing/LeaseContractLength}}, {{lineItem/UsageType}}), '([1-9][0-9]?) ?y', 1) AS INTEGER) AS VARCHAR) END"""
PAYMENT = f"""CASE WHEN {IS_COMMITTED} THEN coalesce({{savingsPlan/PaymentOption}}, {{pricing/PurchaseOption}},
    nullif(regexp_extract({{lineItem/UsageType}}, 'yr(No|Partial|All)Upfront', 1), '') || ' Upfront') END"""
COUNT = "CASE WHEN {reservation/ReservationARN} IS NOT NULL THEN {reservation/NumberOfReservations} END"

# How much of a commitment a row used, or left unused, in the commitment's own unit: a plan's currency, before private
# discounts; of a reservation normalised units, so that sizes of a family add up, and hours where there are none.
USED_UNITS = "coalesce({lineItem/NormalizedUsageAmount}, {lineItem/UsageAmount})"
UNUSED_UNITS = "coalesce({reservation/UnusedNormalizedUnitQuantity}, {reservation/UnusedQuantity})"
COMMITMENT_QUANTITY = f"""CASE {{lineItem/LineItemType}}
    WHEN 'SavingsPlanCoveredUsage' THEN {{savingsPlan/SavingsPlanEffectiveCost}}
    WHEN 'SavingsPlanRecurringFee' THEN CASE WHEN {IS_UNUSED_PART} THEN CAST({UNUSED} AS VARCHAR) END
    WHEN 'DiscountedUsage' THEN {USED_UNITS}
    WHEN 'RIFee' THEN CASE WHEN {IS_UNUSED_PART} THEN {UNUSED_UNITS} END END"""
COMMITMENT_UNIT = f"""CASE
    WHEN {{lineItem/LineItemType}} = 'SavingsPlanCoveredUsage' THEN {{lineItem/CurrencyCode}}
    WHEN {{lineItem/LineItemType}} = 'SavingsPlanRecurringFee' AND {IS_UNUSED_PART} THEN {{lineItem/CurrencyCode}}
    WHEN {{lineItem/LineItemType}} = 'DiscountedUsage' THEN
        CASE WHEN {{lineItem/NormalizedUsageAmount}} IS NOT NULL THEN 'Normalized units' ELSE 'Hours' END
    WHEN {{lineItem/LineItemType}} = 'RIFee' AND {IS_UNUSED_PART} THEN
        CASE WHEN {{reservation/UnusedNormalizedUnitQuantity}} IS NOT NULL THEN 'Normalized units'
            WHEN {{reservation/UnusedQuantity}} IS NOT NULL THEN 'Hours' END END"""

# The fee of an EC2 Instance plan names the family and the region that it is for.
MACHINE = """coalesce({product/instanceType}, CASE WHEN {lineItem/LineItemType} LIKE 'SavingsPlan%Fee'
    THEN {savingsPlan/InstanceTypeFamily} END)"""

PRICING = f"""CASE WHEN {IS_UNUSED_PART} THEN 'Committed'
    WHEN {{lineItem/LineItemType}} IN ('SavingsPlanCoveredUsage', 'DiscountedUsage') THEN 'Committed'
    WHEN {{lineItem/UsageType}} LIKE '%SpotUsage%' THEN 'Dynamic'
    WHEN {{lineItem/LineItemType}} = 'Usage' THEN 'Standard' END"""

# A charge for a month before the one it is invoiced in changes a month that was closed.
CLASS = """CASE WHEN left({lineItem/UsageStartDate}, 7) < left({bill/BillingPeriodStartDate}, 7)
    AND {lineItem/UsageStartDate} LIKE '____-__-%' THEN 'Correction' END"""


def billing_period(sheet: Sheet) -> str | None:
    """The month of the invoice. A 2.0 export may leave its column out: then the month of use stands for it, unless the
    partition column ``billing_period`` or the person who loads the file says which month it is.
    """
    if delivered := sheet.text("bill/BillingPeriodStartDate"):
        return delivered
    if partition := sheet.text("billing_period"):
        return f"left({partition}, 7) || '-01'"
    if sheet.options.month:
        return month_moment(sheet.options.month.start)
    return formula("left({lineItem/UsageStartDate}, 7) || '-01'")(sheet)


def has_discount_column(sheet: Sheet) -> bool:
    """Discounts in a column and no rows of their own: without "manual discount compatibility"."""
    return "discount/TotalDiscount" in sheet


def after_discounts(template: str) -> Rule:
    """A formula that reads the net columns where discounts are in a column; an empty net cell means no discount."""

    def rule(sheet: Sheet) -> str | None:
        gross = template.replace(RI_UNUSED_IS_STATED, _reservations_state_unused(sheet))
        if not has_discount_column(sheet):
            return formula(gross)(sheet)
        has_net_fee = any(f"savingsPlan/Net{part}" in sheet for part in _PARTS)
        net = gross.replace(UNUSED, NET_UNUSED) if has_net_fee else gross
        for before, after in NET.items():
            net = net.replace(f"{{{before}}}", f"{{{after}|{before}}}").replace(
                f"{{{before}:n}}", f"{{{after}|{before}:n}}"
            )
        return formula(net)(sheet)

    return rule


def _reservations_state_unused(sheet: Sheet) -> str:
    """A formula that is true where a row states what is unused of its reservation."""
    if not all(part in sheet or NET[part] in sheet for part in RI_UNUSED_PARTS):
        return "false"
    return f"coalesce({', '.join(f'{{{part}}}' for part in RI_UNUSED_PARTS)}) IS NOT NULL"


def list_cost(sheet: Sheet) -> str | None:
    """At on-demand prices; an export without their column has no list cost, not even of negations."""
    return formula(LIST)(sheet) if "pricing/publicOnDemandCost" in sheet else None


# Of a column's name, and of a key in 2.0's maps, what comes first says whose tag it is. Tags of resources are
# ``user:team`` and ``aws:createdBy`` as AWS shows them, those of an account have their bare key, and whatever is no tag
# of AWS's has a prefix of its own.
TAG_COLUMNS = {"resourceTags/": "", "costCategory/": "costCategory:"}
ATHENA_TAG_COLUMNS = {"resource_tags_": "", "cost_category_": "costCategory:"}
TAG_MAPS = {"resource_tags": "", "cost_category": "costCategory:", "tags": ""}
# What the ``tags`` map puts before a key -> what we put there.
TAG_SOURCES = {
    "^(costCategory|userAttribute|iamPrincipal)/": "\\1:",
    "^accountTag/": "",
    "^(resourceTags/)?(user|aws)_": "\\2:",
    "^resourceTags/": "",
}


def resource_tags(sheet: Sheet) -> str | None:
    """Tags and cost categories: from columns of their own, and from 2.0's maps of either kind, or of all in one."""
    lists = [_pairs_of_map(delivered, prefix) for name, prefix in TAG_MAPS.items() if (delivered := _map(sheet, name))]
    columns = {
        f"{prefix}{key}": sql for start, prefix in TAG_COLUMNS.items() for key, sql in sheet.starting(start).items()
    } or {
        prefix + re.sub("^(user|aws)_", r"\1:", key): sql
        for start, prefix in ATHENA_TAG_COLUMNS.items()
        for key, sql in sheet.starting(start).items()
    }
    if columns:
        pairs = ", ".join(f"{{'k': {literal(key)}, 'v': {sql}}}" for key, sql in columns.items())
        lists.insert(0, f"list_filter([{pairs}], lambda _each_: _each_.v IS NOT NULL)")
    if not lists:
        return None
    return f"map_from_entries({lists[0] if columns and len(lists) == 1 else _last_of_each_key(lists)})"


def _map(sheet: Sheet, name: str) -> str | None:
    return tags(sheet.text(name) or "") if sheet.has(name) else None


def _pairs_of_map(delivered: str, prefix: str) -> str:
    key = "_each_.key"
    for pattern, replacement in TAG_SOURCES.items():
        key = f"regexp_replace({key}, '{pattern}', '{replacement}')"
    key = f"'{prefix}' || _each_.key" if prefix else key
    pairs = f"list_transform(map_entries({delivered}), lambda _each_: {{'k': {key}, 'v': _each_.value}})"
    return f"list_filter({pairs}, lambda _each_: _each_.v IS NOT NULL)"


def _last_of_each_key(lists: Sequence[str]) -> str:
    """SQL for the pairs of several lists; of a key that several have, the last counts."""
    pairs = f"list_concat({', '.join(lists)})" if len(lists) > 1 else lists[0]
    keys = f"list_transform({pairs}, lambda _each_: _each_.k)"
    later = f"list_transform(({pairs})[_at_ + 1:], lambda _other_: _other_.k)"
    last = f"list_filter({pairs}, lambda _each_, _at_: NOT list_contains({later}, _each_.k))"
    return f"CASE WHEN len({keys}) = len(list_distinct({keys})) THEN {pairs} ELSE {last} END"


# Columns that only 2.0 has.
_OF_2_0 = ("resource_tags", "product", "cost_category", "discount", "bill_payer_account_name", "tags")


def warn_of_missing_columns(sheet: Sheet) -> list[str]:
    warnings = []
    if has_discount_column(sheet) and "lineItem/NetUnblendedCost" not in sheet:
        warnings.append(
            _(
                "This export shows private discounts in a column and lacks line_item_net_unblended_cost: "
                "billed cost is before discounts. Add that column to the export."
            )
        )
    has_period = any(name in sheet for name in ("bill/BillingPeriodStartDate", "billing_period"))
    if not has_period and not sheet.options.month:
        warnings.append(
            "This export lacks bill_billing_period_start_date: each charge is billed in the month of its use, and a "
            "correction of an earlier month is not known as one. Add that column, or load the bill with --month."
        )
    return warnings


# Of the charges, those that stand for the unused part of a fee.
IS_ADDED = f"ChargeCategory = 'Usage' AND coalesce(x_LineType, '') IN ({FEES})"

# Rows whose costs stand in columns of their own.
METRIC_COLUMNS = (
    MetricColumns(
        metric="EffectiveCost",
        rows="x_LineType = 'SavingsPlanCoveredUsage'",
        what="usage that savings plans cover",
        columns=("savingsPlan/SavingsPlanEffectiveCost",),
    ),
    MetricColumns(
        metric="EffectiveCost",
        rows="x_LineType = 'SavingsPlanRecurringFee'",
        what="fees of savings plans",
        columns=("savingsPlan/TotalCommitmentToDate", "savingsPlan/UsedCommitment"),
    ),
    MetricColumns(
        metric="EffectiveCost",
        rows="x_LineType = 'DiscountedUsage'",
        what="usage that reservations cover",
        columns=("reservation/EffectiveCost",),
    ),
    MetricColumns(
        metric="EffectiveCost", rows="x_LineType = 'RIFee'", what="fees of reservations", columns=RI_UNUSED_PARTS
    ),
    MetricColumns(
        metric="ListCost",
        rows="x_LineType IN ('Usage', 'SavingsPlanCoveredUsage', 'DiscountedUsage')",
        what="usage",
        columns=("pricing/publicOnDemandCost",),
        may_be_empty=True,
    ),
)

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
        "BillingPeriodStart": billing_period,
        "ChargePeriodStart": text("lineItem/UsageStartDate"),
        "ChargePeriodEnd": text("lineItem/UsageEndDate"),
        "ChargeCategory": formula(CATEGORY),
        "ChargeClass": formula(CLASS),
        "ChargeDescription": text("lineItem/LineItemDescription"),
        "ServiceCategory": text("product/productFamily"),
        "ServiceName": text("lineItem/ProductCode"),
        "RegionId": text("product/regionCode", "product/region", "savingsPlan/Region"),
        "RegionName": text("product/location"),
        "AvailabilityZone": text("lineItem/AvailabilityZone", "reservation/AvailabilityZone"),
        "ResourceId": text("lineItem/ResourceId"),
        "ResourceType": text("product/productFamily"),
        "SkuId": text("product/sku"),
        "SkuPriceId": text("pricing/RateCode"),
        "PricingCategory": formula(PRICING),
        "PricingQuantity": formula(QUANTITY),
        "PricingUnit": text("pricing/unit"),
        "ConsumedQuantity": formula(QUANTITY),
        "ConsumedUnit": formula(UNIT),
        "ListUnitPrice": text("pricing/publicOnDemandRate"),
        "BilledCost": after_discounts(BILLED),
        "EffectiveCost": after_discounts(EFFECTIVE),
        "ListCost": list_cost,
        "CommitmentDiscountId": text("savingsPlan/SavingsPlanARN", "reservation/ReservationARN"),
        "CommitmentDiscountCategory": formula(COMMITMENT_CATEGORY),
        "CommitmentDiscountType": formula(COMMITMENT_TYPE),
        "CommitmentDiscountStatus": formula(STATUS),
        "CommitmentDiscountQuantity": formula(COMMITMENT_QUANTITY),
        "CommitmentDiscountUnit": formula(COMMITMENT_UNIT),
        "Tags": resource_tags,
        # A Marketplace line's product code is a random id: people know the product by its name.
        "x_ServiceTitle": first(
            text("product/ProductName"), json_text("product", "product_name"), text("product/servicename")
        ),
        "x_CommitmentTerm": formula(TERM),
        "x_CommitmentPayment": formula(PAYMENT),
        "x_CommitmentCount": formula(COUNT),
        "x_CommitmentStart": text("savingsPlan/StartTime", "reservation/StartTime"),
        "x_CommitmentEnd": text("savingsPlan/EndTime", "reservation/EndTime"),
        "x_LineType": text("lineItem/LineItemType"),
        "x_InstanceType": formula(MACHINE),
        "x_Operation": text("lineItem/Operation"),
        "x_UsageType": text("lineItem/UsageType"),
    },
    # What commitments cover has its effective cost in columns that an export may lack: see `metric_columns`.
    always=frozenset({"BilledCost"}),
    lenient=frozenset({"ListCost"}),
    tags_are_map=True,
    version=lambda sheet: "2.0" if any(sheet.has(name) for name in _OF_2_0) else "",
    metric_columns=METRIC_COLUMNS,
    unused=UnusedPart(where=after_discounts(HAS_UNUSED_PART), added=IS_ADDED),
    warnings=warn_of_missing_columns,
    remarks={
        IS_ADDED: (
            "Fees of commitments that carry what nobody used: {}. It stands as usage of its own, with the commitment "
            "status Unused, and their purchase costs nothing in effective cost."
        ),
        f"x_Operation IN ({SPLIT})": (
            "Rows that split the cost of machines among pods or tasks: {}. They count 0, for the machines' own rows "
            "carry it; the page Kubernetes shows their shares."
        ),
    },
)
