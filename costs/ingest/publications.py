"""Publications of a month: their rows in PostgreSQL, how they are removed, and the check that all layers agree."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date

from django.db import DatabaseError, connection, transaction

from costs.charges.build_cost_lines import AMOUNTS
from costs.charges.totals import totals_as_text
from costs.ingest.partitions import SHARED, drop_own_tables
from costs.models import CostLine, DayRollup, DeliveryMonth, InvoiceCost, MonthRollup, ResourceRollup

ROLLUPS = (MonthRollup, ResourceRollup, DayRollup)


class LayersDiffer(AssertionError):
    """Two layers of the same month do not sum to the same; the month is not published."""


def publication_sql(row: DeliveryMonth) -> str:
    """The condition of being one of its lines; months and `own_table` let PostgreSQL leave all other tables alone."""
    months = [date.fromisoformat(day) for day in row.charge_months]
    last = max(months).replace(day=28)
    return (
        f"delivery_month_id = {row.pk} AND own_table IN ({SHARED}, {row.pk}) AND charge_date >= '{min(months)}' "
        f"AND charge_date < date_trunc('month', DATE '{last}' + 7)::date"
    )


def lines_lock(delivery_id: int) -> str:
    """The lock that whoever copies lines of a delivery shares, and whoever removes them waits for."""
    return f"lines of delivery {delivery_id}"


def check_layers(row: DeliveryMonth) -> None:
    """Raises LayersDiffer unless lines and all rollups sum to the charges, per currency, to the last stored digit."""
    for model in (CostLine, *ROLLUPS):
        by_metric = {
            currency: {AMOUNTS[name]: amount for name, amount in sums.items()}
            for currency, sums in model.objects.filter(delivery_month=row).totals().items()
        }
        totals = totals_as_text(by_metric)
        if totals != row.totals:
            raise LayersDiffer(f"{model._meta.verbose_name}s of {row} sum to {totals}, its charges to {row.totals}")


def remove_publications(rows: Iterable[DeliveryMonth]) -> None:
    """Deletes publications that do not count, with their lines and rollups; charges and files stay."""
    for row in rows:
        drop_own_tables(row)
        with transaction.atomic(), connection.cursor() as cursor:
            for model in (*ROLLUPS, InvoiceCost):
                cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE delivery_month_id = %s", [row.pk])
            if row.charge_months:
                cursor.execute(f"DELETE FROM costs_costline WHERE {publication_sql(row)}")


def discard_publications(rows: Sequence[DeliveryMonth]) -> None:
    """Removes those of the publications that do not count, if the database answers; the next attempt does it too."""
    with suppress(DatabaseError):
        # One whose row is gone has lines all the same.
        current = set(
            DeliveryMonth.objects.current().filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True)
        )
        remove_publications(row for row in rows if row.pk not in current)
