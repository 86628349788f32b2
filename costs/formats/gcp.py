"""Google Cloud's billing export, standard and detailed, flattened to CSV or as JSON lines.

Billed cost is the cost with its credits, as it is invoiced; list cost is without them. Which month a charge is invoiced
in stands in `invoice.month` alone. No column holds an amortised cost: fees of commitments are SKUs of their own and
their benefit is a credit on the usage, so the fees are spread over those credits here; a note on the
delivery states it.
"""

from costs.formats.base import Format, Rule, Sheet, Spread, aside, const, formula, text
from costs.formats.sql import FORMULA, literal

CATEGORY = """CASE WHEN {cost_type} = 'tax' THEN 'Tax'
    WHEN {cost_type} IN ('adjustment', 'rounding_error') THEN 'Adjustment'
    WHEN {sku.description} LIKE 'Commitment%' THEN 'Purchase' ELSE 'Usage' END"""

LINE_TYPE = (
    """CASE WHEN {sku.description} LIKE 'Commitment%' THEN 'commitment fee' ELSE coalesce({cost_type}, 'regular') END"""
)

COMMITTED = ("COMMITTED_USAGE_DISCOUNT", "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE")


def as_json(list_text: str) -> str:
    """A list as JSON; some flatteners write Python's own notation (single quotes, None)."""
    python = f"replace({list_text}, chr(39), chr(34))"
    for theirs, json in (("None", "null"), ("True", "true"), ("False", "false")):
        python = f"replace({python}, ': {theirs}', ': {json}')"
    return f"coalesce(TRY_CAST({list_text} AS JSON), TRY_CAST({python} AS JSON))"


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


def labels_and_tags(sheet: Sheet) -> str:
    """Labels of the resource, then tags, then labels of the project; the first that names a key stands."""
    lists = [sheet.text(name) for name in ("labels", "tags", "project.labels")]
    parsed = [f"coalesce(CAST({as_json(text)} AS JSON[]), [])" for text in lists if text]
    if not parsed:
        return "NULL::MAP(VARCHAR, VARCHAR)"
    pair = "{'k': json_extract_string(_each_, '$.key'), 'v': coalesce(json_extract_string(_each_, '$.value'), '')}"
    pairs = f"list_transform(flatten([{', '.join(parsed)}]), lambda _each_: {pair})"
    earlier = f"list_transform(({pairs})[:_at_ - 1], lambda _other_: _other_.k)"
    named = f"_each_.k IS NOT NULL AND NOT list_contains({earlier}, _each_.k)"
    return f"map_from_entries(list_filter({pairs}, lambda _each_, _at_: {named}))"


# ``202603`` is the month 2026-03.
MONTH = """CASE WHEN length({invoice.month}) = 6
    THEN left({invoice.month}, 4) || '-' || right({invoice.month}, 2) || '-01' ELSE {invoice.month} END"""


def _moment(name: str) -> str:
    return f"replace({{{name}}}, ' UTC', 'Z')"


GCP = Format(
    name="gcp",
    title="Google Cloud billing export",
    required=("billing_account_id", "service.description", "sku.id", "usage_start_time", "cost", "invoice.month"),
    aside={"credits": parsed_credits, "credited": sum_of_credits(), "billed": cost_with_credits},
    columns={
        "ProviderName": const("GCP"),
        "PublisherName": text("seller_name"),
        "InvoiceIssuerName": const("Google Cloud"),
        "BillingAccountId": text("billing_account_id"),
        "SubAccountId": text("project.id"),
        "SubAccountName": text("project.name"),
        "BillingCurrency": text("currency"),
        "BillingPeriodStart": formula(MONTH),
        "ChargePeriodStart": formula(_moment("usage_start_time")),
        "ChargePeriodEnd": formula(_moment("usage_end_time")),
        "ChargeCategory": formula(CATEGORY),
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
        "Tags": labels_and_tags,
        "x_CommitmentCredits": lambda sheet: f"CAST(-({sum_of_credits(IS_COMMITTED)(sheet)}) AS VARCHAR)",
        "x_LineType": formula(LINE_TYPE),
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
