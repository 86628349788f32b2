"""A recommendation's question with its answer, and how its figures are written: what the parts of a plan stand on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from finops_site.lib.money import exact_text
from reservations.calc.terms import HOURS_A_YEAR
from reservations.models import Plan
from reservations.optimizer.demand import HOUR, Demand
from reservations.optimizer.model import Floats, Option, Solution
from reservations.optimizer.offers import Market, Prices, PurchaseScope
from reservations.recommendations.demand_sources import CollectedDemand
from reservations.recommendations.held_coverage import HeldCoverage
from reservations.recommendations.plan_choice import Choice
from reservations.recommendations.plan_parameters import Parameters


@dataclass(frozen=True, slots=True)
class SolvedPlan:
    """`history` is all demand there is, `demand` what is expected of it; `choice` says how much of what to buy.

    `covered` is how much of all use is covered by what is held.
    """

    plan: Plan
    parameters: Parameters
    time_limit: float
    history: CollectedDemand
    demand: Demand
    prices: Prices
    choice: Choice
    covered: HeldCoverage

    def scope(self, **changes: Any) -> PurchaseScope:
        """What may be bought, with other parameters where `changes` names some."""
        scope = replace(self.parameters, **changes).scope()
        return replace(scope, limits=self.covered.limits_of_left(scope.limits))

    @property
    def market(self) -> Market:
        """What there is to buy, at the prices that are paid."""
        return self.choice.market

    @property
    def solution(self) -> Solution:
        return self.choice.solution

    @property
    def solver_gap(self) -> float:
        """How far from the best plan by the same rule it may be."""
        return self.choice.gap

    def least_return_of(self, index: int) -> float:
        """What the last unit of an option must save of what it commits: what cash costs, for upfront and in return."""
        dearer = self.choice.problem.options[index].hourly / self.market.problem.options[index].hourly
        return dearer * (1 + self.choice.least_return) - 1

    @property
    def to_year(self) -> float:
        """The factor that turns sums over the lookback into a year."""
        return HOURS_A_YEAR / max(self.market.problem.demand.shape[1], 1)


def is_ahead(demand: Demand) -> bool:
    """Whether it is what months to come are expected to need, and not the hours of the lookback themselves."""
    return demand.at is None and demand.until is not None and demand.start + demand.hours * HOUR != demand.until


def decimal_text(value: float) -> str:
    """An estimate as text with six decimals: floats end here, and pages round it once more."""
    return str(exact_text(Decimal(str(round(value, 6)))))


def share_text(part: float, total: float) -> str | None:
    return None if total <= 0 else decimal_text(part / total)


def cash(options: Sequence[Option], quantities: Floats, name: str) -> float:
    """What these quantities cost `upfront` or `monthly`."""
    return sum(getattr(option, name) * float(q) for option, q in zip(options, quantities, strict=True))
