"""One odd budget never stops the evaluation of the others, and Health names it."""

from datetime import date

import pytest
from django.db import connection

from budgets import nightly_checks, tasks
from budgets.alerts import notifications
from budgets.evaluation import evaluate
from budgets.models import Alert, Budget
from finops_site.ops import health
from finops_site.registry import NightlyCheckFailed
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
THE_20TH = date(2026, 3, 20)


@shared
def three(a_quarter, payments, budget_of):
    return [budget_of(name, "3000", team=payments) for name in ("First", "Odd", "Last")]


@pytest.fixture
def odd(monkeypatch):
    """The forecast of a group that holds the budget "Odd" fails as a bad query does."""
    real = evaluate.forecast_periods

    def fail(periods, *args, **options):
        if any(period.budget.name == "Odd" for period in periods):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return real(periods, *args, **options)

    monkeypatch.setattr(evaluate, "forecast_periods", fail)
    return lambda: monkeypatch.setattr(evaluate, "forecast_periods", real)


def named_on_health():
    groups = {group.title: group.statuses for group in health.groups(at(THE_20TH))}
    return [(row.label, row.state) for row in groups["Budgets"]]


def test_the_others_are_evaluated_and_health_names_the_odd_one_until_it_is_mended(three, odd, night):
    report = night(THE_20TH)
    assert (report.budgets, report.not_evaluated) == (2, ["Odd"])
    assert set(Alert.objects.values_list("budget__name", flat=True)) == {"First", "Last"}
    assert "DivisionByZero" in Budget.objects.get(name="Odd").not_evaluated or "division by zero" in (
        Budget.objects.get(name="Odd").not_evaluated
    )
    assert named_on_health() == [("Odd", "bad")]
    odd()
    night(date(2026, 3, 21))
    assert Budget.objects.get(name="Odd").not_evaluated == ""
    assert named_on_health() == [("Evaluation", "good")]


def test_a_scope_that_cannot_be_read_stops_nobody_else(three, night):
    Budget.objects.filter(name="Odd").update(scope={"no dimension": ["x"]})
    report = night(THE_20TH)
    assert (report.budgets, report.not_evaluated) == (2, ["Odd"])


def test_the_nights_check_is_red_and_says_which_was_not_evaluated(three, odd):
    with pytest.raises(NightlyCheckFailed, match=r"2 budgets evaluated.*; not evaluated: Odd$"):
        nightly_checks.evaluate_budgets(THE_20TH)


def test_where_no_budget_at_all_can_be_evaluated_the_night_fails_as_a_whole(three, monkeypatch):
    def fail(*_args, **_options):
        raise ValueError("no forecast")

    monkeypatch.setattr(evaluate, "forecast_periods", fail)
    with pytest.raises(ValueError, match="no forecast"):
        evaluate.evaluate_nights(THE_20TH, now=at(THE_20TH), catch_up=False)


def test_an_automatic_amount_that_cannot_be_worked_out_stops_nobody_else(three, night, monkeypatch):
    Budget.objects.filter(name="Odd").update(auto_months=3)

    def fail(as_of, budgets):
        if budgets is None or Budget.objects.get(name="Odd").pk in budgets:
            raise ArithmeticError("no average")

    monkeypatch.setattr(evaluate, "create_automatic_periods", fail)
    report = night(THE_20TH)
    assert "Odd" in report.not_evaluated
    assert {"First", "Last"} <= set(Alert.objects.values_list("budget__name", flat=True))


@pytest.mark.parametrize("name", ["evaluate_months", "escalate_alerts"])
def test_what_waits_leaves_although_the_work_before_it_fails(people, monkeypatch, name):
    runs = []

    def fail(*_args, **_options):
        raise ArithmeticError("odd")

    monkeypatch.setattr(tasks.evaluate, "evaluate_nights", fail)
    monkeypatch.setattr(tasks.escalation, "escalate_unacknowledged", fail)
    monkeypatch.setattr(notifications, "send_due_notifications", runs.append)
    with pytest.raises(ArithmeticError):
        getattr(tasks, name)(*([["2026-03"]] if name == "evaluate_months" else []))
    assert len(runs) == 1
