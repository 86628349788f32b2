"""Google Cloud's billing export, standard and detailed, flattened to CSV or as JSON lines.

Billed cost is the cost with its credits, as it is invoiced; list cost is without them. Which month a charge is invoiced
in is said by `invoice.month` alone. No column holds an amortised cost: fees of commitments are SKUs of their own and
their benefit is a credit on the usage, so the fees are spread over those credits here, and the delivery says so.
"""

from costs.formats.base import FORMULA, Format, Rule, Sheet, Spread, aside, const, formula, literal, text

CATEGORY = """CASE WHEN {cost_type} = 'tax' THEN 'Tax'
    WHEN {cost_type} IN ('adjustment', 'rounding_error') THEN 'Adjustment'
    WHEN {sku.description} LIKE 'Commitment%' THEN 'Purchase' ELSE 'Usage' END"""

LINE_TYPE = (
    """CASE WHEN {sku.description} LIKE 'Commitment%' THEN 'commitment fee' ELSE coalesce({cost_type}, 'regular') END"""
)

COMMITTED = ("COMMITTED_USAGE_DISCOUNT", "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE")


def as_json(said: str) -> str:
    """A list as JSON; some flatteners write Python's own notation (single quotes, None)."""
    python = f"replace({said}, chr(39), chr(34))"
    for theirs, json in (("None", "null"), ("True", "true"), ("False", "false")):
        python = f"replace({python}, ': {theirs}', ': {json}')"
    return f"coalesce(TRY_CAST({said} AS JSON), TRY_CAST({python} AS JSON))"


def _credits(sheet: Sheet) -> str | None:
    said = sheet.text("credits")
    return said and f"TRY_CAST({as_json(said)} AS JSON[])"


def _credited(condition: str = "true") -> Rule:
    """The sum of the row's credits, null when they cannot be read: a row is never repeated for its credits."""

    def rule(sheet: Sheet) -> str:
        said, found = sheet.text("credits"), aside("credits")
        if not said:
            return f"0::{FORMULA}"
        amount = f"TRY_CAST(json_extract_string(_each_, '$.amount') AS {FORMULA})"
        amounts = f"list_transform(list_filter({found}, lambda _each_: {condition}), lambda _each_: {amount})"
        unread = f"list_contains(list_transform({amounts}, lambda _each_: _each_ IS NULL), true)"
        return (
            f"CASE WHEN {said} IS NULL THEN 0 WHEN {found} IS NULL OR {unread} THEN NULL "
            f"ELSE coalesce(list_sum({amounts}), 0) END"
        )

    return rule


def _billed(sheet: Sheet) -> str | None:
    """Cost with credits; where there are none the text itself, whose digits no sum can lose."""
    cost, said = sheet.text("cost"), sheet.text("credits")
    if not (cost and said):
        return cost
    # A text that is no number makes the row a reject that shows it.
    net = f"coalesce(CAST(TRY_CAST({cost} AS {FORMULA}) + {aside('credited')} AS VARCHAR), 'credits ' || {said})"
    return f"CASE WHEN {said} IS NULL OR {said} = '[]' THEN {cost} ELSE {net} END"


def _net(sheet: Sheet) -> str | None:
    return aside("billed") if sheet.text("credits") else sheet.text("cost")


def _committed(sheet: Sheet) -> str:
    names = ", ".join(map(literal, COMMITTED))
    credits = _credited(f"json_extract_string(_each_, '$.type') IN ({names})")(sheet)
    return f"CAST(-({credits}) AS VARCHAR)"


def _commitment(sheet: Sheet) -> str | None:
    """The commitment of a fee, or the one whose credit usage got; a credit's id may be a description, which is none."""
    said = sheet.text("subscription.instance_id")
    said = said and f"nullif({said}, '')"
    if not sheet.text("credits"):
        return said
    names = ", ".join(map(literal, COMMITTED))
    chosen = f"list_filter({aside('credits')}, lambda _each_: json_extract_string(_each_, '$.type') IN ({names}))"
    ids = f"list_distinct(list_transform({chosen}, lambda _each_: json_extract_string(_each_, '$.id')))"
    credited = f"CASE WHEN len({ids}) = 1 AND regexp_full_match({ids}[1], '[0-9A-Za-z._/-]+') THEN {ids}[1] END"
    return f"coalesce({said}, {credited})" if said else credited


def _month(sheet: Sheet) -> str | None:
    said = sheet.text("invoice.month")
    return (
        said
        and f"CASE WHEN length({said}) = 6 THEN left({said}, 4) || '-' || right({said}, 2) || '-01' ELSE {said} END"
    )


def _tags(sheet: Sheet) -> str:
    """Labels of the resource, then tags, then labels of the project; the first that names a key stands."""
    lists = [sheet.text(name) for name in ("labels", "tags", "project.labels")]
    found = [f"coalesce(CAST({as_json(said)} AS JSON[]), [])" for said in lists if said]
    if not found:
        return "NULL::MAP(VARCHAR, VARCHAR)"
    pair = "{'k': json_extract_string(_each_, '$.key'), 'v': coalesce(json_extract_string(_each_, '$.value'), '')}"
    pairs = f"list_transform(flatten([{', '.join(found)}]), lambda _each_: {pair})"
    earlier = f"list_transform(({pairs})[:_at_ - 1], lambda _other_: _other_.k)"
    named = f"_each_.k IS NOT NULL AND NOT list_contains({earlier}, _each_.k)"
    return f"map_from_entries(list_filter({pairs}, lambda _each_, _at_: {named}))"


def _moment(name: str) -> str:
    return f"replace({{{name}}}, ' UTC', 'Z')"


GCP = Format(
    name="gcp",
    title="Google Cloud billing export",
    required=("billing_account_id", "service.description", "sku.id", "usage_start_time", "cost", "invoice.month"),
    aside={"credits": _credits, "credited": _credited(), "billed": _billed},
    columns={
        "ProviderName": const("GCP"),
        "PublisherName": text("seller_name"),
        "InvoiceIssuerName": const("Google Cloud"),
        "BillingAccountId": text("billing_account_id"),
        "SubAccountId": text("project.id"),
        "SubAccountName": text("project.name"),
        "BillingCurrency": text("currency"),
        "BillingPeriodStart": _month,
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
        "BilledCost": _net,
        "EffectiveCost": _net,
        "ListCost": text("cost_at_list", "cost"),
        "CommitmentDiscountId": _commitment,
        "Tags": _tags,
        "x_CommitmentCredits": _committed,
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
