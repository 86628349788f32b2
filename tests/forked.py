"""For workers of fault tests: does what a line says in a fork, and kills it after so long.

"verb argument time seconds" in; out comes the fork's number, then ``killed``, or ``ended`` with the exit code.
Django is set up once, before the forks.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime

Verbs = Mapping[str, Callable[[str, datetime], object]]


def main(verbs: Verbs) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        verb, argument, now, seconds = line.split()
        print(_run(verbs, verb, argument, datetime.fromisoformat(now), float(seconds)), flush=True)


def _run(verbs: Verbs, verb: str, argument: str, now: datetime, seconds: float) -> str:
    child = os.fork()
    if child == 0:
        _act(verbs, verb, argument, now)
    print(child, flush=True)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return "killed" if code == -signal.SIGKILL else f"ended {code}"
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed"


def _act(verbs: Verbs, verb: str, argument: str, now: datetime) -> None:
    try:
        verbs[verb](argument, now)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
