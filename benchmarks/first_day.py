"""A newcomer's first day, timed: from a clone to the total of her own first bill on home, without the demo.

``python3 -m benchmarks.first_day`` clones, installs and starts anew; ``--here`` uses this clone and its packages.
Standard library only, as a newcomer has it; all is made in a temporary folder and removed.
"""

import argparse
import http.cookiejar
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from run import free_port
from tests import bills

ROOT = Path(__file__).resolve().parents[1]
COSTS = ("1200.50", "34.25", "0.25")
TOTAL = "1,235.00"
PATIENCE_SECONDS = 900


class Browser:
    """A session over HTTP: pages are read, and forms sent, as a browser does."""

    def __init__(self, base: str) -> None:
        self.base = base
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(cookies)

    def read(self, path: str) -> str:
        with self.opener.open(self.base + path, timeout=60) as answer:
            return answer.read().decode()

    def send(self, path: str, fields: dict[str, str], file: tuple[str, bytes] | None = None) -> tuple[str, str]:
        """Sends the form of a page; returns the address and the text of the page that it leads to."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.read(path))
        assert token, f"{path} has no form"
        edge = secrets.token_hex(16)
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in {"csrfmiddlewaretoken": token[1], **fields}.items()
        ]
        if file:
            head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{file[0]}"\r\n\r\n'
            parts.append(head.encode() + file[1] + b"\r\n")
        body = b"".join([*parts, f"--{edge}--\r\n".encode()])
        headers = {"Content-Type": f"multipart/form-data; boundary={edge}", "Referer": self.base + path}
        request = urllib.request.Request(self.base + path, body, headers)
        with self.opener.open(request, timeout=60) as answer:
            return urllib.parse.urlsplit(answer.url).path, answer.read().decode()


def main(arguments: list[str] | None = None) -> None:
    """Prints the seconds of each stage, and those of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--here", action="store_true", help="use this clone and its packages")
    here = parser.parse_args(arguments).here
    with tempfile.TemporaryDirectory(prefix="finops-first-day-") as folder:
        began = time.monotonic()
        clone = ROOT if here else Path(folder) / "finops"
        if not here:
            with stage("clone"):
                subprocess.run(["git", "clone", "-q", "--depth", "1", ROOT.as_uri(), str(clone)], check=True)
        port = free_port()
        with site(clone, Path(folder), port):
            first_day(Browser(f"http://127.0.0.1:{port}"))
        print(f"{time.monotonic() - began:7.1f} s  from nothing to the total of the first bill")


@contextmanager
def stage(words: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:7.1f} s  {words}", flush=True)


@contextmanager
def site(clone: Path, folder: Path, port: int) -> Iterator[None]:
    """`run.py --no-demo` on a data folder of its own, installed first where it is a clone of its own."""
    own = {"FINOPS_VAR": str(folder / "var"), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    outside = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    if clone == ROOT:
        own["FINOPS_VENV"] = os.environ.get("FINOPS_VENV") or sys.prefix
    else:
        outside.pop("FINOPS_VENV", None)
    command = [sys.executable, str(clone / "run.py"), "--no-demo"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=outside | own, cwd=clone, text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            with stage("install the packages, start the servers"):
                lines = []
                while "preparing the database" not in (line := process.stderr.readline()):
                    lines.append(line)
                    assert line, f"it ended: {''.join(lines)}"
            with stage("make the tables, to the line that says where it is"):
                assert "is ready" in process.stdout.readline(), process.stderr.read()
            yield
        finally:
            process.send_signal(signal.SIGINT)


def first_day(browser: Browser) -> None:
    with stage("the first administrator"):
        password = secrets.token_urlsafe(12)
        person = {"email": "ivy@strand.example", "name": "Ivy", "password1": password, "password2": password}
        address, _ = browser.send("/welcome/", person)
        assert address == "/set-up/", address
    with stage("company and currency"):
        address, _ = browser.send("/set-up/company/", {"name": "Strand", "currency": "USD"})
        assert address == "/set-up/", address
    with stage("upload a bill"):
        address, page = browser.send("/deliveries/upload/", {"source": "Strand (AWS)"}, ("bill.csv", first_bill()))
        assert re.fullmatch(r"/deliveries/\d+/", address), page
    with stage("wait until it counts"):
        wait_for(browser, address, "Current")
    with stage("read its total on home"):
        wait_for(browser, "/", TOTAL)


def wait_for(browser: Browser, path: str, words: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while words not in (page := browser.read(path)):
        assert time.monotonic() < deadline, f"{path} never lines {words!r}: {page[-2000:]}"
        time.sleep(0.2)


def first_bill() -> bytes:
    """A small bill of the month of yesterday."""
    day = datetime.now(UTC).date() - timedelta(days=1)
    first, after = day.replace(day=1), (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    dates = {
        "BillingPeriodStart": f"{first}T00:00:00Z",
        "BillingPeriodEnd": f"{after}T00:00:00Z",
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
    }
    return bills.focus_csv([{"BilledCost": cost} for cost in COSTS], **dates)


if __name__ == "__main__":
    main()
