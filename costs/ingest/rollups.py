"""Rollups: the sums of a month's cost lines that year-long pages read; thrown away and made again at any time."""

from functools import partial

from django.db import connection, transaction
from django.db.models import Model

from costs.ingest.postgres_copy import run_both
from costs.ingest.publications import lines_lock, publication_sql
from costs.models import DayRollup, DeliveryMonth, MonthRollup
from finops_site.ops.locks import share

SHARED = (
    "delivery_month_id, billing_month, provider, billing_account, sub_account, service, charge_category, "
    "owner_id, pool_id, currency"
)
SUMS = "sum(billed_cost), sum(effective_cost), sum(list_cost), sum(contracted_cost), sum(charges)"
SUMMED = "billed_cost, effective_cost, list_cost, contracted_cost, charges"
# What else a rollup is by: its columns, and what they are of a line.
_ALSO_BY_MONTH = "service_category, region, tag_set_id, owner_rule"
BY_MONTH = (f"{_ALSO_BY_MONTH}, charge_month", f"{_ALSO_BY_MONTH}, date_trunc('month', charge_date)::date")
BY_DAY = ("charge_date", "charge_date")


def roll_up(row: DeliveryMonth) -> None:
    """Writes the sums of a month's lines that year-long pages read; what was there is thrown away."""
    run_both(partial(_sum_up, row, MonthRollup, *BY_MONTH), partial(_sum_up, row, DayRollup, *BY_DAY))


def _sum_up(row: DeliveryMonth, model: type[Model], columns: str, grain: str) -> None:
    table = model._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        share(lines_lock(row.delivery_id))
        # The sums of a big month do not fit the server's default and would be sorted on disk.
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute(f"DELETE FROM {table} WHERE delivery_month_id = %s", [row.pk])
        cursor.execute(
            f"INSERT INTO {table} ({SHARED}, {columns}, {SUMMED}) SELECT {SHARED}, {grain}, {SUMS} "
            f"FROM costs_costline WHERE {publication_sql(row)} GROUP BY {SHARED}, {grain}"
        )
