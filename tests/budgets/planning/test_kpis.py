"""What the programme shows of budgets: how soon alerts are answered, and late bills that warn."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from budgets.alerts.acknowledgement import acknowledge
from budgets.evaluation import evaluate
from budgets.models import Alert, AlertDelivery
from finops_site.lib.periods import Month
from finops_site.registry import registry
from tests.budgets.conftest import at
from tests.people import signed_in

pytestmark = pytest.mark.django_db


def response(user, day):
    return {kpi.name: measure for kpi, measure in registry.measures(user, day)}["alert-response"]


def test_an_alert_that_nobody_answers_makes_the_response_time_longer(a_quarter, payments, budget_of, night, fay, lea):
    budget_of("Payments", "2000", team=payments)
    night(date(2026, 3, 10))
    first, *others = Alert.objects.order_by("pk")
    Alert.objects.exclude(pk=first.pk).delete()
    assert others
    with time_machine.travel("2026-03-15T04:00:00Z", tick=False):
        assert response(fay, date(2026, 3, 15)).value == 120, "five days, and nobody has answered"
        assert "1 alert without an answer" in response(fay, date(2026, 3, 15)).description
        other = Alert.objects.get(pk=first.pk)
        other.pk, other.kind = None, "day"
        other.save()
        acknowledge(other, by=lea, now=at(date(2026, 3, 10)) + timedelta(hours=2))
        Alert.objects.filter(pk=first.pk).update(state="open", acknowledged_at=None, acknowledged_by=None)
        measure = response(fay, date(2026, 3, 15))
        assert measure.value == 61, "(120 + 2) / 2"
        opened = [len(signed_in(fay).get(one.url).context["table"].rows) for one in measure.inputs]
        assert opened == [one.value for one in measure.inputs] == [2, 1], "each figure opens what it counts"
        Alert.objects.filter(pk=first.pk).update(resolved_at=datetime(2026, 3, 11, 4, tzinfo=UTC), state="resolved")
        assert response(fay, date(2026, 3, 15)).value == 13, "(24 + 2) / 2: it was over, and nobody had answered"


@pytest.mark.parametrize("day", [date(2026, 4, 15), date(2026, 5, 20)])
def test_an_overrun_that_a_late_bill_shows_is_told(payments, deliver, budget_of, night, day):
    deliver("2026-01", "100.00", months=2)
    budget = budget_of("Payments", "4000", team=payments)
    for number in (1, 10, 20, 31):
        night(date(2026, 3, number))
    night(date(2026, 4, 9))
    march = Alert.objects.filter(period__start=date(2026, 3, 1), kind="actual")
    assert not march.exists()
    deliver("2026-03", "200.00")
    (report,) = evaluate.evaluate_nights(day, now=at(day), budgets=[budget.pk], months=[Month(2026, 3)])
    assert march.filter(threshold__percent=100).get().value == Decimal(6200)
    assert AlertDelivery.objects.filter(alert__in=march).exists()
    assert report.alerts_made >= 1
    evaluate.evaluate_nights(day, now=at(day), budgets=[budget.pk], months=[Month(2026, 3)])
    assert march.filter(threshold__percent=100).count() == 1, "once"
