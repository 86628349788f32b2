"""DigitalOcean's invoice as CSV: ``doctl invoice csv``, or the control panel's download.

Header: the DigitalOcean API, "Retrieve an Invoice CSV by UUID" (/v2/customers/my/invoices/{uuid}/csv). Amounts carry
their dollar sign; an item has no id, so that its description names the resource.
"""

from costs.formats.base import Format, const, formula, month_of, tags_of, text

CATEGORY = """CASE WHEN lower({product}) LIKE 'tax%' THEN 'Tax'
    WHEN lower({product}) LIKE '%credit%' OR lower({product}) LIKE 'promo%' THEN 'Credit'
    WHEN {category} = 'support' THEN 'Purchase' ELSE 'Usage' END"""
RESOURCE = f"CASE WHEN ({CATEGORY}) = 'Usage' THEN {{description}} END"


def _moment(name: str) -> str:
    return f"replace({{{name}}}, ' +0000', 'Z')"


DIGITALOCEAN = Format(
    name="digitalocean",
    title="DigitalOcean invoice",
    required=("product", "group_description", "description", "hours", "start", "end", "USD"),
    columns={
        "ProviderName": const("DigitalOcean"),
        "PublisherName": const("DigitalOcean"),
        "InvoiceIssuerName": const("DigitalOcean"),
        "SubAccountId": text("project_name"),
        "SubAccountName": text("project_name"),
        "BillingCurrency": const("USD"),
        "BillingPeriodStart": month_of("start"),
        "ChargePeriodStart": formula(_moment("start")),
        "ChargePeriodEnd": formula(_moment("end")),
        "ChargeCategory": formula(CATEGORY),
        "ChargeDescription": text("description"),
        "ServiceName": text("product"),
        "ResourceId": formula(RESOURCE),
        "ResourceName": formula(RESOURCE),
        "ConsumedQuantity": text("hours"),
        "ConsumedUnit": formula("CASE WHEN {hours} IS NOT NULL THEN 'Hours' END"),
        "BilledCost": text("USD"),
        "EffectiveCost": text("USD"),
        "Tags": tags_of({"project": "project_name", "group": "group_description"}),
        "x_LineType": text("category"),
    },
    always=frozenset({"BilledCost", "EffectiveCost"}),
    tags_are_map=True,
)
