"""What bills state of each resource: `use`, `resources`, `week_hours` and the bill's own `prices`, in DuckDB. Pure.

Everything is one statement over a view `charges` of the Parquet files that count; no row passes through Python. Each
payer of a provider has a window of its own, for bills arrive when they arrive: the last 30 days that its bill knows.
"""

from collections.abc import Sequence
from datetime import date

import duckdb

from costs.calc.providers import provider_sql
from costs.charges.build_cost_lines import shown
from costs.formats.base import CHARGE_COLUMNS, CHARGES_TABLE
from costs.formats.sql import STORED, literal, quoted
from usage.calc.facts import MONEY, MONTH_HOURS, RESOURCE

WINDOW_DAYS = 30
# A bill that ends longer ago says nothing of today: monthly bills come until the middle of the next month.
STALE_DAYS = 45
# What rests at weekends and on a holiday is still there; what lived for an hour is not.
MOST_RESTING_DAYS = 4

_SQL_TYPES = {"text": "VARCHAR", "money": STORED, "number": STORED, "moment": "TIMESTAMP", "tags": "VARCHAR"}
SAME = " AND ".join(f"{{one}}.{name} = {{other}}.{name}" for name in RESOURCE)
ACCOUNT = "coalesce(nullif(SubAccountId, ''), BillingAccountId, '')"
_END = "coalesce(ChargePeriodEnd, ChargePeriodStart + INTERVAL 1 DAY)"
_SIZE = "(?:nano|micro|small|medium|large|metal|[0-9]*xlarge)(?:-[a-z]+)?"
_TYPE = rf"\b((?:db[.]|cache[.]|ml[.])?[a-z][a-z0-9-]*[.]{_SIZE})\b"
_HOURS = "regexp_matches(lower(coalesce(ConsumedUnit, PricingUnit, '')), '^h(ou)?rs?$|hour|hrs')"

# {column of `use`: (SQL of the charge, how many characters cost lines keep)}
TEXTS = {
    "region": ("RegionId", 200),
    "resource": ("ResourceId", 2000),
    "service": ("ServiceName", 300),
    "category": ("ServiceCategory", 200),
    "usage_type": ("x_UsageType", 300),
    "operation": ("x_Operation", 300),
    "sku": ("SkuId", 300),
    "instance_type": ("x_InstanceType", 100),
    "description": ("ChargeDescription", 1000),
    "resource_type": ("ResourceType", 300),
    "currency": ("BillingCurrency", 10),
}


def same_resource(one: str, other: str) -> str:
    """SQL that is true where two tables speak of the same resource."""
    return SAME.format(one=one, other=other)


def open_charges(db: duckdb.DuckDBPyConnection, globs: Sequence[str]) -> None:
    """Makes the view `charges` of these Parquet files; charges from before a column existed have nothing in it."""
    columns = {name: _SQL_TYPES[kind] for name, kind in CHARGE_COLUMNS.items()} | {"x_Problem": "VARCHAR"}
    nothing = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in columns.items())
    files = ", ".join(literal(pattern) for pattern in globs)
    stored = f"SELECT * FROM read_parquet([{files}], union_by_name = true) UNION ALL BY NAME" if globs else ""
    db.execute(f"CREATE OR REPLACE VIEW {CHARGES_TABLE} AS {stored} SELECT {nothing} WHERE false")


def fill_from_charges(db: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Fills `use`, `week_hours`, the bill's `prices` and `there` (the resources, without what bills do not know).

    Also makes `windows`: provider, payer, first and last day, and whether its bill is too old to judge by.
    """
    _find_windows(db, as_of)
    _sum_charges(db)
    _fill_use(db)
    _fill_there(db)
    _fill_week_hours(db)
    _fill_prices(db)
    db.execute("DROP TABLE sums")


def _find_windows(db: duckdb.DuckDBPyConnection, as_of: date) -> None:
    day = f"DATE {literal(str(as_of))}"
    db.execute(f"""
        CREATE OR REPLACE TABLE windows AS
        SELECT ProviderName AS written, {provider_sql("coalesce(ProviderName, '')")} AS provider, payer,
        last - {WINDOW_DAYS - 1} AS first, last, last < {day} - {STALE_DAYS} AS is_stale
        FROM (
            SELECT ProviderName, coalesce(BillingAccountId, '') AS payer,
            least(max(({_END} - INTERVAL 1 MICROSECOND)::DATE), {day}) AS last
            FROM {CHARGES_TABLE}
            WHERE x_Problem IS NULL AND ChargeCategory = 'Usage' AND ChargePeriodStart < {day} + INTERVAL 1 DAY
            GROUP BY ALL
        )
    """)


def _sum_charges(db: duckdb.DuckDBPyConnection) -> None:
    """`sums`: a row for each resource and kind of use in its window, with the texts as cost lines have them.

    Of a charge for longer than a day, such as a month, the days within the window count. Fees, taxes, credits and what
    commitments left unused are no use of a resource.
    """
    texts = ", ".join(f"{sql} AS {name}" for name, (sql, _width) in TEXTS.items())
    cost = "coalesce(EffectiveCost, BilledCost)"
    amounts = {
        "quantity": "coalesce(ConsumedQuantity, PricingQuantity)",
        "cost": cost,
        "list_cost": "ListCost",
    }
    parts = ", ".join(
        f"sum(CASE WHEN NOT is_long THEN {name} END) AS {name}, "
        f"sum(CASE WHEN is_long THEN {name}::DOUBLE * inside / whole END) AS long_{name}"
        for name in amounts
    )
    shown_texts = ", ".join(f"{shown(name, width)} AS {name}" for name, (_sql, width) in TEXTS.items())
    db.execute(f"""
        CREATE OR REPLACE TABLE sums AS
        SELECT provider, left(account, 200) AS account, {shown_texts}, pricing, unit, is_hours,
        {", ".join(_money(f"coalesce({n} + coalesce(long_{n}, 0), long_{n})") + f" AS {n}" for n in amounts)},
        price, bit_count(mask) AS days, first_day, last_day, window_last
        FROM (
            SELECT provider, account, {", ".join(TEXTS)}, pricing, unit, is_hours, {parts}, max(price) AS price,
            bit_or(((1::BIGINT << inside) - 1) << (first_day - window_first)) AS mask,
            min(first_day) AS first_day, max(last_day) AS last_day, max(window_last) AS window_last
            FROM (
                SELECT *, (last_day - first_day + 1)::INTEGER AS inside, whole > 1 AS is_long
                FROM (
                    SELECT w.provider, {ACCOUNT} AS account, {texts},
                    CASE WHEN PricingCategory = 'Dynamic' THEN 'Dynamic'
                        WHEN PricingCategory = 'Committed' OR CommitmentDiscountId <> '' THEN 'Committed'
                        ELSE coalesce(PricingCategory, '') END AS pricing,
                    coalesce(ConsumedUnit, PricingUnit, '') AS unit, {_HOURS} AS is_hours,
                    {", ".join(f"{sql} AS {name}" for name, sql in amounts.items())},
                    CASE WHEN ListUnitPrice > 0 THEN ListUnitPrice END AS price,
                    greatest(ChargePeriodStart::DATE, w.first) AS first_day,
                    least(({_END} - INTERVAL 1 MICROSECOND)::DATE, w.last) AS last_day,
                    greatest(1, ({_END} - INTERVAL 1 MICROSECOND)::DATE - ChargePeriodStart::DATE + 1) AS whole,
                    w.first AS window_first, w.last AS window_last
                    FROM {CHARGES_TABLE} c JOIN windows w ON w.payer = coalesce(c.BillingAccountId, '')
                        AND w.written IS NOT DISTINCT FROM c.ProviderName AND NOT w.is_stale
                    WHERE x_Problem IS NULL AND ChargeCategory = 'Usage' AND ResourceId <> ''
                    AND coalesce(CommitmentDiscountStatus, '') <> 'Unused'
                    AND ChargePeriodStart < w.last + INTERVAL 1 DAY AND {_END} > w.first
                ) WHERE last_day >= first_day
            ) GROUP BY ALL
        )
    """)


def _fill_use(db: duckdb.DuckDBPyConnection) -> None:
    """`use`, and `spans`: from when until when each resource was there, and the days by which its pace is counted."""
    rests = f"least({MOST_RESTING_DAYS}, greatest(1, (last_day - first_day) // 4))::INTEGER"
    db.execute(f"""
        CREATE OR REPLACE TABLE spans AS
        SELECT *, CASE WHEN is_there THEN window_last ELSE last_day END - first_day + 1 AS span_days
        FROM (
            SELECT *, last_day >= window_last - {rests} AS is_there FROM (
                SELECT {", ".join(RESOURCE)}, min(first_day) AS first_day, max(last_day) AS last_day,
                max(window_last) AS window_last
                FROM sums GROUP BY ALL
            )
        )
    """)
    month = f"{MONTH_HOURS} / (24.0 * p.span_days)"
    instance_type = f"""coalesce(nullif(instance_type, ''), nullif(regexp_extract(usage_type, {literal(_TYPE)}, 1), ''),
        CASE WHEN is_hours THEN nullif(regexp_extract(description, {literal(_TYPE)}, 1), '') END, '')"""
    db.execute(f"""
        INSERT INTO use BY NAME
        SELECT {", ".join(f"s.{name}" for name in RESOURCE)}, service, category, usage_type, operation, sku,
        {instance_type} AS instance_type, description, pricing, unit, currency, quantity,
        {_money(f"quantity::DOUBLE * {month}")} AS monthly_quantity, cost,
        {_money(f"cost::DOUBLE * {month}")} AS monthly_cost,
        {_money(f"list_cost::DOUBLE * {month}")} AS monthly_list_cost,
        CASE WHEN is_hours THEN round(quantity)::BIGINT END AS hours, days, s.first_day, s.last_day
        FROM sums s JOIN spans p ON {same_resource("s", "p")}
    """)


def _fill_there(db: duckdb.DuckDBPyConnection) -> None:
    """`there`: what the bill alone knows of each resource that is still there, in the currency of most of its cost."""
    db.execute(f"""
        CREATE OR REPLACE TABLE there AS
        WITH sums_of AS (
            SELECT {", ".join(f"s.{name}" for name in RESOURCE)}, s.currency,
            sum(s.monthly_cost) AS monthly_cost,
            CASE WHEN count(s.monthly_cost) > 0 THEN
                coalesce(sum(s.monthly_cost) FILTER (s.pricing <> 'Committed'), 0) END AS monthly_open_cost,
            arg_max(s.service, coalesce(s.monthly_cost, 0)) AS service,
            arg_max(s.instance_type, coalesce(s.monthly_cost, 0)) FILTER (s.instance_type <> '') AS instance_type,
            min(p.first_day) AS first_day, max(p.last_day) AS last_day
            FROM use s JOIN spans p ON {same_resource("s", "p")} AND p.is_there
            GROUP BY ALL
        )
        SELECT * FROM sums_of
        QUALIFY row_number() OVER (PARTITION BY {", ".join(RESOURCE)}
            ORDER BY monthly_cost DESC NULLS LAST, currency) = 1;
        CREATE OR REPLACE TABLE types AS
        SELECT {", ".join(RESOURCE)}, max(resource_type) AS resource_type FROM sums GROUP BY ALL;
    """)


def _fill_week_hours(db: duckdb.DuckDBPyConnection) -> None:
    """Of bills by the hour: in which hours of the week each machine ran, as a share of the weeks of its window.

    A machine that was started within the window is judged by the weeks since then.
    """
    start = "c.ChargePeriodStart"
    db.execute(f"""
        INSERT INTO week_hours BY NAME
        SELECT {", ".join(f"h.{name}" for name in RESOURCE)}, hour,
        least(1, ran * 7.0 / greatest(7, p.span_days)) AS share
        FROM (
            SELECT w.provider, left({ACCOUNT}, 200) AS account, {shown("RegionId", 200)} AS region,
            {shown("ResourceId", 2000)} AS resource, (isodow({start}) - 1) * 24 + hour({start}) AS hour,
            count(DISTINCT {start}::DATE) AS ran
            FROM {CHARGES_TABLE} c JOIN windows w ON w.payer = coalesce(c.BillingAccountId, '')
                AND w.written IS NOT DISTINCT FROM c.ProviderName AND NOT w.is_stale
            WHERE x_Problem IS NULL AND ChargeCategory = 'Usage' AND ResourceId <> '' AND {_HOURS}
            AND ServiceCategory IN ('Compute', 'Databases', 'AI and Machine Learning', 'Analytics')
            AND {_END} <= {start} + INTERVAL 1 HOUR AND coalesce(ConsumedQuantity, PricingQuantity) > 0
            AND {start} >= w.first AND {start} < w.last + INTERVAL 1 DAY
            GROUP BY ALL
        ) h JOIN spans p ON {same_resource("h", "p")} AND p.is_there
    """)


def _fill_prices(db: duckdb.DuckDBPyConnection) -> None:
    """What the bill itself states as list prices: of machines by their type, of the rest by what bills call the use."""
    system = """CASE WHEN regexp_matches(lower(description || ' ' || operation), 'windows|runinstances:0002')
        THEN 'Windows' WHEN lower(description) LIKE '%linux%' OR operation = 'RunInstances' THEN 'Linux' ELSE '' END"""
    db.execute(f"""
        INSERT INTO prices BY NAME
        SELECT provider, region, service, item, system, unit, {_money("max(price)")} AS price, currency,
        'bill' AS source
        FROM (
            SELECT s.provider, s.region, s.service, s.unit, s.currency, s.price, {system} AS system,
            coalesce(nullif(s.instance_type, ''), nullif(regexp_extract(s.usage_type, {literal(_TYPE)}, 1), ''),
                nullif(s.usage_type, ''), nullif(s.sku, '')) AS item
            FROM sums s WHERE s.price IS NOT NULL AND s.pricing IN ('Standard', '')
        ) WHERE item IS NOT NULL GROUP BY ALL
    """)


def _money(sql: str) -> str:
    return f"CAST({sql} AS {MONEY})"
