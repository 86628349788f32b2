"""How long a night takes: 10,000 budgets over 10 M cost lines, in a database of its own, against two minutes.

``python3 run.py manage shell -c "from benchmarks import budgets; budgets.main()"``; ``main(1_000_000, 1_000)`` is a
tenth of it, ``profile=True`` says where the time goes. The lines are made by the database; they have 60 services in 40
accounts, ten regions, 20 teams and 200 sets of tags. Budgets take every shape of scope in turn.
"""

import cProfile
import pstats
import resource
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from itertools import cycle, product
from typing import Any

from django.db import connection
from django.utils import timezone

from benchmarks import fresh_database
from finops_site.lib.periods import Month

LINES, COUNT, MONTHS, LIMIT = 10_000_000, 10_000, 13, 120.0
ACCOUNTS, SERVICES, REGIONS, TEAMS, TAG_SETS = 40, 60, 10, 20, 200
SHAPES = (
    ("service",), ("account",), ("service", "account"), ("team",), ("team", "service"), ("tag:CostCenter",),
    ("region",), (),
)  # fmt: skip
# A line of number i belongs to one of 4,800 things, and so always to the same team.
LINES_OF = """
INSERT INTO costs_costline (delivery_month_id, billing_month, charge_date, provider, billing_account, sub_account,
    service, service_category, region, resource, resource_name, resource_type, instance_type, sku, charge_category,
    charge_class, charge_description, pricing_category, commitment, commitment_status, tag_set_id, owner_id,
    owner_rule, currency, billed_cost, effective_cost, list_cost, contracted_cost, quantity, unit, charges)
SELECT %(row)s, %(month)s, %(month)s::date + (i %% %(days)s)::int, 'AWS', 'payer', 'account ' || t %% %(accounts)s,
    'Service ' || t %% %(services)s, 'Compute', 'region-' || t %% %(regions)s, 'i-' || t, '', '', 'm5.large', '',
    'Usage', '', '', 'Standard', '', '', (%(sets)s)[t %% %(tag_sets)s + 1], (%(teams)s)[t %% %(many_teams)s + 1],
    'rule', 'USD', c, c, c, c, 24, 'Hours', 1
FROM (SELECT i, (i / %(days)s * 7) %% 4800 AS t, ((i * 37) %% 9973) / 1000.0 AS c
    FROM generate_series(0, %(lines)s - 1) i) n
"""


class QueryCount:
    """Counts queries."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.count += 1
        return execute(*arguments)


def main(lines: int = LINES, count: int = COUNT, *, profile: bool = False) -> None:
    """Prints the seconds of a first night and of one after it, their queries, and the share of the limit."""
    with fresh_database():
        today = timezone.now().date()
        started = time.perf_counter()
        _lines(lines, today)
        _budgets(count, today)
        print(f"{lines:,} lines and {count:,} budgets made in {time.perf_counter() - started:.0f} s")
        _night(today, "the month's first night, with every backtest", lines / LINES, profile=profile)
        _night(today, "the same night again, nothing new", lines / LINES, profile=profile)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB")


def _night(as_of: date, words: str, share: float, *, profile: bool) -> None:
    from budgets.evaluation import evaluate

    queries, watch = QueryCount(), cProfile.Profile()
    started, busy = time.perf_counter(), time.process_time()
    with connection.execute_wrapper(queries), watch if profile else nullcontext():
        report = evaluate.evaluate_nights(as_of, now=timezone.now(), catch_up=False)[0]
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    print(
        f"{words}: {seconds:.1f} s ({seconds / LIMIT / share:.2f} of {LIMIT * share:.0f} s), {busy:.1f} s of "
        f"the worker's processor, {queries.count} queries; "
        f"{report.budgets:,} budgets, {len(report.crossings):,} breaches, {report.alerts_made:,} alerts"
    )
    if profile:
        pstats.Stats(watch).sort_stats("cumulative").print_stats(45)


def _lines(lines: int, today: date) -> None:
    from costs.ingest.partitions import analyze_lines, ensure_partitions
    from costs.ingest.rollups import roll_up
    from costs.models import Delivery, DeliveryMonth, Source, TagSet
    from costs.versions.streams import stream_of
    from finops_site.models import Team

    teams = [Team.objects.create(name=f"Team {number}").pk for number in range(TEAMS)]
    tags = [{"CostCenter": f"CC-{number % 20}", "Owner": f"owner{number}"} for number in range(TAG_SETS)]
    sets = TagSet.objects.bulk_create(TagSet(fingerprint=f"{n:032}", tags=tag_map) for n, tag_map in enumerate(tags))
    _know("tag", "CostCenter")
    delivery = Delivery.objects.create(
        source=Source.objects.create(name="benchmark"), status="current", fingerprint="x"
    )
    for back in range(MONTHS):
        month = Month.of(today).plus(-back)
        days = min(month.days, (today - month.start).days + 1)
        row = DeliveryMonth.objects.create(
            delivery=delivery,
            stream=stream_of(delivery, ""),
            billing_month=month.start,
            is_current=True,
            charge_months=[str(month.start)],
        )
        ensure_partitions([month.start])
        parameters = {
            "row": row.pk, "month": month.start, "days": days, "lines": lines // MONTHS, "accounts": ACCOUNTS,
            "services": SERVICES, "regions": REGIONS, "tag_sets": TAG_SETS, "sets": [tag_set.pk for tag_set in sets],
            "teams": teams, "many_teams": TEAMS,
        }  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(LINES_OF, parameters)
        analyze_lines(row)
        roll_up(row)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _know(name: str, value: str) -> None:
    from costs.models import Dimension

    Dimension.objects.get_or_create(name=name, value=value)


def _budgets(count: int, today: date) -> None:
    from budgets.models import Budget, BudgetPeriod, Recipient, Threshold
    from budgets.models.thresholds import DEFAULT_THRESHOLDS

    month, wanted = Month.of(today), cycle(_scopes())
    budgets = Budget.objects.bulk_create(
        Budget(name=f"benchmark {number}", scope=next(wanted), start=month.start, state="active")
        for number in range(count)
    )
    BudgetPeriod.objects.bulk_create(
        BudgetPeriod(
            budget=budget, start=month.start, end=month.next.start, amount=Decimal(share * 10 ** (2 + number % 4))
        )
        for (number, budget), share in zip(enumerate(budgets), cycle(range(1, 10)), strict=False)
    )
    Threshold.objects.bulk_create(
        Threshold(budget=budget, kind=kind, percent=percent)
        for budget in budgets
        for kind, percent in DEFAULT_THRESHOLDS
    )
    Recipient.objects.bulk_create(
        Recipient(budget=budget, kind="address", address=f"team{budget.pk % TEAMS}@demo.example") for budget in budgets
    )


def _scopes() -> list[dict[str, list[str]]]:
    """Scopes of every shape out of the values that occur."""
    from finops_site.models import Team

    values = {
        "service": [f"Service {number}" for number in range(SERVICES)],
        "account": [f"account {number}" for number in range(ACCOUNTS)],
        "region": [f"region-{number}" for number in range(REGIONS)],
        "team": [str(pk) for pk in Team.objects.values_list("pk", flat=True)],
        "tag:CostCenter": [f"CC-{number}" for number in range(20)],
    }
    return [
        {name: [value] for name, value in zip(shape, chosen, strict=True)}
        for shape in SHAPES
        for chosen in product(*(values[name] for name in shape))
    ]
