"""Small bills of which a part is held: finance's limit on coverage counts it, worked out by hand beside each."""

from datetime import date
from decimal import Decimal

import pytest

from reservations.calc.price_lists import parse_price_list
from reservations.pricing import price_book
from reservations.recommendations import plan_parameters
from reservations.recommendations import recommend as recommending
from tests.reservations.recommendations.test_recommend import load
from tests.reservations.small_bills.test_bought_before import AS_OF, march, reserved
from tests.reservations.small_bills.test_pools import HEADER

pytestmark = pytest.mark.django_db
INDICATIVE = "Prices are indicative"


@pytest.fixture
def listed():
    start = "AWS,EC2,us-east-1,m5.large,Linux,default"
    rows = (f"{start},on_demand,0,,0.096,0,USD,2026-01-01", f"{start},ri_standard,12,none,0.06,0,USD,2026-01-01")
    price_book.load_prices(parse_price_list(HEADER + "\n".join(rows) + "\n", "list"))


def advised(as_of=AS_OF, **changes):
    """A recommendation by finance's policy, which covers 70% at most: (machines to buy, its notes)."""
    plan = recommending.create_plan(None, plan_parameters.default_parameters(**changes), as_of=as_of, lookback_days=30)
    plan = recommending.compute_recommendation(plan)
    return sum((item.quantity for item in plan.items.all()), Decimal(0)), " ".join(plan.notes)


@pytest.mark.parametrize(("owned", "more"), [(0, 14), (4, 10), (14, 0), (15, 0)])
def test_seventy_per_cent_of_twenty_machines_are_fourteen_whatever_of_them_is_owned(tmp_path, listed, owned, more):
    """20 x 70% = 14; what is owned counts, so that fay is not led to 95% one recommendation after another."""
    load(tmp_path, march(20))
    if owned:
        reserved(owned, end=date(2028, 1, 1))
    quantity, notes = advised()
    assert quantity == more
    assert ("“cover at most 70%” is reached, and nothing more is bought" in notes) == (owned >= 14)
    assert INDICATIVE not in notes


def test_a_least_coverage_counts_what_is_owned(tmp_path, listed):
    """Half of ten are five, and six are owned: nothing must be bought, and up to seven one more pays."""
    load(tmp_path, march(10))
    reserved(6, end=date(2028, 1, 1))
    quantity, notes = advised(minimum_coverage=0.5)
    assert quantity == 1
    assert "cannot be reached" not in notes


def test_what_is_owned_for_a_month_more_is_not_bought_twice_today(tmp_path, listed):
    """Ten run and ten are owned until 30 April; of the months after, 70% are seven, none of which is needed today."""
    load(tmp_path, march(10))
    reserved(10, end=date(2026, 5, 1))
    quantity, notes = advised()
    assert quantity == 7
    assert "Wait with 7 of 7 × m5.large Linux in us-east-1 until 1 May 2026: until then what is owned" in notes


def test_where_a_list_is_loaded_and_nothing_pays_no_price_is_called_indicative(tmp_path, listed):
    """Twelve of 24 hours cost 1.152 on demand and 1.44 reserved: nothing is bought, by the list's own prices."""
    load(tmp_path, [row for row in march(2) if "T08" <= row["ChargePeriodStart"][10:13] < "T20"])
    quantity, notes = advised()
    assert quantity == 0
    assert INDICATIVE not in notes
