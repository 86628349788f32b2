"""A small company to charge back: Payments and Data, a support pool, something nobody owns."""

from datetime import UTC, datetime
from decimal import Decimal

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Pool
from finops_site.models import Team
from tagging.chargeback import draft_statements, splits
from tagging.models import ChargebackPeriod, OwnershipRule, Split
from tests import bills

NOW = datetime(2026, 4, 5, 12, tzinfo=UTC)
MARCH = "2026-03"


def company():
    """Rules by the tag Team, and AWS Support in the pool Support; returns the pool."""
    support, _ = Pool.objects.get_or_create(name="Support")
    OwnershipRule.objects.create(order=1, name="Support plan", pool=support, service="AWS Support")
    for order, name in enumerate(["Payments", "Data"], 2):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(order=order, name=f"Tag {name}", team=team, tag_key="Team", tag_value=name)
    return support


def charge(cost, team="Payments", service="Amazon EC2", day="05", month=MARCH, **more):
    start = f"{month}-01T00:00:00Z"
    year, number = map(int, month.split("-"))
    end = f"{year + number // 12}-{number % 12 + 1:02}-01T00:00:00Z"
    return {
        "BillingPeriodStart": start,
        "BillingPeriodEnd": end,
        "ChargePeriodStart": f"{month}-{day}T00:00:00Z",
        "ChargePeriodEnd": f"{month}-{day}T01:00:00Z",
        "ServiceName": service,
        "ResourceId": f"i-{team.lower()}-{service[-3:].lower()}",
        "Tags": f'{{"Team": "{team}"}}' if team else "",
        **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost),
        **more,
    }


def bill(folder, rows, source="northwind", name="bill.csv"):
    (received,) = receive_bill(source, [bills.write(folder, name, bills.focus_csv(rows))], is_accepted=True)
    delivery = load_bill(received.delivery)
    assert delivery.status == "current", delivery.message
    return delivery


def usual(month=MARCH, payments="100.10", data="50", support="30.000000000000000001", nobody="7"):
    """A month's bill: what the two teams used, support, and what nobody owns."""
    return [
        charge(payments, "Payments", month=month),
        charge(data, "Data", "Amazon S3", month=month),
        charge(support, "", "AWS Support", day="01", month=month),
        charge(nobody, "", "Amazon SQS", day="07", month=month),
    ]


def split_support(support, method="direct", parts=None, **dates):
    return splits.save_split(Split(pool=support, method=method, **dates), parts or {})


def drafts():
    """Every month made anew where that is needed; {month: its period}."""
    draft_statements.refresh_stale_drafts(NOW)
    return {str(period.month): period for period in ChargebackPeriod.objects.all()}


def totals(period):
    """{team: its total} of a period in US dollars."""
    return dict(period.statements.filter(currency="USD").values_list("team__name", "total"))


def books(period):
    """(the bill, what its parts make) of a period in US dollars, as kept."""
    total = period.totals.get(currency="USD")
    return total.bill, sum([total.direct, total.shared, total.unallocated, total.unowned], Decimal(0))
