"""What could go wrong with a plan: demand that falls, and machines that move. Pure: no Django."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from finops_site.lib.language import gettext as _
from reservations.optimizer.application import apply_purchases
from reservations.optimizer.model import Floats, PurchaseProblem

FALLS: Final = (0.0, 0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a plan costs when demand is not what it was; `on_demand` is what that demand costs without any plan."""

    name: str
    cost: float
    on_demand: float

    @property
    def saving(self) -> float:
        return self.on_demand - self.cost


def demand_falls(problem: PurchaseProblem, quantities: Floats, shares: Sequence[float] = FALLS) -> list[Scenario]:
    """The plan kept while every pool's demand falls by each share."""
    return [
        _scenario(
            _("as observed") if not share else _("demand falls by {share}").format(share=f"{share:.0%}"),
            problem,
            quantities,
            1 - share,
        )
        for share in shares
    ]


def migration(problem: PurchaseProblem, quantities: Floats, pools: Sequence[int], name: str) -> Scenario:
    """The plan kept while these pools move away, to machines that nothing of the plan covers."""
    factor = np.ones((len(problem.on_demand), 1))
    factor[list(pools)] = 0.0
    moved = _scenario(name, problem, quantities, factor)
    elsewhere = float((problem.on_demand[:, None] * problem.demand * (1 - factor)).sum())
    return Scenario(name, moved.cost + elsewhere, moved.on_demand + elsewhere)


def _scenario(name: str, problem: PurchaseProblem, quantities: Floats, factor: float | Floats) -> Scenario:
    changed = replace(problem, demand=problem.demand * factor)
    applied = apply_purchases(changed, quantities)
    return Scenario(name, applied.cost, float((changed.on_demand[:, None] * changed.demand).sum()))
