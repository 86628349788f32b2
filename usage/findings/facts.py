"""Fills the tables that rules read: from the bills that count, from who owns what, and from what was imported."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from costs.formats.sql import literal
from costs.ingest.postgres_copy import copy_out
from costs.models import DeliveryMonth
from costs.query.tag_keys import tag_keys_of
from finops_site.lib.periods import Month
from finops_site.registry import UnitPriceSource, registry
from usage.calc import charge_facts
from usage.calc.charge_facts import STALE_DAYS, WINDOW_DAYS, same_resource
from usage.calc.environments import production_sql
from usage.calc.facts import FACTS, RESOURCE, make_tables
from usage.calc.identities import speak_as_bills
from usage.models import FactImport
from usage.sources import fact_files

# The tag that says which environment a resource is of; the policy of tags knows its other names.
ENVIRONMENT_TAG = "tag:Environment"
# How far back bills are looked at: the window of the oldest that still counts begins no earlier.
LOOK_BACK_DAYS = STALE_DAYS + WINDOW_DAYS + 31


def fill(db: duckdb.DuckDBPyConnection, as_of: date, scratch: Path) -> None:
    """Makes and fills the tables of `usage.calc.facts` by what is known on a day; `scratch` is a folder to work in."""
    make_tables(db)
    charge_facts.open_charges(db, charge_globs(as_of))
    charge_facts.fill_from_charges(db, as_of)
    _read_owners(db, scratch)
    _fill_resources(db)
    _read_imports(db)
    _read_unread(db)
    speak_as_bills(db)
    _read_prices(db, as_of)


def charge_globs(as_of: date) -> list[str]:
    """The Parquet files of the bills that count and touch the days before `as_of`, each use in one of them.

    Azure's two views of a month state the same use: the amortized one has what covered machines really cost.
    """
    first = str(Month.of(date.fromordinal(as_of.toordinal() - LOOK_BACK_DAYS)).start)
    rows = [
        row
        for row in DeliveryMonth.objects.current().select_related("delivery")
        if any(first <= day <= str(as_of) for day in row.charge_months)
    ]
    amortized = {(row.delivery.source_id, row.billing_month) for row in rows if row.view == "amortized"}
    return [
        row.charges_glob
        for row in rows
        if not (row.view == "actual" and (row.delivery.source_id, row.billing_month) in amortized)
    ]


def _read_owners(db: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    """`owned`: name, tags and team of each resource of the window's months, by its newest and largest sum."""
    span = db.execute("SELECT min(first), max(last) FROM windows WHERE NOT is_stale").fetchone()
    first, last = span if span and span[0] else (date.min, date.min)
    current = (
        "FROM costs_resourcerollup r JOIN costs_deliverymonth m ON m.id = r.delivery_month_id AND m.is_current "
        f"WHERE r.charge_month BETWEEN '{Month.of(first).start}' AND '{last}' AND r.resource <> ''"
    )
    account = "coalesce(nullif(r.sub_account, ''), r.billing_account)"
    copy_out(
        f"SELECT r.provider, {account}, r.region, r.resource, r.resource_name, r.tag_set_id, r.owner_id, "
        f"r.charge_month, coalesce(r.effective_cost, r.billed_cost, 0) {current}",
        scratch / "owners.csv",
    )
    copy_out(
        f"SELECT t.id, t.tags FROM costs_tagset t WHERE t.id IN (SELECT DISTINCT r.tag_set_id {current})",
        scratch / "tags.csv",
    )
    kinds = {
        **RESOURCE,
        **{"name": "VARCHAR", "tag_set": "BIGINT", "owner": "BIGINT", "month": "DATE", "cost": "DOUBLE"},
    }
    db.execute(f"""
        CREATE OR REPLACE TABLE owned AS
        SELECT {", ".join(RESOURCE)}, arg_max(name, (month, cost)) AS name, arg_max(tag_set, (month, cost)) AS tag_set,
        arg_max_null(owner, (month, cost)) AS owner
        FROM {_csv(scratch / "owners.csv", kinds)} GROUP BY ALL;
        CREATE OR REPLACE TABLE tag_sets AS
        SELECT * FROM {_csv(scratch / "tags.csv", {"id": "BIGINT", "tags": "VARCHAR"})};
    """)
    _name_environments(db)


def _name_environments(db: duckdb.DuckDBPyConnection) -> None:
    """`tag_sets` with the environment that each says, as the policy of tags writes its key and its values."""
    meaning = tag_keys_of([ENVIRONMENT_TAG])[ENVIRONMENT_TAG]
    keys = [*meaning.keys, "Environment"]
    values = [f"nullif(lower(trim(json_extract_string(tags, {_path(key)}))), '')" for key in keys]
    db.execute("CREATE OR REPLACE TABLE meanings (written VARCHAR, meant VARCHAR)")
    if meaning.meanings:
        pairs = [(written, meant.lower()) for written, meant in meaning.meanings.items()]
        db.executemany("INSERT INTO meanings VALUES (?, ?)", pairs)
    db.execute(f"""
        CREATE OR REPLACE TABLE tag_sets AS
        SELECT id, tags, environment, {production_sql("environment")} AS is_production
        FROM (
            SELECT t.id, t.tags, coalesce(m.meant, t.written) AS environment
            FROM (SELECT id, tags, coalesce({", ".join(values)}, NULL) AS written FROM tag_sets) t
            LEFT JOIN meanings m USING (written)
        )
    """)


def _fill_resources(db: duckdb.DuckDBPyConnection) -> None:
    db.execute(f"""
        INSERT INTO resources BY NAME
        SELECT t.*, y.resource_type, coalesce(nullif(o.name, ''), t.resource) AS name, s.tags::JSON AS tags,
        s.environment, s.is_production, o.owner
        FROM there t JOIN types y ON {same_resource("y", "t")}
        LEFT JOIN owned o ON {same_resource("o", "t")} LEFT JOIN tag_sets s ON s.id = o.tag_set;
        DROP TABLE owned; DROP TABLE there; DROP TABLE types; DROP TABLE tag_sets;
    """)


# {kind of import: the table it fills, and what parts one of its rows from another}
IMPORTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    FactImport.Kind.METRICS: ("metrics", ("metric",)),
    FactImport.Kind.INVENTORY: ("inventory", ("kind",)),
    FactImport.Kind.ADVICE: ("provider_advice", ("source", "rule", "title")),
}
NEWEST = {"metrics": "last_day DESC NULLS LAST,", "inventory": "", "provider_advice": ""}


def _read_imports(db: duckdb.DuckDBPyConnection) -> None:
    """Metrics, inventory and advice of the imports that count; of two that state the same the newer one."""
    imports = FactImport.objects.filter(state=FactImport.State.CURRENT).exclude(parquet="").order_by("made_at", "pk")
    for kind, (table, more) in IMPORTS.items():
        files = [fact_files.path_here(row.parquet) for row in imports if row.kind == kind]
        reads = [
            f"SELECT {', '.join(FACTS[table])}, {number} AS turn FROM read_parquet({literal(str(path))})"
            for number, path in enumerate(files)
            if path
        ]
        if reads:
            key = ", ".join((*RESOURCE, *more))
            db.execute(f"""
                INSERT INTO {table} BY NAME SELECT * EXCLUDE (turn) FROM ({" UNION ALL ".join(reads)})
                QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {NEWEST[table]} turn DESC) = 1
            """)


def _read_unread(db: duckdb.DuckDBPyConnection) -> None:
    """`unread`: what connections could not list of inventories, so that nothing of it counts as gone."""
    current = FactImport.objects.filter(state=FactImport.State.CURRENT, kind=FactImport.Kind.INVENTORY)
    rows = [tuple(one) for unread in current.values_list("unread", flat=True) for one in unread]
    if rows:
        db.executemany("INSERT INTO unread VALUES (?, ?, ?, ?)", rows)


def _read_prices(db: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """What price lists say on demand, for the regions that bills have; in the currency of the list."""
    places = set(db.execute("SELECT DISTINCT provider, region FROM resources").fetchall())
    names = list(FACTS["prices"])
    columns: list[list[Any]] = [[] for _ in names]
    for source in registry.of(UnitPriceSource):
        for price in source.prices(None, as_of):
            if not price.option and (price.provider, price.region) in places:
                for name, column in zip(names, columns, strict=True):
                    column.append(getattr(price, name))
    if columns[0]:
        unnested = ", ".join(
            f"unnest(${number}::{kind}[])" for number, kind in enumerate(FACTS["prices"].values(), start=1)
        )
        db.execute(f"INSERT INTO prices SELECT {unnested}", columns)


def _csv(path: Path, columns: Mapping[str, str]) -> str:
    return (
        f"read_csv({literal(str(path))}, header = false, auto_detect = false, columns = {json.dumps(dict(columns))}, "
        "delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, max_line_size = 16777216)"
    )


def _path(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return literal(f'$."{escaped}"')
