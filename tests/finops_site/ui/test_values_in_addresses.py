"""A year, a period or a month that cannot be, or is not there, is refused: that of another one is no answer."""

from datetime import date

import pytest
from django.urls import reverse

from budgets.models import Budget, BudgetPeriod
from tagging.models import Metric

pytestmark = pytest.mark.django_db


def test_what_a_page_about_a_time_cannot_show_is_refused(people, fay, client_of):
    client = client_of(fay)
    budget = Budget.objects.create(name="March", start=date(2026, 3, 1))
    BudgetPeriod.objects.update_or_create(
        budget=budget, start=date(2026, 3, 1), defaults={"end": date(2026, 4, 1), "amount": 1}
    )
    metric = Metric.objects.create(name="orders", grain="month")
    plan, grid, units = reverse("budgets:annual_plan"), reverse("budgets:grid"), reverse("tagging:unit_costs")
    refused = [
        *(
            (path, {"year": year}, "is no year here")
            for path in (plan, grid)
            for year in ("20x6", "0", "1800", "２０２６")
        ),
        (plan, {"year": "2026", "budget": str(budget.pk)}, "asked for together"),
        (plan, {"year": "2026", "budget": "99", "month": "2026-03"}, "There is no budget"),
        (plan, {"year": "2026", "budget": str(budget.pk), "month": "2026-13"}, "2026-13"),
        (budget.get_absolute_url(), {"period": "2026-02-30"}, "No period of this budget begins on"),
        (budget.get_absolute_url(), {"period": "2025-03-01"}, "2026-03-01"),
        (units, {"metric": "99"}, "There is no metric"),
        (units, {"from": "march"}, "is not a month"),
        (units, {"from": "2026-05", "to": "2026-03"}, "At most 37 months"),
        (units, {"team": "99"}, "There is no team"),
        *((reverse(f"tagging:{name}"), {"month": "2020-01"}, "is not computed") for name in ("overview", "resources")),
        (reverse("tagging:ownership"), {"month": "2026-13"}, "2026-13"),
        (reverse("reservations:overview"), {"by": "colour"}, "colour"),
    ]
    for path, query, words in refused:
        answer = client.get(path, query)
        assert answer.status_code == 400, (path, query)
        assert words in answer.content.decode(), (path, query)
    # Amounts are not saved into another year than the address names.
    assert client.post(f"{grid}?year=20x6", {}).status_code == 400
    for path, query in (
        (plan, {"year": "2026"}),
        (budget.get_absolute_url(), {"period": "2026-03-01"}),
        (units, {"metric": str(metric.pk), "from": "2026-03"}),
    ):
        assert client.get(path, query).status_code == 200, (path, query)
