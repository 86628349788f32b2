"""A question of one month's charges: from a folder, from a bucket cold and warm, and in the bucket itself.

``python -c "from benchmarks import files; files.main()"``; needs moto. The bucket is an emulator in a process beside
this one: what a transfer takes is that of this machine's loopback, not of a network.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import boto3
import duckdb
from botocore.exceptions import EndpointConnectionError

from finops_site.files.direct import StoredFiles
from finops_site.files.places import Bucket, Place, place_of

ROWS, TRIES = 1_000_000, 7
NAME = "bills/1/charges/2026-03"
QUESTION = "SELECT ServiceName, sum(BilledCost), count(*) FROM read_parquet($1) GROUP BY 1 ORDER BY 1"
PORT = 5099


def main() -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
    }
    try:
        with tempfile.TemporaryDirectory() as folder:
            make_bucket()
            compare(Path(folder))
    finally:
        server.terminate()
        server.wait()


def make_bucket() -> None:
    """Waits until the emulator is there, a minute at most."""
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    for _ignored in range(60):
        with suppress(EndpointConnectionError):
            client.create_bucket(Bucket="finops")
            return
        time.sleep(1)
    raise TimeoutError("the emulator did not start")


def compare(folder: Path) -> None:
    """Prints how long each way takes, and its ratio to the folder of this machine."""
    here = place_of(str(folder / "here"), var=folder, copies_limit=0)
    warm = place_of("s3://finops/site", var=folder / "one", copies_limit=1 << 40)
    cold = place_of("s3://finops/site", var=folder / "other", copies_limit=1 << 40)
    direct = place_of("s3://finops/site", var=folder / "third", copies_limit=0)
    for place in (here, warm):
        place.put_folder(write_charges(folder / "made"), NAME)

    def forget() -> None:
        shutil.rmtree(folder / "other", ignore_errors=True)

    ways: dict[str, tuple[Place, Callable[[], None]]] = {
        "a folder of this machine": (here, lambda: None),
        "a bucket, with a copy here": (warm, lambda: None),
        "a bucket, the first time": (cold, forget),
        "a bucket, in it (no copy)": (direct, lambda: None),
    }
    answers, base = set(), 0.0
    for title, (place, prepare) in ways.items():
        times = []
        for _ignored in range(TRIES):
            prepare()
            begin = time.perf_counter()
            answers.add(str(ask(place)))
            times.append(time.perf_counter() - begin)
        middle = statistics.median(times)
        base = base or middle
        print(f"{title:30} {1000 * middle:7.0f} ms  {middle / base:5.2f}")
    print("every answer is the same" if len(answers) == 1 else "THE ANSWERS DIFFER")


def ask(place: Place) -> list[tuple[object, ...]]:
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        if isinstance(place, Bucket):
            db.register_filesystem(StoredFiles(place))
        return db.execute(QUESTION, [f"{place.folder_here(NAME)}/*.parquet"]).fetchall()


def write_charges(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "charges.parquet"
    duckdb.sql(
        f"""COPY (SELECT 'service ' || range % 40 AS ServiceName, 'i-' || hash(range % 20000) AS ResourceId,
        (hash(range) % 1000000)::DECIMAL(38, 18) / 997 AS BilledCost FROM range({ROWS}) ORDER BY 1)
        TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 30720)"""
    )
    print(f"{ROWS:,} charges, {path.stat().st_size / 1e6:.1f} MB")
    return folder
