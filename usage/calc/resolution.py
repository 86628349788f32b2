"""How much of each saving counts where several findings are about one resource, in DuckDB. Pure.

Savings count once. On each resource the findings stand in an order that people see: what is mended already, then by
lever (delete, stop, schedule, right-size, modernise, tier, network, spot), then the larger saving. Each counts its
share of what those before it leave of its part of the cost, and nothing where one before it rules it out. What somebody
snoozed or dismissed stands behind all others, so that it takes nothing from what may still be done. A saving that is
not known stays unknown: it counts as nothing, blocks nothing, and is never a zero in a sum.
"""

from collections.abc import Iterable, Mapping

import duckdb

from usage.calc.facts import MONEY, RESOURCE
from usage.calc.rules.base import Rule

# What a finding needs to be resolved, beside RESOURCE: `open_cost` is of the whole resource, what no commitment covers;
# null where bills do not know the resource: then it is the largest cost that a finding states. Where none does, no
# saving is known: nothing would bound it. `standing` is 0 for what is mended, 1 for what is open, 2 for what was set
# aside.
NEEDS: Mapping[str, str] = {
    "key": "VARCHAR",
    **RESOURCE,
    "rule": "VARCHAR",
    "lever": "INTEGER",
    "standing": "INTEGER",
    "part": "VARCHAR",
    "currency": "VARCHAR",
    "monthly_cost": MONEY,
    "saving": MONEY,
    "open_cost": MONEY,
}
# Two findings are about the same cost: the same part of a resource, or one of them about all of it.
_MEETS = "(e.part IN ('', r.part) OR r.part = '')"
# The saving, or its share of what is left: of its part, or of the whole resource where it is about all of it. Rounded
# down, so that no sum exceeds what it is of.
_DOWN = f"CAST(floor({{}} * 1e10) / 1e10 AS {MONEY})"
_COUNTED = f"""CASE WHEN e.key IS NULL OR (r.part <> '' AND e.remains = 1) THEN r.saving
    WHEN r.part = '' AND r.share IS NOT NULL
        THEN {_DOWN.format("r.share * greatest(0, r.monthly_cost - e.taken)::DOUBLE")}
    ELSE {_DOWN.format("r.saving::DOUBLE * greatest(0, e.remains)")} END"""


def resolve(db: duckdb.DuckDBPyConnection, rules: Iterable[Rule], table: str = "candidates") -> None:
    """Makes `resolved` (key, counted, after_key, place) of a table with the columns of NEEDS.

    The sum of `counted` of a resource is never above its open cost, and none is negative. `place` is its number in the
    order, from 1; `after_key` the last finding before it that took something from it, or ruled it out.
    """
    _write_exclusions(db, rules)
    _rank(db, table)
    (most,) = db.execute("SELECT coalesce(max(place), 0) FROM ranked").fetchone() or (0,)
    db.execute(f"""
        CREATE OR REPLACE TABLE resolved (key VARCHAR, resource_number BIGINT, place INTEGER, rule VARCHAR,
        part VARCHAR, share DOUBLE, counted {MONEY}, after_key VARCHAR)
    """)
    for place in range(1, most + 1):
        _resolve_place(db, place)
    db.execute("DROP TABLE ranked; DROP TABLE exclusions")


def _write_exclusions(db: duckdb.DuckDBPyConnection, rules: Iterable[Rule]) -> None:
    """Both ways: who names whom makes no difference."""
    pairs = {pair for rule in rules for other in rule.excludes for pair in ((rule.name, other), (other, rule.name))}
    db.execute("CREATE OR REPLACE TABLE exclusions (one VARCHAR, other VARCHAR)")
    if pairs:
        db.executemany("INSERT INTO exclusions VALUES (?, ?)", sorted(pairs))


def _rank(db: duckdb.DuckDBPyConnection, table: str) -> None:
    """`ranked`: the findings of each resource in their order, with what it costs; in one currency at a time."""
    same = ", ".join((*RESOURCE, "currency"))
    db.execute(f"""
        CREATE OR REPLACE TABLE ranked AS
        SELECT key, dense_rank() OVER (ORDER BY {same}) AS resource_number,
        CAST(row_number() OVER (PARTITION BY {same}
            ORDER BY standing, lever, saving DESC NULLS LAST, rule, part, key) AS INTEGER) AS place,
        rule, part, CASE WHEN most IS NOT NULL THEN saving END AS saving, monthly_cost, CASE WHEN monthly_cost > 0 THEN
            least(1, saving::DOUBLE / monthly_cost::DOUBLE) END AS share,
        greatest(0, coalesce(most, 0)) AS open_cost
        FROM (SELECT *, coalesce(open_cost, max(monthly_cost) OVER (PARTITION BY {same})) AS most FROM {table})
    """)


def _resolve_place(db: duckdb.DuckDBPyConnection, place: int) -> None:
    """What counts of those that are number `place` on their resource; those before them are in `resolved`."""
    db.execute(f"""
        INSERT INTO resolved
        WITH earlier AS (
            SELECT r.key, sum(e.counted) AS taken,
            coalesce(product(1 - e.share) FILTER (e.part IN ('', r.part)), 1) AS remains,
            bool_or(x.one IS NOT NULL AND {_MEETS}) AS is_out,
            arg_max(e.key, e.place) FILTER ({_MEETS}) AS before,
            arg_max(e.key, e.place) FILTER (x.one IS NOT NULL AND {_MEETS}) AS ruled_out_by
            FROM ranked r JOIN resolved e ON e.resource_number = r.resource_number AND e.counted > 0
            LEFT JOIN exclusions x ON x.one = r.rule AND x.other = e.rule
            WHERE r.place = {place} GROUP BY r.key
        )
        SELECT r.key, r.resource_number, r.place, r.rule, r.part, coalesce(r.share, 0),
        CASE WHEN r.saving IS NULL THEN NULL WHEN coalesce(e.is_out, false) THEN 0
            ELSE greatest(0, least({_COUNTED}, r.open_cost - coalesce(e.taken, 0))) END,
        CASE WHEN r.saving IS NOT NULL THEN coalesce(e.ruled_out_by, e.before) END
        FROM ranked r LEFT JOIN earlier e USING (key) WHERE r.place = {place}
    """)
