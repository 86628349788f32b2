"""The run: data, site, people, a bill and a night among them, and what came of it."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load_run import happenings, journeys, processes, report
from benchmarks.load_run.browser import Answer
from benchmarks.load_run.people import Person, some_people
from run import free_port

ROOT = Path(__file__).resolve().parents[2]
DATA = Path("/tmp/load_data")
PEOPLE, MINUTES = 50, 10.0
# Of the run, when finance uploads a bill and when the night begins.
BILL_AT, NIGHT_AT = 0.25, 0.5
# Worker and beat go on starting for some seconds after the site answers: people come when it is up.
SETTLE_SECONDS = 20
# In minutes: memory is looked at then, in the middle and at the end.
FIRST_LOOK = 1.0
# A run of less says nothing about memory.
WHOLE_RUN_MINUTES = 10
TROUBLE = re.compile(r"Traceback|ERROR|CRITICAL|WORKER TIMEOUT")


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures; 1 where a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="the data folder, made where it is not there yet")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--prepare", action="store_true", help="only make the data, and start nothing")
    wish = parser.parse_args(arguments)
    facts = prepare(wish.data)
    if wish.prepare:
        return 0
    port = free_port()
    answers: list[Answer] = []
    password = json.loads((wish.data / "state.json").read_text())["demo_password"]
    with site(wish.data, port) as supervisor:
        world = journeys.World(port, password, facts["months"], threading.Event(), answers, [])
        observed = let_in(some_people(wish.people), world, supervisor, wish.minutes, wish.data)
    lines = f"{facts['all_charges']:,} lines, {facts['cost_lines']:,} cost lines"
    print(f"{wish.people} people, {wish.minutes:g} minutes, {lines}")
    broken = report.print_routes(answers)
    client = time.process_time()
    broken += report.print_site(observed, client, is_whole=wish.minutes >= WHOLE_RUN_MINUTES)
    broken += dict.fromkeys(world.surprises)
    print("\n" + "\n".join(f"BROKEN: {line}" for line in broken) if broken else "\nEvery limit is kept.")
    return 1 if broken else 0


def environment(data: Path) -> dict[str, str]:
    """The settings of a usual installation, whatever this shell has."""
    usual = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    own = {"FINOPS_VAR": str(data), "FINOPS_NO_DEMO": "1", "FINOPS_VENV": sys.prefix, "PYTHONUNBUFFERED": "1"}
    return usual | own


def prepare(data: Path) -> dict:
    """Makes what is missing, and has the night of today begin anew; returns the months and how many lines there are."""
    code = "from benchmarks.load_run import company; company.make(); company.begin_anew()"
    command = [sys.executable, str(ROOT / "run.py"), "manage", "shell", "-v0", "-c", code]
    with subprocess.Popen(command, env=environment(data), cwd=ROOT, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            last = line
            print(line, end="", flush=True)
    if process.returncode:
        raise SystemExit("the data could not be made")
    return json.loads(last)


@contextmanager
def site(data: Path, port: int) -> Iterator[int]:
    """The site as run.py starts it, with its web, worker, beat, database and broker; yields the process of run.py."""
    for log in data.glob("*.log"):
        log.unlink()
    own = environment(data) | {"PORT": str(port)}
    command = [sys.executable, str(ROOT / "run.py"), "--no-demo"]
    began = time.monotonic()
    with subprocess.Popen(command, env=own, cwd=ROOT, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            if "is ready" not in process.stdout.readline():
                raise SystemExit("the site did not start")
            print(f"the site is there after {time.monotonic() - began:.1f} s", flush=True)
            yield process.pid
        finally:
            process.send_signal(signal.SIGINT)


def let_in(
    people: list[Person], world: journeys.World, supervisor: int, minutes: float, data: Path
) -> report.SiteFigures:
    """Everybody works until the time is over; meanwhile a bill comes, a night begins, and the site is watched."""
    parts = processes.parts_of(supervisor)
    missing = {"web", "worker", "beat", "database", "broker"} - parts.keys()
    if missing:
        raise SystemExit(f"not started: {', '.join(missing)}")
    observed = report.SiteFigures(minutes)
    time.sleep(SETTLE_SECONDS)
    before = busy_seconds(parts)
    visits = [threading.Thread(target=journeys.Visit(person, world).run, name=person.name) for person in people]
    broker = json.loads((data / "state.json").read_text())["redis_url"]
    events = [
        threading.Thread(target=happenings.upload_bill, args=(world, minutes * 60 * BILL_AT)),
        threading.Thread(target=happenings.begin_night, args=(world, minutes * 60 * NIGHT_AT, broker)),
    ]
    began = time.monotonic()
    for thread in [*visits, *events]:
        thread.start()
    for minute in (FIRST_LOOK, minutes / 2, minutes):
        time.sleep(max(0.0, began + minute * 60 - time.monotonic()))
        memory = {part: processes.memory(processes.tree(pid)) for part, pid in parts.items()}
        observed.memory.append((minute, memory))
    observed.busy = {part: seconds - before[part] for part, seconds in busy_seconds(parts).items()}
    world.stop.set()
    for thread in [*visits, *events]:
        thread.join()
    logs = sorted(data.glob("*.log"))
    lines = [f"{log.name}: {line}" for log in logs for line in log.read_text(errors="replace").splitlines()]
    observed.troubles = [line for line in lines if TROUBLE.search(line)]
    return observed


def busy_seconds(parts: Mapping[str, int]) -> dict[str, float]:
    return {part: processes.seconds(processes.tree(pid)) for part, pid in parts.items()}


if __name__ == "__main__":
    sys.exit(main())
