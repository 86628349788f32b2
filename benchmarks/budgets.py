"""How long a night takes: ``run.py manage shell -c "from benchmarks import budgets; budgets.main()"``.

Makes COUNT budgets over the bills that are there (load some with benchmarks.load first), judges a night of them in a
transaction that is undone, and prints the seconds and the number of questions asked.
"""

import time
from datetime import date
from decimal import Decimal
from itertools import cycle, product

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets import evaluating, spending
from budgets.models import Budget, BudgetPeriod, Threshold
from budgets.models.budgets import DEFAULT_THRESHOLDS
from costs.models import DayRollup
from finops_site.periods import Month

COUNT = 10_000
SHAPES = (("service",), ("account",), ("service", "account"), ("team",), ())


class Undo(Exception):
    """Ends the transaction: nothing of the benchmark stays."""


def main(count: int = COUNT, as_of: date | None = None) -> None:
    as_of = as_of or spending.last_delivered(timezone.now().date()) or timezone.now().date()
    try:
        with transaction.atomic():
            _make(count, as_of)
            started = time.perf_counter()
            with CaptureQueriesContext(connection) as asked:
                report = evaluating.evaluate_all(as_of, now=timezone.now(), catch_up=False)[0]
            seconds = time.perf_counter() - started
            print(f"{report.budgets} budgets, {len(report.crossings)} crossings, {report.alerts_made} alerts")
            print(f"{seconds:.1f} s, {len(asked)} questions")
            raise Undo
    except Undo:
        pass


def _make(count: int, as_of: date) -> None:
    month, wanted = Month.of(as_of), cycle(_scopes())
    budgets = Budget.objects.bulk_create(
        Budget(name=f"benchmark {number}", scope=next(wanted), start=month.start, state="active")
        for number in range(count)
    )
    BudgetPeriod.objects.bulk_create(
        BudgetPeriod(budget=each, start=month.start, end=month.next.start, amount=Decimal(1000)) for each in budgets
    )
    Threshold.objects.bulk_create(
        Threshold(budget=each, kind=kind, percent=percent) for each in budgets for kind, percent in DEFAULT_THRESHOLDS
    )


def _scopes() -> list[dict[str, list[str]]]:
    """Scopes of every shape out of the values that occur."""
    fields = {"service": "service", "account": "sub_account", "team": "owner"}
    values = {
        name: [str(value) for value in DayRollup.objects.current().values_list(field, flat=True).distinct() if value]
        for name, field in fields.items()
    }
    return [
        {name: [value] for name, value in zip(shape, chosen, strict=True)}
        for shape in SHAPES
        for chosen in product(*(values[name] for name in shape))
    ]
