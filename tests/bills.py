"""Small hand-written bills, so that the tests prove the same on a bare clone."""

import csv
import gzip
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOCUS_ROW = {
    "BillingAccountId": "111122223333",
    "BillingAccountName": "Northwind payer",
    "SubAccountId": "000000000042",
    "SubAccountName": "production",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-03-01T00:00:00Z",
    "BillingPeriodEnd": "2026-04-01T00:00:00Z",
    "ChargePeriodStart": "2026-03-05T00:00:00Z",
    "ChargePeriodEnd": "2026-03-06T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargeDescription": "t3.micro in us-east-1",
    "ProviderName": "AWS",
    "ServiceCategory": "Compute",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "RegionId": "us-east-1",
    "RegionName": "US East (N. Virginia)",
    "ResourceId": "i-1",
    "ResourceName": "web-1",
    "ResourceType": "Instance",
    "SkuId": "sku-1",
    "PricingCategory": "Standard",
    "ConsumedQuantity": "24",
    "ConsumedUnit": "Hours",
    "BilledCost": "1.00",
    "EffectiveCost": "1.00",
    "ListCost": "1.00",
    "ContractedCost": "1.00",
    "Tags": '{"Team": "Payments"}',
}


def focus_csv(rows: Iterable[Mapping[str, Any]], **defaults: Any) -> bytes:
    """A FOCUS bill as CSV; each row says only what differs from FOCUS_ROW and `defaults`."""
    filled = [{**FOCUS_ROW, **defaults, **row} for row in rows]
    columns = list(dict.fromkeys([*FOCUS_ROW, *defaults, *(name for row in filled for name in row)]))
    return csv_text(columns, filled).encode()


def csv_text(columns: list[str], rows: Iterable[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write(folder: Path, name: str, content: bytes) -> Path:
    """The bill in a file of `folder`, gzipped when its name ends in .gz."""
    path = folder / name
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return path


CUR_ROW = {
    "identity/LineItemId": "line-1",
    "bill/BillingEntity": "AWS",
    "bill/BillType": "Anniversary",
    "bill/PayerAccountId": "001122334455",
    "bill/BillingPeriodStartDate": "2026-03-01T00:00:00Z",
    "bill/BillingPeriodEndDate": "2026-04-01T00:00:00Z",
    "lineItem/UsageAccountId": "000000000042",
    "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": "2026-03-05T00:00:00Z",
    "lineItem/UsageEndDate": "2026-03-05T01:00:00Z",
    "lineItem/ProductCode": "AmazonEC2",
    "lineItem/UsageType": "BoxUsage:m5.large",
    "lineItem/Operation": "RunInstances",
    "lineItem/ResourceId": "i-1",
    "lineItem/UsageAmount": "1",
    "lineItem/CurrencyCode": "USD",
    "lineItem/UnblendedCost": "0.096",
    "lineItem/LineItemDescription": "$0.096 per On Demand Linux m5.large Instance Hour",
    "product/ProductName": "Amazon Elastic Compute Cloud",
    "product/region": "us-east-1",
    "product/instanceType": "m5.large",
    "pricing/publicOnDemandCost": "0.096",
    "pricing/unit": "Hrs",
    "resourceTags/user:Team": "Payments",
    "resourceTags/aws:createdBy": "",
    "savingsPlan/SavingsPlanARN": "",
    "savingsPlan/SavingsPlanEffectiveCost": "",
    "savingsPlan/TotalCommitmentToDate": "",
    "savingsPlan/UsedCommitment": "",
    "reservation/ReservationARN": "",
    "reservation/EffectiveCost": "",
    "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "",
    "reservation/UnusedRecurringFee": "",
}


def cur_csv(rows: Iterable[Mapping[str, Any]], **defaults: Any) -> bytes:
    """A legacy Cost and Usage Report as CSV; each row says only what differs from CUR_ROW."""
    filled = [{**CUR_ROW, **defaults, **row} for row in rows]
    return csv_text(list(dict.fromkeys([*CUR_ROW, *(name for row in filled for name in row)])), filled).encode()
