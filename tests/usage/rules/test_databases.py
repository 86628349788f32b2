"""Databases: what bill and measurements show, and the saving worked out by hand."""

from decimal import Decimal

from tests.usage.rules.rule_cases import find, measured, price, saving, use

RDS = {
    **{"service": "Amazon Relational Database Service", "category": "Databases", "instance_type": "db.r5.large"},
    **{"usage_type": "InstanceUsage:db.r5.large", "operation": "CreateDBInstance:0014"},
}
STORAGE = {
    **{"service": "Amazon Relational Database Service", "usage_type": "RDS:GP3-Storage", "instance_type": None},
    **{"unit": "GB-Mo", "hours": None},
}


def test_a_database_that_nobody_connects_to_saves_its_hours_and_not_its_storage():
    """182.50 of hours at 0.25, 23.00 of storage: the storage stays, as a snapshot or as it is."""
    rows = use("db:a", "182.5", **RDS), use("db:a", "23", **STORAGE)
    assert saving(find("database_idle", *rows, metrics=[measured("db:a", "connections", 0)])) == Decimal("182.50")
    assert find("database_idle", *rows, metrics=[measured("db:a", "connections", 0, maximum=3)]) == []
    assert find("database_idle", *rows, metrics=[measured("db:a", "connections", 0, share=0.6)]) == []


def test_extended_support_is_certain_and_saves_all_of_itself():
    """2 vCPUs x 0.10 x 730 hours = 146.00, beside the instance."""
    extended = RDS | {"usage_type": "USE1-ExtendedSupport:Yr1-Yr2:PostgreSQL11", "instance_type": None}
    findings = find("database_extended_support", use("db:a", "182.5", **RDS), use("db:a", "146", **extended))
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("146.00"), "certain")


def test_a_database_moves_to_arm_at_the_prices_of_its_engine():
    """db.r5.large PostgreSQL 0.25, db.r6g.large 0.225: 10 % of 182.50. The price of MySQL is not looked at."""
    prices = [
        price("db.r5.large", "0.25", "PostgreSQL"),
        price("db.r6g.large", "0.225", "PostgreSQL"),
        price("db.r7g.large", "0.1", "MySQL"),
    ]
    findings = find("database_arm", use("db:a", "182.5", **RDS), prices=prices)
    assert (saving(findings), findings[0]["target"]["type"]) == (Decimal("18.25"), "db.r6g.large")


def test_a_database_is_made_smaller():
    """db.r5.xlarge at 30 %: a large would be at 60 %, and costs half: 182.50 of 365.00."""
    large = RDS | {"instance_type": "db.r5.xlarge", "usage_type": "InstanceUsage:db.r5.xlarge"}
    prices = [price("db.r5.xlarge", "0.5", "PostgreSQL"), price("db.r5.large", "0.25", "PostgreSQL")]
    metrics = [measured("db:a", "cpu", 30)]
    assert saving(find("database_rightsize", use("db:a", "365", **large), metrics=metrics, prices=prices)) == Decimal(
        "182.50"
    )


def test_a_standby_that_is_not_for_production_costs_half_of_the_instance():
    """By the list 0.50 against 0.26: 48 % of 365.00 is 175.20; without a list, half of it, as RDS prices it."""
    standby = RDS | {"usage_type": "Multi-AZUsage:db.r5.large"}
    dev, live = (
        {"db:a": {"environment": name, "is_production": is_live}} for name, is_live in (("dev", False), ("prod", True))
    )
    prices = [price("db.r5.large", "0.5", "PostgreSQL Multi-AZ"), price("db.r5.large", "0.26", "PostgreSQL")]
    row = use("db:a", "365", **standby)
    assert saving(find("database_standby", row, resources=dev, prices=prices)) == Decimal("175.20")
    findings = find("database_standby", row, resources=dev)
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("182.50"), "likely")
    assert find("database_standby", row, resources=live) == []
    assert find("database_standby", row) == [], "without a tag nobody knows"
