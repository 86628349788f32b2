"""One name for a resource: metrics, inventories and advice speak of it as bills do, in DuckDB. Pure.

An inventory has ``i-0abc`` where a bill has an ARN, another case of letters, no region, or the account in which a
shared resource was made and not the one that pays. What fits more than one resource of the bills stays as it is.
"""

import duckdb

from usage.calc.charge_facts import same_resource
from usage.calc.facts import RESOURCE

# {table: (what parts its rows of one resource from one another, which of several rows counts)}
SPOKEN = {
    "metrics": (("metric",), "last_day DESC NULLS LAST, share DESC NULLS LAST"),
    "inventory": (("kind",), "seen_day DESC NULLS LAST"),
    "provider_advice": (("source", "rule", "title"), "seen_day DESC NULLS LAST"),
}
# Ids that no two accounts have: ``i-0abc12345``, ``vol-…``; and addresses that name the account themselves.
_UNIQUE = (
    r"^(i|vol|snap|ami|eni|nat|eipalloc|vpce|vpc|tgw|fs|mi)-[0-9a-f]{8,}$"
    r"|^arn:[^:]*:[^:]*:[^:]*:[0-9]+:|^/subscriptions/"
)


def short(sql: str) -> str:
    """The last part of an address, in small letters: ``i-0abc`` of an ARN, a name of an Azure address."""
    return f"regexp_extract(lower({sql}), '[^/:]+$')"


def speak_as_bills(db: duckdb.DuckDBPyConnection) -> None:
    """Renames resources of SPOKEN that `resources` has by another name; where that makes two rows the newer counts."""
    names = ", ".join(RESOURCE)
    db.execute(f"""
        CREATE OR REPLACE TABLE billed AS
        SELECT {names}, {short("resource")} AS short, {short("account")} AS short_account FROM resources
    """)
    for table, (more, order) in SPOKEN.items():
        db.execute(f"""
            CREATE OR REPLACE TABLE other_names AS
            SELECT s.{", s.".join(RESOURCE)}, {", ".join(f"b.{name} AS own_{name}" for name in RESOURCE)}
            FROM (SELECT DISTINCT {names} FROM {table} t ANTI JOIN resources r ON {same_resource("t", "r")}) s
            JOIN billed b ON b.provider = s.provider AND b.short = {short("s.resource")} AND b.short <> ''
            WHERE {_LEVEL} IS NOT NULL
            QUALIFY rank() OVER (PARTITION BY {", ".join(f"s.{name}" for name in RESOURCE)} ORDER BY {_LEVEL}) = 1
            AND count(*) OVER (PARTITION BY {", ".join(f"s.{name}" for name in RESOURCE)}, {_LEVEL}) = 1
        """)
        key = ", ".join((*RESOURCE, *more))
        db.execute(f"""
            UPDATE {table} SET {", ".join(f"{name} = o.own_{name}" for name in RESOURCE)}
            FROM other_names o WHERE {same_resource("o", table)};
            CREATE OR REPLACE TEMP TABLE renamed AS SELECT * FROM {table}
            QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {order}) = 1;
            DELETE FROM {table};
            INSERT INTO {table} SELECT * FROM renamed;
            DROP TABLE renamed;
            DROP TABLE other_names;
        """)
    db.execute("DROP TABLE billed")


_SAME_ACCOUNT = f"(b.short_account = {short('s.account')} OR s.account = '')"
_SAME_REGION = "(lower(b.region) = lower(s.region) OR s.region = '' OR b.region = '')"
# How surely the two are one: 1 to 4; null where they need not be.
_LEVEL = f"""CASE
    WHEN lower(b.resource) = lower(s.resource) AND {_SAME_ACCOUNT} AND {_SAME_REGION} THEN 1
    WHEN {_SAME_ACCOUNT} AND {_SAME_REGION} THEN 2
    WHEN lower(b.resource) = lower(s.resource) AND {_SAME_ACCOUNT} THEN 3
    WHEN regexp_matches(lower(s.resource), '{_UNIQUE}')
        AND (lower(b.resource) = lower(s.resource) OR regexp_matches(b.short, '{_UNIQUE}')) THEN 4 END"""
