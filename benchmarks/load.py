"""How fast a bill is loaded, against the limit (bare DuckDB) and against the usual way (pandas + bulk_create)."""

import gzip
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import bill, fresh_database

BARE = """
import duckdb, sys, time
start = time.perf_counter()
db = duckdb.connect()
settings = "threads = 2; memory_limit = '2GB'; preserve_insertion_order = false; enable_progress_bar = false"
for setting in settings.split("; "):
    db.execute("SET " + setting)
db.execute(f"COPY (SELECT * REPLACE (" + ", ".join(f"CAST({name} AS DECIMAL(38, 18)) AS {name}" for name in
    ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")) +
    f") FROM read_csv('{sys.argv[1]}', all_varchar = true)) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
print(time.perf_counter() - start)
"""

# A worker has started long before a bill comes, so its start is not counted; everything after the file's arrival is.
LOAD = """
import django, resource, sys, time
from pathlib import Path
django.setup()
from costs import ingest
start = time.perf_counter()
(received,) = ingest.receive(sys.argv[2], [Path(sys.argv[1])])
delivery = ingest.load(received.delivery)
assert delivery.status == "current", delivery.message
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""

ORM_LINES = 20_000


def main(lines: int = 1_000_000, runs: int = 3) -> None:
    """Prints the medians of `runs` pairs and their ratios."""
    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        path = bill.write(Path(folder) / "bill.csv.gz", lines)
        print(f"{lines:,} FOCUS lines, {path.stat().st_size / 1e6:,.0f} MB CSV.gz")
        bare, ours, peaks = [], [], []
        for run in range(runs):
            bare.append(_bare(path, Path(folder) / f"bare-{run}.parquet"))
            seconds, peak = _load(path, f"bench {run}", environment)
            ours.append(seconds)
            peaks.append(peak)
            print(f"  bare {bare[-1]:.1f} s, load {ours[-1]:.1f} s, ratio {ours[-1] / bare[-1]:.2f}")
        ratio = sorted(o / b for o, b in zip(ours, bare, strict=True))[runs // 2]
        print(f"whole load / bare DuckDB CSV.gz -> Parquet: {ratio:.2f} (limit 2), peak memory {max(peaks):,} MB")
        orm = timed(lambda: _orm(path)) / ORM_LINES
        print(
            f"pandas + bulk_create / whole load, per line: {orm / (sorted(ours)[runs // 2] / lines):.1f} (at least 40)"
        )


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _bare(path: Path, target: Path) -> float:
    done = subprocess.run([sys.executable, "-c", BARE, str(path), str(target)], check=True, capture_output=True)
    target.unlink()
    return float(done.stdout)


def _load(path: Path, source: str, environment: dict[str, str]) -> tuple[float, int]:
    """Loads in a process of its own, as a worker would; returns seconds and its peak memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(path), source], env=environment, check=True, capture_output=True, text=True
    )
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak)


def _orm(path: Path) -> None:
    """The first lines of the bill the usual way: pandas chunks, a loop over rows, bulk_create of whole lines."""
    import pandas as pd

    from costs import partitions
    from costs.models import CostLine, TagSet

    tags, _ = TagSet.objects.get_or_create(fingerprint="benchmark")
    with gzip.open(path, "rt") as stream:
        for chunk in pd.read_csv(stream, dtype=str, keep_default_na=False, chunksize=5_000, nrows=ORM_LINES):
            rows = chunk.to_dict("records")
            partitions.ensure([date.fromisoformat(rows[0]["ChargePeriodStart"][:10])])
            CostLine.objects.bulk_create(_line(CostLine, tags, row) for row in rows)


def _line(model: type, tags: object, row: dict[str, str]) -> object:
    from costs.lines import AMOUNTS, DESCRIPTIONS, DIMENSIONS, UNANIMOUS

    texts = {**DIMENSIONS, **DESCRIPTIONS, **UNANIMOUS}
    return model(
        delivery_month_id=0,
        billing_month=row["BillingPeriodStart"][:10],
        charge_date=row["ChargePeriodStart"][:10],
        tag_set=tags,
        charges=1,
        quantity=row["ConsumedQuantity"],
        **{name: row.get(column, "") for name, (column, _) in texts.items()},
        **{name: row[column] for name, column in AMOUNTS.items()},
    )
