"""A worker for tests of faults: forks a process for each load it is told to do, and kills it after so many seconds.

Django is set up once, before the forks; only the children speak to the database.
"""

import os
import signal
import sys
import time

import django

django.setup()

from costs.ingest.load import load_bill  # noqa: E402
from costs.models import Delivery  # noqa: E402


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        delivery, seconds = line.split()
        print(run(int(delivery), float(seconds)), flush=True)


def run(delivery: int, seconds: float) -> str:
    """``killed``, or ``ended`` with the exit code of a load that was quicker."""
    child = os.fork()
    if child == 0:
        os.setsid()
        load(delivery)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return f"ended {os.waitstatus_to_exitcode(status)}"
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed"


def load(delivery: int) -> None:
    try:
        load_bill(Delivery.objects.get(pk=delivery))
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


main()
