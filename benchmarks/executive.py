"""The executive's home with ten million lines loaded, and the statements of fifty teams as PDF, against their limits.

``python3 run.py manage shell -c "from benchmarks import executive; executive.main()"``; ``main(1_000_000)`` is a tenth
of it. Fifty teams own three of four lines; a programme runs at its sixtieth day, with a budget for each team and the
night that stores its figures.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from benchmarks import fresh_database, pages
from benchmarks.load_run import processes
from finops_site.lib.periods import Month

LINES, MONTHS, TEAMS = 10_000_000, 12, 50
# Of 200 in the bill.
OWNER_TAGS = 150
HOME_LIMIT_MS, STATEMENTS_LIMIT = 300, 60.0
# Home asks for the figures of the programme apart.
ADDRESSES = {"home": "/", "home, its figures of the programme": "/programme/", "KPIs": "/programme/kpis/"}


def main(lines: int = LINES) -> None:
    """Prints p50 and p95 of the executive's home, kept and cold, and the seconds of the statements."""
    with tempfile.TemporaryDirectory() as folder, fresh_database() as environment:
        now = timezone.now()
        make_teams()
        with timed(f"{lines:,} lines of {MONTHS} months loaded"):
            pages.load_bills(Path(folder), lines // MONTHS, MONTHS, now.date())
        with timed("budgets, their night, a programme, its figures"):
            cookie = make_programme(now)
        close_a_month(now)
        for state, door in pages.DOORS.items():
            rounds = pages.COLD_ROUNDS if state == "cold" else pages.ROUNDS
            with pages.server(environment, door):
                for name, path in ADDRESSES.items():
                    with timed(f"{state}: {name}, {rounds + 1} answers, those of a process that just began too"):
                        times = pages.measure(path, cookie, 1, rounds)
                    pages.report(f"{state}, 1 at once: {name} as executive", times, HOME_LIMIT_MS)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints the seconds of the clock, and those of the processors: of this process, its children and the database."""
    started, busy = time.perf_counter(), busy_seconds()
    yield
    seconds, busy = time.perf_counter() - started, busy_seconds() - busy
    print(f"{what}: {seconds:.1f} s, {busy:.1f} s of the processors", flush=True)


def busy_seconds() -> float:
    """Seconds of the processors that this process, the database server and what both started have taken so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        database = processes.parent(cursor.fetchone()[0])
    return sum(processes.seconds(processes.tree(root)) for root in (os.getpid(), database))


def make_teams() -> None:
    """Fifty teams; each owns the lines of three values of the tag Owner."""
    from finops_site.models import Team
    from tagging.models import OwnershipRule, TagRequirement

    teams = Team.objects.bulk_create(Team(name=f"Team {number:02}") for number in range(TEAMS))
    OwnershipRule.objects.bulk_create(
        OwnershipRule(name=f"owner{n}", team=teams[n % TEAMS], tag_key="Owner", tag_value=f"owner{n}", order=n)
        for n in range(OWNER_TAGS)
    )
    for key in ("Owner", "Environment", "Team", "CostCenter", "Project"):
        TagRequirement.objects.get_or_create(key=key)


def make_programme(now: datetime) -> str:
    """A budget for each team with its night, a programme at day 60 and the stored KPIs; an executive's cookie."""
    from budgets.evaluation import evaluate
    from budgets.models import Budget
    from budgets.planning import budget_changes
    from finops_site.models import Team
    from programme.kpis import nights
    from programme.roadmap import plans
    from programme.roadmap.nightly import check_night
    from programme.roadmap.seed_plan import ninety_days
    from programme.savings_model.assumptions import start_model

    fay = _person("fay", "finance")
    today = now.date()
    month = Month.of(today)
    for team in Team.objects.order_by("name"):
        budget = Budget(name=team.name, team=team, start=month.start)
        budget_changes.create_budget(budget, {month.period: Decimal(4000)}, by=fay)
    evaluate.evaluate_nights(today, now=now, catch_up=False)
    programme = plans.start(ninety_days(), today - timedelta(days=59), by=fay, now=now)
    check_night(programme, today)
    start_model(user=fay, currency="USD", start=month, now=now)
    nights.store_day(today, now=now)
    return pages.session_cookie(_person("max", "executive"))


def _person(name: str, role: str) -> Any:
    from django.contrib.auth.models import Group

    from finops_site.models import User

    user = User.objects.create_user(f"{name}@demo.example", "x", name=name.title())
    user.groups.add(Group.objects.get(name=role))
    return user


def close_a_month(now: datetime) -> None:
    """Closes the month before, and prints how long its statements take as PDF: one worker, all teams."""
    from finops_site.models import User
    from tagging.chargeback import closing, draft_statements, statement_pdf
    from tagging.models import ChargebackPeriod, StatementDocument

    draft_statements.refresh_stale_drafts(now)
    month: date = Month.of(now.date()).previous.start
    period = ChargebackPeriod.objects.get(billing_month=month)
    fay = User.objects.get(email="fay@demo.example")
    with timed("a month of fifty teams closed"):
        closing.close_month(period, fay, seen=period.fingerprint, now=now, without_missing=True)
    started = time.perf_counter()
    with timed("its statements as PDF"):
        statement_pdf.make_documents()
    seconds, count = time.perf_counter() - started, StatementDocument.objects.count()
    print(f"{count} statements as PDF: {seconds:.1f} s, {seconds / STATEMENTS_LIMIT:.2f} of {STATEMENTS_LIMIT:.0f} s")
    assert count == TEAMS
