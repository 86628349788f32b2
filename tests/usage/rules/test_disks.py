"""Disks: what bill, inventory and measurements show, and the saving worked out by hand."""

from datetime import date
from decimal import Decimal

from tests.usage.rules.rule_cases import disk, find, measured, price, rule_named, saving, thing, use

GP3 = [price("EBS:VolumeUsage.gp3", "0.08", "", unit="GB-Mo"), price("EBS:VolumeP-IOPS.gp3", "0.005", "", unit="IOPS")]
STILL = [measured("vol-1", "disk_read_ops", 0), measured("vol-1", "disk_write_ops", 0)]
WHOLE = {"vol-1": {"monthly_cost": "10", "monthly_open_cost": "10"}}


def test_a_disk_that_the_inventory_has_attached_to_nothing_is_certain():
    free = thing("vol-1", "disk", state="available", created_day=date(2026, 3, 1))
    findings = find("disk_unattached", disk("vol-1", "10", 100), resources=WHOLE, inventory=[free])
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("10.00"), "certain")
    new = free | {"created_day": date(2026, 10, 28)}
    assert find("disk_unattached", disk("vol-1", "10", 100), resources=WHOLE, inventory=[new]) == []


def test_without_an_inventory_a_disk_that_nobody_reads_is_likely_and_gaps_prove_nothing():
    findings = find("disk_unattached", disk("vol-1", "10", 100), resources=WHOLE, metrics=STILL)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("10.00"), "likely")
    gaps = [row | {"share": 0.5} for row in STILL]
    assert find("disk_unattached", disk("vol-1", "10", 100), resources=WHOLE, metrics=gaps) == []


def test_a_bill_alone_shows_the_pattern_of_magnetic_disks_only():
    """What is read from magnetic disks is charged: 30 days of storage without it need a look. gp2 shows nothing."""
    row = disk("vol-1", "10", 200, "standard")
    findings = find("disk_unattached", row, resources=WHOLE)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("10.00"), "needs a look")
    reads = row | {"usage_type": "EBS:VolumeIOUsage", "quantity": 5000}
    assert find("disk_unattached", row, reads, resources=WHOLE) == []
    assert find("disk_unattached", disk("vol-1", "10", 100), resources=WHOLE) == []


def test_an_inventory_of_a_disk_that_left_is_no_finding():
    free = thing("vol-1", "disk", state="available")
    assert find("disk_unattached", disk("vol-1", "10", 100), resources={"vol-1": None}, inventory=[free]) == []


def test_the_disk_of_a_stopped_machine_saves_all_but_a_snapshot():
    """100 GB of gp2 at 0.10 are 10.00; a snapshot of 100 GB at 0.05 is 5.00. Without its price nobody knows."""
    things = [
        thing("vol-1", "disk", state="in-use", attached_to="i-1", size=100),
        thing("i-1", "machine", state="stopped", last_used_day=date(2026, 8, 1)),
    ]
    snapshots = [price("EBS:SnapshotUsage", "0.05", "", unit="GB-Mo")]
    row = disk("vol-1", "10", 100)
    assert saving(find("disk_of_stopped_machine", row, inventory=things, prices=snapshots)) == Decimal("5.00")
    assert saving(find("disk_of_stopped_machine", row, inventory=things)) is None
    lately = [things[0], things[1] | {"last_used_day": date(2026, 10, 20)}]
    assert find("disk_of_stopped_machine", row, inventory=lately, prices=snapshots) == []


def test_a_small_gp2_disk_saves_a_fifth_and_the_list_makes_it_certain():
    """100 GB: 10.00 at 0.10 against 8.00 at 0.08."""
    findings = find("disk_gp2", disk("vol-1", "10", 100), prices=GP3)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("2.00"), "certain")
    findings = find("disk_gp2", disk("vol-1", "10", 100))
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("2.00"), "likely")


def test_a_large_gp2_disk_pays_for_the_operations_that_it_had_for_nothing():
    """2000 GB have 6000 operations a second: 3000 more at 0.005 are 15.00; 200 - (160 + 15) = 25.00. Where 500 are
    the most that it used, none are paid: 40.00."""
    findings = find("disk_gp2", disk("vol-1", "200", 2000), prices=GP3)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("25.00"), "likely")
    assert "--iops 6000" in rule_named("disk_gp2").fixes(findings[0])[0].text
    little = [measured("vol-1", "disk_read_ops", 300), measured("vol-1", "disk_write_ops", 200)]
    assert saving(find("disk_gp2", disk("vol-1", "200", 2000), prices=GP3, metrics=little)) == Decimal("40.00")


def test_a_disk_that_is_gp3_since_last_week_is_gp2_no_more():
    rows = disk("vol-1", "7", 100, last_day=date(2026, 10, 20)), disk("vol-1", "2.4", 100, "gp3")
    assert find("disk_gp2", *rows, resources={"vol-1": {"last_day": date(2026, 10, 30)}}, prices=GP3) == []


def test_gp3_that_would_cost_more_is_no_finding():
    dear = [price("EBS:VolumeUsage.gp3", "0.11", "", unit="GB-Mo")]
    assert find("disk_gp2", disk("vol-1", "10", 100), prices=dear) == []


def test_a_disk_that_is_mostly_empty_shrinks_to_what_was_full_and_half_as_much():
    """20 % of 500 GB are 100, with room 150: 70 % of 40.00 is 28.00."""
    row = disk("vol-1", "40", 500, "gp3")
    assert saving(find("disk_large", row, metrics=[measured("vol-1", "disk_used", 20)])) == Decimal("28.00")
    assert find("disk_large", row, metrics=[measured("vol-1", "disk_used", 20, maximum=60)]) == []


def test_operations_beyond_what_was_used_are_given_back():
    """10000 paid at 0.065 are 650.00. The most was 2000 and 500, with a fifth more 3000: 70 % is 455.00."""
    paid = use("vol-1", "650", usage_type="EBS:VolumeP-IOPS.piops", instance_type=None, monthly_quantity=10000)
    metrics = [measured("vol-1", "disk_read_ops", 2000), measured("vol-1", "disk_write_ops", 500)]
    assert saving(find("disk_operations", paid, metrics=metrics)) == Decimal("455.00")
