"""A folder in which the processes of one web server keep their counts, so that each answers for all. Pure.

Prometheus's client looks for it in the environment when it is imported first. It goes with the server; one whose server
was killed goes when the next begins.
"""

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "finops-counts-"


def share_counts() -> None:
    """Makes the folder, where the environment names none that this user may write into.

    Without room for one every process counts for itself.
    """
    if os.access(os.environ.get(FOLDER, ""), os.W_OK | os.X_OK):
        return
    os.environ.pop(FOLDER, None)
    _remove_left()
    with contextlib.suppress(OSError):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        atexit.register(_remove, os.environ[FOLDER], os.getpid())


def _remove(folder: str, owner: int) -> None:
    # Workers inherit what the server registered, and end before it.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)
