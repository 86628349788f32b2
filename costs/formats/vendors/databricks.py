"""Databricks' billable usage, joined with its price list: ``system.billing.usage`` and ``system.billing.list_prices``.

Columns: docs.databricks.com/admin/system-tables/billing and .../pricing. Usage has quantities and no cost; a record
costs its quantity at the price of its account, SKU, cloud and unit that held when it began. Cost is at list price with
promotions (`effective_list`); what an account has negotiated is in neither table.
"""

from costs.formats.base import (
    Format,
    PriceList,
    Sheet,
    const,
    first,
    formula,
    json_text,
    looked_up,
    month_of,
    object_tags,
    text,
)
from costs.formats.sql import product, stored

START = "usage_start_time"

PRICES = PriceList(
    title="Databricks price list (system.billing.list_prices)",
    required=("sku_name", "price_start_time", "price_end_time", "currency_code"),
    # A list may have the prices of several accounts, and of one SKU by other units.
    key=tuple((text(name), text(name)) for name in ("sku_name", "cloud", "account_id", "usage_unit")),
    at=text(START),
    start=text("price_start_time"),
    end=text("price_end_time"),
    values={
        "currency": text("currency_code"),
        "list": first(text("pricing.default"), json_text("pricing", "default")),
        "effective": first(
            text("pricing.effective_list.default"),
            json_text("pricing", "effective_list.default"),
            text("pricing.default"),
            json_text("pricing", "default"),
        ),
    },
)


def cost_at(price: str) -> str:
    exact = product("{usage_quantity}", looked_up(price))
    return f"""CASE WHEN {stored("{usage_quantity}")} IS NULL THEN coalesce({{usage_quantity}}, 'no quantity')
        ELSE CAST({exact} AS VARCHAR) END"""


def metadata(sheet: Sheet) -> str | None:
    """The resource that was used, the most particular one that the record names."""
    names = ("job_id", "dlt_pipeline_id", "warehouse_id", "cluster_id", "endpoint_name", "instance_pool_id", "app_name")
    return first(
        *(text(f"usage_metadata.{name}") for name in names), *(json_text("usage_metadata", name) for name in names)
    )(sheet)


DATABRICKS = Format(
    name="databricks",
    title="Databricks billable usage (system.billing.usage)",
    required=("record_id", "account_id", "workspace_id", "sku_name", START, "usage_quantity", "usage_unit"),
    columns={
        "ProviderName": const("Databricks"),
        "PublisherName": const("Databricks"),
        "InvoiceIssuerName": const("Databricks"),
        "BillingAccountId": text("account_id"),
        "SubAccountId": text("workspace_id"),
        "BillingCurrency": lambda sheet: f"coalesce({looked_up('currency')}, 'USD')",
        "BillingPeriodStart": month_of(START),
        "ChargePeriodStart": text(START),
        "ChargePeriodEnd": text("usage_end_time"),
        "ChargeCategory": const("Usage"),
        "ChargeClass": formula("CASE WHEN {record_type} IN ('RETRACTION', 'RESTATEMENT') THEN 'Correction' END"),
        "ChargeDescription": text("sku_name"),
        "ServiceCategory": const("Analytics"),
        "ServiceName": text("billing_origin_product", "sku_name"),
        "ResourceId": metadata,
        "SkuId": text("sku_name"),
        "PricingQuantity": text("usage_quantity"),
        "PricingUnit": text("usage_unit"),
        "ConsumedQuantity": text("usage_quantity"),
        "ConsumedUnit": text("usage_unit"),
        "ListUnitPrice": lambda sheet: looked_up("list"),
        "ContractedUnitPrice": lambda sheet: looked_up("effective"),
        "BilledCost": formula(cost_at("effective")),
        "EffectiveCost": formula(cost_at("effective")),
        "ListCost": formula(cost_at("list")),
        "Tags": object_tags("custom_tags"),
        "x_LineType": text("record_type"),
        "x_UsageType": text("usage_type"),
        "x_Operation": text("cloud"),
    },
    # Without a price the cost is unknown, which is not zero: the row stays, and is counted aloud.
    always=frozenset(),
    prices=PRICES,
    warnings=lambda sheet: [
        "Costs are Databricks' list prices with promotions: what your account has negotiated is in neither file."
    ],
    remarks={
        "BilledCost IS NULL": (
            "Rows of usage without a price in the price list, whose cost is unknown and in no total: {}."
        )
    },
)
