"""Google Cloud's billing export, standard and detailed: flattened to CSV or with JSON in cells, JSON lines, Parquet.

Billed cost is the cost with its credits, as it is invoiced; list cost is without them. Which month a charge is invoiced
in stands in `invoice.month` alone. No column holds an amortised cost: fees of commitments are SKUs of their own and
their benefit is a credit on the usage, so the fees are spread over those credits here; a note on the
delivery states it.
"""

from costs.formats.base import Format, Rule, Sheet, Spread, aside, const, formula, text
from costs.formats.commitments import term_months
from costs.formats.normalise import SEPARATOR
from costs.formats.sql import FORMULA, as_json, literal, map_of_pairs, tag_pairs

CATEGORY = """CASE WHEN {cost_type} = 'tax' THEN 'Tax'
    WHEN {cost_type} IN ('adjustment', 'rounding_error') THEN 'Adjustment'
    WHEN {sku.description} LIKE 'Commitment%' THEN 'Purchase' ELSE 'Usage' END"""

LINE_TYPE = (
    """CASE WHEN {sku.description} LIKE 'Commitment%' THEN 'commitment fee' ELSE coalesce({cost_type}, 'regular') END"""
)

COMMITTED = ("COMMITTED_USAGE_DISCOUNT", "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE")


def parsed_credits(sheet: Sheet) -> str | None:
    credits = sheet.text("credits")
    return credits and f"TRY_CAST({as_json(credits)} AS JSON[])"


def sum_of_credits(condition: str = "true") -> Rule:
    """The sum of the row's credits, null when they cannot be read: a row is never repeated for its credits."""

    def rule(sheet: Sheet) -> str:
        credits, parsed = sheet.text("credits"), aside("credits")
        if not credits:
            return f"0::{FORMULA}"
        amount = f"TRY_CAST(json_extract_string(_each_, '$.amount') AS {FORMULA})"
        amounts = f"list_transform(list_filter({parsed}, lambda _each_: {condition}), lambda _each_: {amount})"
        unread = f"list_contains(list_transform({amounts}, lambda _each_: _each_ IS NULL), true)"
        return (
            f"CASE WHEN {credits} IS NULL THEN 0 WHEN {parsed} IS NULL OR {unread} THEN NULL "
            f"ELSE coalesce(list_sum({amounts}), 0) END"
        )

    return rule


def cost_with_credits(sheet: Sheet) -> str | None:
    """Cost with credits; where there are none the text itself, whose digits no sum can lose."""
    cost, credits = sheet.text("cost"), sheet.text("credits")
    if not (cost and credits):
        return cost
    # A text that is no number makes the row a reject that shows it.
    net = f"coalesce(CAST(TRY_CAST({cost} AS {FORMULA}) + {aside('credited')} AS VARCHAR), 'credits ' || {credits})"
    return f"CASE WHEN {credits} IS NULL OR {credits} = '[]' THEN {cost} ELSE {net} END"


def net_cost(sheet: Sheet) -> str | None:
    return aside("billed") if sheet.text("credits") else sheet.text("cost")


IS_COMMITTED = f"json_extract_string(_each_, '$.type') IN ({', '.join(map(literal, COMMITTED))})"


def commitment(sheet: Sheet) -> str | None:
    """The commitment of a fee, or the one whose credit usage got; a credit's id may be a description, which is none."""
    subscription = sheet.text("subscription.instance_id")
    subscription = subscription and f"nullif({subscription}, '')"
    if not sheet.text("credits"):
        return subscription
    chosen = f"list_filter({aside('credits')}, lambda _each_: {IS_COMMITTED})"
    ids = f"list_distinct(list_transform({chosen}, lambda _each_: json_extract_string(_each_, '$.id')))"
    credited = f"CASE WHEN len({ids}) = 1 AND regexp_full_match({ids}[1], '[0-9A-Za-z._/-]+') THEN {ids}[1] END"
    return f"coalesce({subscription}, {credited})" if subscription else credited


# ``Commitment v1: N2 Cpu in Americas for 1 Year`` is for machines, ``Commitment - dollar based v1: ...`` for spend.
# Both are paid by the month.
IS_FEE = "{sku.description} LIKE 'Commitment%'"
TERM = f"CASE WHEN {IS_FEE} THEN {term_months('{sku.description}')} END"
PAYMENT = f"CASE WHEN {IS_FEE} THEN 'No Upfront' END"
COMMITMENT_CATEGORY = f"""CASE WHEN {IS_FEE} THEN
    CASE WHEN {{sku.description}} ILIKE '%dollar based%' THEN 'Spend' ELSE 'Usage' END END"""
COMMITMENT_TYPE = f"""CASE WHEN {IS_FEE} THEN CASE WHEN {{sku.description}} ILIKE '%dollar based%'
    THEN 'Flexible committed use discount' ELSE 'Resource-based committed use discount' END END"""

# Labels of the resource, then its tags, then the labels of its project, then those that Google sets.
LABELS = ("labels", "tags", "project.labels", "system_labels")


def pairs_of(column: str) -> Rule:
    """The labels of a column as a list of {k, v}; null where they cannot be read."""

    def rule(sheet: Sheet) -> str | None:
        written = sheet.text(column)
        return written and tag_pairs(as_json(written))

    return rule


def labels_and_tags(sheet: Sheet) -> str:
    """All labels and tags in one map; the first of LABELS that names a key stands."""
    parsed = [f"coalesce({aside(column)}, [])" for column in LABELS if sheet.text(column)]
    return map_of_pairs(f"flatten([{', '.join(parsed)}])") if parsed else "NULL::MAP(VARCHAR, VARCHAR)"


def unread_labels(sheet: Sheet) -> str | None:
    """The note of a row some of whose labels are no labels."""
    columns = [(column, text) for column in LABELS if (text := sheet.text(column))]
    if not columns:
        return None
    unread = [f"({text} IS NOT NULL AND {aside(column)} IS NULL)" for column, text in columns]
    notes = ", ".join(
        f"CASE WHEN {is_unread} THEN {literal(f'{column} that cannot be read, and were left out')} END"
        for (column, _), is_unread in zip(columns, unread, strict=True)
    )
    return f"CASE WHEN {' OR '.join(unread)} THEN concat_ws({literal(SEPARATOR)}, {notes}) END"


# ``202603`` is the month 2026-03.
MONTH = """CASE WHEN length({invoice.month}) = 6
    THEN left({invoice.month}, 4) || '-' || right({invoice.month}, 2) || '-01' ELSE {invoice.month} END"""

# An adjustment of usage of a month before the invoice's changes a month that was closed. Usage that is reported late is
# invoiced for the first time, and corrects nothing.
ADJUSTMENT = "{adjustment_info.id|adjustment_info.mode|adjustment_info.type|adjustment_info.description}"
CLASS = f"""CASE WHEN ({{cost_type}} = 'adjustment' OR {ADJUSTMENT} IS NOT NULL)
    AND {{usage_start_time}} LIKE '____-__-%' AND left({{usage_start_time}}, 7) < left({MONTH}, 7)
    THEN 'Correction' END"""


def _moment(name: str) -> str:
    return f"replace({{{name}}}, ' UTC', 'Z')"


GCP = Format(
    name="gcp",
    title="Google Cloud billing export",
    required=("billing_account_id", "service.description", "sku.id", "usage_start_time", "cost", "invoice.month"),
    aside={
        **{"credits": parsed_credits, "credited": sum_of_credits(), "billed": cost_with_credits},
        **{column: pairs_of(column) for column in LABELS},
    },
    columns={
        "ProviderName": const("GCP"),
        "PublisherName": text("seller_name"),
        "InvoiceIssuerName": const("Google Cloud"),
        "BillingAccountId": text("billing_account_id"),
        "BillingAccountName": text("billing_account_name"),
        "SubAccountId": text("project.id"),
        "SubAccountName": text("project.name"),
        "BillingCurrency": text("currency"),
        "BillingPeriodStart": formula(MONTH),
        "ChargePeriodStart": formula(_moment("usage_start_time")),
        "ChargePeriodEnd": formula(_moment("usage_end_time")),
        "ChargeCategory": formula(CATEGORY),
        "ChargeClass": formula(CLASS),
        "ChargeDescription": text("sku.description"),
        "ServiceName": text("service.description"),
        "RegionId": text("location.region", "location.location"),
        "AvailabilityZone": text("location.zone"),
        "ResourceId": text("resource.global_name", "resource.name"),
        "ResourceName": text("resource.name"),
        "SkuId": text("sku.id"),
        "PricingQuantity": text("usage.amount_in_pricing_units"),
        "PricingUnit": text("usage.pricing_unit"),
        "ConsumedQuantity": text("usage.amount"),
        "ConsumedUnit": text("usage.unit"),
        "BilledCost": net_cost,
        "EffectiveCost": net_cost,
        "ListCost": text("cost_at_list", "cost"),
        "CommitmentDiscountId": commitment,
        "CommitmentDiscountCategory": formula(COMMITMENT_CATEGORY),
        "CommitmentDiscountType": formula(COMMITMENT_TYPE),
        "Tags": labels_and_tags,
        "x_CommitmentCredits": lambda sheet: f"CAST(-({sum_of_credits(IS_COMMITTED)(sheet)}) AS VARCHAR)",
        "x_CommitmentTerm": formula(TERM),
        "x_CommitmentPayment": formula(PAYMENT),
        "x_LineType": formula(LINE_TYPE),
        "x_Normalised": unread_labels,
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    tags_are_map=True,
    spread=Spread(
        fee="x_LineType = 'commitment fee'",
        weight="greatest(x_CommitmentCredits, 0)",
        within=("BillingPeriodStart", "BillingAccountId", "BillingCurrency"),
        by="CommitmentDiscountId",
        otherwise="ServiceName",
        remark="Google Cloud names no amortised cost: fees of commitments were spread over the usage whose credits "
        "they gave, by commitment where the bill names it, else within each service (our own computation).",
    ),
)
