"""Rollups: the sums of a month's cost lines that year-long pages read; thrown away and made again at any time."""

from collections.abc import Sequence
from functools import partial

from django.db import connection, transaction
from django.db.models import Model

from costs.calc.dimensions import Rollup, rollup_columns
from costs.ingest.postgres_copy import run_both
from costs.ingest.publications import lines_lock, publication_sql
from costs.models import DayRollup, DeliveryMonth, MonthRollup
from finops_site.ops.locks import share

SUMS = "sum(billed_cost), sum(effective_cost), sum(list_cost), sum(contracted_cost), sum(charges)"
SUMMED = "billed_cost, effective_cost, list_cost, contracted_cost, charges"


def roll_up(row: DeliveryMonth) -> None:
    """Writes the sums of a month's lines that year-long pages read; what was there is thrown away."""
    by_month = (MonthRollup, rollup_columns(Rollup.MONTH), "charge_month", "date_trunc('month', charge_date)::date")
    by_day = (DayRollup, rollup_columns(Rollup.DAY), "charge_date", "charge_date")
    run_both(partial(_sum_up, row, *by_month), partial(_sum_up, row, *by_day))


def _sum_up(row: DeliveryMonth, model: type[Model], columns: Sequence[str], time: str, time_of_line: str) -> None:
    table, shared = model._meta.db_table, ", ".join(("delivery_month_id", *columns))
    with transaction.atomic(), connection.cursor() as cursor:
        share(lines_lock(row.delivery_id))
        # The sums of a big month do not fit the server's default and would be sorted on disk.
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute(f"DELETE FROM {table} WHERE delivery_month_id = %s", [row.pk])
        cursor.execute(
            f"INSERT INTO {table} ({shared}, {time}, {SUMMED}) SELECT {shared}, {time_of_line}, {SUMS} "
            f"FROM costs_costline WHERE {publication_sql(row)} GROUP BY {shared}, {time_of_line}"
        )
