"""The figures of an estimate: scenarios side by side, what they mean for budgets, what came of the chosen one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from costs.query.known_until import delivered_bills, is_month_known
from costs.query.question import Question
from costs.query.spend import find_spend
from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person, WholeCompany
from usage.calc.estimate_prices import total
from usage.models import Estimate, EstimateLine, Scenario

MONTHS_A_YEAR = 12
MOST_MONTHS = 24
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class ScenarioFigures:
    """A scenario in an average month. `unpriced` lines are in no sum; `difference` is against the first scenario,
    None where either has such lines."""

    scenario: Scenario
    lines: Sequence[EstimateLine]
    cost: Decimal
    list_cost: Decimal
    unpriced: int
    committed_saving: Decimal
    difference: Decimal | None = None

    @property
    def yearly(self) -> Decimal:
        return EXACT.multiply(self.cost, Decimal(MONTHS_A_YEAR))


@dataclass(frozen=True, slots=True)
class MonthThatCame:
    """A whole month after the start: what the tag or the team cost; None where the bill is not whole."""

    month: Month
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the chosen scenario: its whole months, their average, and how far off the estimate was."""

    months: Sequence[MonthThatCame]
    estimated: Decimal
    average: Decimal | None

    @property
    def accuracy(self) -> Decimal | None:
        """100 % less the distance from the estimate, never below none; None while nothing is known."""
        if self.average is None or not self.estimated:
            return None
        distance = abs(self.average - self.estimated)
        return max(Decimal(0), HUNDRED - distance / abs(self.estimated) * HUNDRED)


def scenarios_of(estimate: Estimate) -> list[ScenarioFigures]:
    """Every scenario with its sums, in two queries."""
    figures: list[ScenarioFigures] = []
    for scenario in estimate.scenarios.prefetch_related("lines"):
        lines = list(scenario.lines.all())
        cost, unpriced = total(line.cost for line in lines)
        list_cost, _unlisted = total(line.list_cost for line in lines)
        saving, _without = total(
            None if line.committed_cost is None or line.cost is None else line.cost - line.committed_cost
            for line in lines
        )
        first = figures[0] if figures else None
        comparable = first is not None and not unpriced and not first.unpriced
        difference = cost - first.cost if comparable and first else None
        figures.append(ScenarioFigures(scenario, lines, cost, list_cost, unpriced, saving, difference))
    return figures


def _tagged_costs(person: Person, estimate: Estimate, months: Sequence[Month]) -> dict[date, Decimal | None]:
    """{first day of a month: what has the estimate's tag cost, as the policy reads it}; None where part of it is in
    another currency. A month without any such cost is missing: nobody knows whether it ran without its tag."""
    if not months:
        return {}
    question = Question(
        Period(months[0].start, months[-1].next.start),
        grain="month",
        metric="effective_cost",
        filters={f"tag:{estimate.tag_key}": [estimate.tag_value]},
    )
    costs: dict[date, Decimal | None] = {}
    for row in find_spend(person, question):
        if row.bucket is not None:
            is_ours = row.currency == estimate.currency and row.bucket not in costs
            costs[row.bucket] = row.amount if is_ours else None
    return costs


def outcome(person: Person, estimate: Estimate, today: date) -> Outcome | None:
    """What came since the start, by the tag that it is recognised by; None without start, tag or chosen scenario.

    Only whole months after the one of the start count, of cost that the person may see.
    """
    chosen = estimate.scenarios.filter(is_chosen=True).prefetch_related("lines").first()
    if chosen is None or estimate.starts is None or not estimate.tag_key:
        return None
    estimated, unpriced = total(line.cost for line in chosen.lines.all())
    if unpriced:
        return None
    first = Month.of(estimate.starts)
    first = first if estimate.starts == first.start else first.next
    months: list[Month] = []
    while first < Month.of(today) and len(months) < MOST_MONTHS:
        months.append(first)
        first = first.next
    bills = delivered_bills(WholeCompany(), today)
    sums = _tagged_costs(person, estimate, months)
    came = [
        MonthThatCame(month, sums.get(month.start) if is_month_known(bills, month, today) else None) for month in months
    ]
    costs = [row.cost for row in came if row.cost is not None]
    average = EXACT.divide(sum(costs, Decimal(0)), Decimal(len(costs))) if costs else None
    return Outcome(came, estimated, average)
