"""How long it takes to assign the owners of a loaded month again: 1,000 rules, a third of them by name patterns.

``python3 run.py manage shell -c "from benchmarks import owners; owners.main()"``
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
from costs.calc.allocation_rules import OwnerRule, VirtualTag


def main(lines: int = 1_000_000, rules: int = 1_000) -> None:
    """Loads one month of `lines` FOCUS lines and prints the seconds that assigning its owners again takes."""
    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        path = bill.write(Path(folder) / "bill.csv.gz", lines)
        subprocess.run([*LOAD, str(path), "bench"], stdout=subprocess.DEVNULL, check=True, env=environment)
        subprocess.run([sys.executable, "-m", "benchmarks.owners", str(rules)], check=True, env=environment)


def measure(count: int) -> None:
    """Rules that own nearly everything, then one that moves, then nothing new; in a process of its own, as a worker."""
    from costs.ingest.reallocate import preview_moves, reallocate_month
    from costs.models import CostLine, DeliveryMonth

    row = DeliveryMonth.objects.get(is_current=True)
    lines = CostLine.objects.filter(delivery_month=row).count()
    print(f"  {row.charges:,} charges in {lines:,} cost lines, {count:,} rules")
    first, second = make_rules(0, count), make_rules(3, count)
    instance = "arn:aws:ec2:us-east-1:1:instance/i-"
    tags = [
        VirtualTag("AWS", f"{r % 40:1>12}", f"{instance}{r:0>17}", "Environment", "Production", date(2026, 1, 1))
        for r in range(1000)
    ]
    one_moved = [*second[:-1], *make_rules(9, count)[-1:]]
    timed("everything gets an owner", lambda: reallocate_month(row, lambda: (first, [])))
    timed("every owner changes", lambda: reallocate_month(row, lambda: (second, [])))
    timed("one rule changes", lambda: reallocate_month(row, lambda: (one_moved, [])))
    timed("nothing changes", lambda: reallocate_month(row, lambda: (one_moved, [])))
    timed("1,000 virtual tags", lambda: reallocate_month(row, lambda: (second, tags)))
    timed("preview of all", lambda: len(preview_moves([row], (first, tags))))
    plain = [rule for rule in first if not rule.resource_pattern and not rule.start]
    timed("preview out of rollups", lambda: len(preview_moves([row], (plain, []))))
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB")


def make_rules(first: int, count: int) -> list[OwnerRule]:
    rules = []
    for number in range(count):
        team = (number + first) % 20 + 1
        kinds: list[dict[str, str]] = [
            {"tag_key": "Owner", "tag_value": f"owner{number % 200}"},
            {"sub_account": f"{number % 40:1>12}", "service": f"Service {number % 60}"},
            {"resource_pattern": f"^resource-{number}[0-9]?$"},
            {"tag_key": "Project", "tag_value": f"P{number % 300}", "region": f"region-{number % 10}"},
        ]
        start = date(2026, 10, 15) if number % 100 == 7 else None
        rules.append(OwnerRule(team, f"rule {number}", **kinds[number % 4], start=start))
    return rules


def timed(what: str, action: Callable[[], int | None]) -> None:
    start = time.perf_counter()
    changed = action()
    print(f"  {what}: {time.perf_counter() - start:.1f} s, {changed or 0:,} changed", flush=True)


if __name__ == "__main__":
    import django

    django.setup()
    measure(int(sys.argv[1]))
