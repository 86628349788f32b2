"""Small bills of machines that are reserved, or about to be: what is left to buy, worked out by hand beside each.

An m5.large costs 0.096 an hour on demand; of March 2026 the bill has every hour, unless it is said.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from finops_site.models import Team
from reservations.calc.terms import MachinePool
from reservations.models import Commitment, Plan, PurchaseRequest
from reservations.optimizer.held_capacity import left_to_cover
from reservations.purchases import approvals, buying
from reservations.purchases.purchase_requests import request_purchase
from reservations.recommendations.demand_sources import collect_demand
from reservations.recommendations.held_commitments import held_commitments
from tagging.models import OwnershipRule
from tests.reservations.recommendations.test_recommend import hour, load, recommend

pytestmark = pytest.mark.django_db
ARN = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/r-1"
COVERED = {
    "CommitmentDiscountId": ARN,
    "CommitmentDiscountStatus": "Used",
    "PricingCategory": "Committed",
    "EffectiveCost": "0.06",
    "BilledCost": "0",
}
AS_OF = date(2026, 3, 31)


def march(machines=1, days=range(1, 31), **changes):
    return [hour(day, at, f"i-{number}", **changes) for day in days for at in range(24) for number in range(machines)]


def machines_left(as_of=AS_OF, days=30, team=None):
    """{type: machines left in every hour}, where they are the same in all of them."""
    demand = collect_demand(as_of, 395, team).demand.last_days(days)
    assert all(len(set(row.round(6).tolist())) == 1 for row in demand.machines)
    return {pool.type: float(row[0].round(6)) for pool, row in zip(demand.pools, demand.machines, strict=True)}


def notes(as_of=AS_OF, team=None):
    return " ".join(collect_demand(as_of, 395, team).demand.notes)


def reserved(count, **changes):
    values = {
        "provider": "AWS",
        "commitment_id": ARN,
        "name": "Web",
        "kind": "ri_standard",
        "term_months": 12,
        "region": "us-east-1",
        "instance_type": "m5.large",
        "system": "Linux",
        "count": count,
        "start": date(2026, 1, 1),
        "end": date(2027, 1, 1),
        "last_seen": date(2026, 3, 30),
    }
    return Commitment.objects.create(**values | changes)


def requested(ada, fay, state, **changes):
    values = {
        "position": 1,
        "batch": 0,
        "state": state,
        "provider": "AWS",
        "kind": "ri_standard",
        "term_months": 12,
        "payment": "none",
        "region": "us-east-1",
        "instance_type": "m5.large",
        "system": "Linux",
        "quantity": 1,
        "unit": "machines",
        **dict.fromkeys(
            ("hourly", "upfront", "monthly", "value", "on_demand_cost", "committed_cost", "utilisation"), 0
        ),
        "currency": "USD",
        "requested_by": ada,
        "approved_by": fay,
        "approved_at": datetime(2026, 3, 20, tzinfo=UTC),
        "expires_at": datetime(2026, 4, 20, tzinfo=UTC),
    }
    return PurchaseRequest.objects.create(**values | changes)


def test_covered_since_five_days(tmp_path):
    """One machine, covered by a reservation since 26 March: nothing is left, in any hour of the thirty days."""
    load(tmp_path, [*march(days=range(1, 26)), *march(days=range(26, 31), **COVERED)])
    assert machines_left() == {}
    assert recommend(as_of=AS_OF, lookback_days=30).items.count() == 0


def test_covered_since_the_first_of_february_is_not_bought_again_on_the_first_of_march(tmp_path):
    """Two machines, one of them covered all March, and the other on demand: one."""
    load(tmp_path, [*march(), *[row | COVERED | {"ResourceId": "i-9"} for row in march()]])
    assert machines_left() == {"m5.large": 1}


def test_expired(tmp_path):
    """A reservation covered the machine all month and ended with it: on 31 March it is left to cover."""
    load(tmp_path, march(**COVERED))
    Commitment.objects.all().delete()
    reserved(1, end=AS_OF)
    assert machines_left() == {"m5.large": 1}


def test_owned_and_expiring(tmp_path):
    """Three machines, of which two are reserved until 30 June: one is left now, and all three from then on."""
    load(tmp_path, march(3))
    reserved(2, end=date(2026, 6, 30))
    assert machines_left() == {"m5.large": 1}
    assert "Web until 30 Jun 2026" in notes()
    ahead = collect_demand(AS_OF, 395).expected(12, 30)
    counts = sorted({float(count) for count in ahead.machines[0].round(6)})
    assert counts == [1, 3]
    # 91 of 365 days.
    assert (ahead.machines[0] == 1).mean() == pytest.approx(91 / 365, abs=0.01)


def test_bigger_sizes_use_more_of_a_reservation(tmp_path):
    """A reservation of three m5.large is 12 units: it covers the large (4) first, and one of two xlarge (8)."""
    rows = [*march(), *[row | {"ResourceId": f"x-{row['ResourceId']}"} for row in march(2, type_="m5.xlarge")]]
    load(tmp_path, rows)
    reserved(3)
    assert machines_left() == {"m5.xlarge": 1}


def test_a_reservation_of_a_family_counts_in_units(tmp_path):
    """Eight units of m5 are two m5.large (4 each): of three, one is left."""
    load(tmp_path, march(3))
    reserved(8, instance_type="m5")
    assert machines_left() == {"m5.large": 1}


def test_a_plan_is_taken_off_at_its_rates(tmp_path):
    """A Compute SP of 0.12 an hour; without a list its rate is indicative: 0.096 x 0.73 = 0.07008 for a year.

    0.12 / 0.07008 = 1.712 machines: of three, 1.288 are left.
    """
    load(tmp_path, march(3))
    reserved(None, kind="sp_compute", payment="none", hourly_commitment=Decimal("0.12"), instance_type="")
    assert machines_left()["m5.large"] == pytest.approx(3 - 0.12 / 0.07008, rel=1e-4)


@pytest.mark.parametrize("state", ["approved", "exported", "buying", "doubtful", "bought"])
def test_what_ada_asked_for_and_fay_approved_is_not_advised_again(tmp_path, people, ada, fay, state):
    """Two machines, and a request for one of them that is approved or further: one."""
    load(tmp_path, march(2))
    requested(ada, fay, state)
    assert machines_left() == {"m5.large": 1}
    assert "approved, handed out or bought and in no bill yet" in notes()
    assert "until 20 Mar 2027" in notes()


def test_the_same_machine_is_not_advised_and_bought_twice(tmp_path, people, eli, fay):
    """One machine in a week of March, case 27: it is bought on the 8th, and no bill shows it yet. Nothing is left."""
    load(tmp_path, [hour(day, at) for day in range(1, 8) for at in range(24)])
    now = datetime(2026, 3, 8, 12, tzinfo=UTC)
    item = recommend(terms=(12,)).items.get()
    Plan.objects.update(created_at=now)
    item.plan.refresh_from_db()
    row = request_purchase(item, user=eli, batch=0, comment="steady", now=now)
    approvals.approve_purchase(row.pk, user=fay, comment="go", now=now)
    buying.export_purchase(row.pk, user=fay, now=now)
    buying.record_purchase(row.pk, reference="sp-1", user=fay, now=now)
    plan = recommend(terms=(12,))
    assert (plan.items.count(), plan.saving) == (0, 0)
    assert f"request {row.pk}" in " ".join(plan.notes)


def test_an_azure_reservation_covers_a_series_by_its_cores_whatever_runs_on_it():
    """Two Standard_D4s_v5 are eight cores: of three D2s of Linux (6) and one D4s of Windows (4), half a D4s is left."""
    pools = [
        MachinePool("Azure", "westeurope", "Standard_D2s_v5", "Linux", service="Virtual Machines"),
        MachinePool("Azure", "westeurope", "Standard_D4s_v5", "Windows", service="Virtual Machines"),
    ]
    reserved(
        2,
        provider="Microsoft",
        kind="azure_reservation",
        region="westeurope",
        instance_type="Standard_D4s_v5",
        service="Virtual Machines",
        system="",
    )
    held = held_commitments([], pools, {}, as_of=AS_OF)
    left = left_to_cover(pools, np.array([[3.0], [1.0]]), held.capacities)
    assert left.tolist() == [[0.0], [0.5]]


@pytest.mark.parametrize("state", ["waiting", "rejected", "withdrawn", "expired"])
def test_what_nobody_approved_is_advised(tmp_path, people, ada, fay, state):
    load(tmp_path, march(2))
    requested(ada, fay, state)
    assert machines_left() == {"m5.large": 2}


def test_what_was_bought_and_is_stored_already_counts_once(tmp_path, people, ada, fay):
    """Three machines; what was bought was loaded by CSV before any bill shows it: two, and not one."""
    load(tmp_path, march(3))
    requested(ada, fay, "bought", reference=ARN)
    reserved(1, last_seen=None)
    assert machines_left() == {"m5.large": 2}


def test_nobody_knows_what_it_covers(tmp_path):
    """A reservation without a type that no bill shows: it cannot be taken off, and the notes ask for it."""
    load(tmp_path, march(2))
    reserved(None, instance_type="")
    assert machines_left() == {"m5.large": 2}
    assert "Nothing says what Web can cover" in notes()


def test_a_team_and_the_company_do_not_buy_the_same_machine(tmp_path, people, ada, fay):
    """Payments runs one of two machines and has bought a reservation for it: the company has one left, Payments none.

    The company's own reservation of one serves both alike: half a machine for Payments.
    """
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Payments", team=team, tag_key="Team", tag_value="Payments")
    rows = march()
    load(tmp_path, [*rows, *[row | {"ResourceId": "i-9", "Tags": '{"Team": "Data"}'} for row in rows]])
    request = requested(ada, fay, "bought", team=team)
    assert (machines_left(), machines_left(team=team)) == ({"m5.large": 1}, {})
    request.team = None
    request.save()
    assert (machines_left(), machines_left(team=team)) == ({"m5.large": 1}, {"m5.large": 0.5})


def daily(day, machine, hours):
    return hour(
        day,
        0,
        machine,
        ChargePeriodEnd=f"2026-03-{day + 1:02}T00:00:00Z",
        ConsumedQuantity=str(hours),
        BilledCost="1.152",
        EffectiveCost="1.152",
    )


def test_ten_machines_of_twelve_hours_in_a_daily_bill(tmp_path):
    """Five that run all day at best, ten at once for half of it at worst. Nothing says which of the two it was."""
    load(tmp_path, [daily(day, f"i-{number}", 12) for day in range(1, 31) for number in range(10)])
    demand = collect_demand(AS_OF, 395).expected(12, 30)
    assert demand.grain == "daily"
    assert set(demand.even[0].tolist()) == {5}
    assert sorted(set(demand.machines[0].tolist())) == [0, 10]
    assert (demand.machines[0] == 10).mean() == 0.5
    # For a year without upfront a machine costs 63 % of on demand, and runs half the time at worst: none is bought.
    plan = recommend(as_of=AS_OF, lookback_days=30, terms=(12,), payments=("none",), kinds=("sp_ec2",))
    assert plan.items.count() == 0
    assert "decided on the worst case" in plan.notes[0]


def test_machines_of_different_hours_stack_by_their_own_hours(tmp_path):
    """24, 12 and 6 hours: three machines for six hours, two for six more, one for twelve."""
    hours = {"i-1": 24, "i-2": 12, "i-3": 6}
    load(tmp_path, [daily(day, name, count) for day in range(1, 31) for name, count in hours.items()])
    row = collect_demand(AS_OF, 395).demand.last_days(30).machines[0]
    assert [(row == count).mean() for count in (1, 2, 3)] == [0.5, 0.25, 0.25]


def test_days_that_are_not_delivered_are_no_days_without_use(tmp_path):
    """One machine; the bill ends on 20 March and today is the 31st: it runs, and the last ten days are not known."""
    load(tmp_path, march(days=range(1, 21)))
    demand = collect_demand(AS_OF, 395).demand.last_days(30)
    assert (demand.machines == 1).all()
    assert demand.hours == 20 * 24
    assert any("21 Mar 2026 to 30 Mar 2026" in note for note in demand.notes)


def test_a_machine_that_is_gone_since_the_26th(tmp_path):
    """Two machines, one of them deleted on the 26th; the other shows that the bill goes on: one is expected."""
    load(tmp_path, [*march(), *[row | {"ResourceId": "i-9"} for row in march(days=range(1, 26))]])
    ahead = collect_demand(AS_OF, 395).expected(12, 30)
    assert ahead.machines.max() == 1


def test_a_team_has_the_worst_case_of_its_machines_too(tmp_path, people):
    """Four machines of Payments, of 12 hours a day: two in turn at best, four at once at worst."""
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Payments", team=team, tag_key="Team", tag_value="Payments")
    load(tmp_path, [daily(day, f"i-{number}", 12) for day in range(1, 31) for number in range(4)])
    demand = collect_demand(AS_OF, 395, team).demand.last_days(30)
    assert (set(demand.even[0].tolist()), set(demand.machines[0].tolist())) == ({2}, {0, 4})


def test_a_bill_that_counts_hours_then_minutes_then_seconds(tmp_path):
    """One machine all March, in three units: one."""
    units = {range(1, 11): ("Hours", "1"), range(11, 21): ("Minutes", "60"), range(21, 31): ("Seconds", "3600")}
    rows = [
        row | {"ConsumedUnit": unit, "ConsumedQuantity": quantity}
        for days, (unit, quantity) in units.items()
        for row in march(days=days)
    ]
    load(tmp_path, rows)
    assert machines_left() == {"m5.large": 1}
