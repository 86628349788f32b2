"""What plans would change for unit costs: the same units, and what the plan adds to their cost."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from costs.query.question import company_metric
from finops_site.lib.money import EXACT, ratio
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.registry import PlanEffect, PlannedUse, Unit
from finops_site.ui.figures import month_text
from tagging.calc import unit_costs
from tagging.calc.unit_costs import UnitCostPoint
from tagging.models import Metric
from tagging.unit_costs import business_metrics

MOST_METRICS = 3
# Months of counts in which the newest one that is complete is looked for.
MONTHS_LOOKED_AT = 3


def plan_effects(
    user: Person, team: int | None, plans: Sequence[Sequence[PlannedUse]], currency: str, today: date
) -> list[PlanEffect]:
    """What one unit of each business metric costs, and would cost with each plan if as many were counted.

    Of the newest month that is counted and billed to its end: of the team where the metric is counted for teams and
    the plan has one, else of the company. None of what is counted for products or tags: a plan names none.
    """
    metrics = Metric.objects.visible_to(user).filter(counted_for__in=(unit_costs.TEAM, unit_costs.COMPANY))
    return [_effect(user, metric, team, plans, currency, today) for metric in metrics[:MOST_METRICS]]


def _effect(
    user: Person,
    metric: Metric,
    team: int | None,
    plans: Sequence[Sequence[PlannedUse]],
    currency: str,
    today: date,
) -> PlanEffect:
    label = _("One of {name}").format(name=metric)
    newest = _newest_point(user, metric, team, currency, today)
    if newest is None:
        note = _("Not known: no month is counted, and billed to its end in {currency}.").format(currency=currency)
        return PlanEffect(label, None, [None] * len(plans), Unit.MONEY, currency, note)
    month, name, point = newest
    note = _("{name} in {month}, if as many are counted.").format(name=name, month=month_text(month, "long"))
    url = f"{reverse('tagging:unit_costs')}?metric={metric.pk}&from={month}&to={month}"
    after = [_with(point, plan) for plan in plans]
    return PlanEffect(label, point.per_unit, after, Unit.MONEY, currency, note, url)


def _newest_point(
    user: Person, metric: Metric, team: int | None, currency: str, today: date
) -> tuple[Month, str, UnitCostPoint] | None:
    teams = list(Team.objects.visible_to(user).order_by("name"))
    counted = [month for month in business_metrics.months_counted(metric) if month.period.end <= today]
    for month in reversed(counted[-MONTHS_LOOKED_AT:]):
        answer = business_metrics.find_unit_costs(user, metric, teams, month.period, company_metric(), today)
        own = [one for one in answer.series if one.currency == currency]
        of_team = [one for one in own if team and one.filters.get("own_team") == team]
        of_company = [one for one in own if one.name == business_metrics.WHOLE_COMPANY]
        for series in of_team or of_company:
            # Of a month that is counted in part the cost of a whole plan would be too much.
            point = unit_costs.overall(series.points)
            if point.per_unit is not None and all(one.per_unit is not None for one in series.points):
                return month, series.name, point
    return None


def _with(point: UnitCostPoint, plan: Sequence[PlannedUse]) -> Decimal | None:
    costs = [one.cost for one in plan]
    if point.cost is None or point.units is None or None in costs:
        return None
    added = sum((cost for cost in costs if cost is not None), Decimal(0))
    return ratio(EXACT.add(point.cost, added), point.units)
