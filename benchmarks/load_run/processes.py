"""What processes take of the machine, by what Linux writes of them under /proc."""

import os
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
KILOBYTES_OF_MEGABYTE = 1024


class Memory(NamedTuple):
    """Of a process and all that it started, in MB: `pss` counts what they share once, `rss` in each of them."""

    rss: int
    pss: int


def fields(pid: int) -> list[str]:
    """Of /proc/PID/stat what stands behind the name, which may have blanks; none for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["-"] * 20


def parent(pid: int) -> int:
    return int(fields(pid)[1])


def tree(root: int) -> list[int]:
    """A process and all that it started, and they."""
    parents = {int(path.name): fields(int(path.name))[1] for path in Path("/proc").iterdir() if path.name.isdigit()}
    pids = [root]
    for pid in pids:
        pids += [child for child, its_parent in parents.items() if its_parent == str(pid)]
    return pids


def seconds(pids: list[int]) -> float:
    """Seconds of the processors that these took, and those of their children that have ended."""
    return sum(int(field) for pid in pids for field in fields(pid)[11:15] if field != "-") / TICKS


def memory(pids: list[int]) -> Memory:
    """Those that ended meanwhile count as nothing."""
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for name, _, rest in (line.partition(":") for line in lines):
            if name in sums:
                sums[name] += int(rest.split()[0])
    return Memory(*(size // KILOBYTES_OF_MEGABYTE for size in sums.values()))


def parts_of(supervisor: int) -> dict[str, int]:
    """{part of the site: its first process} of what run.py started."""
    marks = {"gunicorn": "web", "worker": "worker", "beat": "beat", "postgres": "database", "valkey": "broker"}
    parts = {}
    for pid in tree(supervisor)[1:]:
        if parent(pid) != supervisor:
            continue
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        name = next((part for mark, part in marks.items() if any(mark in word for word in words[:6])), "")
        if name:
            parts[name] = pid
    return parts
