"""Small bills, measurements and prices for one rule: what it finds, without Django."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from usage.calc.facts import FINDING, insert_rows, make_tables
from usage.calc.rules import RULES

LAST_DAY = date(2026, 10, 30)
PLACE = {"provider": "AWS", "account": "123456789012", "region": "us-east-1"}
HOURS = 730


def rule_named(name: str):
    return next(rule for rule in RULES if rule.name == name)


def use(resource: str, cost: str | None, **fields: Any) -> dict[str, Any]:
    """A row of `use`: an m5.large of the window's 30 days, unless told otherwise; monthly figures of 730 hours."""
    row = {
        **PLACE,
        "resource": resource,
        "service": "Amazon Elastic Compute Cloud",
        "category": "Compute",
        "usage_type": "BoxUsage:m5.large",
        "operation": "RunInstances",
        "instance_type": "m5.large",
        "pricing": "Standard",
        "unit": "Hrs",
        "currency": "USD",
        "monthly_quantity": HOURS,
        "quantity": 720,
        "hours": 720,
        "days": 30,
        "monthly_cost": cost,
        "monthly_list_cost": cost,
        "first_day": LAST_DAY - timedelta(days=29),
        "last_day": LAST_DAY,
    }
    return row | fields


def disk(resource: str, cost: str, size: float, type_: str = "gp2", **fields: Any) -> dict[str, Any]:
    """A row of `use` of a volume, by the month's gigabytes."""
    kind = {
        "usage_type": f"EBS:VolumeUsage.{type_}" if type_ != "standard" else "EBS:VolumeUsage",
        "operation": "CreateVolume",
        "instance_type": None,
        "category": "Storage",
        "unit": "GB-Mo",
        "monthly_quantity": size,
        "quantity": size,
        "hours": None,
    }
    return use(resource, cost, **kind | fields)


def measured(resource: str, metric: str, figure: float, **fields: Any) -> dict[str, Any]:
    """A row of `metrics` without gaps; all figures are the same unless told otherwise."""
    row = {
        **PLACE,
        "resource": resource,
        "metric": metric,
        "average": figure,
        "p95": figure,
        "maximum": figure,
        "total": figure * 30,
        "share": 1.0,
        "days": 30,
        "last_day": LAST_DAY,
        "source": "CloudWatch",
    }
    return row | fields


def price(item: str, amount: str, system: str = "Linux", **fields: Any) -> dict[str, Any]:
    row = {
        **{name: PLACE[name] for name in ("provider", "region")},
        "service": "EC2",
        "item": item,
        "system": system,
        "unit": "Hrs",
        "price": amount,
        "currency": "USD",
        "source": "price list",
    }
    return row | fields


def thing(resource: str, kind: str, **fields: Any) -> dict[str, Any]:
    """A row of `inventory`, of the last day."""
    return {**PLACE, "resource": resource, "kind": kind, "attributes": "{}", "seen_day": LAST_DAY} | fields


def find(name: str, *rows_of_use: dict[str, Any], resources: dict[str, dict[str, Any]] | None = None, **tables: Any):
    """What a rule finds: rows with parsed `evidence` and `target`.

    Each resource of `use` is still there unless `resources` has None for it; else `resources` adds to its row.
    """
    rule, db = rule_named(name), duckdb.connect()
    make_tables(db)
    insert_rows(db, "use", rows_of_use)
    known = {row["resource"]: {**PLACE, **{key: row[key] for key in PLACE}, "currency": "USD"} for row in rows_of_use}
    for resource, fields in (resources or {}).items():
        if fields is None:
            known.pop(resource, None)
        else:
            known[resource] = {**PLACE, "currency": "USD", **known.get(resource, {}), **fields}
    insert_rows(
        db,
        "resources",
        [{"last_day": LAST_DAY, "tags": "{}", **row, "resource": resource} for resource, row in known.items()],
    )
    for table, rows in tables.items():
        insert_rows(db, table, rows)
    db.execute(f"CREATE TABLE candidates ({', '.join(f'{column} {kind}' for column, kind in FINDING.items())})")
    db.execute(f"INSERT INTO candidates SELECT {', '.join(FINDING)} FROM ({rule.sql})")
    result = db.execute("SELECT * FROM candidates ORDER BY resource, part")
    names = [column[0] for column in result.description]
    return [
        {**row, "evidence": json.loads(row["evidence"]), "target": json.loads(row["target"]), "rule": name}
        for row in (dict(zip(names, values, strict=True)) for values in result.fetchall())
    ]


def saving(findings) -> Decimal | None:
    """The saving of the one finding, in cents."""
    (finding,) = findings
    rule = rule_named(finding["rule"])
    assert rule.explain(finding).endswith("."), "a rule explains each of its findings in a sentence"
    assert all(fix.title and fix.text for fix in rule.fixes(finding))
    return None if finding["saving"] is None else finding["saving"].quantize(Decimal("0.01"))
