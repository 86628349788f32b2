"""How long it takes to rebuild a month's tag compliance, against one GROUP BY of its lines: the least it needs.

``python3 run.py manage shell -c "from benchmarks import compliance; compliance.main()"``
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import bill, fresh_database
from benchmarks.load import LOAD


def main(lines: int = 1_000_000) -> None:
    """Loads one month of `lines` FOCUS lines and prints the seconds, and ratios against the limit in the same run."""
    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        path = bill.write(Path(folder) / "bill.csv.gz", lines)
        subprocess.run([*LOAD, str(path), "bench"], stdout=subprocess.DEVNULL, check=True, env=environment)
        subprocess.run([sys.executable, "-m", "benchmarks.compliance"], check=True, env=environment)


def measure() -> None:
    """In a process of its own, as a worker would."""
    from costs.models import CostLine, DeliveryMonth
    from finops_site.lib.periods import Month
    from tagging.policy.compliance import rebuild_month, refresh_compliance
    from tagging.policy.reminders import update_issues
    from tagging.remediation.suggestions import rebuild_suggestions

    row = DeliveryMonth.objects.get(is_current=True)
    month, as_of = Month.of(row.billing_month), date(2026, 11, 1)
    lines = CostLine.objects.filter(delivery_month=row).count()
    print(f"  {row.charges:,} charges in {lines:,} cost lines")
    rebuild_month(month)
    limit = min(timed("limit, one GROUP BY by resource", lambda: group_lines(row.pk)) for _ in range(3))

    def rebuild() -> str:
        rebuilt = rebuild_month(month)
        return f"; {rebuilt.resources:,} resources by {rebuilt.decisions:,} decisions"

    timed("compliance rebuilt", rebuild, limit)
    timed("nothing changed", lambda: f"; {len(refresh_compliance())} months", limit)
    timed("what is wrong, for the reminders", lambda: f"; {update_issues(as_of):,} to fix", limit)
    timed("suggestions", lambda: f"; {rebuild_suggestions(as_of):,}", limit)
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB")


def group_lines(delivery_month: int) -> str:
    """The limit: one GROUP BY of the month's lines by resource and tag set."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET work_mem = '256MB'")
        cursor.execute(
            "SELECT count(*) FROM (SELECT resource, tag_set_id, sum(billed_cost), max(charge_date) "
            "FROM costs_costline WHERE delivery_month_id = %s GROUP BY 1, 2) s",
            [delivery_month],
        )
    return ""


def timed(what: str, action: Callable[[], str], limit: float = 0) -> float:
    start = time.perf_counter()
    result = action()
    seconds = time.perf_counter() - start
    ratio = f", {seconds / limit:.1f} times the limit" if limit else ""
    print(f"  {what}: {seconds:.2f} s{ratio}{result}", flush=True)
    return seconds


if __name__ == "__main__":
    import django

    django.setup()
    measure()
