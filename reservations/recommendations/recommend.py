"""From the bills and price lists to a recommendation that shows its working.

Step by step: demand is collected (demand_sources), priced (pricing.price_book) and optimised (optimizer); then kinds
are compared (plan_comparison), risks tested (plan_risk), and the plan is written with its items and its notes.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from finops_site.celery import task
from finops_site.lib.money import exact_sum
from finops_site.models import Team, User
from reservations.models import Plan, PlanItem
from reservations.optimizer.offers import build_market
from reservations.optimizer.solve import solve
from reservations.recommendations import demand_sources
from reservations.recommendations.plan_comparison import compare_kinds, only_reserved_text
from reservations.recommendations.plan_items import build_items
from reservations.recommendations.plan_notes import build_notes
from reservations.recommendations.plan_parameters import InvalidParameters, Parameters
from reservations.recommendations.plan_prices import plan_prices
from reservations.recommendations.plan_risk import cash_frontier, demand_scenarios, replay_history
from reservations.recommendations.solved_plan import SolvedPlan, decimal_text, share_text

TIME_LIMIT = 30.0
NO_MACHINE = "No running machine was found in the bills of that time: load a newer bill, or look further back."


def create_plan(
    user: User | None, parameters: Parameters, *, as_of: date, lookback_days: int = 30, team: Team | None = None
) -> Plan:
    """A recommendation that waits to be computed. Raises InvalidParameters for a lookback of no or too many days."""
    if not 1 <= lookback_days <= demand_sources.HISTORY_DAYS:
        raise InvalidParameters(f"the lookback must be between 1 and {demand_sources.HISTORY_DAYS} days.")
    return Plan.objects.create(
        requested_by=user, parameters=parameters.as_json(), as_of=as_of, lookback_days=lookback_days, team=team
    )


def request_recommendation(
    user: User | None, parameters: Parameters, *, as_of: date, lookback_days: int = 30, team: Team | None = None
) -> Plan:
    """The same, computed by a worker as soon as it is saved."""
    plan = create_plan(user, parameters, as_of=as_of, lookback_days=lookback_days, team=team)
    task("reservations.tasks.compute_plan").delay_on_commit(plan.pk)
    return plan


def compute_recommendation(plan: Plan, *, time_limit: float = TIME_LIMIT) -> Plan:
    """Computes a recommendation; its state and message say how it went, and nothing half done is stored."""
    try:
        solved = _solve_plan(plan, time_limit)
        if solved is None:
            _save_empty(plan)
        else:
            _report(plan, "Comparing and testing", 65)
            working = _build_working(solved)
            _report(plan, "Writing it down", 95)
            _save(solved, working)
    except Exception as error:
        _update(plan, state=Plan.State.FAILED, message=f"Not worked out: {error}", stage="")
        raise
    plan.refresh_from_db()
    return plan


def _update(plan: Plan, **changes: Any) -> None:
    Plan.objects.filter(pk=plan.pk).update(**changes)


def _report(plan: Plan, stage: str, progress: int) -> None:
    _update(plan, state=Plan.State.RUNNING, stage=stage, progress=progress, heartbeat_at=timezone.now())


def _solve_plan(plan: Plan, time_limit: float) -> SolvedPlan | None:
    """Demand, its prices, and how much to buy of what; None where no machine ran."""
    parameters = Parameters.from_json(plan.parameters)
    _report(plan, "Reading the bills", 5)
    history = demand_sources.collect_demand(
        plan.as_of, demand_sources.HISTORY_DAYS, plan.team, is_shared=parameters.is_shared
    )
    demand = demand_sources.restrict_to_last_days(history.demand, plan.lookback_days)
    if not demand.pools:
        return None
    _report(plan, "Looking up prices", 25)
    prices = plan_prices(plan, parameters, history, demand)
    market = build_market(demand, prices, parameters.scope())
    _report(plan, "Choosing quantities", 35)
    solution = solve(market.problem, time_limit=time_limit)
    return SolvedPlan(plan, parameters, time_limit, history, demand, prices, market, solution)


def _build_working(solved: SolvedPlan) -> dict[str, Any]:
    demand, problem, solution = solved.demand, solved.market.problem, solved.solution
    hours = problem.demand.sum(axis=1)
    covered = hours - solution.application.uncovered
    return {
        "hours": demand.hours,
        "from": f"{demand.start:%Y-%m-%d}",
        "running": decimal_text(float(demand.machines[:, -1].sum())),
        "steady": {str(days): count for days, count in solved.history.demand.steady().items()},
        "pools": [
            {
                "pool": str(pool),
                "hours": decimal_text(float(hours[i])),
                "on_demand": decimal_text(float(problem.on_demand[i])),
                "covered": share_text(float(covered[i]), float(hours[i])),
            }
            for i, pool in enumerate(solved.market.pools)
        ],
        "unpriced": [str(pool) for pool in solved.market.unpriced],
        "coverage": share_text(solution.application.covered, solution.cost_before),
        "comparison": compare_kinds(solved),
        "only_reserved": only_reserved_text(solved),
        "risk": demand_scenarios(solved),
        "frontier": cash_frontier(solved),
        "backtest": replay_history(solved),
    }


@transaction.atomic
def _save(solved: SolvedPlan, working: dict[str, Any]) -> None:
    plan, solution, to_year = solved.plan, solved.solution, solved.to_year
    items = build_items(solved)
    plan.items.all().delete()
    PlanItem.objects.bulk_create(items)
    _update(
        plan,
        state=Plan.State.READY,
        stage="",
        progress=100,
        message="",
        currency=plan.currency,
        cost_before=decimal_text(solution.cost_before * to_year),
        cost_after=decimal_text(solution.cost * to_year),
        lower_bound=decimal_text(solution.lower_bound * to_year),
        gap=decimal_text(solution.gap),
        upfront=exact_sum(Decimal(item.upfront) for item in items),
        confidence=solved.demand.grain,
        is_indicative=any(item.is_indicative for item in items),
        notes=build_notes(solved, items),
        working=working,
        ready_at=timezone.now(),
    )


def _save_empty(plan: Plan) -> None:
    """Ready, with nothing to buy."""
    amounts = dict.fromkeys(("cost_before", "cost_after", "lower_bound", "gap", "upfront"), 0)
    _update(
        plan,
        state=Plan.State.READY,
        progress=100,
        stage="",
        confidence=Plan.Confidence.NONE,
        notes=[NO_MACHINE],
        ready_at=timezone.now(),
        **amounts,
    )
