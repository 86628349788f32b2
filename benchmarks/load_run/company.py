"""The company that the fifty people work in: ten million lines, fifty teams, budgets, findings, a long audit log.

Made inside the site: ``run.py manage shell -c "from benchmarks.load_run import company; company.make()"``.
"""

import json
import os
import tempfile
from datetime import date, datetime
from decimal import Decimal
from itertools import islice, product
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from benchmarks import executive, pages
from benchmarks.load_run.people import PEOPLE
from budgets.models import Budget
from budgets.planning import budget_changes
from costs.models import DeliveryMonth
from finops_site.audit import chain
from finops_site.lib.periods import Month
from finops_site.models import ApiToken, Membership, NightlyRun, Team, User
from finops_site.ops import nightly
from programme.models import Programme
from programme.roadmap import plans
from programme.roadmap.seed_plan import ninety_days
from programme.savings_model.assumptions import start_model
from tagging.chargeback import closing, draft_statements, statement_pdf
from tagging.models import ChargebackPeriod, Metric, MetricValue, Statement
from usage.models import Evaluation, Finding

LINES, MONTHS = 10_000_000, 12
# So many make three million cost lines of these lines.
RESOURCES = 10_000
BUDGETS_OF_SERVICES, FINDINGS, AUDIT_ENTRIES, CLOSED_MONTHS = 200, 20_000, 60_000, 3
# A team costs about 7,600 a month, a service in a team about 130.
TEAM_AMOUNTS, SERVICE_AMOUNTS = (Decimal(5_000), Decimal(9_000), Decimal(12_000)), (Decimal(90), Decimal(250))

FINDING_ROWS = """
INSERT INTO usage_finding (rule, provider, account, region, resource, part, key, resource_key, resource_name, service,
    environment, owner_id, state, lever, effort, risk, confidence, currency, monthly_cost, saving, counted_saving,
    evidence, target, sources, reason, first_seen, last_seen, changed_at)
SELECT 'machine_idle', 'AWS', lpad((n %% 40)::text, 12, '1'), 'region-' || n %% 10,
    'i-load-' || n, 'compute', md5('finding ' || n), md5('resource ' || n), 'resource-' || n, 'Service ' || n %% 60,
    (ARRAY['prod', 'dev', 'test'])[1 + n %% 3], (%(teams)s::bigint[])[1 + n %% %(many_teams)s],
    (ARRAY['new', 'new', 'new', 'accepted', 'dismissed'])[1 + n %% 5], 0, (ARRAY['low', 'medium'])[1 + n %% 2], 'low',
    'certain', 'USD', 20 + n %% 300, 10 + n %% 200, 10 + n %% 200,
    '{"days": 14, "cpu": 1.5, "bytes_a_day": 1200000, "type": "m5.large"}', '{}', '["metrics"]', '',
    %(day)s, %(day)s, now()
FROM generate_series(1, %(count)s) n
"""
# One audit entry is written for each.
METRIC_VALUES = """
INSERT INTO tagging_metricvalue (metric_id, of, day, value, changed_at)
SELECT %(metric)s, 'part ' || n %% 100, %(day)s::date - (n / 100)::int, n, now() FROM generate_series(1, %(count)s) n
"""


def make(lines: int = LINES) -> None:
    """Makes what is not there yet, and says what it does; the password of everybody is the installation's demo one."""
    now = timezone.now()
    if not Team.objects.exists():
        executive.make_teams()
    if not ChargebackPeriod.objects.exists():
        with tempfile.TemporaryDirectory() as folder, executive.timed(f"{lines:,} lines of {MONTHS} months loaded"):
            pages.load_bills(Path(folder), lines // MONTHS, MONTHS, now.date(), RESOURCES)
    steps = {
        "people": (User, make_people),
        "budgets": (Budget, lambda: make_budgets(now.date())),
        "findings": (Finding, lambda: make_findings(now.date())),
        "entries of the audit log": (MetricValue, lambda: make_audit_entries(now.date())),
        "a programme": (Programme, lambda: make_programme(now)),
        "closed months": (Statement, lambda: close_months(now)),
    }
    for words, (model, make_them) in steps.items():
        if not model.objects.exists():
            with executive.timed(words), transaction.atomic():
                make_them()
    if not Evaluation.objects.exists():
        with executive.timed("a night"):
            make_night(now.date())


def make_night(today: date) -> None:
    """As the worker would have done last night; and the statistics that the database has of all this."""
    nightly.run_checks(today)
    chain.seal()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def begin_anew() -> None:
    """Has tonight's checks run once more, and no tokens there; prints the facts that the people need, as JSON."""
    NightlyRun.objects.filter(as_of=timezone.now().date()).delete()
    ApiToken.objects.all().delete()
    months = ChargebackPeriod.objects.order_by("-billing_month").values_list("billing_month", flat=True)
    sums = DeliveryMonth.objects.filter(is_current=True).aggregate(all_charges=Sum("charges"), cost_lines=Sum("lines"))
    print(json.dumps({"months": [f"{month:%Y-%m}" for month in months[:MONTHS]], **sums}))


def make_people() -> None:
    """Everybody of `PEOPLE`; leads and engineers are in a team each, in turn."""
    password = make_password(os.environ["FINOPS_DEMO_PASSWORD"])
    groups, teams = {group.name: group for group in Group.objects.all()}, list(Team.objects.order_by("name"))
    for number, person in enumerate(PEOPLE):
        user = User.objects.create(email=person.email, name=person.name, password=password)
        user.groups.add(groups[person.role])
        if person.place:
            Membership.objects.create(user=user, team=teams[number % len(teams)], role=person.place)


def make_budgets(today: date) -> None:
    """One for each team, and others for services in teams; some are crossed."""
    fay, month = User.objects.filter(groups__name="finance").earliest("id"), Month.of(today)
    teams = list(Team.objects.order_by("name"))
    scopes = [(team, {}) for team in teams]
    scopes += [(team, {"service": [f"Service {number}"]}) for number, team in _some_services(teams)]
    for number, (team, scope) in enumerate(scopes):
        amounts = SERVICE_AMOUNTS if scope else TEAM_AMOUNTS
        name = " ".join([team.name, *scope.get("service", ())])
        budget = Budget(name=name, team=team, scope=scope, start=month.start)
        budget_changes.create_budget(budget, {month.period: amounts[number % len(amounts)]}, by=fay)


def _some_services(teams: list[Team]) -> list[tuple[int, Team]]:
    return list(islice(product(range(60), teams), BUDGETS_OF_SERVICES))


def make_findings(today: date) -> None:
    """Twenty thousand, beside what the night finds in the bill."""
    teams = list(Team.objects.order_by("name").values_list("pk", flat=True))
    parameters = {"teams": teams, "many_teams": len(teams), "day": today, "count": FINDINGS}
    with connection.cursor() as cursor:
        cursor.execute(FINDING_ROWS, parameters)
    assert Finding.objects.count() >= FINDINGS


def make_audit_entries(today: date) -> None:
    """As many entries as a year of much work makes."""
    metric = Metric.objects.create(name="Load run")
    with connection.cursor() as cursor:
        cursor.execute(METRIC_VALUES, {"metric": metric.pk, "day": today, "count": AUDIT_ENTRIES})


def make_programme(now: datetime) -> None:
    """One that runs since its first day, with the savings model that it is measured by."""
    fay, today = User.objects.filter(groups__name="finance").earliest("id"), now.date()
    plans.start(ninety_days(), today, by=fay, now=now)
    start_model(user=fay, currency="USD", start=Month.of(today), now=now)


def close_months(now: datetime) -> None:
    """The oldest months are closed, so that statements of them are numbered and have their PDF."""
    fay = User.objects.filter(groups__name="finance").earliest("id")
    draft_statements.refresh_stale_drafts(now)
    for back in range(CLOSED_MONTHS + 1, 1, -1):
        month = Month.of(now.date()).plus(-back)
        period = ChargebackPeriod.objects.get(billing_month=month.start)
        closing.close_month(period, fay, seen=period.fingerprint, now=now, without_missing=True)
    statement_pdf.make_documents()
