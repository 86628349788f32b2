"""How fast pages answer with millions of charges loaded, for one person and for 8 at once, kept and asked anew.

``python3 run.py manage shell -c "from benchmarks import pages; pages.main()"``
"""

import http.client
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from benchmarks import bill, fresh_database
from finops_site.lib.periods import Month
from finops_site.people.backends import RoleBackend

USERS, ROUNDS, LIMIT_MS = 8, 25, 300
# A question that nobody asked before.
COLD_ROUNDS, COLD_LIMIT_MS = 5, 1000
PORT = 8765
START_SECONDS = 120
DOORS = {"kept": "finops_site.wsgi", "cold": "benchmarks.cold"}


def main(
    lines: int = 1_000_000, months: int = 12, resources: int = bill.RESOURCES, limit: int = LIMIT_MS, crowd: int = USERS
) -> None:
    """Prints p50 and p95 of every page, and p95 as a share of the limit, kept and cold, for 1 and for 8 people."""
    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        today = timezone.now().date()
        teams = load_months(Path(folder), lines // months, months, today, resources)
        cookies = people(teams)
        for state, door in DOORS.items():
            rounds, limit_ms = (COLD_ROUNDS, COLD_LIMIT_MS) if state == "cold" else (ROUNDS, limit)
            with server(environment, door):
                for name, path in pages(today, months).items():
                    for who, cookie in cookies.items():
                        # A lead does not see so many lines.
                        if who == "finance" or not ("page=1000" in path or "chargeback" in path):
                            for users in (1, crowd):
                                what = f"{state}, {users} at once: {name} as {who}"
                                report(what, measure(path, cookie, users, rounds), limit_ms)


def load_months(folder: Path, lines: int, months: int, today: date, resources: int = bill.RESOURCES) -> list[str]:
    """Loads `months` bills of `lines` lines each that end with this month; three of four lines have an owner.

    What pillars derive after a bill (compliance of tags, drafts of statements) is made too.
    """
    from finops_site.models import Team
    from tagging.models import OwnershipRule

    names = [f"Team {number}" for number in range(15)]
    for name in names:
        team = Team.objects.create(name=name)
        OwnershipRule.objects.create(name=f"Tag {name}", team=team, tag_key="Team", tag_value=name)
    load_bills(folder, lines, months, today, resources)
    return names


def load_bills(folder: Path, lines: int, months: int, today: date, resources: int = bill.RESOURCES) -> None:
    """The bills of `load_months`, whoever owns their lines."""
    from costs.ingest.load import load_bill
    from costs.ingest.receive import receive_bill
    from tagging.tasks import refresh_chargeback, refresh_compliance

    for back in range(months):
        month = Month.of(today).plus(-back)
        path = bill.write(folder / f"{month}.csv.gz", lines, resources=resources, month=str(month), days=month.days)
        (received,) = receive_bill("benchmark", [path])
        delivery = load_bill(received.delivery)
        assert delivery.status == "current", delivery.message
        path.unlink()
    refresh_compliance()
    refresh_chargeback()


def people(names: Sequence[str]) -> dict[str, str]:
    """A finance person who sees everything and a team lead who sees one team: {who: session cookie}."""
    from django.contrib.auth.models import Group

    from finops_site.models import Membership, Team, User

    fay = User.objects.create_user("fay@demo.example", "x", name="Fay")
    fay.groups.add(Group.objects.get(name="finance"))
    lea = User.objects.create_user("lea@demo.example", "x", name="Lea")
    lea.groups.add(Group.objects.get(name="engineering"))
    Membership.objects.create(user=lea, team=Team.objects.get(name=names[0]), role=Membership.Role.LEAD)
    return {"finance": session_cookie(fay), "a team lead": session_cookie(lea)}


def session_cookie(user: object) -> str:
    """A session of `user`, as a browser sends it."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = f"{RoleBackend.__module__}.{RoleBackend.__qualname__}"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"sessionid={session.session_key}"


def pages(today: date, months: int = 12) -> dict[str, str]:
    """{what a page shows: its address}."""
    from costs.models import CostLine
    from costs.query.line_addresses import keys_of

    month = Month.of(today)
    # One that finance and the team lead both see.
    line = CostLine.objects.current().filter(owner__name="Team 0", charge_date__gte=month.start).first()
    assert line is not None
    key = keys_of([line])[line.pk]
    year = f"from={month.plus(1 - months)}&to={month}"
    one = f"from={month}&to={month}"
    explorer = "/costs/?group_by"
    return {
        "home": "/",
        "explorer, every month by service": f"{explorer}=service&grain=month&{year}",
        "explorer, every month by a tag": f"{explorer}=tag:Environment&grain=month&{year}",
        "explorer, a month by resource": f"{explorer}=resource&grain=month&{one}",
        "explorer, every month by resource": f"{explorer}=resource&grain=month&{year}",
        "explorer, by service and team per day with a region": (
            f"{explorer}=service&and_by=team&grain=day&region=region-3&{one}"
        ),
        "cost lines, page 1": f"/costs/lines/?{year}",
        "cost lines, page 1000": f"/costs/lines/?{year}&page=1000",
        "cost lines of a month, searched by resource": f"/costs/lines/?resource=-1234&{one}",
        "a cost line with its charges": f"/costs/lines/{key}/",
        "the charges of a cost line, by the API": f"/api/v1/charges/?line={key}",
        "tagging": "/tagging/",
        "tagging, resources": "/tagging/resources/",
        "chargeback": "/chargeback/",
        "chargeback, a month": f"/chargeback/{month}/",
    }


class server:
    """gunicorn as run.py starts it."""

    def __init__(self, environment: dict[str, str], door: str = DOORS["kept"]) -> None:
        command = ["-m", "gunicorn", "-w", "2", "--threads", "4", "--preload", "-b", f"127.0.0.1:{PORT}"]
        self.process = subprocess.Popen([sys.executable, *command, door], env=environment)

    def __enter__(self) -> None:
        # A busy machine takes its time; a server that ended will not come.
        until = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
            try:
                return http.client.HTTPConnection("127.0.0.1", PORT, timeout=1).connect()
            except OSError:
                continue
        self.__exit__()
        raise SystemExit("gunicorn did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def measure(path: str, cookie: str, users: int = USERS, rounds: int = ROUNDS) -> list[float]:
    """Milliseconds of every answer while so many people ask at once, sorted; the first round warms up."""
    times: list[float] = []
    threads = [threading.Thread(target=_ask, args=(path, cookie, rounds, times)) for _ in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == users * rounds, f"{path}: somebody got no answer"
    return sorted(times)


def _ask(path: str, cookie: str, rounds: int, times: list[float]) -> None:
    for number in range(rounds + 1):
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
    print(f"{name:85} p50 {middle:6.0f} ms  p95 {late:6.0f} ms  {late / limit:5.2f} of {limit} ms", flush=True)
