"""What a plan would change of what one order costs, by the metric that is counted."""

from datetime import date
from decimal import Decimal

import pytest

from finops_site.models import Team
from finops_site.registry import PlannedUse
from tagging.unit_costs.plan_effects import plan_effects
from tests.tagging.test_unit_cost_pages import metric, shop  # noqa: F401

pytestmark = pytest.mark.django_db
TODAY = date(2026, 4, 10)


def plan(cost):
    return [PlannedUse("m5.large", "eu-west-1", "Hrs", cost if cost is None else Decimal(cost), None, "USD")]


def test_an_order_costs_more_by_what_the_plan_adds_and_of_the_team_whose_plan_it_is(shop):  # noqa: F811
    metric("orders", {"Payments": "100", "Data": "100"})
    payments = Team.objects.get(name="Payments").pk
    (effect,) = plan_effects(shop["lea"], payments, [plan("50"), plan(None)], "USD", TODAY)
    # 300 USD for 100 orders; with 50 more 3.50. A line without a price costs nobody knows what.
    assert (effect.label, effect.before, effect.after) == ("One of orders", Decimal(3), [Decimal("3.5"), None])
    assert "Payments in March 2026" in effect.note
    (effect,) = plan_effects(shop["fay"], None, [plan("50")], "USD", TODAY)
    # 410 of the whole company for 200 orders.
    assert (effect.before, effect.after) == (Decimal("2.05"), [Decimal("2.3")])


def test_a_currency_of_which_nothing_is_counted_is_not_known(shop):  # noqa: F811
    metric("orders", {"company": "1000"}, counted_for="company")
    (effect,) = plan_effects(shop["fay"], None, [plan("50")], "GBP", TODAY)
    assert (effect.before, effect.after) == (None, [None])
    assert "Not known: no month is counted" in effect.note
