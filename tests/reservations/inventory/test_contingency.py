"""What can be done about an unused commitment: sold only where there is a market, returned by each provider's rules."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from reservations.inventory.commitment_use import days_before, use_of
from reservations.inventory.contingency import contingency
from reservations.models import Commitment, Coverage, Utilisation

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 21)


def half_used(**changes):
    """A commitment of 24 a day, half of which a week used."""
    fields = {"provider": "AWS", "commitment_id": "c-1", "kind": "ri_standard", "term_months": 12, "service": "EC2"}
    fields |= {"region": "us-east-1", "instance_type": "m5.large", "upfront": 0, "recurring_hourly": 1}
    fields |= {"start": date(2025, 9, 21), "end": date(2026, 9, 21)}
    commitment = Commitment.objects.create(**{**fields, **changes})
    use = {"used": 12, "unused": 12, "unit": "USD", "paid": 24, "unused_cost": 12, "currency": "USD"}
    Utilisation.objects.bulk_create(
        Utilisation(commitment=commitment, day=TODAY - timedelta(days=n), **use) for n in range(1, 8)
    )
    return commitment


def options(commitment, day=TODAY):
    week = use_of(commitment, days_before(7, day))
    return {option["name"]: option for option in contingency(commitment, week, day)}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"Sell", "Move workloads", "Wait"}),
        ({"service": "Amazon Elastic Compute Cloud"}, {"Sell", "Move workloads", "Wait"}),
        ({"service": "", "instance_type": ""}, {"Move workloads", "Wait"}),
        ({"kind": "ri_convertible"}, {"Exchange", "Move workloads", "Wait"}),
        ({"service": "RDS", "instance_type": "db.r5.large"}, {"Move workloads", "Wait"}),
        ({"service": "", "instance_type": "cache.r6g.large"}, {"Move workloads", "Wait"}),
        ({"kind": "sp_compute", "instance_type": "", "region": ""}, {"Move workloads", "Wait"}),
        (
            {"provider": "Microsoft", "kind": "azure_reservation", "service": "Virtual Machines"},
            {"Return or exchange", "Move workloads", "Wait"},
        ),
        ({"provider": "Google Cloud", "kind": "gcp_cud", "service": "Compute Engine"}, {"Move workloads", "Wait"}),
    ],
)
def test_only_standard_reserved_instances_of_ec2_have_a_marketplace(changes, names):
    assert set(options(half_used(**changes))) == names


def test_azure_gives_back_no_more_than_its_rule():
    large = half_used(provider="Azure", kind="azure_reservation", end=date(2056, 9, 21))
    assert options(large)["Return or exchange"]["saves"] == "50000"


def test_aws_takes_a_small_plan_back_within_seven_days_of_the_same_month():
    plan = half_used(kind="sp_compute", hourly_commitment=Decimal(1), start=date(2026, 3, 16))
    assert "Return" in options(plan)
    Commitment.objects.update(start=date(2026, 3, 13))
    plan.refresh_from_db()
    assert "Return" not in options(plan)
    Commitment.objects.update(start=date(2026, 3, 16), hourly_commitment=101)
    plan.refresh_from_db()
    assert "Return" not in options(plan)


@pytest.mark.parametrize(
    ("changes", "saves"),
    [
        # Half a year of 12 a day; of a database that runs on demand 6 a day, of m5 3, of search 1.
        ({"service": "RDS", "instance_type": "db.r5.large"}, Decimal(6)),
        ({"service": "EC2", "instance_type": "m5.large"}, Decimal(3)),
        ({"service": "OpenSearch", "instance_type": "r6g.large.search"}, Decimal(1)),
        ({"kind": "sp_compute", "instance_type": "m5.large"}, Decimal(3)),
    ],
)
def test_what_could_move_is_of_the_same_family_by_one_spelling(changes, saves):
    common = {"day": date(2026, 3, 20), "provider": "AWS", "region": "us-east-1", "currency": "USD", "paid": 0}
    common |= {"eligible_hours": 1, "covered_hours": 0, "covered_cost": 0, "unused_cost": 0}
    for service, family, a_day in (("RDS", "db.r5", 6), ("EC2", "m5", 3), ("OpenSearch", "r6g.search", 1)):
        Coverage.objects.create(service=service, family=family, eligible_cost=7 * a_day, **common)
    commitment = half_used(**changes)
    days = (date(2026, 9, 21) - TODAY).days
    assert Decimal(options(commitment)["Move workloads"]["saves"]) == pytest.approx(saves * days, abs=Decimal("0.01"))
