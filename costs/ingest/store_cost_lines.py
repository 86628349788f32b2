"""From charges to cost lines: summed, tag sets named, owners named, copied to PostgreSQL, rolled up."""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb
from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from costs.calc.dimensions import CATALOGUED, READ_FROM_CHARGES, Rollup, rollup_columns
from costs.charges.build_cost_lines import AMOUNTS, DESCRIPTIONS, UNANIMOUS, Lines, no_nul, shown
from costs.charges.read_bill import MonthOfCharges, Sums
from costs.formats.base import literal
from costs.ingest import partitions
from costs.models import CostLine, DayRollup, Delivery, DeliveryMonth, MonthRollup
from costs.signals import delivery_loaded
from finops_site.lib.money import exact_text
from finops_site.ops.locks import share

logger = logging.getLogger(__name__)

CHUNK = 1 << 20


class BooksDiffer(AssertionError):
    """Two layers of the same month do not sum to the same; the month is not published."""


def publish(
    db: duckdb.DuckDBPyConnection, delivery: Delivery, month: MonthOfCharges, *, scratch: Path
) -> DeliveryMonth:
    """Copies a month's charges to cost lines that nobody sees yet; raises BooksDiffer unless all layers sum alike."""
    lines = Lines(db, str(month.folder / "*.parquet"))
    lines.gather()
    delivery_loaded.send(sender=Delivery, delivery=delivery, lines=lines)
    row = DeliveryMonth.objects.create(
        delivery=delivery,
        billing_month=month.billing_month,
        charges=month.rows,
        lines=len(lines),
        view=month.view,
        charge_months=[day.isoformat() for day in month.charge_months],
        totals=as_text(month.totals),
    )
    try:
        _fill(row, lines, scratch)
        check(row)
    except Exception:
        give_up([row])
        raise
    return row


def _fill(row: DeliveryMonth, lines: Lines, scratch: Path) -> None:
    days = [date.fromisoformat(day) for day in row.charge_months]
    partitions.ensure(days)
    with transaction.atomic():
        name_tag_sets(lines.db, scratch)
    _copy_lines(lines, row, scratch)
    partitions.analyze(days)
    roll_up(row)
    with transaction.atomic():
        _copy_dimensions(lines.db, lines, scratch)


def _copy_lines(lines: Lines, row: DeliveryMonth, scratch: Path) -> None:
    columns = [*READ_FROM_CHARGES, *DESCRIPTIONS, *UNANIMOUS, *AMOUNTS, "quantity", "charges", "charge_date"]
    names = ["delivery_month_id", "billing_month", "tag_set_id", "owner_id", "pool_id", "owner_rule", *columns]
    select = f"""
        SELECT {row.pk}, DATE '{row.billing_month}', i.id, s.owner, s.pool, s.owner_rule,
        {", ".join(f"l.{c}" for c in columns)}
        FROM {lines.owned_sql()} JOIN tag_ids i ON i.tag_set = l.tag_set
        -- In the order of the index that most pages read: it grows at one end, and a page's lines lie side by side.
        ORDER BY l.charge_date
    """
    unload(lines.db, select, scratch / "lines", "FILE_SIZE_BYTES '4MB'")
    files = sorted((scratch / "lines").iterdir())
    side_by_side(partial(_copy_files, row, names, files[::2]), partial(_copy_files, row, names, files[1::2]))


def _copy_files(row: DeliveryMonth, names: Sequence[str], files: Sequence[Path]) -> None:
    # In a transaction, so that the server does not finish on its own what a killed process began.
    with transaction.atomic():
        share(lines_of(row.delivery_id))
        for path in files:
            copy_in(path, CostLine._meta.db_table, names)


def side_by_side(one: Callable[[], None], other: Callable[[], None]) -> None:
    """Both at once, for PostgreSQL is what is waited for; one after the other inside a transaction.

    Another connection would see nothing of what the transaction made.
    """
    if connection.in_atomic_block:
        one()
        other()
        return
    with ThreadPoolExecutor(1) as thread:
        beside = thread.submit(_in_a_thread, other)
        one()
    beside.result()


def _in_a_thread(action: Callable[[], None]) -> None:
    """Django opens a connection for the thread, and nobody else would close it."""
    try:
        action()
    finally:
        connection.close()


def lines_of(delivery_id: int) -> str:
    """The name that whoever copies lines of a delivery shares, and whoever removes them waits for."""
    return f"lines of delivery {delivery_id}"


# Ordered, so that two loads that bring the same new tag sets cannot wait for each other in a circle.
INSERT_TAG_SETS = """
    INSERT INTO costs_tagset (fingerprint, tags, virtual, delivered_id)
    SELECT i.fingerprint, i.tags, i.virtual, d.id
    FROM tag_sets_in i LEFT JOIN costs_tagset d ON d.fingerprint = i.delivered
    WHERE (i.delivered = '') = %s ORDER BY 1 ON CONFLICT (fingerprint) DO NOTHING
"""


def name_tag_sets(db: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    """Gives every distinct tag map its row in PostgreSQL; says which in the DuckDB table `tag_ids` {tag_set, id}."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE tag_sets_in (fingerprint text, tags jsonb, delivered text, virtual jsonb)")
    distinct = """
        SELECT t.fingerprint, any_value(t.json), coalesce(any_value(d.fingerprint), ''), any_value(t.virtual)
        FROM tag_sets t LEFT JOIN tag_sets d ON d.tag_set = t.delivered GROUP BY 1
    """
    copy(db, distinct, "tag_sets_in", ["fingerprint", "tags", "delivered", "virtual"], scratch / "tags.csv")
    with connection.cursor() as cursor:
        for delivered in (True, False):
            cursor.execute(INSERT_TAG_SETS, [delivered])
    ids = scratch / "tag_ids.csv"
    copy_out("SELECT t.fingerprint, t.id FROM costs_tagset t JOIN tag_sets_in USING (fingerprint)", ids)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE tag_sets_in")
    db.execute(f"""
        CREATE OR REPLACE TEMP TABLE tag_ids AS SELECT DISTINCT t.tag_set, f.id FROM tag_sets t
        JOIN read_csv({literal(str(ids))}, header = false, auto_detect = false,
            columns = {{'fingerprint': 'VARCHAR', 'id': 'BIGINT'}}) f USING (fingerprint)
    """)


def copy_out(select: str, path: Path) -> None:
    """Streams a PostgreSQL query into a CSV file by COPY."""
    with (
        path.open("wb") as out,
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({select}) TO STDOUT (FORMAT csv)") as stream,
    ):
        for block in stream:
            out.write(block)


def copy(db: duckdb.DuckDBPyConnection, select: str, table: str, columns: Sequence[str], path: Path) -> None:
    """Streams a DuckDB query into a PostgreSQL table by COPY; nothing passes through Python but bytes."""
    unload(db, select, path)
    copy_in(path, table, columns)


def unload(db: duckdb.DuckDBPyConnection, select: str, path: Path, *options: str) -> None:
    """Writes a DuckDB query to a CSV file as PostgreSQL reads them."""
    db.execute(f"COPY ({select}) TO {literal(str(path))} ({', '.join(['FORMAT csv', 'HEADER false', *options])})")


def copy_in(path: Path, table: str, columns: Sequence[str]) -> None:
    """Streams a CSV file into a PostgreSQL table, and removes it."""
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, path.open("rb") as stream, cursor.copy(statement) as target:
        while block := stream.read(CHUNK):
            target.write(block)
    path.unlink()


def _copy_dimensions(db: duckdb.DuckDBPyConnection, lines: Lines, scratch: Path) -> None:
    """Adds the values that are new to the drop-downs."""
    selects = [_labelled(lines, name, column) for name, column in CATALOGUED.items()]
    selects.append(
        "SELECT DISTINCT 'tag', k, k FROM (SELECT unnest(map_keys(coalesce(raw, MAP {}))) AS k FROM tag_sets)"
    )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE dimensions_in (name text, value text, label text)")
    columns = f"n, left({no_nul('v')}, 2000), left({no_nul('l')}, 2000)"
    select = f"SELECT {columns} FROM ({' UNION ALL '.join(selects)}) d(n, v, l)"
    copy(db, select, "dimensions_in", ["name", "value", "label"], scratch / "dimensions.csv")
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
    column, width = READ_FROM_CHARGES[name]
    # Grouped as delivered, and made fit for PostgreSQL afterwards: there are far fewer of them then.
    called = f"SELECT {column}, max(coalesce({label}, '')) AS label FROM {lines.charges} GROUP BY {column}"
    return f"SELECT '{name}', {shown(column, width)} AS v, max(label) FROM ({called}) c GROUP BY v"


SUMS = "sum(billed_cost), sum(effective_cost), sum(list_cost), sum(contracted_cost), sum(charges)"
SUMMED = "billed_cost, effective_cost, list_cost, contracted_cost, charges"
# The columns a rollup is by, and what they are of a line.
BY_MONTH = (
    ", ".join(("delivery_month_id", *rollup_columns(Rollup.MONTH), "charge_month")),
    ", ".join(("delivery_month_id", *rollup_columns(Rollup.MONTH), "date_trunc('month', charge_date)::date")),
)
BY_DAY = 2 * (", ".join(("delivery_month_id", *rollup_columns(Rollup.DAY), "charge_date")),)


def roll_up(row: DeliveryMonth) -> None:
    """Writes the sums of a month's lines that year-long pages read; what was there is thrown away."""
    side_by_side(partial(_sum_up, row, MonthRollup, *BY_MONTH), partial(_sum_up, row, DayRollup, *BY_DAY))


def _sum_up(row: DeliveryMonth, model: type[Model], columns: str, grain: str) -> None:
    table = model._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        share(lines_of(row.delivery_id))
        # The sums of a big month do not fit the server's default and would be sorted on disk.
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute(f"DELETE FROM {table} WHERE delivery_month_id = %s", [row.pk])
        cursor.execute(
            f"INSERT INTO {table} ({columns}, {SUMMED}) SELECT {grain}, {SUMS} "
            f"FROM costs_costline WHERE {of(row)} GROUP BY {grain}"
        )


def of(row: DeliveryMonth) -> str:
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
                cursor.execute(f"DELETE FROM costs_costline WHERE {of(row)}")


def give_up(rows: Sequence[DeliveryMonth]) -> None:
    """Removes those of the publications that do not count, if the database answers; the next attempt does it too."""
    with suppress(DatabaseError):
        # One whose row is gone has lines all the same.
        counting = set(
            DeliveryMonth.objects.current().filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True)
        )
        remove(row for row in rows if row.pk not in counting)


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
