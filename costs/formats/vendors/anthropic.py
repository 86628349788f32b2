"""Anthropic's cost report: the answers of ``GET /v1/organizations/cost_report``, a file for each page.

Fields: platform.claude.com/docs/en/api/admin/cost_report. Amounts are decimal texts in cents: ``"123.45"`` is 1.2345
dollars. Model, token type and service tier are there when the report is grouped by description.
"""

from costs.formats.base import Format, cents, const, first, month_of, pages_by_time, text

ANTHROPIC = Format(
    name="anthropic",
    title="Anthropic cost report",
    required=("document.data.starting_at", "document.data.ending_at", "amount", "currency"),
    columns={
        "ProviderName": const("Anthropic"),
        "PublisherName": const("Anthropic"),
        "InvoiceIssuerName": const("Anthropic"),
        "SubAccountId": text("workspace_id"),
        "BillingCurrency": text("currency"),
        "BillingPeriodStart": month_of("document.data.starting_at"),
        "ChargePeriodStart": text("document.data.starting_at"),
        "ChargePeriodEnd": text("document.data.ending_at"),
        "ChargeCategory": const("Usage"),
        "ChargeDescription": text("description"),
        "ServiceCategory": const("AI and Machine Learning"),
        "ServiceName": const("Claude API"),
        "RegionId": text("inference_geo"),
        # What people ask for is the cost of a model.
        "ResourceId": text("model"),
        "ResourceName": text("model"),
        "SkuId": text("description"),
        "BilledCost": cents("amount"),
        "EffectiveCost": cents("amount"),
        "x_LineType": text("cost_type"),
        "x_InstanceType": text("model"),
        "x_Operation": text("service_tier"),
        "x_UsageType": first(text("token_type"), text("cost_type")),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    rows_in="data[].results[]",
    pages=pages_by_time("starting_at", "ending_at"),
)
