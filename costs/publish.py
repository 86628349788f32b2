"""From charges to cost lines: summed, tag sets named, owners named, copied to PostgreSQL, rolled up."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
from django.db import connection, transaction

from costs import partitions
from costs.charges import MonthOfCharges, Sums
from costs.formats.base import METRICS, NO_NUL, literal, tags
from costs.models import CostLine, DayRollup, Delivery, DeliveryMonth, MonthRollup
from costs.owners import SIGNATURE, OwnerRule, boundaries, cut_sql, first_match_sql
from costs.signals import delivery_loaded
from finops_site.money import exact_text

logger = logging.getLogger(__name__)

CHUNK = 1 << 20

# Cost line column -> charge column, and how many characters the line keeps.
DIMENSIONS = {
    "provider": ("ProviderName", 200),
    "billing_account": ("BillingAccountId", 200),
    "sub_account": ("SubAccountId", 200),
    "service": ("ServiceName", 300),
    "service_category": ("ServiceCategory", 200),
    "region": ("RegionId", 200),
    "resource": ("ResourceId", 2000),
    "instance_type": ("x_InstanceType", 100),
    "charge_category": ("ChargeCategory", 40),
    "charge_class": ("ChargeClass", 40),
    "pricing_category": ("PricingCategory", 40),
    "commitment": ("CommitmentDiscountId", 1000),
    "commitment_status": ("CommitmentDiscountStatus", 40),
    "currency": ("BillingCurrency", 10),
    "unit": ("ConsumedUnit", 100),
}
# Follow from the dimensions; where the charges of a line disagree, the line says nothing (sku) or one of them (names).
DESCRIPTIONS = {"resource_name": ("ResourceName", 1000), "resource_type": ("ResourceType", 300)}
UNANIMOUS = {"sku": ("SkuId", 300), "charge_description": ("ChargeDescription", 1000)}
AMOUNTS = dict(zip(("billed_cost", "effective_cost", "list_cost", "contracted_cost"), METRICS, strict=True))
# Drop-downs, and the charge column that holds what people call the value.
LABELLED = {
    "provider": None,
    "billing_account": "BillingAccountName",
    "sub_account": "SubAccountName",
    "service": "x_ServiceTitle",
    "service_category": None,
    "region": "RegionName",
    "charge_category": None,
    "currency": None,
}


class BooksDiffer(AssertionError):
    """Two layers of the same month do not sum to the same; the month is not published."""


class Lines:
    """The cost lines of one month while they are still in DuckDB: what `delivery_loaded` hands to its receivers.

    Tables: `tag_sets` (each distinct tag map), `lines` (a row for each cost line), `signatures` (each distinct thing an
    owner is decided for) with `owner` or `pool`, and `owner_rule`.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, charges: str) -> None:
        self.db = db
        self.charges = f"(SELECT * FROM read_parquet({literal(charges)}) WHERE x_Problem IS NULL)"
        self.cut = "0"

    def gather(self) -> None:
        self.db.execute(f"CREATE OR REPLACE TEMP TABLE sums AS {self._sums()}")
        self._gather_tag_sets()
        texts = {**DIMENSIONS, **DESCRIPTIONS, **UNANIMOUS}
        kept = ", ".join(f"{shown(column, width)} AS {name}" for name, (column, width) in texts.items())
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE lines AS
            SELECT charge_date, t.tag_set, {kept}, {", ".join(AMOUNTS)}, quantity, charges
            FROM sums c JOIN tag_sets t ON c.Tags IS NOT DISTINCT FROM t.said
        """)
        self.db.execute("DROP TABLE sums")
        self._gather_signatures(())

    def _sums(self) -> str:
        """The grain of a cost line is every one of DIMENSIONS, the charge day and the tags.

        Texts are summed over as delivered and made fit for PostgreSQL afterwards: there are far fewer of them then.
        """
        grain = [column for column, _ in DIMENSIONS.values()]
        said = [f"max({column}) AS {column}" for column, _ in DESCRIPTIONS.values()]
        agreed = [f"CASE WHEN min({c}) = max({c}) THEN min({c}) END AS {c}" for c, _ in UNANIMOUS.values()]
        sums = [f"sum({column}) AS {name}" for name, column in AMOUNTS.items()]
        return f"""
            SELECT ChargePeriodStart::DATE AS charge_date, Tags, {", ".join([*grain, *said, *agreed, *sums])},
            sum(coalesce(ConsumedQuantity, PricingQuantity)) AS quantity, count(*) AS charges
            FROM {self.charges} GROUP BY ALL
        """

    def _gather_tag_sets(self) -> None:
        """`said` is the text as delivered, `raw` the map it tells (null when it tells none), `json` its canonical text,
        `folded` has small keys (the first one wins).
        """
        entries = "map_entries(coalesce(raw, MAP {}))"
        clean = f"list_transform({entries}, lambda e: {{'k': {_no_nul('e.key')}, 'v': {_no_nul('e.value')}}})"
        lowered = "list_transform(pairs, lambda e: {'k': lower(e.k), 'v': e.v})"
        earlier = f"list_transform(({lowered})[:i - 1], lambda other: other.k)"
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE tag_sets AS
            SELECT said, raw, json, md5(json) AS fingerprint, folded, dense_rank() OVER (ORDER BY md5(json)) AS tag_set
            FROM (
                SELECT said, raw, CAST(to_json(map_from_entries(list_sort(pairs))) AS VARCHAR) AS json,
                map_from_entries(list_filter({lowered}, lambda e, i: NOT list_contains({earlier}, e.k))) AS folded
                FROM (SELECT *, {clean} AS pairs FROM (
                    SELECT said, {tags("said")} AS raw FROM (SELECT DISTINCT Tags AS said FROM sums)))
            )
        """)

    def _gather_signatures(self, days: Sequence[date]) -> None:
        """Each distinct thing to decide for; twice only where one of `days` falls between its lines."""
        self.cut = cut_sql(self._within(days), "charge_date")
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE signatures AS
            SELECT {", ".join(SIGNATURE)}, {self.cut} AS cut, min(charge_date) AS day,
            NULL::BIGINT AS owner, NULL::BIGINT AS pool, '' AS owner_rule FROM lines GROUP BY ALL
        """)

    def _within(self, days: Sequence[date]) -> list[date]:
        found = self.db.execute("SELECT min(charge_date), max(charge_date) FROM lines").fetchone()
        first, last = found or (None, None)
        return [day for day in days if first and last and first < day <= last]

    def own(self, rules: Sequence[OwnerRule]) -> None:
        """Names the owner of every signature: the team or the pool of the first rule that matches, else nobody."""
        self._gather_signatures(boundaries(rules))
        teams = ", ".join("NULL" if rule.team is None else str(rule.team) for rule in rules)
        pools = ", ".join("NULL" if rule.pool is None else str(rule.pool) for rule in rules)
        labels = ", ".join(literal(rule.label) for rule in rules)
        self.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE signatures AS
            SELECT * EXCLUDE (first_match, owner, pool, owner_rule),
            ([{teams}]::BIGINT[])[first_match + 1] AS owner, ([{pools}]::BIGINT[])[first_match + 1] AS pool,
            coalesce(([{labels}]::VARCHAR[])[first_match + 1], '') AS owner_rule
            FROM (SELECT s.*, {first_match_sql(rules)} AS first_match
                FROM signatures s JOIN (SELECT tag_set, any_value(folded) AS folded FROM tag_sets GROUP BY 1) t
                USING (tag_set))
        """)

    def __len__(self) -> int:
        row = self.db.execute("SELECT count(*) FROM lines").fetchone()
        return int(row[0]) if row else 0


def shown(column: str, width: int) -> str:
    """A text as a line keeps it: never null, no NUL byte (PostgreSQL has none), cut to the column's width."""
    return f"left({_no_nul(f'coalesce(c.{column}, {chr(39) * 2})')}, {width})"


def _no_nul(sql: str) -> str:
    return f"replace({sql}, chr(0), '{NO_NUL}')"


def publish(
    db: duckdb.DuckDBPyConnection, delivery: Delivery, month: MonthOfCharges, *, scratch: Path
) -> DeliveryMonth:
    """Copies a month's charges to cost lines that nobody sees yet; raises BooksDiffer unless all layers sum alike."""
    row = DeliveryMonth.objects.create(
        delivery=delivery,
        billing_month=month.billing_month,
        charges=month.rows,
        view=month.view,
        charge_months=[day.isoformat() for day in month.charge_months],
        totals=as_text(month.totals),
    )
    lines = Lines(db, str(month.folder / "*.parquet"))
    lines.gather()
    delivery_loaded.send(sender=Delivery, delivery=delivery, lines=lines)
    partitions.ensure(month.charge_months)
    with transaction.atomic():
        _copy_lines(lines, row, scratch)
        partitions.analyze(month.charge_months)
        roll_up(row)
        _copy_dimensions(db, lines, scratch)
    row.lines = len(lines)
    row.save(update_fields=["lines"])
    check(row)
    return row


def _copy_lines(lines: Lines, row: DeliveryMonth, scratch: Path) -> None:
    db = lines.db
    tag_ids = _name_tag_sets(db, scratch)
    own = " AND ".join([*(f"l.{name} = s.{name}" for name in SIGNATURE), "l.cut = s.cut"])
    columns = [*DIMENSIONS, *DESCRIPTIONS, *UNANIMOUS, *AMOUNTS, "quantity", "charges", "charge_date"]
    select = f"""
        SELECT {row.pk}, DATE '{row.billing_month}', i.id, s.owner, s.pool, s.owner_rule,
        {", ".join(f"l.{c}" for c in columns)}
        FROM (SELECT *, {lines.cut} AS cut FROM lines) l JOIN signatures s ON {own}
        JOIN {tag_ids} i ON i.tag_set = l.tag_set
        -- In the order of the index that most pages read: it grows at one end, and a page's lines lie side by side.
        ORDER BY l.charge_date
    """
    names = ["delivery_month_id", "billing_month", "tag_set_id", "owner_id", "pool_id", "owner_rule", *columns]
    _copy(db, select, CostLine._meta.db_table, names, scratch / "lines.csv")


def _name_tag_sets(db: duckdb.DuckDBPyConnection, scratch: Path) -> str:
    """Gives every distinct tag map its row in PostgreSQL; returns the DuckDB table {tag_set, id}."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE tag_sets_in (fingerprint text, tags jsonb)")
    distinct = "SELECT fingerprint, any_value(json) FROM tag_sets GROUP BY 1"
    _copy(db, distinct, "tag_sets_in", ["fingerprint", "tags"], scratch / "tags.csv")
    ids = scratch / "tag_ids.csv"
    with connection.cursor() as cursor:
        # Ordered, so that two loads that bring the same new tag sets cannot wait for each other in a circle.
        cursor.execute(
            "INSERT INTO costs_tagset (fingerprint, tags, virtual) "
            "SELECT fingerprint, tags, '{}' FROM tag_sets_in ORDER BY 1 "
            "ON CONFLICT (fingerprint) DO NOTHING"
        )
        with (
            ids.open("wb") as out,
            cursor.copy(
                "COPY (SELECT t.fingerprint, t.id FROM costs_tagset t JOIN tag_sets_in USING (fingerprint)) "
                "TO STDOUT (FORMAT csv)"
            ) as copy,
        ):
            for block in copy:
                out.write(block)
        cursor.execute("DROP TABLE tag_sets_in")
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE tag_ids AS SELECT DISTINCT t.tag_set, f.id FROM tag_sets t
        JOIN read_csv({literal(str(ids))}, header = false, auto_detect = false,
            columns = {{'fingerprint': 'VARCHAR', 'id': 'BIGINT'}}) f USING (fingerprint)
    """)
    return "tag_ids"


def _copy(db: duckdb.DuckDBPyConnection, select: str, table: str, columns: Sequence[str], path: Path) -> None:
    """Streams a DuckDB query into a PostgreSQL table by COPY; nothing passes through Python but bytes."""
    db.execute(f"COPY ({select}) TO {literal(str(path))} (FORMAT csv, HEADER false)")
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, path.open("rb") as stream, cursor.copy(statement) as copy:
        while block := stream.read(CHUNK):
            copy.write(block)
    path.unlink()


def _copy_dimensions(db: duckdb.DuckDBPyConnection, lines: Lines, scratch: Path) -> None:
    """Adds the values that are new to the drop-downs."""
    selects = [_labelled(lines, name, column) for name, column in LABELLED.items()]
    selects.append(
        "SELECT DISTINCT 'tag', k, k FROM (SELECT unnest(map_keys(coalesce(raw, MAP {}))) AS k FROM tag_sets)"
    )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE dimensions_in (name text, value text, label text)")
    columns = f"n, left({_no_nul('v')}, 2000), left({_no_nul('l')}, 2000)"
    select = f"SELECT {columns} FROM ({' UNION ALL '.join(selects)}) d(n, v, l)"
    _copy(db, select, "dimensions_in", ["name", "value", "label"], scratch / "dimensions.csv")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO costs_dimension (name, value, label) SELECT name, value, max(label) FROM dimensions_in "
            "WHERE value <> '' GROUP BY 1, 2 ORDER BY 1, 2 "
            "ON CONFLICT (name, value) DO UPDATE SET label = excluded.label "
            "WHERE excluded.label <> '' AND costs_dimension.label <> excluded.label"
        )
        cursor.execute("DROP TABLE dimensions_in")


def _labelled(lines: Lines, name: str, label: str | None) -> str:
    if label is None:
        return f"SELECT DISTINCT '{name}', {name}, '' FROM lines"
    column, width = DIMENSIONS[name]
    # Grouped as delivered, and made fit for PostgreSQL afterwards: there are far fewer of them then.
    called = f"SELECT {column}, max(coalesce({label}, '')) AS label FROM {lines.charges} GROUP BY {column}"
    return f"SELECT '{name}', {shown(column, width)} AS v, max(label) FROM ({called}) c GROUP BY v"


SHARED = (
    "delivery_month_id, billing_month, provider, billing_account, sub_account, service, charge_category, "
    "owner_id, pool_id, currency"
)
SUMS = "sum(billed_cost), sum(effective_cost), sum(list_cost), sum(contracted_cost), sum(charges)"
SUMMED = "billed_cost, effective_cost, list_cost, contracted_cost, charges"


def roll_up(row: DeliveryMonth) -> None:
    """Writes the sums of a month's lines that year-long pages read; what was there is thrown away."""
    month = "service_category, region, tag_set_id, owner_rule"
    with transaction.atomic(), connection.cursor() as cursor:
        # The sums of a big month do not fit the server's default and would be sorted on disk.
        cursor.execute("SET LOCAL work_mem = '256MB'")
        for model in (MonthRollup, DayRollup):
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE delivery_month_id = %s", [row.pk])
        cursor.execute(
            f"INSERT INTO costs_monthrollup ({SHARED}, {month}, charge_month, {SUMMED}) "
            f"SELECT {SHARED}, {month}, date_trunc('month', charge_date)::date AS charge_month, {SUMS} "
            f"FROM costs_costline WHERE {_of(row)} GROUP BY {SHARED}, {month}, date_trunc('month', charge_date)::date"
        )
        cursor.execute(
            f"INSERT INTO costs_dayrollup ({SHARED}, charge_date, {SUMMED}) SELECT {SHARED}, charge_date, {SUMS} "
            f"FROM costs_costline WHERE {_of(row)} GROUP BY {SHARED}, charge_date"
        )


def _of(row: DeliveryMonth) -> str:
    """The rows of one publication; the charge months let PostgreSQL leave all other partitions alone."""
    months = [date.fromisoformat(day) for day in row.charge_months]
    last = max(months).replace(day=28)
    return (
        f"delivery_month_id = {row.pk} AND charge_date >= '{min(months)}' "
        f"AND charge_date < date_trunc('month', DATE '{last}' + 7)::date"
    )


def remove(rows: Iterable[DeliveryMonth]) -> None:
    """Deletes publications that do not count, with their lines and rollups; charges and files stay."""
    for row in rows:
        with transaction.atomic(), connection.cursor() as cursor:
            for model in (MonthRollup, DayRollup):
                cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE delivery_month_id = %s", [row.pk])
            if row.charge_months:
                cursor.execute(f"DELETE FROM costs_costline WHERE {_of(row)}")


def check(row: DeliveryMonth) -> None:
    """Raises BooksDiffer unless lines and both rollups sum to the charges, per currency, to the last stored digit."""
    for model in (CostLine, MonthRollup, DayRollup):
        found = as_text(_upper(model.objects.filter(delivery_month=row).totals()))
        if found != row.totals:
            raise BooksDiffer(f"{model._meta.verbose_name}s of {row} sum to {found}, its charges to {row.totals}")


def _upper(totals: dict[str, dict[str, Decimal | None]]) -> Sums:
    return {code: {AMOUNTS[name]: amount for name, amount in sums.items()} for code, sums in totals.items()}


def as_text(sums: Sums) -> dict[str, dict[str, str | None]]:
    """Sums as exact text under the names of cost line columns, fit for JSON."""
    names = {metric: name for name, metric in AMOUNTS.items()}
    return {code: {names[m]: exact_text(a) for m, a in amounts.items()} for code, amounts in sorted(sums.items())}
