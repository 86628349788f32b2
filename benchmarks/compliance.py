"""How long a month's tag compliance takes to be worked out anew, against the least anybody must ask of the books."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import bill, fresh_database
from benchmarks.load import LOAD

# In a process of its own, as a worker would. The limit is one GROUP BY of the month's lines by resource and tag set.
BUILD = """
import django, resource as machine, time
django.setup()
from django.db import connection
from costs.models import CostLine, DeliveryMonth
from datetime import date
from finops_site.periods import Month
from tagging import compliance, fixing, reminders
from tagging.models import TaggedResource

def timed(what, ask, against=None):
    start = time.perf_counter()
    said = ask()
    seconds = time.perf_counter() - start
    ratio = f", {seconds / against:.1f} times the limit" if against else ""
    print(f"  {what}: {seconds:.2f} s{ratio}{said or ''}", flush=True)
    return seconds

def limit():
    with connection.cursor() as cursor:
        cursor.execute("SET work_mem = '256MB'")
        cursor.execute("SELECT count(*) FROM (SELECT resource, tag_set_id, sum(billed_cost), max(charge_date) "
                       "FROM costs_costline WHERE delivery_month_id = %s GROUP BY 1, 2) s", [row.pk])

row = DeliveryMonth.objects.get(is_current=True)
month = Month.of(row.billing_month)
lines = CostLine.objects.filter(delivery_month=row).count()
print(f"  {row.charges:,} charges in {lines:,} cost lines")
compliance.rebuild(month)
least = min(timed("limit, one GROUP BY by resource", limit) for _ in range(3))
def build():
    made = compliance.rebuild(month)
    return f"; {made.resources:,} resources by {made.decisions:,} decisions"
timed("compliance worked out anew", build, least)
timed("nothing changed", lambda: f"; {len(compliance.refresh())} months" , least)
timed("what is wrong, for the reminders", lambda: f"; {reminders.watch(date(2026, 11, 1)):,} to fix", least)
timed("suggestions", lambda: f"; {fixing.rebuild_suggestions(date(2026, 11, 1)):,}", least)
print(f"  peak memory {machine.getrusage(machine.RUSAGE_SELF).ru_maxrss // 1024:,} MB")
"""


def main(lines: int = 1_000_000) -> None:
    """Loads one month of `lines` FOCUS lines and prints the seconds, and ratios against the limit in the same run."""
    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        path = bill.write(Path(folder) / "bill.csv.gz", lines)
        run = {"check": True, "env": environment}
        subprocess.run([sys.executable, "-c", LOAD, str(path), "bench"], stdout=subprocess.DEVNULL, **run)
        subprocess.run([sys.executable, "-c", BUILD], **run)
