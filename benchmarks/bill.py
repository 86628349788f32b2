"""A big bill to measure with: one month of hourly and daily FOCUS lines, made by DuckDB, the same every time.

With few resources many lines make one cost line, as in an hourly bill; with many (`HARD`), hardly two of them do.
"""

from pathlib import Path

from costs.charges.duckdb_session import duckdb_session

ACCOUNTS, SERVICES, REGIONS, RESOURCES = 40, 60, 10, 5_000
CATEGORIES = [
    "AI and Machine Learning",
    "Analytics",
    "Compute",
    "Databases",
    "Identity",
    "Integration",
    "Management and Governance",
    "Multicloud",
    "Networking",
    "Security",
    "Storage",
    "Web",
]
# The shape that is hard: 5,000,000 lines of 200,000 resources make three million cost lines.
HARD = {"lines": 5_000_000, "resources": 200_000}


def write(path: Path, lines: int, *, resources: int = RESOURCES, month: str = "2026-10", days: int = 31) -> Path:
    """`lines` FOCUS 1.2 lines of one month as CSV.gz: 57 columns, five tags, skewed over so many resources."""
    with duckdb_session(memory_limit="4GB") as db:
        db.execute(f"COPY ({_rows(lines, resources, month, days)}) TO '{path}' (FORMAT csv, HEADER, COMPRESSION gzip)")
    return path


def _rows(lines: int, resources: int, month: str, days: int) -> str:
    start = f"TIMESTAMP '{month}-01 00:00:00'"
    hour = f"{start} + to_hours(CAST(hash(i, 1) % ({days} * 24) AS INTEGER))"
    return f"""
    SELECT 'AWS' AS ProviderName, 'AWS' AS PublisherName, 'Amazon Web Services, Inc.' AS InvoiceIssuerName,
    'INV-' || '{month}' AS InvoiceId, '999988887777' AS BillingAccountId, 'payer' AS BillingAccountName,
    'Organization' AS BillingAccountType, lpad(CAST(r % {ACCOUNTS} AS VARCHAR), 12, '1') AS SubAccountId,
    'account ' || (r % {ACCOUNTS}) AS SubAccountName, 'Account' AS SubAccountType, 'USD' AS BillingCurrency,
    {start} AS BillingPeriodStart, {start} + INTERVAL 1 MONTH AS BillingPeriodEnd,
    t AS ChargePeriodStart, t + CASE WHEN hourly THEN INTERVAL 1 HOUR ELSE INTERVAL 1 DAY END AS ChargePeriodEnd,
    'Usage' AS ChargeCategory, NULL AS ChargeClass, 'Usage of service ' || (r % {SERVICES}) AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency, cost AS BilledCost, cost AS EffectiveCost, cost * 1.1 AS ListCost,
    cost AS ContractedCost, 0.0123 AS ListUnitPrice, 0.0111 AS ContractedUnitPrice, 'Standard' AS PricingCategory,
    q AS PricingQuantity, 'Hours' AS PricingUnit, 'USD' AS PricingCurrency,
    0.0111 AS PricingCurrencyContractedUnitPrice,
    cost AS PricingCurrencyEffectiveCost, 0.0123 AS PricingCurrencyListUnitPrice, q AS ConsumedQuantity,
    'Hours' AS ConsumedUnit, 'Service ' || (r % {SERVICES}) AS ServiceName,
    {CATEGORIES}[1 + r % {len(CATEGORIES)}] AS ServiceCategory,
    'Sub ' || (r % 30) AS ServiceSubcategory, 'SKU' || (r % 900) AS SkuId, 'Meter ' || (r % 90) AS SkuMeter,
    'PRICE' || (r % 900) AS SkuPriceId, '{{"InstanceType":"m5.large"}}' AS SkuPriceDetails,
    'arn:aws:ec2:us-east-1:1:instance/i-' || lpad(CAST(r AS VARCHAR), 17, '0') AS ResourceId,
    'resource-' || r AS ResourceName, 'Instance' AS ResourceType, 'region-' || (r % {REGIONS}) AS RegionId,
    'Region ' || (r % {REGIONS}) AS RegionName, 'region-' || (r % {REGIONS}) || 'a' AS AvailabilityZone,
    NULL AS CommitmentDiscountId, NULL AS CommitmentDiscountName, NULL AS CommitmentDiscountCategory,
    NULL AS CommitmentDiscountType, NULL AS CommitmentDiscountStatus, NULL AS CommitmentDiscountQuantity,
    NULL AS CommitmentDiscountUnit, NULL AS CapacityReservationId, NULL AS CapacityReservationStatus,
    '{{"Owner":"owner' || (r % 200) || '","Environment":"' || ['prod','dev','test'][r % 3 + 1] || '","Team":"Team ' ||
    (r % 20) || '","CostCenter":"CC-' || (r % 20) || '","Project":"P' || (r % 300) || '"}}' AS Tags
    FROM (SELECT i, r, hourly, CASE WHEN hourly THEN {hour} ELSE date_trunc('day', {hour}) END AS t,
        CAST(hash(i, 4) % 1000 AS DECIMAL(12, 4)) / 24 AS q,
        CAST(CAST(hash(i, 3) % 100000000 AS BIGINT) AS DECIMAL(24, 0)) * 0.0000000123 AS cost
        FROM (SELECT i, CAST(floor(pow(hash(i, 2) % 1000000 / 1000000.0, 2) * {resources}) AS INTEGER) AS r,
            hash(i, 5) % 10 < 7 AS hourly FROM range({lines}) n(i)))
    """
