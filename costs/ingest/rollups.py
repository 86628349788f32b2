"""Rollups: the sums of a month's cost lines that year-long pages read; thrown away and made again at any time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import duckdb
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from costs.calc.dimensions import Rollup, rollup_columns
from costs.charges.build_cost_lines import AMOUNTS, MonthLines, shown
from costs.ingest.postgres_copy import copy_in, run_both, unload_csv
from costs.ingest.publications import lines_lock, publication_sql
from costs.models import DayRollup, DeliveryMonth, InvoiceCost, MonthRollup, ResourceRollup
from finops_site.ops.locks import share

BY_RESOURCE = (*rollup_columns(Rollup.RESOURCE), "resource_name")
SUMMED = (*AMOUNTS, "charges")
SUMS = ", ".join(f"sum({name})" for name in SUMMED)


def roll_up(row: DeliveryMonth) -> None:
    """Writes the sums of a month's lines that year-long pages read; what was there is thrown away."""
    run_both(partial(_sum_up_months, row), partial(_sum_up, row, DayRollup, rollup_columns(Rollup.DAY), "charge_date"))


def _sum_up_months(row: DeliveryMonth) -> None:
    """The lines by resource, and those sums without the resources: they are far fewer."""
    _sum_up(row, ResourceRollup, BY_RESOURCE, "charge_month", "date_trunc('month', charge_date)::date")
    _sum_up_resources(row)


def _sum_up_resources(row: DeliveryMonth) -> None:
    resources = f"{ResourceRollup._meta.db_table} WHERE delivery_month_id = {row.pk}"
    _sum_up(row, MonthRollup, rollup_columns(Rollup.MONTH), "charge_month", source=resources)


def _sum_up(
    row: DeliveryMonth, model: type[Model], columns: Sequence[str], time: str, time_of_line: str = "", source: str = ""
) -> None:
    """Sums the cost lines, or the rows of `source`, by columns and time."""
    table, shared = model._meta.db_table, ", ".join(("delivery_month_id", *columns))
    time_of_line, source = time_of_line or time, source or f"costs_costline WHERE {publication_sql(row)}"
    with _rewriting(row, model) as cursor:
        # The sums of a big month do not fit the server's default and would be sorted on disk.
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute(
            f"INSERT INTO {table} ({shared}, {time}, {', '.join(SUMMED)}) SELECT {shared}, {time_of_line}, {SUMS} "
            f"FROM {source} GROUP BY {shared}, {time_of_line}"
        )


def roll_up_new_lines(lines: MonthLines, row: DeliveryMonth, scratch: Path) -> None:
    """Writes what `roll_up` writes, from the lines while they are in DuckDB, which sums in a quarter of the time."""
    _copy_sums(lines, row, ResourceRollup, BY_RESOURCE, "charge_month", scratch)
    _copy_sums(lines, row, DayRollup, rollup_columns(Rollup.DAY), "charge_date", scratch)
    _sum_up_resources(row)


def _copy_sums(
    lines: MonthLines, row: DeliveryMonth, model: type[Model], columns: Sequence[str], time: str, scratch: Path
) -> None:
    ours = {
        "billing_month": f"DATE '{row.billing_month}'",
        "owner_id": "s.owner",
        "pool_id": "s.pool",
        "owner_rule": "s.owner_rule",
        "tag_set_id": "i.id",
        "charge_month": "date_trunc('month', l.charge_date)::DATE",
    }
    shared = [ours.get(name, f"l.{name}") for name in (*columns, time)]
    select = f"""SELECT {row.pk}, {", ".join(shared)}, {SUMS}
        FROM {lines.owned_sql()} JOIN tag_ids i ON i.tag_set = l.tag_set GROUP BY {", ".join(shared)}"""
    unload_csv(lines.db, select, scratch / "sums.csv")
    with _rewriting(row, model):
        names = ["delivery_month_id", *columns, time, *SUMMED]
        copy_in(scratch / "sums.csv", model._meta.db_table, names)


@contextmanager
def _rewriting(row: DeliveryMonth, model: type[Model]) -> Iterator[CursorWrapper]:
    """In one transaction: the rows that a month has in the table are gone, and others are written."""
    with transaction.atomic(), connection.cursor() as cursor:
        share(lines_lock(row.delivery_id))
        cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE delivery_month_id = %s", [row.pk])
        yield cursor


def sum_by_invoice(db: duckdb.DuckDBPyConnection, charges: str, row: DeliveryMonth) -> None:
    """Writes what a month's charges sum to by the invoice they name; `charges` is what to put behind FROM.

    Cost lines do not know the invoice, so that the sums come from the charges: a few columns, read once.
    """
    texts = {name: shown(column, 200) for name, column in (("a", "BillingAccountId"), ("i", "InvoiceId"))}
    sums = db.execute(f"""
        SELECT {texts["a"]} AS account, {shown("BillingCurrency", 10)} AS currency, {texts["i"]} AS invoice,
        max({shown("issuer", 200)}), sum(billed), sum(tax), sum(charges)::BIGINT, max(last_day)
        FROM (
            SELECT BillingAccountId, BillingCurrency, InvoiceId, max(InvoiceIssuerName) AS issuer,
            sum(BilledCost) AS billed, sum(BilledCost) FILTER (ChargeCategory = 'Tax') AS tax, count(*) AS charges,
            max(ChargePeriodStart)::DATE AS last_day FROM {charges} GROUP BY ALL
        ) c GROUP BY account, currency, invoice
    """).fetchall()
    columns = ("billing_account", "currency", "invoice_id", "issuer", "billed_cost", "tax", "charges", "last_day")
    with transaction.atomic():
        share(lines_lock(row.delivery_id))
        InvoiceCost.objects.filter(delivery_month=row).delete()
        InvoiceCost.objects.bulk_create(
            (
                InvoiceCost(
                    delivery_month=row, billing_month=row.billing_month, **dict(zip(columns, values, strict=True))
                )
                for values in sums
            ),
            batch_size=2000,
        )
