"""Commitments that end or begin say what they will change, before a bill does."""

from datetime import date
from decimal import Decimal

import pytest

from finops_site.lib.periods import Period
from finops_site.models import Team
from finops_site.registry import registry
from reservations.calc.prices import Price
from reservations.calc.terms import MachinePool
from reservations.inventory import known_changes
from reservations.models import Commitment
from reservations.pricing import price_book
from tests.reservations.inventory.test_commitment_usage import load, row
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
SPRING = Period(date(2026, 3, 10), date(2026, 6, 1))


@shared
def reserved(people, tmp_path):
    """A machine reserved until 20 April: each day 18 hours used (1.80, on demand 3.60), 6 unused (0.60)."""
    load(
        tmp_path,
        [change for day in range(1, 15) for change in (row(day, "Used", 18, "1.8"), row(day, "Unused", 6, "0.6"))],
    )
    commitment = Commitment.objects.get()
    commitment.end, commitment.name = date(2026, 4, 20), "web"
    commitment.save()
    return commitment


def by_basis(announced):
    sums = {}
    for change in announced:
        sums[change.basis] = sums.get(change.basis, 0) + change.amount
    return sums


def test_what_it_covered_costs_on_demand_and_what_it_cost_falls_away(reserved):
    announced = known_changes.commitment_changes(SPRING)
    assert {(change.first, change.end, change.description) for change in announced} == {
        (date(2026, 4, 20), None, "web ends")
    }
    assert by_basis(announced) == {
        "effective_cost": Decimal("3.60") - Decimal("2.40"),
        "billed_cost": Decimal("3.60"),
    }, "nothing was billed for it by the day"
    assert all(
        change.filters["provider"] == reserved.provider and "commitment" not in change.filters for change in announced
    )


def test_monthly_fees_fall_away_spread_over_the_days(people, tmp_path):
    fee = row(1, "", 0, "0", ChargeCategory="Purchase", BilledCost="28", EffectiveCost="0", ListCost="28")
    load(tmp_path, [fee, *(row(day, "Used", 24, "1") for day in range(1, 15))])
    Commitment.objects.update(end=date(2026, 4, 20))
    assert by_basis(known_changes.commitment_changes(SPRING))["billed_cost"] == 2 - 2, (
        "2 a day on demand, 28 in fees for 14 days"
    )


def test_who_asks_for_another_time_is_told_nothing(reserved, django_assert_num_queries):
    with django_assert_num_queries(2):
        assert known_changes.commitment_changes(Period(date(2026, 5, 1), date(2026, 6, 1))) == []


def test_the_registry_hands_it_on(reserved):
    assert registry.known_changes(SPRING) == known_changes.commitment_changes(SPRING)


def begins(**changes):
    fields = {
        "provider": "AWS", "commitment_id": "ri-2", "kind": "ri_standard", "name": "new", "region": "us-east-1",
        "instance_type": "m5.large", "system": "Linux", "count": 2, "recurring_hourly": Decimal("0.05"),
        "start": date(2026, 4, 1), "end": date(2027, 4, 1), "source": "csv",
    }  # fmt: skip
    return Commitment.objects.create(**{**fields, **changes})


@shared
def priced(db):
    pool = MachinePool("AWS", "us-east-1", "m5.large", "Linux")
    price_book.load_prices([Price(pool, "on_demand", Decimal("0.1"), "USD", "a list", date(2026, 1, 1))])


def test_one_that_begins_changes_by_its_price_against_on_demand(people, priced):
    begins(owner=Team.objects.get(name="Payments"))
    announced = known_changes.commitment_changes(SPRING)
    assert by_basis(announced) == {
        "billed_cost": Decimal("-4.8") + Decimal("1.2"),
        "effective_cost": Decimal("-4.8") + Decimal("1.2"),
    }
    assert {change.filters["team"] for change in announced} == {str(Team.objects.get(name="Payments").pk)}


def test_what_is_paid_at_once_counts_once_as_billed_and_spread_as_effective(people, priced):
    begins(upfront=Decimal(365), recurring_hourly=Decimal(0))
    announced = known_changes.commitment_changes(SPRING)
    (upfront,) = [change for change in announced if change.amount == 365]
    assert (upfront.basis, upfront.first, upfront.end) == ("billed_cost", date(2026, 4, 1), date(2026, 4, 2))
    assert by_basis(announced)["effective_cost"] == Decimal("-4.8") + 1


def test_without_a_price_only_what_is_paid_at_once_is_known(people):
    begins(instance_type="nobody.knows", upfront=Decimal(365))
    assert [(change.basis, change.amount) for change in known_changes.commitment_changes(SPRING)] == [
        ("billed_cost", Decimal(365))
    ]


def test_one_that_a_bill_has_shown_has_begun(people, priced):
    begins(first_seen=date(2026, 4, 1))
    assert known_changes.commitment_changes(SPRING) == []
