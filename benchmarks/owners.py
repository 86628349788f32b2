"""How long it takes to own a loaded month anew: 1,000 rules, a third of them by name patterns, in place."""

import sys
import tempfile
from pathlib import Path

from benchmarks import bill, fresh_database
from benchmarks.load import LOAD

# In a process of its own, as a worker would: rules that own nearly everything, then one that moves, then nothing new.
OWN = """
import django, resource as machine, sys, time
django.setup()
from costs import reowning
from costs.models import CostLine, DeliveryMonth
from costs.owners import OwnerRule, VirtualTag
from datetime import date

def rules(first, count):
    made = []
    for number in range(count):
        team = (number + first) % 20 + 1
        kinds = [
            {"tag_key": "Owner", "tag_value": f"owner{number % 200}"},
            {"sub_account": f"{number % 40:1>12}", "service": f"Service {number % 60}"},
            {"resource_pattern": f"^resource-{number}[0-9]?$"},
            {"tag_key": "Project", "tag_value": f"P{number % 300}", "region": f"region-{number % 10}"},
        ]
        dates = {"start": date(2026, 10, 15)} if number % 100 == 7 else {}
        made.append(OwnerRule(team, f"rule {number}", **kinds[number % 4], **dates))
    return made

def timed(what, ask):
    start = time.perf_counter()
    changed = ask()
    print(f"  {what}: {time.perf_counter() - start:.1f} s, {changed:,} changed", flush=True)

count = int(sys.argv[1])
row = DeliveryMonth.objects.get(is_current=True)
lines = CostLine.objects.filter(delivery_month=row).count()
print(f"  {row.charges:,} charges in {lines:,} cost lines, {count:,} rules")
first, second = rules(0, count), rules(3, count)
resource = "arn:aws:ec2:us-east-1:1:instance/i-"
tags = [VirtualTag("AWS", f"{r % 40:1>12}", f"{resource}{r:0>17}", "Environment", "Production", date(2026, 1, 1))
        for r in range(1000)]
timed("everything gets an owner", lambda: reowning.reown(row, lambda: (first, [])))
timed("every owner changes", lambda: reowning.reown(row, lambda: (second, [])))
timed("one rule changes", lambda: reowning.reown(row, lambda: ([*second[:-1], *rules(9, count)[-1:]], [])))
timed("nothing changes", lambda: reowning.reown(row, lambda: ([*second[:-1], *rules(9, count)[-1:]], [])))
timed("1,000 virtual tags", lambda: reowning.reown(row, lambda: (second, tags)))
timed("preview of all", lambda: len(reowning.moves([row], (first, tags))))
plain = [rule for rule in first if not rule.resource_pattern and not rule.start]
timed("preview out of rollups", lambda: len(reowning.moves([row], (plain, []))))
print(f"  peak memory {machine.getrusage(machine.RUSAGE_SELF).ru_maxrss // 1024:,} MB")
"""


def main(lines: int = 1_000_000, rules: int = 1_000) -> None:
    """Loads one month of `lines` FOCUS lines and prints the seconds that owning it anew takes."""
    import subprocess

    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        path = bill.write(Path(folder) / "bill.csv.gz", lines)
        run = {"check": True, "env": environment}
        subprocess.run([sys.executable, "-c", LOAD, str(path), "bench"], stdout=subprocess.DEVNULL, **run)
        subprocess.run([sys.executable, "-c", OWN, str(rules)], **run)
