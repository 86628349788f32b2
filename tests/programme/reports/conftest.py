"""Two months of a small bill, and a schedule of fay's."""

from datetime import UTC, date, datetime, timedelta

import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.models import Team
from programme.models import ReportSchedule
from programme.reports import schedules
from tagging.models import OwnershipRule
from tests import bills
from tests.shared_fixtures import shared

# Month, team and cost of each charge.
CHARGES = [("02", "Payments", "100.00"), ("02", "Data", "50.00"), ("03", "Payments", "130.00"), ("03", "Data", "40.00")]
MADE = datetime(2026, 3, 1, tzinfo=UTC)
# When the monthly report about March is due.
DUE = datetime(2026, 4, 3, 8, tzinfo=UTC)
NOW = DUE + timedelta(minutes=5)


@shared
def two_months(people, tmp_path):
    for order, name in enumerate(["Payments", "Data"]):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name, order=order)
    rows = [
        {
            "BillingPeriodStart": f"2026-{month}-01T00:00:00Z",
            "BillingPeriodEnd": f"2026-0{int(month) + 1}-01T00:00:00Z",
            "ChargePeriodStart": f"2026-{month}-05T00:00:00Z",
            "ChargePeriodEnd": f"2026-{month}-06T00:00:00Z",
            "ServiceName": f"{team} machines",
            "ResourceId": team,
            "BilledCost": cost,
            "EffectiveCost": cost,
            "Tags": f'{{"Team": "{team}"}}',
        }
        for month, team, cost in CHARGES
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows))])
    assert load_bill(received.delivery).status == "current"


def make_schedule(owner, *people, addresses=(), **values):
    values = {"name": "Monthly", "kind": "monthly", "every": "month", "day": 3, **values}
    schedule = schedules.save_schedule(ReportSchedule(owner=owner, **values), people, addresses, MADE)
    ReportSchedule.objects.filter(pk=schedule.pk).update(since=date(2026, 1, 1))
    schedule.refresh_from_db()
    return schedule


@pytest.fixture
def monthly(two_months, fay, lea, ola, max_):
    """The monthly report to max, lea and ola, on the third."""
    return make_schedule(fay, max_, lea, ola)
