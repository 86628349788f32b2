"""Tables of the cost lines: for each month of use one that deliveries share, and one of its own for each big delivery.

What a big delivery brings is copied into a table without indexes that nobody reads yet, indexed at one go and attached;
when it counts no longer, its table is dropped instead of millions of lines being deleted one by one. Small deliveries,
of which a month may have hundreds, share a table, for the database plans no query over thousands of them quickly.
"""

import logging
from collections.abc import Iterable
from datetime import date

from django.db import OperationalError, connection, transaction

from costs.models import DeliveryMonth
from finops_site.lib.periods import Month
from finops_site.ops.locks import wait_for

logger = logging.getLogger(__name__)

TABLE = "costs_costline"
# What lines of the shared table have as `own_table`; the others have the number of their DeliveryMonth.
SHARED = 0
OWN_TABLES = (
    f"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^{TABLE}_y[0-9]{{4}}m[0-9]{{2}}_own[0-9]+$'"
)
# What pages filter and group by. Statistics of the long texts would cost half a second a load, and no query needs them.
FILTERED_COLUMNS = (
    "delivery_month_id, charge_date, billing_month, provider, billing_account, sub_account, service, service_category, "
    "service_subcategory, region, charge_category, currency, invoice_issuer, owner_id, pool_id, tag_set_id, "
    "instance_type, commitment"
)


def ensure_partitions(charge_months: Iterable[date]) -> None:
    """Makes the partitions for these months that are missing.

    A table made beside and attached takes a lock that readers do not feel; PARTITION OF would stop them.
    """
    for month in sorted({Month.of(day) for day in charge_months}):
        name, like = _name(month), f"(LIKE {TABLE} INCLUDING DEFAULTS INCLUDING STORAGE)"
        with transaction.atomic(), connection.cursor() as cursor:
            wait_for(name)
            if not _exists(name):
                cursor.execute(f"CREATE TABLE {name} {like} PARTITION BY LIST (own_table)")
                cursor.execute(f"CREATE TABLE {name}_shared {like}")
                cursor.execute(
                    f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
                    [month.start, month.next.start],
                )
                # After its month, for a table takes the way ids are made from what it is attached to.
                cursor.execute(f"ALTER TABLE {name} ATTACH PARTITION {name}_shared FOR VALUES IN ({SHARED})")


def make_own_table(row: DeliveryMonth, month: Month) -> str:
    """Makes a table without indexes for the lines that a delivery has in a month of use; nobody reads it as yet."""
    name = _own_name(row.pk, month)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING STORAGE)")
        cursor.execute(
            f"ALTER TABLE {name} ALTER id SET DEFAULT nextval(pg_get_serial_sequence('{TABLE}', 'id')), "
            f"ALTER own_table SET DEFAULT {row.pk}, ADD CONSTRAINT bounds CHECK (own_table = {row.pk} "
            f"AND charge_date >= '{month.start}' AND charge_date < '{month.next.start}')"
        )
    return name


def attach_own_table(row: DeliveryMonth, month: Month) -> None:
    """Makes the table a part of the cost lines, with every index that they have."""
    name = _own_name(row.pk, month)
    with transaction.atomic(), connection.cursor() as cursor:
        # The sort of an index fits the memory, and two workers do it.
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        cursor.execute(f"ALTER TABLE {name} ALTER id DROP DEFAULT")
        # The lines are known to be in bounds: the constraint saves a look at each of them.
        cursor.execute(f"ALTER TABLE {_name(month)} ATTACH PARTITION {name} FOR VALUES IN ({row.pk})")
        cursor.execute(f"ALTER TABLE {name} DROP CONSTRAINT bounds")


def drop_own_tables(row: DeliveryMonth) -> None:
    """Drops what tables a delivery has of its own, unless a long query or a backup reads the cost lines."""
    for month in _months(row):
        _drop(_own_name(row.pk, month))


def drop_tables_of_nobody() -> None:
    """Drops the tables whose delivery month is gone: those that could not be dropped when it went."""
    with connection.cursor() as cursor:
        cursor.execute(OWN_TABLES)
        names = [name for (name,) in cursor.fetchall()]
    known = set(DeliveryMonth.objects.values_list("pk", flat=True))
    for name in names:
        if int(name.rpartition("_own")[2]) not in known:
            _drop(name)


def _drop(name: str) -> None:
    """Drops a table if it is there; whoever asks for cost lines meanwhile waits for a second and a half at most."""
    if not _exists(name):
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1500ms'")
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as error:
        logger.info("%s is read and was not dropped: %s", name, error)


def analyze_lines(row: DeliveryMonth) -> None:
    """Gives the planner statistics of what was just copied: without them, sums of a new month are sorted on disk."""
    with connection.cursor() as cursor:
        for month in _months(row):
            own = _own_name(row.pk, month)
            # All of a big one, with its index of resources: the planner would take it for useless.
            cursor.execute(f"ANALYZE {own if _exists(own) else f'{_name(month)}_shared ({FILTERED_COLUMNS})'}")


def _months(row: DeliveryMonth) -> list[Month]:
    return sorted({Month.of(date.fromisoformat(day)) for day in row.charge_months})


def _exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        return bool(cursor.fetchone()[0])


def _name(month: Month) -> str:
    return f"{TABLE}_y{month.year:04}m{month.number:02}"


def _own_name(delivery_month: int, month: Month) -> str:
    return f"{_name(month)}_own{delivery_month}"
