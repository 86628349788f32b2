"""What the audit log costs: 50,000 rows changed by one statement with its triggers, against the same without them.

``python3 run.py manage shell -c "from benchmarks import audit_log; audit_log.main()"``
"""

import time
from statistics import median

from benchmarks import fresh_database

ROWS, RUNS, LIMIT = 50_000, 5, 3.0


def main() -> None:
    with fresh_database():
        from django.db import connection

        from tagging.models import Metric

        metric = Metric.objects.create(name="benchmark")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO tagging_metricvalue (metric_id, of, day, value, changed_at) "
                "SELECT %s, 'x' || n, '2026-01-01', n, now() FROM generate_series(1, %s) n",
                [metric.pk, ROWS],
            )
        without, with_log, insert = [], [], []
        for run in range(RUNS):
            without.append(_update(run, "DISABLE"))
            with_log.append(_update(run + 100, "ENABLE"))
            insert.append(_one_row(metric.pk, run))
        seal = _seal()
    ratio = median(with_log) / median(without)
    print(
        f"{ROWS:,} rows changed: {median(without):.2f} s without, {median(with_log):.2f} s with the log: {ratio:.1f}x"
    )
    print(f"limit {LIMIT}x: {'held' if ratio <= LIMIT else 'BROKEN'}")
    print(f"one row by the ORM: {1000 * median(insert):.1f} ms with the log")
    print(f"sealing and verifying what that wrote: {seal}")


def _update(value: int, verb: str) -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE tagging_metricvalue {verb} TRIGGER USER")
        cursor.execute("VACUUM ANALYZE tagging_metricvalue")
        started = time.perf_counter()
        cursor.execute("UPDATE tagging_metricvalue SET value = value + %s", [value + 1])
        return time.perf_counter() - started


def _one_row(metric: int, number: int) -> float:
    from tagging.models import MetricValue

    started = time.perf_counter()
    MetricValue.objects.create(metric_id=metric, of="one", day=f"2026-02-{number + 1:02}", value=1)
    return time.perf_counter() - started


def _seal() -> str:
    from finops_site.audit import chain

    started = time.perf_counter()
    count = chain.seal()
    sealed = time.perf_counter() - started
    verified = chain.verify()
    return (
        f"{count:,} in {sealed:.1f} s, {time.perf_counter() - started - sealed:.1f} s ({verified.problem or 'whole'})"
    )
