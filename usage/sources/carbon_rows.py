"""The carbon of an import in the database, where pages sum it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from costs.formats.sql import literal
from costs.ingest.postgres_copy import copy_across
from finops_site.files.product import product_files
from usage.calc.carbon_reading import CARBON
from usage.models import CarbonMonth, FactImport

WIDTHS = {"provider": 200, "account": 200, "region": 200, "service": 300, "model": 50}


def store_carbon(db: duckdb.DuckDBPyConnection, row: FactImport) -> None:
    """Copies the Parquet of an import of carbon into its rows."""
    parquet = product_files().file_here(row.parquet)
    texts = {name: f"left(coalesce({name}, ''), {width})" for name, width in WIDTHS.items()}
    columns = [texts.get(name, name) for name in CARBON]
    select = f"SELECT {int(row.pk)}, {', '.join(columns)} FROM read_parquet({literal(str(parquet))})"
    names = ["fact_import_id", *CARBON]
    with TemporaryDirectory() as folder:
        copy_across(db, select, CarbonMonth._meta.db_table, names, Path(folder) / "carbon.csv")
