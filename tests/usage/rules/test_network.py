"""Networks: what bill and inventory show, and the saving worked out by hand."""

from datetime import date
from decimal import Decimal

from tests.usage.rules.rule_cases import find, measured, saving, thing, use

VPC = {"service": "Amazon Virtual Private Cloud", "category": "Networking", "instance_type": None, "operation": ""}

STILL_THERE = {"nat-1": {"last_day": date(2026, 10, 30)}}


def of(resource, cost):
    return {resource: {"monthly_cost": cost, "monthly_open_cost": cost}}


def test_an_address_that_the_bill_calls_idle_is_certain():
    """730 hours at 0.005."""
    row = use("eip-1", "3.65", **VPC | {"usage_type": "USE1-PublicIPv4:IdleAddress"})
    findings = find("address_unused", row, resources=of("eip-1", "3.65"))
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("3.65"), "certain")
    in_use = row | {"usage_type": "USE1-PublicIPv4:InUseAddress"}
    assert find("address_unused", in_use, resources=of("eip-1", "3.65")) == []


def test_a_load_balancer_without_targets_is_certain_and_one_without_requests_likely():
    row = use("alb-1", "16.43", **VPC | {"usage_type": "LoadBalancerUsage", "service": "Elastic Load Balancing"})
    empty = thing("alb-1", "load_balancer", attributes='{"targets": 0}')
    findings = find("load_balancer_empty", row, resources=of("alb-1", "16.43"), inventory=[empty])
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("16.43"), "certain")
    quiet = [measured("alb-1", "requests", 0)]
    findings = find("load_balancer_empty", row, resources=of("alb-1", "16.43"), metrics=quiet)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("16.43"), "likely")
    silent = [empty | {"attributes": "{}"}]
    assert find("load_balancer_empty", row, resources=of("alb-1", "16.43"), inventory=silent) == []


def test_a_gateway_whose_bill_has_hours_and_no_bytes_is_certain():
    """730 hours at 0.045; one gigabyte in the month, and it is in use."""
    hours = use("nat-1", "32.85", **VPC | {"usage_type": "NatGateway-Hours"})
    findings = find("gateway_idle", hours)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("32.85"), "certain")
    data = use("nat-1", "0.045", **VPC | {"usage_type": "NatGateway-Bytes", "unit": "GB", "quantity": 1})
    assert find("gateway_idle", hours, data) == []
    assert find("gateway_idle", hours, data | {"last_day": date(2026, 10, 5)}, resources=STILL_THERE) == []


def test_what_goes_to_storage_through_a_nat_gateway_is_saved_as_far_as_it_is_measured():
    """1000 GB at 0.045 are 45.00. 204,274 bytes a second are 500 GB in 730 hours: half. Unmeasured: not known."""
    row = use("nat-1", "45", **VPC | {"usage_type": "NatGateway-Bytes", "unit": "GB", "monthly_quantity": 1000})
    flow = [measured("nat-1", "bytes_to_storage", 500 * 2**30 / (730 * 3600))]
    assert saving(find("nat_to_storage", row, metrics=flow)) == Decimal("22.50")
    assert saving(find("nat_to_storage", row)) is None
    assert find("nat_to_storage", row | {"monthly_quantity": 20}) == []


def test_traffic_between_zones_has_a_cost_and_a_saving_that_nobody_knows():
    row = use("i-1", "20", usage_type="DataTransfer-Regional-Bytes", unit="GB", monthly_quantity=2000)
    findings = find("zone_traffic", row)
    assert saving(findings) is None
    assert findings[0]["monthly_cost"] == Decimal("20")
