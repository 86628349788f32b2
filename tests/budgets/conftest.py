"""A company whose teams spend every day, for budgets to judge."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from budgets.evaluation import evaluate
from budgets.models import Budget
from budgets.planning import budget_changes
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month
from finops_site.models import Team
from tagging.models import OwnershipRule
from tests import bills
from tests.shared_fixtures import shared


def at(day: date, hour: int = 4) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@shared
def payments(people):
    """The team Payments, which owns what is tagged so; and Data, which owns its own."""
    for name in ("Payments", "Data"):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name)
    return Team.objects.get(name="Payments")


@pytest.fixture
def deliver(tmp_path):
    """Delivers a month's bill: what each day cost, tagged for a team."""

    def deliver(month: str, cost: Callable[[date], str] | str, *, months: int = 1, until: date | None = None, **more):
        rows = []
        for number in range(months):
            first = Month.parse(month).plus(number)
            days = [day for day in first.period.each_day() if until is None or day <= until]
            rows += [_row(first, day, cost if isinstance(cost, str) else cost(day), more) for day in days]
        # Some tests change a month as no provider would; finance has accepted it.
        path = bills.write(tmp_path, f"{month}.csv", bills.focus_csv(rows))
        (received,) = receive_bill("northwind", [path], is_accepted=True)
        return load_bill(received.delivery)

    return deliver


def _row(month: Month, day: date, cost: str, more: dict[str, str]) -> dict[str, str]:
    return {
        "BillingPeriodStart": f"{month.start}T00:00:00Z",
        "BillingPeriodEnd": f"{month.next.start}T00:00:00Z",
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
        **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost),
        **more,
    }


@shared
def a_quarter(payments, deliver):
    """January to March 2026, 100 USD of Payments each day."""
    deliver("2026-01", "100.00", months=3)


@shared
def budget_of(fay):
    """Makes an active budget of months from March 2026 on."""

    def make(name: str, amount: str, *, team: Team | None = None, months: int = 12, **fields) -> Budget:
        start = fields.pop("start", date(2026, 3, 1))
        budget = Budget(name=name, team=team, start=start, **fields)
        budget.full_clean(exclude=["created_by", "approved_by"])
        periods = [Month.of(start).plus(number).period for number in range(months)]
        budget_changes.create_budget(budget, dict.fromkeys(periods, Decimal(amount)), by=fay, why="for the test")
        # Finance chose how likely an overrun must be, so its forecast warns on the first night.
        budget.thresholds.filter(kind="forecast").update(probability=Decimal("0.5"))
        return budget

    return make


@pytest.fixture
def night():
    """Judges one day, and says what was found."""

    def night(day: date, **options):
        return evaluate.evaluate_nights(day, now=at(day), catch_up=False, **options)[-1]

    return night
