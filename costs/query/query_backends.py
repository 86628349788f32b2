"""What runs queries of charges: DuckDB in the process, or a Spark cluster that FINOPS_CHARGES_ENGINE names."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from glob import glob
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from costs.charges.duckdb_session import duckdb_session
from costs.formats.base import CHARGE_COLUMNS, CHARGES_TABLE
from costs.formats.sql import STORED, literal, quoted
from finops_site.files.direct import read_stored
from finops_site.files.places import SCHEME
from finops_site.files.product import product_files
from finops_site.lib.answer_time import TookTooLong, seconds_left

if TYPE_CHECKING:
    from ibis import Table

    from costs.charges.charge_queries import Form


# Of the columns that a set of charges may lack; Spark knows them by the same names.
SQL_TYPES = {"text": "STRING", "money": STORED, "number": STORED, "moment": "TIMESTAMP", "tags": "STRING"}
_SQL_TYPE_OF = {name: SQL_TYPES[kind] for name, kind in CHARGE_COLUMNS.items()} | {"x_File": "BIGINT"}


class ChargeTable(Protocol):
    """The charges of some files, ready to be queried."""

    def ask(self, query: "Table | Form") -> list[dict[str, Any]]:
        """The rows of an Ibis expression over `costs.charges.charge_queries.CHARGES`; decimals are Decimal."""

    def narrow(self, query: "Table | Form") -> None:
        """Reads the charges of a query once: all that is asked from now on is asked of these."""


class _DuckDB:
    def __init__(self, db: duckdb.DuckDBPyConnection, globs: Sequence[str]) -> None:
        self.db = db
        files = ", ".join(literal(pattern) for pattern in globs)
        # Charges that were written before a column existed have nothing in it.
        columns = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in _SQL_TYPE_OF.items())
        self.db.execute(
            f"CREATE VIEW {CHARGES_TABLE} AS SELECT * FROM read_parquet([{files}], union_by_name = true) "
            f"UNION ALL BY NAME SELECT {columns} WHERE false"
        )

    def ask(self, query: "Table | Form") -> list[dict[str, Any]]:
        with interrupted_in_time(self.db):
            result = self.db.execute(_sql(query, "duckdb"))
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def narrow(self, query: "Table | Form") -> None:
        with interrupted_in_time(self.db):
            self.db.execute(f"CREATE TABLE narrowed AS {_sql(query, 'duckdb')}")
        self.db.execute(f"CREATE OR REPLACE VIEW {CHARGES_TABLE} AS SELECT * FROM narrowed")


class _Spark:
    def __init__(self, session: Any, globs: Sequence[str]) -> None:
        # A session of its own: views of two queries at once must not meet.
        self.session = session.newSession()
        self.narrowed: list[Any] = []
        files = [path for pattern in globs for path in _as_spark_reads(pattern)]
        charges = self.session.read.option("mergeSchema", "true").parquet(*files)
        missing = [name for name in _SQL_TYPE_OF if name not in charges.columns]
        columns = [f"CAST(NULL AS {_SQL_TYPE_OF[name]}) AS {name}" for name in missing]
        charges.selectExpr("*", *columns).createOrReplaceTempView(CHARGES_TABLE)

    def ask(self, query: "Table | Form") -> list[dict[str, Any]]:
        return [row.asDict() for row in self.session.sql(_sql(query, "pyspark")).collect()]

    def narrow(self, query: "Table | Form") -> None:
        self.narrowed.append(self.session.sql(_sql(query, "pyspark")).cache())
        self.narrowed[-1].createOrReplaceTempView(CHARGES_TABLE)

    def close(self) -> None:
        """Sessions share what is cached: it would stay for as long as the process."""
        for rows in self.narrowed:
            rows.unpersist()


@contextmanager
def interrupted_in_time(db: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Gives up what is asked of `db` inside when the answer is due, or does not fit into its memory: TookTooLong."""
    seconds = seconds_left()
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, db.interrupt)
    timer.start()
    try:
        yield
    except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
        raise TookTooLong from error
    finally:
        timer.cancel()


def _as_spark_reads(pattern: str) -> list[str]:
    """The files of a pattern; in a bucket the pattern itself, under the address by which the cluster asks for it."""
    if not pattern.startswith(f"{SCHEME}://"):
        return sorted(glob(pattern))
    scheme, _ignored, place = product_files().address.partition("://")
    return [f"{'s3a' if scheme == 's3' else scheme}://{place}/{pattern.removeprefix(f'{SCHEME}://')}"]


def _sql(query: "Table | Form", dialect: str) -> str:
    # Ibis takes a second to import: only those who ask about charges wait for it, once.
    from costs.charges.charge_queries import Form, to_sql

    return query.sql(dialect) if isinstance(query, Form) else to_sql(query, dialect)


@contextmanager
def charges_in(*globs: str, threads: int = 1) -> Iterator[ChargeTable]:
    """The charges of these Parquet files, with the backend that the settings name; DuckDB in so many threads.

    One, for pages are many at a time; work in the background that reads whole months may take more.
    """
    if settings.FINOPS_CHARGES_ENGINE == "duckdb":
        with duckdb_session(threads=threads, memory_limit=settings.DUCKDB_MEMORY_LIMIT) as db:
            yield _DuckDB(read_stored(db), globs)
    else:
        charges = _Spark(_spark(settings.FINOPS_CHARGES_ENGINE), globs)
        try:
            yield charges
        finally:
            charges.close()


@cache
def _spark(master: str) -> Any:
    """One session for each process; a cluster must see the same folder, or object storage, under the same name."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise ImproperlyConfigured(
            "FINOPS_CHARGES_ENGINE names a Spark cluster: install requirements-scale.txt and Java 17."
        ) from None
    builder = SparkSession.builder.master(master).appName("finops")
    options = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        # What has no zone is UTC here, and DuckDB writes it so.
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.shuffle.partitions": "8",
        **settings.FINOPS_SPARK_OPTIONS,
    }
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
