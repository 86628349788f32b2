"""The verb of this pillar: from the bills and price lists to a recommendation that shows its working."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from finops_site.lib.money import exact_sum, exact_text
from finops_site.lib.person import Person
from finops_site.models import Team
from reservations.calc.terms import (
    HOURS_A_YEAR,
    KINDS,
    OPTIONS,
    PAYMENTS,
    RESERVED,
    SP_COMPUTE,
    SP_EC2,
    TERMS,
    is_plan_eligible,
)
from reservations.models import Plan, PlanItem
from reservations.optimizer import risk
from reservations.optimizer.demand import DAILY, HOURLY, SNAPSHOT, Demand
from reservations.optimizer.linear_program import Floats, Limits, Solution, demand_at_turn, solve
from reservations.optimizer.offers import Market, Offer, Wish, market
from reservations.pricing import price_book
from reservations.recommendations import demand_sources

TIME_LIMIT = 30.0
SMALL = 1e-6
DECLARED = {
    HOURLY: "From hourly use.",
    DAILY: "The bill is daily: each day's hours are taken as spread evenly, so nights and peaks are hidden and this "
    "advice is weaker than from an hourly bill.",
    SNAPSHOT: "The bill is a snapshot without history: machines that ran when it was taken are treated as steady. "
    "This is the weakest advice there is; look at a month of hourly use before buying for three years.",
}


class BadRequest(ValueError):
    """Parameters that no recommendation can be made from; the message says which."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a person asks for. Shares between 0 and 1; money in the plan's currency; `terms` in months."""

    terms: tuple[int, ...] = TERMS
    payments: tuple[str, ...] = tuple(PAYMENTS)
    kinds: tuple[str, ...] = OPTIONS
    target_coverage: float | None = None
    minimum_coverage: float | None = None
    max_upfront: float | None = None
    max_monthly: float | None = None
    minimum_utilisation: float | None = None
    break_even_months: float | None = None
    cash_rate: float = 0.0
    negotiated: float = 0.0
    negotiated_on_commitments: bool = False

    def __post_init__(self) -> None:
        if self.negotiated >= 1:
            raise BadRequest("negotiated must be below 1: a discount of everything leaves nothing to save.")
        for name in ("target_coverage", "minimum_coverage", "minimum_utilisation", "negotiated"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise BadRequest(f"{name.replace('_', ' ')} must be between 0 and 1 (0.7 is 70 %), not {value}.")
        for name in ("max_upfront", "max_monthly", "break_even_months", "cash_rate"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1e15:
                raise BadRequest(f"{name.replace('_', ' ')} must not be negative, and a number: not {value}.")
        if self.minimum_coverage and self.target_coverage is not None and self.minimum_coverage > self.target_coverage:
            raise BadRequest("the coverage to reach is above the coverage to stop at.")

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Parameters":
        known = {name: value for name, value in kept.items() if name in cls.__dataclass_fields__}
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})

    def wish(self) -> Wish:
        limits = Limits(
            self.max_upfront, self.max_monthly, self.target_coverage, self.minimum_coverage, self.minimum_utilisation
        )
        return Wish(
            self.kinds,
            self.terms,
            self.payments,
            self.break_even_months,
            self.cash_rate,
            Decimal(str(self.negotiated)),
            self.negotiated_on_commitments,
            limits,
        )


def ask(
    user: Person, parameters: Parameters, *, as_of: date, lookback_days: int = 30, team: Team | None = None
) -> Plan:
    """A recommendation that waits to be worked out. Raises BadRequest for a lookback of no or too many days."""
    if not 1 <= lookback_days <= demand_sources.HISTORY_DAYS:
        raise BadRequest(f"the lookback must be between 1 and {demand_sources.HISTORY_DAYS} days.")
    return Plan.objects.create(
        requested_by=user, parameters=parameters.as_json(), as_of=as_of, lookback_days=lookback_days, team=team
    )


def run(plan: Plan, *, time_limit: float = TIME_LIMIT) -> Plan:
    """Works a recommendation out; its state and message say how it went, and nothing half done is kept."""
    try:
        _Run(plan, time_limit).work()
    except Exception as error:
        _mark(plan, state=Plan.State.FAILED, message=f"Not worked out: {error}", stage="")
        raise
    plan.refresh_from_db()
    return plan


def _mark(plan: Plan, **changes: Any) -> None:
    Plan.objects.filter(pk=plan.pk).update(**changes)


class _Run:
    """One run, step by step, each of which says where it is."""

    def __init__(self, plan: Plan, time_limit: float) -> None:
        self.plan, self.time_limit = plan, time_limit
        self.parameters = Parameters.from_json(plan.parameters)
        self.notes: list[str] = []

    def _say(self, stage: str, progress: int) -> None:
        _mark(self.plan, state=Plan.State.RUNNING, stage=stage, progress=progress)

    def work(self) -> None:
        self._say("Reading the bills", 5)
        self.collected = demand_sources.collect(self.plan.as_of, demand_sources.HISTORY_DAYS, self.plan.team)
        self.demand = demand_sources.last_days(self.collected.demand, self.plan.lookback_days)
        if not self.demand.pools:
            return self._nothing()
        self._say("Looking up prices", 25)
        self.prices = price_book.prices_of(self.demand.pools, self.plan.as_of)
        self.market = market(self.demand, self.prices, self.parameters.wish())
        self._say("Choosing quantities", 35)
        self.solution = solve(self.market.problem, time_limit=self.time_limit)
        self._say("Comparing and testing", 65)
        working = self._working()
        self._say("Writing it down", 95)
        return self._keep(working)

    @property
    def year(self) -> float:
        """What turns sums over the lookback into a year."""
        return HOURS_A_YEAR / max(self.market.problem.demand.shape[1], 1)

    def _nothing(self) -> None:
        _mark(
            self.plan,
            state=Plan.State.READY,
            progress=100,
            stage="",
            confidence=Plan.Confidence.NONE,
            cost_before=0,
            cost_after=0,
            lower_bound=0,
            gap=0,
            upfront=0,
            notes=["No running machine was found in the bills of that time: load a newer bill, or look further back."],
            ready_at=timezone.now(),
        )

    def _working(self) -> dict[str, Any]:
        demand = self.demand
        return {
            "hours": demand.hours,
            "from": f"{demand.start:%Y-%m-%d}",
            "running": _rounded(float(demand.machines[:, -1].sum())),
            "steady": {str(days): count for days, count in self.collected.demand.steady().items()},
            "pools": [self._pool(i) for i in range(len(self.market.pools))],
            "unpriced": [str(pool) for pool in self.market.unpriced],
            "coverage": _share(self.solution.application.covered, self.solution.cost_before),
            "comparison": self._comparison(),
            "only_reserved": self._only_reserved(),
            "risk": self._risk(),
            "frontier": self._frontier(),
            "backtest": self._backtest(),
        }

    def _pool(self, index: int) -> dict[str, Any]:
        pool, problem = self.market.pools[index], self.market.problem
        hours = float(problem.demand[index].sum())
        uncovered = float(self.solution.application.uncovered[index])
        return {
            "pool": str(pool),
            "hours": _rounded(hours),
            "on_demand": _rounded(float(problem.on_demand[index])),
            "covered": _share(hours - uncovered, hours),
        }

    def _comparison(self) -> list[dict[str, Any]]:
        """The same demand by each kind of commitment alone, and by all together: the same columns."""
        asked = self.parameters.wish()
        kinds = {
            KINDS[SP_COMPUTE]: (SP_COMPUTE,),
            KINDS[SP_EC2]: (SP_EC2,),
            "Reserved instances": RESERVED,
            "All together": asked.kinds,
        }
        found = []
        for name, only in kinds.items():
            allowed = tuple(kind for kind in only if kind in asked.kinds)
            if allowed:
                own = market(self.demand, self.prices, replace(asked, kinds=allowed))
                found.append(self._compared(name, own, solve(own.problem, time_limit=self.time_limit / 4)))
        return found

    def _only_reserved(self) -> str:
        """What plans cannot cover at all: there only reservations compare."""
        problem = self.market.problem
        costs = (problem.on_demand[:, None] * problem.demand).sum(axis=1)
        alone = sum(
            float(cost) for pool, cost in zip(self.market.pools, costs, strict=True) if not is_plan_eligible(pool)
        )
        if not alone:
            return ""
        return f"Databases and the like, {alone / float(costs.sum()):.0%} of the cost, can only be reserved."

    def _compared(self, name: str, own: Market, solution: Solution) -> dict[str, Any]:
        options = own.problem.options
        bought = sum(offer.hourly * float(q) for offer, q in zip(own.offers, solution.quantities, strict=True))
        worth = solution.application.covered
        return {
            "name": name,
            "cost": _money(solution.cost * self.year),
            "saving": _money((solution.cost_before - solution.cost) * self.year),
            "commitment": _money(bought),
            "coverage": _share(worth, solution.cost_before),
            "utilisation": _utilisation(own, solution),
            "discount": _share(worth - bought * own.problem.demand.shape[1], worth),
            "upfront": _money(_cash(options, solution.quantities, "upfront")),
            "monthly": _money(_cash(options, solution.quantities, "monthly")),
            "gap": _share(solution.cost - solution.lower_bound, solution.cost),
        }

    def _risk(self) -> list[dict[str, Any]]:
        problem, quantities = self.market.problem, self.solution.quantities
        scenarios = risk.falls(problem, quantities)
        families: dict[str, list[int]] = {}
        for index, pool in enumerate(self.market.pools):
            families.setdefault(pool.family, []).append(index)
        costs = {
            name: float((problem.on_demand[rows, None] * problem.demand[rows]).sum()) for name, rows in families.items()
        }
        if costs:
            largest = max(costs, key=lambda name: costs[name])
            scenarios.append(
                risk.migration(problem, quantities, families[largest], f"everything on {largest} moves elsewhere")
            )
        return [
            {
                "name": each.name,
                "on_demand": _money(each.on_demand * self.year),
                "cost": _money(each.cost * self.year),
                "saving": _money(each.saving * self.year),
            }
            for each in scenarios
        ]

    def _frontier(self) -> list[dict[str, Any]]:
        free = replace(self.market.problem, limits=replace(self.market.problem.limits, upfront=None))
        most = _cash(free.options, self.solution.quantities, "upfront")
        # Where every dominated offer was left out there may be none without upfront: ask with cash as a limit.
        wish = self.parameters.wish()
        limited = replace(wish, limits=replace(wish.limits, upfront=most))
        problem = market(self.demand, self.prices, limited).problem
        points = risk.frontier(problem, most, time_limit=self.time_limit / 6)
        return [
            {
                "upfront": _money(each.upfront),
                "saving": _money(each.saving * self.year),
                "worst": _money(each.worst * self.year),
            }
            for each in points
        ]

    def _backtest(self) -> dict[str, Any]:
        """The rule on this history: money per hour over all priced pools, at the plan's average discount."""
        history = self.collected.demand
        priced = dict(zip(self.market.pools, self.market.problem.on_demand, strict=True))
        rows = [i for i, pool in enumerate(history.pools) if pool in priced]
        worth = self.solution.application.covered
        if not rows or worth <= 0:
            return {}
        money = np.array([priced[history.pools[i]] for i in rows]) @ history.machines[rows]
        used = np.array(
            [float(q) * offer.hourly for q, offer in zip(self.solution.quantities, self.market.offers, strict=True)]
        )
        ratio = min(max(float(used.sum()) * self.market.problem.demand.shape[1] / worth, 0.01), 0.99)
        lookback = self.plan.lookback_days * 24
        term = min(HOURS_A_YEAR, (len(money) - lookback) // 2 // 24 * 24)
        if term < 30 * 24:
            return {}
        found = risk.backtest(money, ratio=ratio, lookback=lookback, term=term, step=30 * 24)
        return {
            "ratio": _rounded(ratio),
            "term_days": term // 24,
            "origins": found[0].origins,
            "rows": [{"strategy": each.strategy, "saving": _rounded(each.saving)} for each in found],
        }

    def _keep(self, working: dict[str, Any]) -> None:
        items = self._items()
        solution, year = self.solution, self.year
        after, bound = solution.cost * year, solution.lower_bound * year
        with transaction.atomic():
            self.plan.items.all().delete()
            PlanItem.objects.bulk_create(items)
            _mark(
                self.plan,
                state=Plan.State.READY,
                stage="",
                progress=100,
                message="",
                cost_before=_money(solution.cost_before * year),
                cost_after=_money(after),
                lower_bound=_money(bound),
                gap=_rounded(solution.gap),
                upfront=exact_sum(Decimal(item.upfront) for item in items),
                confidence=self.demand.grain,
                is_indicative=any(item.is_indicative for item in items),
                notes=[*self._notes(items), *self.demand.notes],
                working=working,
                ready_at=timezone.now(),
            )

    def _notes(self, items: list[PlanItem]) -> list[str]:
        notes = [DECLARED.get(self.demand.grain, "")]
        if any(item.is_indicative for item in items) or not items:
            notes.append(
                "Prices are indicative: worked out from common discounts, on no price list. Load AWS's offer files or "
                "your own sheet before buying."
            )
        notes += self._price_notes()
        if self.market.unpriced:
            names = ", ".join(sorted(str(pool) for pool in self.market.unpriced)[:5])
            more = len(self.market.unpriced) - 5
            notes.append(
                f"No price is known for {names}{f' and {more} more' if more > 0 else ''}: they stay on demand and are "
                "in no figure here. A family that is no longer sold, or a list that was not loaded?"
            )
        if self.collected.covered_hours:
            notes.append(
                f"{self.collected.covered_hours:,.0f} hours of the last {demand_sources.HISTORY_DAYS} days were "
                "covered by commitments that are owned already and are left out."
            )
        if self.solution.timed_out:
            notes.append(
                f"The solver ran out of its {self.time_limit:g} s: this is the best plan so far, at most "
                f"{self.solution.gap:.1%} dearer than the best there can be."
            )
        if not self.solution.is_feasible:
            notes.append("The coverage asked for cannot be reached within the other limits: this plan stays below it.")
        if self.parameters.max_upfront == 0:
            notes.append("The upfront budget is zero: only offers without upfront were considered.")
        if self.parameters.negotiated:
            where = "on demand and on commitments" if self.parameters.negotiated_on_commitments else "on demand"
            notes.append(f"A negotiated discount of {self.parameters.negotiated:.1%} is taken off list prices {where}.")
        if self.parameters.cash_rate:
            notes.append(f"Cash costs {self.parameters.cash_rate:.1%} a year: it is in the costs shown.")
        return [note for note in notes if note]

    def _price_notes(self) -> list[str]:
        """Where the bill charged another price than the list says, by more than a twentieth."""
        listed, billed = Decimal(0), Decimal(0)
        for pool, price in zip(self.market.pools, self.market.problem.on_demand, strict=True):
            hours, cost = self.collected.charged.get(pool, (Decimal(0), Decimal(0)))
            listed, billed = listed + hours * Decimal(str(price)), billed + cost
        if not listed or abs(billed - listed) <= listed / 20:
            return []
        return [
            f"The bill charges {billed:,.2f} for hours that cost {listed:,.2f} by the price list: everything here is "
            "worked out on the list."
        ]

    def _items(self) -> list[PlanItem]:
        found = []
        for index in np.argsort(-self.solution.quantities * [option.hourly for option in self.market.problem.options]):
            quantity = float(self.solution.quantities[index])
            if quantity > SMALL:
                found.append(self._item(int(index), quantity, len(found) + 1))
        return found

    def _item(self, index: int, quantity: float, position: int) -> PlanItem:
        offer, option = self.market.offers[index], self.market.problem.options[index]
        group = option.group
        size = sum(
            float(q)
            for q, each in zip(self.solution.quantities, self.market.problem.options, strict=True)
            if each.group == group
        )
        hours = self.market.problem.demand.shape[1]
        used = float(self.solution.application.used[group])
        worth = float(self.solution.application.covered_by_group[group]) * self.year * quantity / size
        cash, monthly = option.upfront * quantity, option.monthly * quantity
        saved = worth / 12 - monthly
        cost = offer.hourly * quantity * HOURS_A_YEAR
        return PlanItem(
            plan=self.plan,
            position=position,
            provider=offer.price.pool.provider,
            kind=offer.kind,
            term_months=offer.term_months,
            payment=offer.payment,
            region="" if offer.kind == SP_COMPUTE else offer.price.pool.region,
            instance_type=_covers(offer),
            system="" if offer.is_plan else offer.price.pool.system,
            quantity=_rounded(quantity * (offer.scale if offer.is_plan else 1)),
            unit=f"{offer.price.currency} an hour" if offer.is_plan else "machines",
            hourly=_money(offer.hourly * quantity),
            upfront=_money(cash),
            monthly=_money(monthly),
            on_demand_cost=_money(worth),
            committed_cost=_money(cost),
            utilisation=_rounded(used / (size * hours)),
            break_even_months=_rounded(cash / saved) if saved > 0 and worth > cost else None,
            rate_source=offer.price.source,
            rate_day=offer.price.day,
            is_indicative=offer.price.is_indicative,
            working=self._item_working(group, quantity, size, offer),
        )

    def _item_working(self, group: int, quantity: float, size: float, offer: Offer) -> dict[str, Any]:
        scale = offer.scale if offer.is_plan else 1.0
        level = demand_at_turn(self.market.problem, self.solution.quantities, group) * scale
        size *= scale
        own = self.market.problem.groups[group]
        at = max(range(len(own.pools)), key=lambda i: self.market.problem.demand[own.pools[i]].sum())
        on_demand = float(self.market.problem.on_demand[own.pools[at]]) / (own.weights[at] * scale)
        ratio = offer.hourly / scale / on_demand
        return {
            "ratio": _rounded(ratio),
            "committed": _money(offer.hourly / scale),
            "on_demand": _money(on_demand),
            "level": _rounded(size),
            "runs": _rounded(float((level >= size - SMALL).mean())),
            "next": _rounded(float((level > size + SMALL).mean())),
            "above": int((level > size + SMALL).sum()),
            "below": int((level < size - SMALL).sum()),
            "hours": len(level),
            "unit": f"{offer.price.currency} an hour" if offer.is_plan else f"{offer.price.pool.type} machines",
            "days": _days(level, self.demand),
            "ladder": [
                {
                    "buy_on": f"{step.buy_on:%Y-%m-%d}",
                    "quantity": _rounded(step.quantity),
                    "total": _rounded(step.total),
                    "ends_on": f"{step.ends_on:%Y-%m-%d}",
                }
                for step in risk.ladder(
                    quantity * scale,
                    first=self.plan.as_of,
                    term_months=offer.term_months,
                    is_whole=not offer.is_plan,
                )
            ],
        }


def _covers(offer: Offer) -> str:
    if offer.kind == SP_COMPUTE:
        return ""
    return offer.price.pool.family if offer.kind == SP_EC2 else offer.price.pool.type


def _days(level: Floats, demand: Demand) -> list[dict[str, str]]:
    """The highest, the average and the lowest hour of each day."""
    first = demand.start.hour
    edges = [0, *range(24 - first, len(level), 24), len(level)]
    days = []
    for number, (low, high) in enumerate(pairwise(edges)):
        if high > low:
            part, day = level[low:high], demand.start.date() + timedelta(days=number)
            figures = {"highest": part.max(), "average": part.mean(), "lowest": part.min()}
            days.append({"day": f"{day}", **{name: _rounded(float(value)) for name, value in figures.items()}})
    return days


def _cash(options: Any, quantities: Floats, name: str) -> float:
    return sum(getattr(option, name) * float(q) for option, q in zip(options, quantities, strict=True))


def _utilisation(own: Market, solution: Solution) -> str | None:
    """Used / bought in money, over all groups."""
    hours = own.problem.demand.shape[1]
    bought = used = 0.0
    for group in range(len(own.problem.groups)):
        mine = [i for i, option in enumerate(own.problem.options) if option.group == group]
        size = float(solution.quantities[mine].sum())
        cost = sum(own.offers[i].hourly * float(solution.quantities[i]) for i in mine) * hours
        bought += cost
        used += cost * float(solution.application.used[group]) / (size * hours) if size else 0.0
    return _share(used, bought)


def _share(part: float, whole: float) -> str | None:
    return None if whole <= 0 else _rounded(part / whole)


def _rounded(value: float) -> str:
    return str(exact_text(Decimal(str(round(value, 6)))))


def _money(value: float) -> str:
    """An estimate as text with six decimals: floats end here, and pages round it once more."""
    return _rounded(value)
