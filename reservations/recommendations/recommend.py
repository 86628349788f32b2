"""From the bills and price lists to a recommendation that shows its working.

Step by step: demand is collected (demand_sources), priced (pricing.price_book) and covered (plan_choice, optimizer);
then kinds are compared (plan_comparison), risks tested (plan_risk), the purchases replayed (plan_replay), and the plan
is written with its items (plan_items, plan_formula) and its notes.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.celery import task
from finops_site.lib.money import exact_sum, exact_text
from finops_site.lib.periods import day_text
from finops_site.models import Team, User
from finops_site.translation import gettext_lazy as _lazy
from reservations.models import Plan, PlanItem
from reservations.optimizer.demand import Demand
from reservations.recommendations import demand_sources
from reservations.recommendations.held_coverage import HeldCoverage, held_coverage
from reservations.recommendations.plan_choice import choose_purchases, with_bound
from reservations.recommendations.plan_comparison import compare_kinds, only_reserved_text
from reservations.recommendations.plan_items import build_items
from reservations.recommendations.plan_notes import build_notes
from reservations.recommendations.plan_parameters import InvalidParameters, Parameters
from reservations.recommendations.plan_prices import plan_prices
from reservations.recommendations.plan_replay import replay_plan
from reservations.recommendations.plan_risk import (
    cost_of_limits,
    demand_scenarios,
    replay_history,
    return_frontier,
    saving_range,
)
from reservations.recommendations.solved_plan import SolvedPlan, decimal_text, is_ahead, share_text

TIME_LIMIT = 30.0
EARLIEST: Final = date(2000, 1, 1)
YEAR: Final = timedelta(days=365)
MICRO: Final = Decimal("1E-6")
NOTHING_LEFT = _lazy(
    "Nothing is left to cover: what ran is covered by what is owned, approved or bought, or runs no more."
)
NO_MACHINE = _lazy("No running machine was found in the bills of that time: load a newer bill, or look further back.")


def create_plan(
    user: User | None, parameters: Parameters, *, as_of: date, lookback_days: int = 30, team: Team | None = None
) -> Plan:
    """A recommendation that waits to be computed. Raises InvalidParameters for a lookback of no or too many days, and
    for a day before any bill or more than a year ahead."""
    if not 1 <= lookback_days <= demand_sources.HISTORY_DAYS:
        raise InvalidParameters(
            _("the lookback must be between 1 and {history_days} days.").format(
                history_days=demand_sources.HISTORY_DAYS
            )
        )
    latest = timezone.now().date() + YEAR
    if not EARLIEST <= as_of <= latest:
        raise InvalidParameters(
            _("the day must be between {earliest} and {latest}, not {as_of}.").format(
                earliest=day_text(EARLIEST), latest=day_text(latest), as_of=as_of
            )
        )
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
        if not isinstance(solved, SolvedPlan):
            _save_empty(plan, solved)
        else:
            _report(plan, _("Comparing and testing"), 65)
            items = build_items(solved)
            amounts = _plan_amounts(solved, items)
            working = _build_working(solved, amounts)
            _report(plan, _("Writing it down"), 95)
            _save(solved, items, amounts, working)
    except Exception as error:
        _update(plan, state=Plan.State.FAILED, message=_("Not worked out: {error}").format(error=error), stage="")
        raise
    plan.refresh_from_db()
    return plan


def _update(plan: Plan, **changes: Any) -> None:
    Plan.objects.filter(pk=plan.pk).update(**changes)


def _report(plan: Plan, stage: str, progress: int) -> None:
    _update(plan, state=Plan.State.RUNNING, stage=stage, progress=progress, heartbeat_at=timezone.now())


def _solve_plan(plan: Plan, time_limit: float) -> SolvedPlan | list[str]:
    """Demand to expect, its prices, and how much to buy of what; where there is nothing to cover, why."""
    parameters = Parameters.from_json(plan.parameters)
    _report(plan, _("Reading the bills"), 5)
    days = demand_sources.HISTORY_DAYS
    history = demand_sources.collect_demand(plan.as_of, days, plan.team, is_shared=parameters.is_shared)
    demand = history.expected(max(parameters.terms), plan.lookback_days)
    if not demand.pools:
        ran = history.gross.last_days(plan.lookback_days).pools
        return [str(NOTHING_LEFT), *demand.notes] if ran else [str(NO_MACHINE)]
    _report(plan, _("Looking up prices"), 25)
    prices = plan_prices(plan, parameters, history, demand)
    _report(plan, _("Choosing quantities"), 35)
    covered = _covered_already(plan, parameters, history, demand)
    scope = parameters.scope()
    scope = replace(scope, limits=covered.limits_of_left(scope.limits))
    choice = choose_purchases(demand, prices, scope, time_limit)
    choice = with_bound(choice, demand, prices, scope, time_limit)
    return SolvedPlan(plan, parameters, time_limit, history, demand, prices, choice, covered)


def _covered_already(
    plan: Plan, parameters: Parameters, history: demand_sources.CollectedDemand, left: Demand
) -> HeldCoverage:
    """How much of all use what is held covers: limits of coverage count it."""
    if not history.held:
        return HeldCoverage()
    months = max(parameters.terms)
    gross = history.expected(months, plan.lookback_days, with_held=True)
    prices = plan_prices(plan, parameters, history, gross)
    return held_coverage(gross, left, history.held, prices, months if is_ahead(left) else 1)


def _plan_amounts(solved: SolvedPlan, items: Sequence[PlanItem]) -> dict[str, Decimal]:
    """A year on demand and with the plan, what no plan can be below, and cash: the saving is the sum of its items'.

    The bound is rounded down, and never above the cost in the digits that are stored.
    """
    before = Decimal(decimal_text(solved.solution.cost_before * solved.to_year))
    after = before - exact_sum(item.saving for item in items)
    bound = Decimal(repr(solved.solution.lower_bound * solved.to_year)).quantize(MICRO, rounding=ROUND_FLOOR)
    bound = min(bound, after)
    return {
        "cost_before": before,
        "cost_after": after,
        "lower_bound": bound,
        "gap": (after - bound) / after if after else Decimal(0),
        "upfront": exact_sum(item.upfront for item in items),
    }


def _one_saving(rows: list[dict[str, Any]], at: int, saving: Decimal, key: str = "saving") -> list[dict[str, Any]]:
    """The row that shows the plan itself shows its very saving: one number on one page, to its last digit."""
    if rows:
        rows[at][key] = str(exact_text(saving))
    return rows


def _running_at_the_end(demand: Demand) -> float:
    """Machines without a commitment in the last hour that is known; of a daily bill the average of its day."""
    machines = demand.machines if demand.even is None else demand.even
    return float(machines[:, -1].sum()) if machines.size else 0.0


def _build_working(solved: SolvedPlan, amounts: dict[str, Decimal]) -> dict[str, Any]:
    saving = amounts["cost_before"] - amounts["cost_after"]
    demand, problem, solution = solved.demand, solved.market.problem, solved.solution
    hours = problem.demand.sum(axis=1)
    covered = hours - solution.application.uncovered
    return {
        "hours": demand.hours,
        "from": f"{demand.start:%Y-%m-%d}",
        "running": decimal_text(_running_at_the_end(solved.history.demand)),
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
        "comparison": _one_saving(compare_kinds(solved), -1, saving),
        "only_reserved": only_reserved_text(solved),
        "risk": _one_saving(demand_scenarios(solved), 0, saving),
        "frontier": _one_saving(return_frontier(solved), -1, saving),
        "limits_cost": cost_of_limits(solved),
        "least_return": decimal_text(solved.choice.least_return),
        "solver_gap": decimal_text(solved.solver_gap),
        "backtest": replay_history(solved),
        "replayed": replay_plan(solved),
        "saving_range": saving_range(solved, saving),
    }


@transaction.atomic
def _save(solved: SolvedPlan, items: Sequence[PlanItem], amounts: dict[str, Decimal], working: dict[str, Any]) -> None:
    solved.plan.items.all().delete()
    PlanItem.objects.bulk_create(items)
    _update(
        solved.plan,
        state=Plan.State.READY,
        stage="",
        progress=100,
        message="",
        currency=solved.plan.currency,
        confidence=solved.demand.grain,
        is_indicative=any(item.is_indicative for item in items),
        notes=build_notes(solved, items),
        working=working,
        ready_at=timezone.now(),
        **amounts,
    )


def _save_empty(plan: Plan, notes: list[str]) -> None:
    """Ready, with nothing to buy."""
    amounts = dict.fromkeys(("cost_before", "cost_after", "lower_bound", "gap", "upfront"), 0)
    _update(
        plan,
        state=Plan.State.READY,
        progress=100,
        stage="",
        confidence=Plan.Confidence.NONE,
        notes=notes,
        ready_at=timezone.now(),
        **amounts,
    )
