"""The inventory the product started from: a snapshot of machines and buckets with a rate, and no dates.

``CostUSD`` is an hourly rate for EC2 and a monthly amount for S3. The person who loads it says the month; a running
machine is charged for every hour of it. Stopped and terminated machines are charged nothing, as a provider would do,
unless ``bill_stopped`` chooses the source's own reading, in which they cost as much as running ones.
"""

from costs.formats.base import Format, Rule, Sheet, const, text
from costs.formats.sql import literal, month_moment
from finops_site.lib.periods import Month


def _month(sheet: Sheet) -> Month:
    assert sheet.options.month, "the reader refuses such a bill without a month"
    return sheet.options.month


def _hours(sheet: Sheet) -> str:
    hours = str(_month(sheet).hours)
    if sheet.options.bill_stopped:
        return hours
    return f"CASE WHEN lower({sheet.text('State')}) = 'running' THEN {hours} ELSE 0 END"


def cost_of_the_month(sheet: Sheet) -> str:
    # Decimal times integer stays exact; the cast back to text lets every money column take one road.
    rate = sheet.text("CostUSD")
    number = f"TRY_CAST({rate} AS DECIMAL(28, 18))"
    cost = f"CAST({number} * ({_hours(sheet)}) AS VARCHAR)"
    return f"CASE WHEN {rate} IS NOT NULL AND {number} IS NULL THEN {rate} ELSE {cost} END"


def tags_of_a_list(sheet: Sheet) -> str | None:
    """``Owner=Alice,Environment=Dev`` to a map; a part without ``=`` is a key whose value is empty."""
    if "Tags" not in sheet:
        return None
    parts = f"list_filter(string_split({sheet.text('Tags')}, ','), lambda _each_: trim(_each_) <> '')"
    pair = "{'k': trim(split_part(_each_, '=', 1)), 'v': trim(substr(_each_, strpos(_each_, '=') + 1))}"
    bare = "{'k': trim(_each_), 'v': ''}"
    entries = f"list_transform({parts}, lambda _each_: CASE WHEN contains(_each_, '=') THEN {pair} ELSE {bare} END)"
    # A map refuses a key twice: the first value stands.
    earlier = f"list_transform(({entries})[:_at_ - 1], lambda _other_: _other_.k)"
    distinct = f"list_filter({entries}, lambda _each_, _at_: NOT list_contains({earlier}, _each_.k))"
    return f"CASE WHEN {sheet.text('Tags')} IS NOT NULL THEN map_from_entries({distinct}) END"


COMMON = {
    "ProviderName": const("AWS"),
    "PublisherName": const("AWS"),
    "InvoiceIssuerName": const("AWS"),
    "BillingAccountId": const("inventory"),
    "SubAccountId": const("inventory"),
    "BillingPeriodStart": lambda sheet: month_moment(_month(sheet).start),
    "ChargePeriodStart": lambda sheet: month_moment(_month(sheet).start),
    "ChargePeriodEnd": lambda sheet: month_moment(_month(sheet).next.start),
    "ChargeCategory": const("Usage"),
    "RegionId": text("Region"),
    "PricingCategory": const("Standard"),
    "Tags": tags_of_a_list,
}


def _same_cost(rule: Rule) -> dict[str, Rule]:
    """An inventory has one price: billed, effective and list cost are the same."""
    return dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost"), rule)


SEED_EC2 = Format(
    name="seed-inventory",
    title="inventory of EC2 machines",
    required=("ResourceId", "InstanceType", "State", "CostUSD"),
    columns=COMMON
    | _same_cost(cost_of_the_month)
    | {
        "ServiceName": const("Amazon Elastic Compute Cloud"),
        "ServiceCategory": const("Compute"),
        "ResourceId": text("ResourceId"),
        "ResourceType": const("Instance"),
        "ChargeDescription": lambda sheet: f"{sheet.text('InstanceType')} || ', ' || {sheet.text('State')}",
        "ConsumedQuantity": lambda sheet: f"CAST({_hours(sheet)} AS VARCHAR)",
        "ConsumedUnit": const("Hours"),
        "PricingQuantity": lambda sheet: f"CAST({_hours(sheet)} AS VARCHAR)",
        "PricingUnit": const("Hours"),
        "ListUnitPrice": text("CostUSD"),
        "x_InstanceType": text("InstanceType"),
        "x_LineType": text("State"),
    },
    needs_month=True,
    tags_are_map=True,
)

SEED_S3 = Format(
    name="seed-inventory",
    title="inventory of S3 buckets",
    required=("BucketName", "StorageClass", "CostUSD"),
    columns=COMMON
    | _same_cost(text("CostUSD"))
    | {
        "ServiceName": const("Amazon Simple Storage Service"),
        "ServiceCategory": const("Storage"),
        "ResourceId": text("BucketName"),
        "ResourceType": const("Bucket"),
        "ChargeDescription": lambda sheet: f"{sheet.text('StorageClass')} || {literal(' storage')}",
        "ConsumedQuantity": text("TotalSizeGB"),
        "ConsumedUnit": const("GB-Months"),
        "x_LineType": text("StorageClass"),
    },
    needs_month=True,
    tags_are_map=True,
)
