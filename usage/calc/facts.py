"""The tables that rules of usage read, in DuckDB: what bills, metrics, inventories and price lists state. Pure.

`usage.findings.facts` fills them from what is stored; tests fill them by hand. A rule is one SELECT over them, so a
million resources are judged without a loop. What is not stated is null, and null is never zero: a resource without
metrics has no row in `metrics`, a price that is not loaded has none in `prices`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

MONEY = "DECIMAL(38, 10)"
# Hours of an average month: 365 days * 24 / 12.
MONTH_HOURS = 730

RESOURCE = {"provider": "VARCHAR", "account": "VARCHAR", "region": "VARCHAR", "resource": "VARCHAR"}

FACTS: Mapping[str, Mapping[str, str]] = {
    # What each resource used in the window (the last 30 days that bills know), a row for each kind of use. `provider`
    # is the house's name ("AWS", "Azure", "Google Cloud"; costs.calc.providers). `pricing` is Standard,
    # Committed (a commitment covers it: stopping it saves nothing now), Dynamic (spot) or empty. `cost` is effective
    # and of the window, `monthly_cost` the same for an average month at the pace of the days it was there, both null
    # where the bill has no cost. `hours` are the hours charged, null where the bill is not of hours.
    "use": {
        **RESOURCE,
        "service": "VARCHAR",
        "category": "VARCHAR",
        "usage_type": "VARCHAR",
        "operation": "VARCHAR",
        "sku": "VARCHAR",
        "instance_type": "VARCHAR",
        "description": "VARCHAR",
        "pricing": "VARCHAR",
        "unit": "VARCHAR",
        "currency": "VARCHAR",
        "quantity": MONEY,
        "monthly_quantity": MONEY,
        "cost": MONEY,
        "monthly_cost": MONEY,
        "monthly_list_cost": MONEY,
        "hours": "BIGINT",
        "days": "BIGINT",
        "first_day": "DATE",
        "last_day": "DATE",
    },
    # A row for each resource of `use` that is still there at the end of the window. `monthly_cost` is all of it,
    # `monthly_open_cost` what no commitment covers. `environment` is the policy's tag in lower case, null without one;
    # `is_production` is null where no tag tells.
    "resources": {
        **RESOURCE,
        "name": "VARCHAR",
        "service": "VARCHAR",
        "resource_type": "VARCHAR",
        "instance_type": "VARCHAR",
        "tags": "JSON",
        "environment": "VARCHAR",
        "is_production": "BOOLEAN",
        "owner": "BIGINT",
        "currency": "VARCHAR",
        "monthly_cost": MONEY,
        "monthly_open_cost": MONEY,
        "first_day": "DATE",
        "last_day": "DATE",
    },
    # Hours of the week (0 = Monday 00:00 UTC, 167 = Sunday 23:00) in which a machine ran, of hourly bills alone:
    # `share` is the share of the window's weeks in which it ran in that hour.
    "week_hours": {**RESOURCE, "hour": "BIGINT", "share": "DOUBLE"},
    # What was measured of a resource over the window. Percent are 0 to 100, bytes are bytes, rates are for a second,
    # counts are for a day. `share` is how much of the window has measurements (0 to 1): gaps are no idleness.
    "metrics": {
        **RESOURCE,
        "metric": "VARCHAR",
        "average": "DOUBLE",
        "p95": "DOUBLE",
        "maximum": "DOUBLE",
        "total": "DOUBLE",
        "share": "DOUBLE",
        "days": "BIGINT",
        "last_day": "DATE",
        "source": "VARCHAR",
    },
    # The newest inventory of each account: what is there, in which state, attached to what. `kind` is one of KINDS.
    "inventory": {
        **RESOURCE,
        "kind": "VARCHAR",
        "name": "VARCHAR",
        "state": "VARCHAR",
        "attached_to": "VARCHAR",
        "parent": "VARCHAR",
        "created_day": "DATE",
        "last_used_day": "DATE",
        "size": "DOUBLE",
        "size_unit": "VARCHAR",
        "type": "VARCHAR",
        "attributes": "JSON",
        "seen_day": "DATE",
    },
    # What a connection could not list: of these kinds nothing that is not in `inventory` is gone.
    "unread": {"provider": "VARCHAR", "account": "VARCHAR", "region": "VARCHAR", "kind": "VARCHAR"},
    # On-demand prices: of price lists that are loaded, and what the company's own bill states for others.
    "prices": {
        "provider": "VARCHAR",
        "region": "VARCHAR",
        "service": "VARCHAR",
        "item": "VARCHAR",
        "system": "VARCHAR",
        "unit": "VARCHAR",
        "price": MONEY,
        "currency": "VARCHAR",
        "source": "VARCHAR",
    },
    # Recommendations of the providers themselves, as their exports state them; `rule` is ours where we have the like.
    "provider_advice": {
        **RESOURCE,
        "source": "VARCHAR",
        "rule": "VARCHAR",
        "title": "VARCHAR",
        "target": "JSON",
        "monthly_saving": MONEY,
        "currency": "VARCHAR",
        "effort": "VARCHAR",
        "seen_day": "DATE",
    },
}

# Kinds of things in an inventory.
KINDS = (
    *("machine", "disk", "snapshot", "image", "address", "load_balancer", "nat_gateway", "database", "bucket"),
    *("log_group", "function", "cluster", "workload", "backup", "gateway", "cache", "other"),
)

# Names of `metrics`, and what their figures are; what is measured otherwise (bits, megabytes, shares of one) is
# converted by whoever reads it.
METRICS: Mapping[str, str] = {
    # Of a bucket: how many objects it holds.
    "objects": "objects",
    "cpu": "percent of the cores",
    "memory": "percent of the memory",
    "gpu": "percent of the accelerators",
    "network_in": "bytes a second",
    "network_out": "bytes a second",
    "disk_read_ops": "operations a second",
    "disk_write_ops": "operations a second",
    "disk_read_bytes": "bytes a second",
    "disk_write_bytes": "bytes a second",
    "disk_used": "percent of the size",
    "connections": "open connections",
    # Of a load balancer, an endpoint of a model, a gateway.
    "requests": "requests a day",
    "bytes_processed": "bytes a second",
    # Through a NAT gateway to storage and tables of the same region, by flow logs.
    "bytes_to_storage": "bytes a second",
    # Of a function: `memory_used` is the most of an invocation, `duration` milliseconds of one.
    "invocations": "invocations a day",
    "duration": "milliseconds",
    "memory_used": "bytes",
    "provisioned_invocations": "invocations a day",
    # Of a workload of Kubernetes.
    "cpu_cores_used": "cores",
    "cpu_cores_requested": "cores",
    "memory_bytes_used": "bytes",
    "memory_bytes_requested": "bytes",
    "seats_used": "people",
    # Of a model: how much of what is sent is the same as before, how much is waited for by nobody.
    "tokens_repeated": "percent of the input tokens",
    "tokens_not_urgent": "percent of the tokens",
    # Of a machine type (`resource`) in a region, without an account: how often spot machines were taken back.
    "spot_interruption": "percent a month",
}
# States of an inventory that rules know, whatever the provider calls them. `stopped`: of a machine that keeps its
# place and, at Azure, its price; `deallocated`: that gave it up; `available`: of a disk or an address that is
# attached to nothing. `attached_to` is empty where the inventory states nothing is attached, null where it is silent.
STATES = ("running", "stopped", "deallocated", "available", "in-use")
# `attributes` that rules know: "targets" (load balancer: how many), "iops" and "throughput" (disk), "memory_mb"
# (function), "architecture" ("x86_64", "arm64"), "objects" (bucket: how many). `last_used_day` of a machine is the day
# it was stopped.
# A `type` of a disk is the provider's ("gp2"); `size` is in `size_unit` ("GB").

# What a rule's SELECT returns, in any order; `evidence` and `target` are JSON objects of plain values.
# `saving` is for an average month, at the price really paid and only on what no commitment covers; null where the
# price of the target is not known: the finding is shown, and its saving is unknown, never zero.
# `monthly_cost` is the cost of the `part` that the finding is about: no saving is above it.
FINDING: Mapping[str, str] = {
    **RESOURCE,
    "part": "VARCHAR",
    "monthly_cost": MONEY,
    "saving": MONEY,
    "currency": "VARCHAR",
    "confidence": "VARCHAR",
    "evidence": "JSON",
    "target": "JSON",
}


def make_tables(db: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables of FACTS, empty."""
    for table, columns in FACTS.items():
        db.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")


def insert_rows(db: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Inserts a few rows by name, for tests and small tables; what a row does not name is null."""
    names = list(FACTS[table])
    values: Sequence[Sequence[Any]] = [[row.get(name) for name in names] for row in rows]
    if values:
        db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", values)
