"""The demo's suggestions, and what Northwind counts: orders of the shop, and customers by month."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from zlib import crc32

from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import Metric, MetricValue
from tagging.policy import compliance
from tagging.remediation.suggestions import rebuild_suggestions

ORDERS = {"Storefront": 14_000, "Payments": 9_500}
CUSTOMERS = {"Storefront": 61_000, "Payments": 42_000, "Data": 480}
DAYS, MONTHS = 92, 13


def make_suggestions_and_metrics(say: Callable[[str], object], *, as_of: date) -> None:
    """Counts of the last months with week-ends, growth and two days without a count; then suggestions."""
    orders, _ = Metric.objects.update_or_create(
        name="orders", defaults={"grain": Metric.Grain.DAY, "description": "Orders paid, by the day they were placed."}
    )
    customers, _ = Metric.objects.update_or_create(
        name="customers", defaults={"grain": Metric.Grain.MONTH, "description": "Customers with an order in the month."}
    )
    teams = {team.name: team.pk for team in Team.objects.all()}
    rows = [
        MetricValue(metric=orders, team_id=teams[name], day=day, value=_orders(name, base, day, as_of))
        for name, base in ORDERS.items()
        for day in (as_of - timedelta(n) for n in range(1, DAYS))
        if (as_of - day).days not in (17, 18)
    ]
    rows += [
        MetricValue(metric=customers, team_id=teams[name], day=month.start, value=Decimal(base + base * n // 60))
        for name, base in CUSTOMERS.items()
        for n, month in enumerate(Month.of(as_of).plus(-n) for n in range(MONTHS, 0, -1))
    ]
    MetricValue.objects.bulk_create(rows, ignore_conflicts=True)
    compliance.refresh_compliance()
    say(f"  {len(rows)} counts of orders and customers, {rebuild_suggestions(as_of)} suggestions")


def _orders(name: str, base: int, day: date, as_of: date) -> Decimal:
    """Fewer at week-ends, a little more each month, never twice the same."""
    noise = crc32(f"{name} {day}".encode()) % (base // 10)
    week_end = base // 3 if day.weekday() > 4 else 0
    return Decimal(base - week_end + noise - (as_of - day).days * base // 1500)
