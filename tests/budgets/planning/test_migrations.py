"""The migration that repairs overlapping periods, forwards and backwards, with the rows that were really seen."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

BEFORE = [("budgets", "0004_purchases_of_commitments")]
AFTER = [("budgets", "0007_periods_never_overlap")]


def migrate(targets):
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


def spans(rows):
    return [(row.start.isoformat(), row.end.isoformat(), row.amount) for row in rows.order_by("start", "end")]


@pytest.fixture
def old(transactional_db):
    """The tables as they were, and the newest ones again afterwards."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    yield migrate(BEFORE)
    migrate(newest)


def test_overlapping_periods_are_repaired_and_nothing_is_lost(old):
    budgets, periods = old.get_model("budgets", "Budget"), old.get_model("budgets", "BudgetPeriod")
    fields = {"team": None, "state": "active"}
    # Fay made each month a quarter: Q1, Q2 took the rows of January and April, and the other months stayed.
    quarters = budgets.objects.create(name="Quarters", kind="quarter", start=date(2026, 1, 1), **fields)
    for month in range(1, 13):
        is_quarter = month in (1, 4)
        end = date(2026, month + 3, 1) if is_quarter else date(2026 + month // 12, month % 12 + 1, 1)
        amount = Decimal(9000 if is_quarter else 3000)
        periods.objects.create(budget=quarters, start=date(2026, month, 1), end=end, amount=amount)
    ended = budgets.objects.create(name="Ended", kind="month", start=date(2026, 1, 15), end=date(2026, 3, 1), **fields)
    for month in range(1, 6):
        row = {"start": date(2026, month, 1), "end": date(2026, month + 1, 1), "amount": Decimal(100)}
        periods.objects.create(budget=ended, **row)
    threshold = old.get_model("budgets", "Threshold").objects.create(budget=quarters, kind="actual", percent=80)
    stale = periods.objects.get(budget=quarters, start=date(2026, 3, 1))
    alert = old.get_model("budgets", "Alert").objects.create(
        budget=quarters,
        period=stale,
        threshold=threshold,
        kind="actual",
        as_of=date(2026, 3, 20),
        evaluated_as_of=date(2026, 3, 20),
        **dict.fromkeys(("value", "limit", "peak"), Decimal(1)),
    )
    delivery = old.get_model("budgets", "AlertDelivery").objects.create(alert=alert, address="lea@northwind.example")

    new = migrate(AFTER)
    periods = new.get_model("budgets", "BudgetPeriod").objects.filter(removed_at=None)
    assert spans(periods.filter(budget=quarters.pk)) == [
        ("2026-01-01", "2026-04-01", 9000),
        ("2026-04-01", "2026-07-01", 9000),
    ]
    assert spans(periods.filter(budget=ended.pk)) == [
        ("2026-01-15", "2026-02-01", 100),
        ("2026-02-01", "2026-03-01", 100),
    ]
    alert = new.get_model("budgets", "Alert").objects.get(pk=alert.pk)
    assert (alert.state, alert.period_id) == ("resolved", stale.pk), "closed, and still there"
    assert "overlapped another" in alert.note
    assert new.get_model("budgets", "AlertDelivery").objects.get(pk=delivery.pk).outcome == "cancelled"
    version = new.get_model("budgets", "BudgetVersion").objects.get(budget=quarters.pk)
    assert version.before["2026-03-01"] == "3000"
    assert "10 periods that overlapped" in version.what
    row = {"start": date(2026, 3, 31), "end": date(2026, 5, 1), "amount": Decimal(1)}
    with pytest.raises(IntegrityError, match="budget_periods_apart"), transaction.atomic():
        new.get_model("budgets", "BudgetPeriod").objects.create(budget_id=quarters.pk, **row)

    back = migrate(BEFORE)
    assert back.get_model("budgets", "BudgetPeriod").objects.filter(budget=quarters.pk).count() == 12
    assert back.get_model("budgets", "Alert").objects.filter(pk=alert.pk).exists()
