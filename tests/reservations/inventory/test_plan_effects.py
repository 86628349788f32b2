"""What eli plans beside what the company has committed to: what is unused covers some of it, and coverage changes."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from finops_site.registry import PlannedUse
from reservations.inventory.plan_effects import plan_effects
from reservations.models import Commitment, Coverage, Utilisation
from tests.people import person

pytestmark = pytest.mark.django_db
TODAY = date(2026, 5, 1)
LAST = date(2026, 4, 30)
# 30 days, for an average month.
A_MONTH = Decimal(365) / 12 / 30


@pytest.fixture
def half_covered():
    """1,200 USD a month could be covered and 600 are; a Compute SP leaves a third of its 300 USD unused."""
    for back in range(30):
        day = LAST - timedelta(days=back)
        use = {"provider": "AWS", "region": "eu-west-1", "service": "EC2", "family": "m5", "currency": "USD"}
        sums = {"eligible_hours": 400, "covered_hours": 200, "eligible_cost": 40, "covered_cost": 20}
        Coverage.objects.create(day=day, **use, **sums, unused_cost=0, paid=30)
    stated = {"kind": "sp_compute", "hourly_commitment": Decimal(1)}
    plan = Commitment.objects.create(provider="AWS", commitment_id="sp-1", **stated)
    days = {"used": 7, "unused": 3, "paid": 10, "unused_cost": Decimal(10) / 3, "on_demand": 10, "currency": "USD"}
    for back in range(30):
        Utilisation.objects.create(commitment=plan, day=LAST - timedelta(days=back), **days)
    return plan


def machines(on_demand="730", **fields):
    amount = None if on_demand is None else Decimal(on_demand)
    return [PlannedUse("m5.large", "eu-west-1", "Hrs", amount, amount, "USD", **fields)]


def effects(*plans, currency="USD"):
    covered, coverage = plan_effects(person("fay"), None, plans, currency, TODAY)
    return covered, coverage


def test_what_is_unused_covers_part_of_the_plan_and_coverage_falls_by_the_rest(half_covered):
    covered, coverage = effects(machines(), machines(hours_share=Decimal("0.5")))
    # Of 300 USD 200 were used and bought 300 on demand: the 100 that are unused would buy 150.
    worth = Decimal(100) * Decimal("1.5") * A_MONTH
    assert [round(value, 4) for value in covered.after] == [round(worth, 4), round(worth / 2, 4)]
    assert coverage.before == 50
    expected = (600 * A_MONTH + worth) / (1200 * A_MONTH + 730) * 100
    assert round(coverage.after[0], 4) == round(expected, 4)
    assert coverage.after[1] < coverage.after[0]


def test_what_brings_its_own_commitment_raises_coverage_and_takes_nothing_of_the_others(half_covered):
    covered, coverage = effects(machines(is_committed=True))
    assert (covered.after[0], coverage.after[0] > 50) == (0, True)


def test_a_reservation_of_another_family_covers_none_of_it(half_covered):
    Commitment.objects.update(kind="ri_standard", region="eu-west-1", instance_type="r5.large", service="EC2")
    covered, _coverage = effects(machines())
    assert covered.after == [0]
    Commitment.objects.update(instance_type="m5.4xlarge")
    covered, _coverage = effects(machines())
    assert covered.after[0] > 0


def test_what_is_not_known_is_said_and_is_no_zero(half_covered):
    taken_away, without_price = effects(machines("-100"), machines(None))
    assert taken_away.after == without_price.after == [None, None]
    (unknown,) = plan_effects(person("fay"), None, [machines()], "EUR", TODAY)
    assert (unknown.before, unknown.after, "EUR" in unknown.note) == (None, [None], True)
    Utilisation.objects.update(unused_cost=10, used=0, on_demand=0)
    covered, _coverage = effects(machines())
    assert "count as covering nothing" in covered.note
    assert plan_effects(person("fay"), None, [[]], "USD", TODAY) == []
