"""Real PostgreSQL and Valkey for a test run, thrown away after it: ``pytest -p tests.servers``.

A plugin named by -p is imported before Django's settings are read, in the process that runs the tests or hands them out
and in every worker of xdist. Workers share PostgreSQL, where each has a database of its own; a folder for data and a
Valkey each makes for itself, whatever the environment names: a folder somebody works with is none to test in, and
workers would read one another's tasks and caches.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import run


def up() -> None:
    folder = Path(tempfile.mkdtemp(prefix="finops-tests-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["FINOPS_VAR"] = str(folder / "var")
    if not os.environ.get("DATABASE_URL"):
        postgres = run.Postgres(folder, "only-for-tests", durable=False)
        child, os.environ["DATABASE_URL"] = postgres.start()
        if postgres.home != folder:
            atexit.register(shutil.rmtree, postgres.home, ignore_errors=True)
        atexit.register(child.stop)
    if os.environ.get("PYTEST_XDIST_WORKER") or not os.environ.get("REDIS_URL"):
        child, os.environ["REDIS_URL"] = run.start_valkey(
            folder / "valkey", "only-for-tests", log=folder / "valkey.log"
        )
        atexit.register(child.stop)


up()
