"""Monthly partitions of the cost line table."""

from collections.abc import Iterable
from datetime import date

from django.db import connection, transaction

from finops_site.lib.periods import Month
from finops_site.ops.locks import wait_for

TABLE = "costs_costline"
# What pages filter and group by. Statistics of the long texts would cost half a second a load, and no query needs them.
FILTERED_COLUMNS = (
    "delivery_month_id, charge_date, billing_month, provider, billing_account, sub_account, service, service_category, "
    "region, charge_category, currency, owner_id, pool_id, tag_set_id, instance_type, commitment"
)


def ensure_partitions(charge_months: Iterable[date]) -> None:
    """Makes the partitions for these months that are missing.

    A table made beside and attached takes a lock that readers do not feel; PARTITION OF would stop them.
    """
    for month in sorted({Month.of(day) for day in charge_months}):
        name = _name(month)
        with transaction.atomic(), connection.cursor() as cursor:
            wait_for(name)
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is None:
                cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING STORAGE)")
                cursor.execute(
                    f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
                    [month.start, month.next.start],
                )


def analyze_partitions(charge_months: Iterable[date]) -> None:
    """Gives the planner statistics of what was just copied: without them, sums of a new month are sorted on disk."""
    with connection.cursor() as cursor:
        for month in sorted({Month.of(day) for day in charge_months}):
            cursor.execute(f"ANALYZE {_name(month)} ({FILTERED_COLUMNS})")


def _name(month: Month) -> str:
    return f"{TABLE}_y{month.year:04}m{month.number:02}"
