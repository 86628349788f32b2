"""The moments at which the charges of each account begin and end, noted beside their days."""

from collections.abc import Sequence

from django.db import connection

from costs.calc.dimensions import READ_FROM_CHARGES
from costs.charges.build_cost_lines import charges_sql, shown
from costs.ingest.workspace import limited_duckdb
from costs.models import DeliveryMonth

NOTE = """
    UPDATE costs_deliveredaccount a
    SET first_moment = m.first AT TIME ZONE 'UTC', last_moment = m.last AT TIME ZONE 'UTC'
    FROM unnest(%s::text[], %s::text[], %s::timestamp[], %s::timestamp[]) m(billing, sub, first, last)
    WHERE a.delivery_month_id = %s AND a.billing_account = m.billing AND a.sub_account = m.sub
"""


def note_charge_moments(months: Sequence[DeliveryMonth]) -> None:
    """Notes when the first and the last charge period of each account start, in months whose accounts are noted.

    One file may end and the next begin within a day, so that days alone do not say whether both bill the same.
    """
    if not months:
        return
    names = ", ".join(shown(*READ_FROM_CHARGES[name]) for name in ("billing_account", "sub_account"))
    with limited_duckdb() as db:
        for month in months:
            rows = db.execute(
                f"""SELECT {names}, min(ChargePeriodStart)::TIMESTAMP, max(ChargePeriodStart)::TIMESTAMP
                FROM {charges_sql(month.charges_glob)} GROUP BY 1, 2"""
            ).fetchall()
            columns = [list(column) for column in zip(*rows, strict=True)]
            with connection.cursor() as cursor:
                cursor.execute(NOTE, [*columns, month.pk])
