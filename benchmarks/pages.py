"""How fast pages answer with a million charges loaded, for 8 people at once."""

import http.client
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from benchmarks import bill, fresh_database
from finops_site.lib.periods import Month

USERS, ROUNDS, LIMIT_MS = 8, 25, 300
PORT = 8765


def main(lines: int = 1_000_000, months: int = 12, limit: int = LIMIT_MS) -> None:
    """Prints p50 and p95 of every page, and p95 as a share of the limit."""
    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        today = timezone.now().date()
        cookies = people(load_months(Path(folder), lines // months, months, today))
        with server(environment):
            for name, path in pages(today).items():
                for who, cookie in cookies.items():
                    # A lead does not see so many lines.
                    if "page=1000" not in path or who == "finance":
                        report(f"{name} as {who}", measure(path, cookie), limit)


def load_months(folder: Path, lines: int, months: int, today: date) -> list[str]:
    """Loads `months` bills of `lines` lines each that end with this month; three of four lines have an owner."""
    from costs.ingest.load import load_bill
    from costs.ingest.receive import receive_bill
    from finops_site.models import Team
    from tagging.models import OwnershipRule

    names = [f"Team {number}" for number in range(15)]
    for name in names:
        team = Team.objects.create(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name)
    for back in range(months):
        month = Month.of(today).plus(-back)
        path = bill.write(folder / f"{month}.csv.gz", lines, month=str(month), days=month.days)
        (received,) = receive_bill("benchmark", [path])
        delivery = load_bill(received.delivery)
        assert delivery.status == "current", delivery.message
    return names


def people(names: list[str]) -> dict[str, str]:
    """A finance person who sees everything and a team lead who sees one team: {who: session cookie}."""
    from django.contrib.auth.models import Group

    from finops_site.models import Membership, Team, User

    fay = User.objects.create_user("fay@demo.example", "x", name="Fay")
    fay.groups.add(Group.objects.get(name="finance"))
    lea = User.objects.create_user("lea@demo.example", "x", name="Lea")
    lea.groups.add(Group.objects.get(name="engineering"))
    Membership.objects.create(user=lea, team=Team.objects.get(name=names[0]), role=Membership.Role.LEAD)
    return {"finance": _cookie(fay), "a team lead": _cookie(lea)}


def _cookie(user: object) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"sessionid={session.session_key}"


def pages(today: date) -> dict[str, str]:
    month = Month.of(today)
    year = f"from={month.plus(-11)}&to={month}"
    return {
        "home": "/",
        "explorer, 12 months by service": f"/costs/?group_by=service&grain=month&{year}",
        "cost lines, page 1": f"/costs/lines/?{year}",
        "cost lines, page 1000": f"/costs/lines/?{year}&page=1000",
    }


class server:
    """gunicorn as run.py starts it."""

    def __init__(self, environment: dict[str, str]) -> None:
        command = ["-m", "gunicorn", "-w", "2", "--threads", "4", "--preload", "-b", f"127.0.0.1:{PORT}"]
        self.process = subprocess.Popen([sys.executable, *command, "finops_site.wsgi"], env=environment)

    def __enter__(self) -> None:
        for _ in range(200):
            time.sleep(0.1)
            try:
                return http.client.HTTPConnection("127.0.0.1", PORT, timeout=1).connect()
            except OSError:
                continue
        raise SystemExit("gunicorn did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def measure(path: str, cookie: str) -> list[float]:
    """Milliseconds of every answer while 8 people ask at once, sorted; the first round warms up."""
    times: list[float] = []
    threads = [threading.Thread(target=_ask, args=(path, cookie, times)) for _ in range(USERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times)


def _ask(path: str, cookie: str, times: list[float]) -> None:
    for number in range(ROUNDS + 1):
        start = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, (path, answer.status, urlsplit(answer.getheader("Location") or "").path)
        if number:
            times.append((time.perf_counter() - start) * 1000)


def report(name: str, times: list[float], limit: int) -> None:
    middle, late = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(f"{name:50} p50 {middle:6.0f} ms  p95 {late:6.0f} ms  {late / limit:5.2f} of {limit} ms")
