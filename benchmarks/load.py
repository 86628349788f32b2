"""How fast a bill is loaded, against the limit (bare DuckDB) and against the usual way (pandas + bulk_create)."""

import csv
import gzip
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks import bill, fresh_database
from costs.calc.dimensions import CATALOGUED, READ_FROM_CHARGES

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

# A bill loaded in a process of its own: this command, the path, the name of the source.
LOAD = (sys.executable, "-m", "benchmarks.load")

EXACT = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ConsumedQuantity")
# Ten million would take an hour and a half.
ORM_LINES = 1_000_000
# From here on the database has as much to do as the reader of the text.
MANY_COST_LINES = 1_000_000


def main(lines: int = 1_000_000, runs: int = 3, peer: bool = True, resources: int = bill.RESOURCES) -> None:
    """Prints the medians of `runs` pairs and their ratios; the usual way takes five minutes a million.

    Seconds of the processors stand beside those of the clock: on a machine shared with others they differ.
    """
    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        path = bill.write(Path(folder) / "bill.csv.gz", lines, resources=resources)
        print(f"{lines:,} FOCUS lines of {resources:,} resources, {path.stat().st_size / 1e6:,.0f} MB CSV.gz")
        bare, ours, peaks = [], [], []
        for run in range(runs):
            bare.append(_bare(path, Path(folder) / f"bare-{run}.parquet"))
            seconds, busy, peak, cost_lines = _load(path, f"bench {run}", environment)
            ours.append(seconds)
            peaks.append(peak)
            print(
                f"  bare {bare[-1]:.1f} s, load {seconds:.1f} s ({busy:.1f} s of the worker's processors) for "
                f"{cost_lines:,} cost lines, ratio {seconds / bare[-1]:.2f}",
                flush=True,
            )
        ratio = sorted(o / b for o, b in zip(ours, bare, strict=True))[runs // 2]
        limit = 2.5 if cost_lines > MANY_COST_LINES else 2
        print(
            f"whole load / bare DuckDB CSV.gz -> Parquet: {ratio:.2f} (limit {limit}), "
            f"peak memory {max(peaks):,} MB (limit 1,200)"
        )
        if peer:
            orm = timed(lambda: _orm(path)) / min(lines, ORM_LINES) / (sorted(ours)[runs // 2] / lines)
            print(f"pandas + bulk_create / whole load, per line: {orm:.1f} (at least 40)")


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _bare(path: Path, target: Path) -> float:
    done = subprocess.run([sys.executable, "-c", BARE, str(path), str(target)], check=True, capture_output=True)
    target.unlink()
    return float(done.stdout)


def _load(path: Path, source: str, environment: dict[str, str]) -> tuple[float, float, int, int]:
    """Loads in a process of its own, as a worker would.

    Returns seconds, those its threads were busy, its peak memory in MB, and how many cost lines it made.
    """
    done = subprocess.run([*LOAD, str(path), source], env=environment, check=True, capture_output=True, text=True)
    seconds, busy, peak, cost_lines = done.stdout.split()
    return float(seconds), float(busy), int(peak), int(cost_lines)


def _orm(path: Path) -> None:
    """The usual way, done well: the same rows with the same columns in the same tables, with the same sums and checks.

    pandas reads the text in chunks (amounts as exact Decimals, never floats); `bulk_create` writes every charge with
    all its columns, five thousand at a time, for there is no file beside the tables that would keep them; pandas sums
    them to cost lines, which are written likewise into the partitioned, indexed table. Tags are parsed once for each
    distinct text and kept as tag sets, drop-downs are filled, both rollups are made by one statement each, and the sums
    are checked against the bill's. In its favour, charges have no index and no owner is decided.
    """
    import pandas as pd

    from costs.charges.build_cost_lines import AMOUNTS
    from costs.charges.totals import totals_as_text
    from costs.ingest.partitions import analyze_lines, ensure_partitions
    from costs.ingest.publications import check_layers
    from costs.ingest.rollups import roll_up
    from costs.models import CostLine, Dimension

    row, known, pieces = _month_of_the_peer(), {}, []
    seen: set[tuple[str, str]] = set()
    with gzip.open(path, "rt") as stream, _charge_table(path) as charge:
        for chunk in pd.read_csv(stream, dtype=str, keep_default_na=False, chunksize=5_000, nrows=ORM_LINES):
            days = chunk["ChargePeriodStart"].str[:10]
            for column in EXACT:
                chunk[column] = chunk[column].map(Decimal)
            for column in _moments(chunk):
                chunk[column] = pd.to_datetime(chunk[column], utc=True)
            charge.objects.bulk_create(charge(**cells) for cells in chunk.to_dict("records"))
            pieces.append(_summed(chunk.assign(charge_date=days, charges=1)))
            for name in CATALOGUED:
                seen |= {(name, value) for value in chunk[READ_FROM_CHARGES[name][0]].unique()}
        lines = _summed(pd.concat(pieces))
        ensure_partitions([date.fromisoformat(day) for day in lines["charge_date"].unique()])
        tag_sets = _tag_sets(lines["Tags"].unique(), known)
        for first in range(0, len(lines), 5_000):
            some = lines.iloc[first : first + 5_000].to_dict("records")
            CostLine.objects.bulk_create(_line(row, tag_sets, line) for line in some)
    Dimension.objects.bulk_create(
        (Dimension(name=name, value=value) for name, value in sorted(seen)), ignore_conflicts=True
    )
    sums = {column: sum(lines[column], Decimal(0)) for column in AMOUNTS.values()}
    row.totals = totals_as_text({"USD": sums})
    analyze_lines(row)
    roll_up(row)
    check_layers(row)


def _summed(rows: Any) -> Any:
    """The rows by what makes a cost line, with the descriptions that follow from it."""
    from costs.charges.build_cost_lines import DESCRIPTIONS, UNANIMOUS

    grain = ["charge_date", "Tags", *(column for column, _ in READ_FROM_CHARGES.values() if column in rows)]
    descriptions = [column for column, _ in {**DESCRIPTIONS, **UNANIMOUS}.values() if column in rows]
    sums = {**dict.fromkeys(EXACT, "sum"), "charges": "sum", **dict.fromkeys(descriptions, "first")}
    return rows.groupby(grain, sort=False, as_index=False).agg(sums)


def _moments(columns: Iterable[str]) -> list[str]:
    return [name for name in columns if name.endswith(("PeriodStart", "PeriodEnd"))]


@contextmanager
def _charge_table(path: Path) -> Iterator[Any]:
    """A model of the bill's own columns, with a table for the time."""
    from django.db import connection, models

    with gzip.open(path, "rt") as stream:
        names = next(csv.reader(stream))
    kinds: dict[str, models.Field] = {name: models.TextField() for name in names}
    kinds |= {name: models.DecimalField(max_digits=38, decimal_places=18) for name in EXACT}
    kinds |= {name: models.DateTimeField() for name in _moments(names)}
    meta = type("Meta", (), {"app_label": "benchmarks", "db_table": "benchmark_charge"})
    charge = type("Charge", (models.Model,), {"__module__": __name__, "Meta": meta, **kinds})
    with connection.schema_editor() as editor:
        editor.create_model(charge)
    try:
        yield charge
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(charge)


def _month_of_the_peer() -> Any:
    from costs.models import Delivery, DeliveryMonth, Source
    from costs.versions.streams import stream_of

    source, _ = Source.objects.get_or_create(name="the usual way")
    delivery = Delivery.objects.create(source=source, fingerprint=uuid.uuid4().hex)
    month = date(2026, 10, 1)
    return DeliveryMonth.objects.create(
        delivery=delivery,
        stream=stream_of(delivery, ""),
        billing_month=month,
        charges=0,
        charge_months=[str(month)],
        totals={},
    )


def _tag_sets(texts: Iterable[str], known: dict[str, Any]) -> dict[str, Any]:
    """The tag sets of texts, each made once."""
    from costs.models import TagSet

    fresh = {}
    for text in set(texts) - known.keys():
        tags = json.loads(text) if text else {}
        canonical = json.dumps(tags, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        mark = hashlib.md5(canonical.encode()).hexdigest()
        fresh[text] = TagSet(fingerprint=mark, tags=tags)
    TagSet.objects.bulk_create(fresh.values(), ignore_conflicts=True)
    ids = dict(
        TagSet.objects.filter(fingerprint__in=[tag_set.fingerprint for tag_set in fresh.values()]).values_list(
            "fingerprint", "pk"
        )
    )
    known |= {text: ids[tag_set.fingerprint] for text, tag_set in fresh.items()}
    return known


def _line(month: Any, tag_sets: dict[str, Any], row: dict[str, Any]) -> Any:
    from costs.charges.build_cost_lines import AMOUNTS, DESCRIPTIONS, UNANIMOUS
    from costs.models import CostLine

    texts = {**READ_FROM_CHARGES, **DESCRIPTIONS, **UNANIMOUS}
    return CostLine(
        delivery_month_id=month.pk,
        billing_month=month.billing_month,
        charge_date=date.fromisoformat(row["charge_date"]),
        tag_set_id=tag_sets[row["Tags"]],
        charges=row["charges"],
        quantity=Decimal(row["ConsumedQuantity"]),
        **{name: row.get(column, "")[:width] for name, (column, width) in texts.items()},
        **{name: row[column] for name, column in AMOUNTS.items()},
    )


def load_as_a_worker(path: str, source: str) -> None:
    """Prints the seconds, those of the processors, the peak memory in MB and the number of cost lines.

    A worker has started long before a bill comes, so its start is not counted; everything after the file's arrival is.
    """
    from costs.ingest.load import load_bill
    from costs.ingest.receive import receive_bill

    start, busy = time.perf_counter(), time.process_time()
    (receipt,) = receive_bill(source, [Path(path)])
    delivery = load_bill(receipt.delivery)
    assert delivery.status == "current", delivery.message
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost_lines = sum(month.lines for month in delivery.months.all())
    print(time.perf_counter() - start, time.process_time() - busy, used.ru_maxrss // 1024, cost_lines)


if __name__ == "__main__":
    import django

    django.setup()
    load_as_a_worker(*sys.argv[1:])
