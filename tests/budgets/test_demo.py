"""The nights of the demo organisation, by hand: crossings in their order as the days go by, and nothing written."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from budgets import demo as budgets_demo
from budgets.models import Alert, AlertDelivery, Budget, BudgetPeriod, Forecast, Night
from costs.ingest import demo as ingest_demo
from finops_site.lib.periods import Month
from finops_site.models import OutgoingEmail
from finops_site.people import demo as people_demo
from tagging.ownership.demo import make_ownership_rules
from tests.costs.test_demo import AS_OF

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
WRITTEN = (Alert, AlertDelivery, Budget, BudgetPeriod, Forecast, OutgoingEmail, Night)


@pytest.fixture
def company(settings, tmp_path):
    settings.FINOPS_VAR = tmp_path
    people_demo.make_people("a-long-enough-password")
    make_ownership_rules(str, as_of=AS_OF)
    ingest_demo.load_demo_bills(str, as_of=AS_OF)
    budgets_demo.make_budgets(str, as_of=AS_OF)


def night_by_hand(day):
    out = StringIO()
    call_command("evaluate_budgets", as_of=day.isoformat(), dry_run=True, json=True, stdout=out)
    return json.loads(out.getvalue())


def test_the_demo_crosses_50_80_and_100_in_order_as_the_days_go_by_and_a_dry_run_writes_nothing(company):
    before = [model.objects.count() for model in WRITTEN]
    month, first = Month.of(AS_OF - timedelta(days=1)), {}
    for number in range((AS_OF - month.start).days + 1):
        day = month.start + timedelta(days=number)
        figures = night_by_hand(day)
        assert (figures["as_of"], figures["dry_run"], figures["nights"]) == (str(day), True, [str(day)])
        breached = {
            (breach["budget"], breach["kind"], int(breach["threshold"]))
            for breach in figures["crossings"]
            if breach["period"]["from"] == str(month.start)
        }
        gone = {key for key in first if key[1] == "actual"} - breached
        assert gone == set(), "what is spent stays spent"
        for key in breached:
            first.setdefault(key, day)
    assert [model.objects.count() for model in WRITTEN] == before
    for name in ("Northwind", "Payments"):
        assert first[(name, "actual", 50)] < first[(name, "actual", 80)]
        assert (name, "forecast", 100) in first
    for name in {key[0] for key in first}:
        days = [first[key] for level in (50, 80, 100) if (key := (name, "actual", level)) in first]
        assert days == sorted(days), name
    assert first[("Payments", "forecast", 100)] < first[("Payments", "actual", 80)], "in time to avoid it"
