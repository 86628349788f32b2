"""OpenAI's costs: the answers of ``GET /v1/organization/costs``, a file for each page.

Fields: platform.openai.com/docs/api-reference/usage/costs. Amounts are whole units of the currency; buckets start at
seconds since 1970.
"""

from costs.formats.base import Format, const, formula, pages_by_time, text


def _moment(name: str) -> str:
    return f"CAST(make_timestamp(TRY_CAST({{{name}}} AS BIGINT) * 1000000) AS VARCHAR)"


# Of each organisation the answer is one of its own; pages of days without cost name none.
ORGANIZATION = "list_max(json_extract_string(object, '$.data[*].results[*].organization_id'))"

OPENAI = Format(
    name="openai",
    title="OpenAI costs",
    required=("document.data.start_time", "document.data.end_time", "amount.value", "amount.currency"),
    columns={
        "ProviderName": const("OpenAI"),
        "PublisherName": const("OpenAI"),
        "InvoiceIssuerName": const("OpenAI"),
        "BillingAccountId": text("organization_id"),
        "BillingAccountName": text("organization_name"),
        "SubAccountId": text("project_id"),
        "SubAccountName": text("project_name"),
        "BillingCurrency": text("amount.currency"),
        "BillingPeriodStart": formula(f"left({_moment('document.data.start_time')}, 7) || '-01'"),
        "ChargePeriodStart": formula(_moment("document.data.start_time")),
        "ChargePeriodEnd": formula(_moment("document.data.end_time")),
        "ChargeCategory": const("Usage"),
        "ChargeDescription": text("line_item"),
        "ServiceCategory": const("AI and Machine Learning"),
        "ServiceName": const("OpenAI API"),
        # ``gpt-4o, input``: what people ask for is the cost of a model.
        "ResourceId": text("line_item"),
        "ResourceName": text("line_item"),
        "SkuId": text("line_item"),
        "ConsumedQuantity": text("quantity"),
        "BilledCost": text("amount.value"),
        "EffectiveCost": text("amount.value"),
        "x_UsageType": text("line_item"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    rows_in="data[].results[]",
    pages=pages_by_time("start_time", "end_time", answer=ORGANIZATION),
)
