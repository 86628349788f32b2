"""What eli's scenarios would change, side by side: budgets, the forecast, and what other pillars know."""

from datetime import date
from decimal import Decimal

import pytest

from finops_site.models import Team
from finops_site.registry import BudgetSource, CostForecaster, PlanEffect, PlanEffectSource, TeamBudget, Unit, registry
from tests.people import person, signed_in
from tests.usage.estimates.test_estimates import make, priced  # noqa: F401
from usage.estimates import effects, estimate_changes
from usage.estimates.figures import scenarios_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("priced")]
TODAY = date(2026, 5, 10)


@pytest.fixture
def alone(monkeypatch):
    """Other pillars register nothing but what a test adds."""
    monkeypatch.setattr(registry, "entries", {**registry.entries})
    for kind in (BudgetSource, PlanEffectSource, CostForecaster):
        registry.entries[kind] = []
    return registry


def rows(who, estimate):
    return {row.effect.label: row for row in effects.effect_rows(who, estimate, scenarios_of(estimate), TODAY)}


def test_a_scenario_that_breaks_the_budget_stands_beside_one_that_does_not(alone):
    eli = person("eli")
    team = Team.objects.get(name="Payments")
    budget = TeamBudget("Payments", Decimal(1000), Decimal(600), "USD", "/budgets/1/")
    euros = TeamBudget("In euros", Decimal(1), Decimal(0), "EUR", "/budgets/2/")
    alone.add(BudgetSource("budgets", lambda user, team, month: [budget, euros]))
    estimate = make(eli, team=team)
    estimate_changes.add_scenario(eli, estimate, "Nights off", "10 x m5.large in eu-west-1, 12x5")
    estimate_changes.add_scenario(eli, estimate, "Who knows", "10 x z9.huge in eu-west-1")
    by_label = rows(eli, estimate)
    left = by_label["Payments: left this month"]
    # 400 are left; 730 and 260.71 would go, and a line without a price is of unknown cost.
    assert (left.before, left.cells) == ("400.00 USD", [("-330.00 USD", True), ("139.29 USD", False), ("", False)])
    assert "In euros: left this month" not in by_label
    assert by_label["Forecast, June 2026"].effect.note.startswith("There is no forecast")
    page = signed_in(eli).get(f"/usage/estimates/{estimate.pk}/").content.decode()
    assert "over budget" in page
    assert "There is no forecast" in page


def test_what_another_pillar_knows_stands_there_for_who_may_see_it(alone):
    def known(user, team, plans, currency, today):
        costs = [sum(use.cost for use in plan) for plan in plans]
        return [PlanEffect("An order", Decimal("0.0015"), [cost / 100 for cost in costs], Unit.MONEY, currency, "Why.")]

    alone.add(PlanEffectSource("orders", known), PlanEffectSource("secret", known, "budgets.no_such_permission"))
    fay = person("fay")
    estimate = make(fay)
    row = rows(fay, estimate)["An order"]
    assert (row.before, row.cells) == ("0.0015 USD", [("7.30 USD", False)])
    answer = signed_in(fay).get(f"/api/v1/estimates/{estimate.pk}/effects/").json()
    (effect,) = [one for one in answer if one["label"] == "An order"]
    assert (effect["before"], effect["unit"]) == ("0.0015", "money")
    assert effect["after"] == [{"scenario": "As planned", "value": "7.3"}]
    assert signed_in(person("ola")).get(f"/api/v1/estimates/{estimate.pk}/effects/").status_code == 404
