"""A version that keeps its cost may lose what the cost is known by: its other costs, its tags, its owners, its past."""

from datetime import date
from decimal import Decimal

import pytest

from costs.calc.wholeness import (
    CostComparison,
    DescribedCost,
    LargestVersion,
    Limits,
    Versions,
    reasons_to_hold,
)
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery
from finops_site.models import OutgoingEmail, Team
from tagging.models import OwnershipRule
from tests import bills
from tests.people import waiting_for
from tests.shared_fixtures import shared

LIMITS = Limits(Decimal("0.1"), Decimal("0.5"))


def compared(kind, name, before, after):
    return CostComparison(kind, name, "USD", before if before is None else Decimal(before), after and Decimal(after))


def reasons(*rows, **facts):
    facts_read = {"last_day_before": None, "last_day": None, "rows_read": 1, "rows_rejected": 0}
    total = compared("total", "", 100, 100)
    return reasons_to_hold(
        Versions(compared=[total, *rows], **facts_read, rejected_share_before=Decimal(0), **facts), LIMITS
    )


def described(name, before, after, all_after=100):
    return DescribedCost(name, "USD", Decimal(before), Decimal(after), Decimal(100), Decimal(all_after))


class TestRule:
    def test_another_cost_is_judged_by_the_same_limits(self):
        assert reasons(compared("metric", "Effective cost", 80, 800)) == [
            "Effective cost on the same days goes from 80.00 to 800.00 USD (+900.0%; 50.0% up is usual)."
        ]
        assert reasons(compared("metric", "Effective cost", 80, 75)) == []

    def test_what_described_the_cost_and_is_gone_or_more_than_half_of_it_holds(self):
        assert reasons(described=[described("Regions", 98, 0)]) == [
            "Regions were on 98.0% of the cost in USD; none of it has them now."
        ]
        assert reasons(described=[described("The tag Team", 60, 20)]) == [
            "The tag Team stood on 60.0% of the cost in USD; 20.0% of it has it now."
        ]
        assert reasons(described=[described("Tags", 60, 0), described("The tag Team", 60, 0)]) == [
            "Tags were on 60.0% of the cost in USD; none of it has them now."
        ], "not once more for each tag"

    def test_a_crumb_less_than_half_and_days_that_are_described_otherwise_do_not(self):
        assert reasons(described=[described("Regions", "0.5", 0), described("The tag Old", 9, 3)]) == []
        assert reasons(described=[described("Tags", 60, 40)]) == []
        assert reasons(described=[described("Tags", 60, 60, all_after=1000)]) == [], "the month grew"
        assert reasons(described=[described("Tags", 60, 6, all_after=10)]) == [], "the cost fell with them"

    def test_cost_that_goes_to_other_owners_holds_and_what_comes_or_vanishes_does_not(self):
        moved = [compared("owner", "Data", 60, 20), compared("owner", "unowned", 40, 80)]
        assert reasons(*moved) == [
            "40.0% of the cost on the same days has another owner: Data from 60.00 to 20.00, "
            "unowned from 40.00 to 80.00 USD."
        ]
        assert reasons(compared("owner", "Data", 60, 20), compared("owner", "unowned", 40, 50)) == [], "at the limit"
        assert reasons(compared("owner", "Data", 100, 102), compared("owner", "Payments", None, 30)) == []

    def test_small_steps_hold_when_together_they_pass_the_limit(self):
        def largest(now):
            return [LargestVersion("USD", "Billed cost", date(2026, 4, 2), Decimal(100), Decimal(now))]

        assert reasons(largest=largest(90)) == []
        assert reasons(largest=largest(89)) == [
            "Billed cost goes down to 89.00 USD by small steps: the version of 2 Apr 2026 had 100.00 "
            "(-11.0%; 10.0% down is usual)."
        ]


@shared
def owners(people):
    for name in ("Payments", "Data"):
        team = Team.objects.get(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name)


@pytest.fixture
def deliver(tmp_path, owners):
    """Delivers March 2026, a row a day of each team, or until another day of it."""

    def deliver(cost="10", *, until=31, source="northwind", **cells):
        rows = [
            {
                **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), str(cost)),
                "ChargePeriodStart": f"2026-03-{day:02}T00:00:00Z",
                "ChargePeriodEnd": f"2026-03-{day:02}T12:00:00Z",
                "Tags": f'{{"Team": "{team}"}}',
                **cells,
            }
            for day in range(1, until + 1)
            for team in ("Payments", "Data")
        ]
        (receipt,) = receive_bill(source, [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows))])
        return load_bill(receipt.delivery) if receipt.is_new else receipt.delivery

    return deliver


def billed():
    return CostLine.objects.current().totals(["billed_cost"])["USD"]["billed_cost"]


@pytest.mark.django_db
class TestDelivered:
    @pytest.mark.parametrize(("effective", "change"), [("100", "+900.0%"), ("1", "-90.0%")])
    def test_effective_cost_that_is_ten_times_as_much_or_a_tenth_is_held(self, deliver, effective, change):
        deliver()
        held = deliver(EffectiveCost=effective)
        (reason,) = held.held_because
        assert reason.startswith("Mar 2026: Effective cost on the same days goes from 620.00 to")
        assert change in reason

    @pytest.mark.parametrize(
        ("cells", "words"),
        [
            ({"Tags": ""}, "Tags were on 100.0% of the cost in USD; none of it has them now."),
            (
                {"Tags": '{"Environment": "x"}'},
                "The tag Team stood on 100.0% of the cost in USD; none of it has it now.",
            ),
            ({"RegionId": "", "RegionName": ""}, "Regions were on 100.0% of the cost in USD; none of it has them now."),
            ({"ResourceId": ""}, "Resource ids were on 100.0% of the cost in USD; none of it has them now."),
            ({"ListCost": ""}, "List cost is not in it any more."),
        ],
    )
    def test_what_vanishes_while_the_cost_stays_is_held(self, deliver, cells, words):
        deliver()
        held = deliver(**cells)
        assert (held.status, f"Mar 2026: {words}" in held.held_because) == ("held", True)

    def test_finance_reads_which_owners_lose_and_gain(self, deliver):
        deliver()
        held = deliver(Tags='{"Team": "Data"}')
        assert held.held_because == [
            "Mar 2026: 50.0% of the cost on the same days has another owner: Data from 310.00 to 620.00, Payments from "
            "310.00 to 0.00 USD."
        ]

    def test_a_running_month_and_a_first_delivery_are_not_held_for_what_new_days_lack(self, deliver):
        assert deliver(until=3, source="other", Tags="", RegionId="", ResourceId="").status == "current"
        assert deliver(until=3).status == "current"
        assert deliver(until=31).status == "current"

    def test_steps_below_the_limit_are_held_when_their_sum_passes_it(self, deliver):
        assert [deliver(cost).status for cost in ("10", "9.3", "9.1")] == ["current"] * 3
        held = deliver("8.5")
        assert [*held.held_because] == [
            "Mar 2026: Billed cost goes down to 527.00 USD by small steps: the version of "
            f"{held.received_at:%-d %b %Y} had 620.00 (-15.0%; 10.0% down is usual)."
        ]
        assert billed() == Decimal("564.2")

    def test_after_fay_accepted_steps_are_counted_from_there(self, deliver, people):
        for cost in ("10", "9.3", "8.5"):
            last = deliver(cost)
        assert last.status == "held"
        Delivery.objects.filter(pk=last.pk).update(status="received", is_accepted=True)
        last.refresh_from_db()
        load_bill(last)
        assert [deliver(cost).status for cost in ("8.2", "7.8", "7.5")] == ["current", "current", "held"]

    def test_what_was_held_waits_no_longer_when_the_files_that_count_come_again(self, deliver, people):
        good = deliver("10")
        held = deliver("2")
        assert (held.status, len(waiting_for(people["fay"]))) == ("held", 1)
        assert deliver("10").pk == good.pk
        held.refresh_from_db()
        assert (held.status, waiting_for(people["fay"]), billed()) == ("superseded", [], 620)
        assert deliver("2").status == "held", "asked about again when it comes again"
        assert OutgoingEmail.objects.filter(subject__startswith="A bill is held").count() == 2

    def test_a_newer_version_that_counts_takes_the_place_of_the_held_one(self, deliver, people):
        deliver("10")
        held = deliver("2")
        assert deliver("10.1").status == "current"
        held.refresh_from_db()
        assert (held.status, waiting_for(people["fay"])) == ("superseded", [])
