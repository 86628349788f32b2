"""Recommendations from bills: the seed's inventory, hourly and daily bills, limits, and what cannot be priced."""

import json
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from finops_site.lib.periods import Month
from finops_site.models import Team
from finops_site.ops.commands import BadInput
from reservations.calc.price_lists import parse_price_list
from reservations.models import Plan
from reservations.pricing import price_book
from reservations.recommendations import plan_parameters
from reservations.recommendations import recommend as recommending
from tagging.models import OwnershipRule
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
SEED = Path(__file__).resolve().parents[4] / "shared/data/bills/seed-inventory"
LINUX = "On Demand Linux m5.large Instance Hour"
SEED_ROWS = """ResourceId,ResourceType,Region,CostUSD,Tags,CreationDate,InstanceType,State
i-1,EC2,us-east-1,0.5,Owner=Alice,2025-01-01,m5.large,running
i-2,EC2,us-east-1,0.4,Owner=Alice,2025-01-01,m5.large,running
i-3,EC2,us-east-1,0.4,Owner=Alice,2025-01-01,m5.large,stopped
"""


def load(folder, rows, name="bill.csv", **options):
    content = rows.encode() if isinstance(rows, str) else bills.focus_csv(rows)
    (received,) = receive_bill(name, [bills.write(folder, name, content)], **options)
    return load_bill(received.delivery)


def hour(day, at, machine="i-1", type_="m5.large", **changes):
    return {
        "ResourceId": machine,
        "ChargePeriodStart": f"2026-03-{day:02}T{at:02}:00:00Z",
        "ChargePeriodEnd": f"2026-03-{day + (at == 23):02}T{(at + 1) % 24:02}:00:00Z",
        "ChargeDescription": f"On Demand Linux {type_} Instance Hour",
        "SkuPriceDetails": json.dumps({"InstanceType": type_}),
        "ConsumedQuantity": "1",
        "BilledCost": "0.096",
        "EffectiveCost": "0.096",
        **changes,
    }


def recommend(as_of=date(2026, 3, 8), lookback_days=7, team=None, time_limit=30.0, **limits):
    plan = recommending.create_plan(
        None, plan_parameters.Parameters(**limits), as_of=as_of, lookback_days=lookback_days, team=team
    )
    return recommending.compute_recommendation(plan, time_limit=time_limit)


@shared
def week(tmp_path):
    """An hourly bill of a week: one machine always, one from 8 to 16."""
    rows = [hour(day, at) for day in range(1, 8) for at in range(24)]
    rows += [hour(day, at, "i-2") for day in range(1, 8) for at in range(8, 16)]
    load(tmp_path, rows)


def test_the_machine_that_always_runs_is_committed_and_the_one_of_office_hours_is_not(week):
    plan = recommend()
    assert (plan.state, plan.confidence, plan.is_indicative) == (Plan.State.READY, "hourly", True)
    (item,) = plan.items.all()
    # 0.096 x 0.38 an hour for one m5.large; a machine of eight hours runs in a third, below r / p = 38 %.
    assert item.quantity == Decimal("0.03648")
    assert (item.working["above"], item.working["below"], item.working["hours"]) == (56, 0, 168)
    assert (item.kind, item.term_months, item.payment, item.utilisation) == ("sp_ec2", 36, "all", 1)
    assert plan.lower_bound <= plan.cost_after < plan.cost_before
    assert plan.gap < Decimal("0.0001")
    assert plan.working["steady"] == {"7": 1}


def test_the_comparison_has_every_kind_in_the_same_columns(week):
    rows = {row["name"]: row for row in recommend().working["comparison"]}
    assert list(rows) == ["Compute SP", "EC2 Instance SP", "Reserved instances", "All together"]
    assert len({tuple(row) for row in rows.values()}) == 1
    assert Decimal(rows["EC2 Instance SP"]["saving"]) > Decimal(rows["Compute SP"]["saving"])


def test_an_upfront_budget_of_zero_is_said_and_kept(week):
    plan = recommend(max_upfront=0.0)
    assert plan.upfront == 0
    assert {item.payment for item in plan.items.all()} == {"none"}
    assert any("upfront budget is zero" in note for note in plan.notes)


def test_nothing_breaks_even_within_no_months(week):
    plan = recommend(break_even_months=0.0, payments=("all",))
    assert not plan.items.exists()
    assert plan.cost_after == plan.cost_before


def test_a_solver_without_time_says_so_with_its_gap(week):
    plan = recommend(time_limit=0.0)
    assert plan.cost_after < plan.cost_before
    assert any("the best plan so far" in note for note in plan.notes)


def test_a_type_without_a_price_stays_on_demand_and_is_named(week, tmp_path):
    load(tmp_path, [hour(7, at, "i-9", "m1.ancient") for at in range(24)], "other.csv")
    plan = recommend()
    assert plan.working["unpriced"] == ["m1.ancient Linux in us-east-1"]
    assert any("No price is known for m1.ancient" in note for note in plan.notes)
    assert plan.items.count() == 1


def test_a_discount_on_demand_makes_a_commitment_worth_less(week):
    plain, negotiated = recommend(), recommend(negotiated=0.1)
    assert negotiated.cost_before == plain.cost_before * Decimal("0.9")
    assert negotiated.items.get().committed_cost == plain.items.get().committed_cost
    assert 0 < negotiated.saving < plain.saving
    assert "A negotiated discount of 10.0% is taken off list prices on demand." in negotiated.notes


def test_a_discount_on_commitments_too_takes_its_share_off_everything(week):
    # An eighth: 0.03648 less an eighth is 0.03192, which has no more than the five decimals that can be bought.
    plain, negotiated = recommend(), recommend(negotiated=0.125, negotiated_on_commitments=True)
    assert negotiated.cost_before == plain.cost_before * Decimal("0.875")
    assert negotiated.saving == pytest.approx(plain.saving * Decimal("0.875"), rel=Decimal("1e-9"))
    assert negotiated.items.get().committed_cost == plain.items.get().committed_cost * Decimal("0.875")


def test_where_on_demand_is_as_cheap_as_a_commitment_nothing_is_bought(week):
    plan = recommend(negotiated=0.65)
    assert (plan.items.count(), plan.saving) == (0, 0)


def test_the_command_takes_the_discount_of_a_contract(week):
    out = StringIO()
    call_command(
        "recommend_commitments", "--json", "--as-of=2026-03-08", "--lookback=7", "--negotiated=0.1", stdout=out
    )
    assert Decimal(json.loads(out.getvalue())["cost_before"]) == recommend(negotiated=0.1).cost_before


def test_usage_that_is_covered_or_spot_is_no_demand(tmp_path):
    covered = {"CommitmentDiscountId": "arn:1", "CommitmentDiscountStatus": "Used", "PricingCategory": "Committed"}
    rows = [hour(day, at, **covered) for day in range(1, 8) for at in range(24)]
    rows += [hour(day, at, "i-2", PricingCategory="Dynamic") for day in range(1, 8) for at in range(24)]
    load(tmp_path, rows)
    plan = recommend()
    assert plan.confidence == "none"
    assert "Nothing is left to cover" in plan.notes[0]


def test_a_listed_price_takes_the_place_of_the_indicative_ones(week):
    sheet = "provider,region,type,option,term,payment,hourly,upfront,currency,date\n"
    rows = [
        "on_demand,,,0.1,",
        *(f"sp_ec2,{term},{pay},0.04," for term in (12, 36) for pay in ("none", "partial", "all")),
    ]
    price_book.load_prices(
        parse_price_list(sheet + "".join(f"AWS,us-east-1,m5.large,{row},USD,2026-02-01\n" for row in rows), "contract")
    )
    plan = recommend(kinds=("sp_ec2",))
    (item,) = plan.items.all()
    assert (item.quantity, item.rate_source, item.is_indicative) == (Decimal("0.04"), "contract", False)


def test_a_team_is_advised_on_its_own_use_by_day(people, tmp_path):
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Payments", team=team, tag_key="Team", tag_value="Payments")
    rows = [hour(day, at) for day in range(1, 8) for at in range(24)]
    rows += [hour(day, at, "i-2", Tags='{"Team": "Data"}') for day in range(1, 8) for at in range(24)]
    load(tmp_path, rows)
    plan = recommend(team=team)
    assert (plan.confidence, plan.working["running"]) == ("daily", "1")
    assert recommend().working["running"] == "2"


def command(*arguments):
    out = StringIO()
    call_command("recommend_commitments", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_an_inventory_without_history_is_advice_of_the_lowest_confidence(tmp_path):
    load(tmp_path, SEED_ROWS, month=Month(2025, 11))
    output = command()
    assert (output["confidence"], output["as_of"]) == ("snapshot", "2025-12-01")
    assert output["working"]["steady"] == {"7": 2, "30": 2}
    assert any("treated as steady" in note for note in output["notes"])
    # The inventory's own cost column is no price list, and the advice says which of the two it used.
    assert any("The bill charges 648.00 for hours that cost 138.24" in note for note in output["notes"])
    assert Decimal(output["cost_before"]) == Decimal("0.096") * 2 * 8760
    assert Decimal(output["lower_bound"]) <= Decimal(output["cost_after"]) < Decimal(output["cost_before"])


@pytest.mark.skipif(not SEED.exists(), reason="the seed's inventory is not beside this checkout")
def test_the_seeds_inventory_yields_more_than_the_seed_found(tmp_path):
    (received,) = receive_bill("seed", [SEED], month=Month(2025, 11))
    load_bill(received.delivery)
    # What the seed was allowed: three years, all upfront, and as much as there is.
    beyond = ("--term", "1", "3", "--max-upfront", "none", "--target-coverage", "none", "--minimum-utilisation", "none")
    output = command(*beyond)
    assert output["working"]["steady"]["30"] == 82
    assert Decimal(output["saving"]) > 27_329
    assert any("go beyond finance's policy in terms of 3 years" in note for note in output["notes"])
    # Three years without any cash, and a third of the demand left free to move, still save more than the seed found.
    careful = command("--term", "1", "3")
    assert Decimal(careful["saving"]) > 27_329
    assert (careful["upfront"], Decimal(command()["upfront"])) == ("0", 0)
    assert output["indicative_prices"]
    assert output["recommendations"][0]["working"]["ratio"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--as-of", "yesterday"], "is not a day"),
        (["--lookback", "0"], "the lookback must be between 1 and"),
        (["--target-coverage", "70"], "must be between 0 and 1"),
        (["--max-upfront", "-1"], "must not be negative"),
        (["--team", "Nobody"], "there is no team 'Nobody'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(arguments, expected):
    with pytest.raises(BadInput, match=expected) as caught:
        command(*arguments)
    assert caught.value.returncode == 2
    assert not Plan.objects.exists()


def test_without_a_bill_the_command_says_what_to_do():
    output = command("--as-of", "2026-03-15")
    assert (output["confidence"], output["recommendations"], output["saving"]) == ("none", [], "0")


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1999, 12, 31), date(9999, 12, 31)])
def test_a_day_of_no_bill_is_refused_before_anything_is_stored(day, people):
    with pytest.raises(plan_parameters.InvalidParameters, match="the day must be between 1 Jan 2000 and"):
        recommending.create_plan(None, plan_parameters.Parameters(), as_of=day)
    assert not Plan.objects.exists()
