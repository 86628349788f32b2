"""From charges to cost lines: summed, tag sets and owners assigned, copied to PostgreSQL, rolled up and checked."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import duckdb
from django.conf import settings
from django.db import connection, transaction

from costs.calc.dimensions import CATALOGUED, READ_FROM_CHARGES
from costs.charges.build_cost_lines import (
    AMOUNTS,
    KIND_TEXTS,
    UNANIMOUS,
    MonthLines,
    as_copied,
    build_cost_lines,
    no_nul,
    shown,
)
from costs.charges.read_bill import MonthOfCharges
from costs.charges.totals import totals_as_text
from costs.ingest import partitions
from costs.ingest.postgres_copy import copy_across, copy_in, run_both, unload_text
from costs.ingest.publications import check_layers, discard_publications, lines_lock
from costs.ingest.rollups import roll_up_new_lines, sum_by_invoice
from costs.ingest.tag_sets import name_tag_sets
from costs.models import CostLine, DeliveredAccount, Delivery, DeliveryMonth
from costs.signals import delivery_loaded
from costs.versions.streams import stream_of
from finops_site.lib.periods import Month
from finops_site.ops.locks import share


def store_cost_lines(
    db: duckdb.DuckDBPyConnection, delivery: Delivery, month: MonthOfCharges, *, scratch: Path
) -> DeliveryMonth:
    """Copies a month's charges to cost lines that nobody sees yet; raises LayersDiffer unless all layers sum alike."""
    lines = build_cost_lines(db, f"{month.folder}/*.parquet")
    delivery_loaded.send(sender=Delivery, delivery=delivery, lines=lines)
    row = DeliveryMonth.objects.create(
        delivery=delivery,
        stream=stream_of(delivery, month.view),
        billing_month=month.billing_month,
        charges=month.rows,
        lines=len(lines),
        view=month.view,
        charge_months=[day.isoformat() for day in month.charge_months],
        totals=totals_as_text(month.totals),
    )
    try:
        _copy_accounts(lines, row, scratch)
        partitions.ensure_partitions(month.charge_months)
        with transaction.atomic():
            name_tag_sets(lines.db, scratch)
        own_months = _copy_lines(lines, row, scratch)
        # PostgreSQL indexes the lines while DuckDB sums them.
        run_both(partial(_summarise, lines, row, scratch), partial(_bring_in, row, own_months))
        check_layers(row)
    except Exception:
        discard_publications([row])
        raise
    return row


def _copy_accounts(lines: MonthLines, row: DeliveryMonth, scratch: Path) -> None:
    """Notes the accounts of the month, and when the first and the last charge period of each start.

    One file may end and the next begin within a day, so that days alone do not say whether both bill the same.
    """
    billing, sub = (shown(*READ_FROM_CHARGES[name]) for name in ("billing_account", "sub_account"))
    select = f"""SELECT {row.pk}, billing, sub, first::DATE, last::DATE, first || '+00', last || '+00', charges FROM (
        SELECT {billing} AS billing, {sub} AS sub, min(ChargePeriodStart)::TIMESTAMP AS first,
        max(ChargePeriodStart)::TIMESTAMP AS last, count(*) AS charges FROM {lines.charges} GROUP BY 1, 2)"""
    names = ["delivery_month_id", "billing_account", "sub_account"]
    names += ["first_day", "last_day", "first_moment", "last_moment", "charges"]
    copy_across(lines.db, select, DeliveredAccount._meta.db_table, names, scratch / "accounts.csv")


def _summarise(lines: MonthLines, row: DeliveryMonth, scratch: Path) -> None:
    """Writes what is summed from the lines, and the values that drop-downs offer."""
    roll_up_new_lines(lines, row, scratch)
    sum_by_invoice(lines.db, lines.charges, row)
    with transaction.atomic():
        _copy_dimension_values(lines, scratch)


def _bring_in(row: DeliveryMonth, own_months: Sequence[Month]) -> None:
    """Indexes the tables that are the delivery's own and makes them a part of the cost lines."""
    for month in own_months:
        with transaction.atomic():
            share(lines_lock(row.delivery_id))
            partitions.attach_own_table(row, month)
    partitions.analyze_lines(row)


def _copy_lines(lines: MonthLines, row: DeliveryMonth, scratch: Path) -> list[Month]:
    """Copies many lines of a month of use into a table of their own, few into the one that deliveries share.

    Returns the months of use with a table of their own.
    """
    months = lines.db.execute(
        "SELECT date_trunc('month', charge_date)::DATE, count(*) FROM lines GROUP BY 1"
    ).fetchall()
    big = [Month.of(day) for day, number in months if number >= settings.OWN_TABLE_FROM_LINES]
    for month in big:
        with transaction.atomic():
            share(lines_lock(row.delivery_id))
            table = partitions.make_own_table(row, month)
        _copy_some(lines, row, f"= DATE '{month.start}'", table, scratch)
    if len(big) < len(months):
        others = ", ".join(["DATE '0001-01-01'", *(f"DATE '{month.start}'" for month in big)])
        _copy_some(lines, row, f"NOT IN ({others})", CostLine._meta.db_table, scratch)
    return big


def _copy_some(lines: MonthLines, row: DeliveryMonth, months: str, table: str, scratch: Path) -> None:
    """Copies the lines whose month of use meets the condition `months`."""
    numbers = [*AMOUNTS, "quantity", "charges", "charge_date"]
    names = ["delivery_month_id", "billing_month", "tag_set_id", "owner_id", "pool_id", "owner_rule"]
    names += [*KIND_TEXTS, *UNANIMOUS, *numbers]
    select = f"""
        SELECT {row.pk}, DATE '{row.billing_month}', i.id, s.owner, s.pool, {as_copied("s.owner_rule")}, l.copied,
        {", ".join([*(as_copied(f"l.{name}") for name in UNANIMOUS), *(f"l.{name}" for name in numbers)])}
        FROM {lines.owned_sql()} JOIN tag_ids i ON i.tag_set = l.tag_set
        WHERE date_trunc('month', l.charge_date)::DATE {months}
    """
    folder = scratch / f"lines-{table}"
    unload_text(lines.db, select, folder, "FILE_SIZE_BYTES '4MB'")
    files = sorted(folder.iterdir())
    run_both(*(partial(_copy_files, row, table, names, half) for half in (files[::2], files[1::2])))


def _copy_files(row: DeliveryMonth, table: str, names: Sequence[str], files: Sequence[Path]) -> None:
    # In a transaction, so that the server does not finish on its own what a killed process began.
    with transaction.atomic():
        share(lines_lock(row.delivery_id))
        for path in files:
            copy_in(path, table, names, "text")


def _copy_dimension_values(lines: MonthLines, scratch: Path) -> None:
    """Adds the values that are new to the drop-downs."""
    selects = [_labelled(lines, name, column) for name, column in CATALOGUED.items()]
    selects.append(
        "SELECT DISTINCT 'tag', k, k FROM (SELECT unnest(map_keys(coalesce(raw, MAP {}))) AS k FROM tag_sets)"
    )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE dimensions_in (name text, value text, label text)")
    columns = f"n, left({no_nul('v')}, 2000), left({no_nul('l')}, 2000)"
    select = f"SELECT {columns} FROM ({' UNION ALL '.join(selects)}) d(n, v, l)"
    copy_across(lines.db, select, "dimensions_in", ["name", "value", "label"], scratch / "dimensions.csv")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO costs_dimension (name, value, label) SELECT name, value, max(label) FROM dimensions_in "
            "WHERE value <> '' GROUP BY 1, 2 ORDER BY 1, 2 "
            "ON CONFLICT (name, value) DO UPDATE SET label = excluded.label "
            "WHERE excluded.label <> '' AND costs_dimension.label <> excluded.label"
        )
        cursor.execute("DROP TABLE dimensions_in")


def _labelled(lines: MonthLines, name: str, label: str | None) -> str:
    if label is None:
        return f"SELECT DISTINCT '{name}', {name}, '' FROM lines"
    column, width = READ_FROM_CHARGES[name]
    # Grouped as delivered, and made fit for PostgreSQL afterwards: there are far fewer of them then.
    called = f"SELECT {column}, max(coalesce({label}, '')) AS label FROM {lines.charges} GROUP BY {column}"
    return f"SELECT '{name}', {shown(f'c.{column}', width)} AS v, max(label) FROM ({called}) c GROUP BY v"
