"""Machines: what bill and measurements show, and the saving worked out by hand."""

from datetime import date
from decimal import Decimal

from tests.usage.rules.rule_cases import find, measured, price, rule_named, saving, thing, use

QUIET = [measured("i-1", "cpu", 2), measured("i-1", "network_in", 10), measured("i-1", "network_out", 20)]


def test_a_machine_that_does_nothing_saves_what_it_costs():
    """m5.large, 730 hours at 0.096: 70.08 a month. 30 bytes a second are 2.6 MB a day."""
    findings = find("machine_idle", use("i-1", "70.08"), metrics=QUIET)
    assert saving(findings) == Decimal("70.08")
    assert findings[0]["confidence"] == "likely"
    assert rule_named("machine_idle").explain(findings[0]) == (
        "In 30 days its processor was never above 2.0%, and its network carried 2.6 MB a day."
    )
    assert rule_named("machine_idle").fixes(findings[0])[0].text.endswith("--instance-ids i-1")


def test_gaps_in_metrics_are_no_idleness():
    """Measured in four fifths of the hours; or for ten days; or until two weeks ago; or its network not at all."""
    assert find("machine_idle", use("i-1", "70.08"), metrics=[QUIET[0] | {"share": 0.8}, *QUIET[1:]]) == []
    assert find("machine_idle", use("i-1", "70.08"), metrics=[QUIET[0] | {"days": 10}, *QUIET[1:]]) == []
    old = [row | {"last_day": row["last_day"].replace(day=16)} for row in QUIET]
    assert find("machine_idle", use("i-1", "70.08"), metrics=old) == []
    assert find("machine_idle", use("i-1", "70.08"), metrics=QUIET[:2]) == []


def test_a_covered_machine_saves_nothing_until_its_commitment_is_free():
    """Two thirds of the hours are covered: only the 23.36 that nothing covers are saved."""
    covered = use("i-1", "46.72", pricing="Committed")
    assert find("machine_idle", covered, metrics=QUIET) == []
    (finding,) = find("machine_idle", covered, use("i-1", "23.36"), metrics=QUIET)
    assert (finding["monthly_cost"], finding["saving"]) == (Decimal("70.08"), Decimal("23.36"))


def test_a_machine_that_left_is_not_found():
    assert find("machine_idle", use("i-1", "70.08"), resources={"i-1": None}, metrics=QUIET) == []


def test_measurements_of_the_same_id_in_another_account_prove_nothing():
    elsewhere = [row | {"account": "999999999999"} for row in QUIET]
    assert find("machine_idle", use("i-1", "70.08"), metrics=elsewhere) == []


def test_a_machine_whose_cost_the_bill_does_not_have_saves_an_unknown_amount():
    assert saving(find("machine_idle", use("i-1", None), metrics=QUIET)) is None


LOW = [measured("i-1", "cpu", 15), measured("i-1", "memory", 30)]
M5 = [price("m5.xlarge", "0.192"), price("m5.large", "0.096"), price("m5.2xlarge", "0.384")]
XLARGE = {"instance_type": "m5.xlarge", "usage_type": "BoxUsage:m5.xlarge"}


def test_a_machine_is_made_smaller_as_far_as_its_busiest_hours_allow():
    """Memory 30 % of an xlarge is 60 % of a large (medium does not exist). Paid 126.14 after a discount of 10 %:
    half of it is saved, at the price really paid."""
    findings = find("machine_rightsize", use("i-1", "126.144", **XLARGE), metrics=LOW, prices=M5)
    assert saving(findings) == Decimal("63.07")
    assert findings[0]["target"] == {"type": "m5.large", "load": 60.0}
    assert findings[0]["confidence"] == "likely"


def test_without_memory_a_smaller_machine_needs_a_look():
    (finding,) = find("machine_rightsize", use("i-1", "140.16", **XLARGE), metrics=LOW[:1], prices=M5)
    assert finding["confidence"] == "needs a look"


def test_a_smaller_machine_without_a_price_saves_an_unknown_amount():
    findings = find("machine_rightsize", use("i-1", "140.16", **XLARGE), metrics=LOW)
    assert saving(findings) is None
    assert findings[0]["target"]["type"] == "m5.large"


def test_a_busy_machine_stays_as_it_is():
    """36 % of memory would be 72 % of the half: above the 70 % that are left as room."""
    busy = [LOW[0], measured("i-1", "memory", 36)]
    assert find("machine_rightsize", use("i-1", "140.16", **XLARGE), metrics=busy, prices=M5) == []


def test_arm_saves_the_difference_of_the_list_on_what_is_really_paid():
    """m7g.large at 0.0816 is 15 % below m5.large at 0.096: of 63.07 paid, 9.46. m6g.large at 0.077, 19.8 %: 12.48."""
    prices = [price("m5.large", "0.096"), price("m7g.large", "0.0816"), price("m6g.large", "0.077")]
    findings = find("machine_arm", use("i-1", "63.072"), prices=prices)
    assert saving(findings) == Decimal("12.48")
    assert findings[0]["target"]["type"] == "m6g.large"


def test_arm_that_costs_more_is_no_finding_and_windows_does_not_run_on_it():
    prices = [price("m5.large", "0.096"), price("m7g.large", "0.1")]
    assert find("machine_arm", use("i-1", "63.072"), prices=prices) == []
    assert find("machine_arm", use("i-1", "63.072", operation="RunInstances:0002")) == []


def test_what_costs_nothing_or_is_covered_saves_nothing_even_where_no_price_is_known():
    assert find("machine_arm", use("i-1", "63.072", pricing="Committed")) == []
    assert find("machine_arm", use("i-1", "0")) == []


def test_a_bill_without_usage_types_has_machines_too():
    words = "On Demand Linux m5.large Instance Hour"
    row = use("i-1", "63.072", usage_type=words, description=words, unit="Hours")
    assert saving(find("machine_arm", row, prices=[price("m5.large", "0.096"), price("m7g.large", "0.0816")])) == (
        Decimal("9.46")
    )


def test_arm_without_a_price_saves_an_unknown_amount():
    findings = find("machine_arm", use("i-1", "63.072"))
    assert saving(findings) is None
    assert rule_named("machine_arm").explain(findings[0]) == (
        "m8g.large does the same as m5.large; its price is on no list that is loaded."
    )


def test_a_previous_generation_is_replaced_by_the_cheapest_that_succeeds_it():
    """m4.large 0.10: m6i.large 0.096, m6a.large 0.0864. Of 73.00, 13.6 % is 9.93; covered hours save nothing."""
    prices = [price("m4.large", "0.1"), price("m6i.large", "0.096"), price("m6a.large", "0.0864")]
    old = use("i-1", "73", instance_type="m4.large", usage_type="BoxUsage:m4.large")
    assert saving(find("machine_generation", old, prices=prices)) == Decimal("9.93")
    assert find("machine_generation", old | {"pricing": "Committed"}, prices=prices) == []


AZURE = {
    **{
        "provider": "Azure",
        "account": "sub",
        "region": "westeurope",
        "service": "Virtual Machines",
        "usage_type": None,
    },
    **{"instance_type": "Standard_D4s_v5", "unit": "1 Hour"},
}


def test_azure_charges_a_machine_that_is_stopped_and_not_deallocated():
    """Stopped since August: certain, all of 140.16. Deallocated it would not be charged."""
    vm, place = "/subscriptions/sub/vm-1", {"provider": "Azure", "account": "sub", "region": "westeurope"}
    stopped = thing(vm, "machine", state="stopped", last_used_day=date(2026, 8, 1), **place)
    findings = find("machine_stopped", use(vm, "140.16", **AZURE), inventory=[stopped])
    assert saving(findings) == Decimal("140.16")
    assert findings[0]["confidence"] == "certain"
    assert rule_named("machine_stopped").fixes(findings[0])[0].text == f"az vm deallocate --ids {vm}"
    assert find("machine_stopped", use(vm, "140.16", **AZURE), inventory=[stopped | {"state": "deallocated"}]) == []


def test_a_stopped_machine_that_a_bill_charges_nothing_for_still_has_disks_of_unknown_cost():
    findings = find("machine_stopped", use("i-1", "0", usage_type=None, description="t3.micro, stopped", hours=0))
    assert saving(findings) is None
    assert (findings[0]["part"], findings[0]["monthly_cost"], findings[0]["confidence"]) == (
        "disks",
        None,
        "needs a look",
    )


def test_capacity_that_is_reserved_and_holds_no_machine_is_certain():
    findings = find("capacity_unused", use("cr-1", "70.08", usage_type="UnusedBox:m5.large"))
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("70.08"), "certain")


def test_no_id_of_a_bill_becomes_a_command():
    odd = "i-1; reboot"
    findings = find("machine_idle", use(odd, "70.08"), metrics=[row | {"resource": odd} for row in QUIET])
    assert rule_named("machine_idle").fixes(findings[0])[0].text.endswith(" --instance-ids 'i-1; reboot'")
