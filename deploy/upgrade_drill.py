"""The upgrade, as an operator does it: an installation made by older code, with the demo company, started by today's.

    python deploy/upgrade_drill.py COMMIT [--keep FOLDER]

Each step goes through the `run.py` of its version: the older one makes the company and is stopped, today's starts on
the same folder. Proved: the books hold before and after, with the same totals to the last digit; fay signs in to both,
with the password that the older one made, and reads figures on her home page (differences are listed: a version may
show more). Takes some five minutes; exit 1 where anything differs that must not.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 1500


def pins_of(code: Path) -> set[str]:
    return set(re.findall(r"^[A-Za-z0-9._-]+==[^ ;\\]+", (code / "requirements.txt").read_text(), re.MULTILINE))


class Version:
    """The code of one version, on a data folder that several have one after the other."""

    def __init__(self, code: Path, var: Path, port: int) -> None:
        self.code, self.var, self.port = code, var, port
        outside = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        # Packages are those of each version: an environment of its own, unless ours has them all, of these versions.
        venv = ROOT / ".venv" if pins_of(code) <= pins_of(ROOT) else code / ".venv"
        self.env = outside | {"FINOPS_VAR": str(var), "PORT": str(port), "FINOPS_VENV": str(venv)}
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, until: str) -> None:
        log = (self.var.parent / f"{self.code.name}.log").open("w+")
        command = [sys.executable, str(self.code / "run.py")]
        self.process = subprocess.Popen(command, env=self.env, stdout=log, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while until not in Path(log.name).read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.code.name} did not start: {Path(log.name).read_text()[-2000:]}")
            time.sleep(0.5)

    def stop(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)

    def books(self) -> dict[str, Any]:
        command = [sys.executable, str(self.code / "run.py"), "manage", "check_books", "--json"]
        answer = subprocess.run(command, env=self.env, capture_output=True, text=True)
        if not answer.stdout:
            raise SystemExit(f"check_books of {self.code.name}: {answer.stderr[-2000:]}")
        books: dict[str, Any] = json.loads(answer.stdout)
        return books

    def figures(self) -> list[str]:
        """What fay reads on her home page."""
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        page = f"http://127.0.0.1:{self.port}/accounts/login/"
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.open(page).read().decode())
        assert token
        password = json.loads((self.var / "state.json").read_text())["demo_password"]
        form = {"login": "fay@demo.example", "password": password, "csrfmiddlewaretoken": token[1]}
        answer = browser.open(urllib.request.Request(page, urlencode(form).encode(), {"Referer": page}))
        if answer.url != f"http://127.0.0.1:{self.port}/":
            raise SystemExit(f"fay could not sign in to {self.code.name}")
        return re.findall(r"-?[\d,]+\.\d\d\b", re.sub(r"<[^>]+>", " ", answer.read().decode()))


def drill(commit: str, folder: Path) -> int:
    code = folder / "older"
    subprocess.run(["git", "worktree", "add", "-q", "--detach", str(code), commit], cwd=ROOT, check=True)
    var, seconds = folder / "var", time.monotonic()
    try:
        older = Version(code, var, 8190)
        older.start(until="the demo is whole")
        before, figures = older.books(), older.figures()
        older.stop()
        made, began = time.monotonic() - seconds, time.monotonic()
        today = Version(ROOT, var, 8191)
        today.start(until="FinOps is ready")
        started = time.monotonic() - began
        after, figures_after = today.books(), today.figures()
        today.stop()
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(code)], cwd=ROOT)
    checks = {
        "books held before": before["green"],
        "books hold after": after["green"],
        "the same totals": before["totals"] == after["totals"],
        "fay signs in and reads figures": bool(figures and figures_after),
    }
    print(f"made by {commit} in {made:.0f} s, started by today's code in {started:.0f} s")
    for what, holds in checks.items():
        print(f"  {'yes' if holds else 'NO '}  {what}")
    print(f"  figures on home: {len(figures)} before, {len(figures_after)} after")
    for title, one, other in (("no longer", figures, figures_after), ("new", figures_after, figures)):
        differing = sorted(set(one) - set(other))
        print(f"  {title}: {', '.join(differing[:20]) or 'none'}")
    return 0 if all(checks.values()) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--keep", type=Path, help="a folder for data and logs, which stays")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        return drill(options.commit, options.keep.resolve())
    with tempfile.TemporaryDirectory(prefix="finops-upgrade-") as folder:
        return drill(options.commit, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
