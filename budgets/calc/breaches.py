"""Which thresholds of a budget are breached. Pure: no Django, no clock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from finops_site.lib.money import EXACT

ACTUAL, FORECAST, RATE, DAY, ANOMALY = "actual", "forecast", "rate", "day", "anomaly"
# A forecast near its threshold goes up and down with every bill: its breach has ended when it is this far below.
CLEARLY_BELOW = Decimal("0.98")
HUNDRED, MORE_LIKELY_THAN_NOT = Decimal(100), Decimal("0.5")


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """A threshold: a percentage of the budgeted amount, or an amount.

    `probability` is for forecasts: None where nobody chose one. It is MORE_LIKELY_THAN_NOT then, and what opens it must
    be so on two nights in a row; a probability that somebody chose opens it at once.
    """

    id: int
    kind: str
    percent: Decimal | None = None
    amount: Decimal | None = None
    probability: Decimal | None = None

    @property
    def waits_a_night(self) -> bool:
        return self.kind == FORECAST and self.probability is None

    def limit(self, budgeted: Decimal) -> Decimal:
        """What must be reached, in money."""
        if self.percent is None:
            return self.amount or Decimal(0)
        return EXACT.divide(EXACT.multiply(budgeted, self.percent), HUNDRED)


@dataclass(frozen=True, slots=True)
class PeriodStatus:
    """How a period stands as of a day; None where nothing is known.

    `forecast` is the likeliest cost at the period's end, `rate` the mean of the last three complete days, `dearest` the
    cost of the dearest complete day, `unusual` how much the last complete day cost above its forecast.
    """

    budgeted: Decimal
    spent: Decimal
    forecast: Decimal
    days: int
    chance_above: Callable[[Decimal], Decimal] = lambda limit: Decimal(0)
    rate: Decimal | None = None
    dearest: Decimal | None = None
    unusual: Decimal | None = None

    def value_of(self, rule: ThresholdRule) -> Decimal | None:
        """What is compared with the threshold's limit."""
        if rule.kind == RATE:
            # A percentage is of the period's amount, so the rate is extended to the full period.
            return self.rate if rule.percent is None or self.rate is None else self.rate * self.days
        return {ACTUAL: self.spent, FORECAST: self.forecast, DAY: self.dearest, ANOMALY: self.unusual}[rule.kind]


@dataclass(frozen=True, slots=True)
class Breach:
    """A threshold that is breached: what reached which limit. `is_news` is false where another breach covers it."""

    rule: ThresholdRule
    value: Decimal
    limit: Decimal
    is_news: bool = True


def find_breaches(status: PeriodStatus, rules: Iterable[ThresholdRule]) -> list[Breach]:
    """Every threshold that is breached: those on actual cost first, and the lower limits first."""
    ordered = sorted(rules, key=lambda rule: (rule.kind != ACTUAL, rule.kind, rule.limit(status.budgeted), rule.id))
    return [breach for rule in ordered if (breach := find_breach(status, rule))]


def find_breach(status: PeriodStatus, rule: ThresholdRule) -> Breach | None:
    """How `rule` is breached, or None."""
    # Of an amount of zero, every percentage below 100 is zero too and means nothing.
    if rule.percent is not None and status.budgeted <= 0 and rule.percent < HUNDRED:
        return None
    limit, value = rule.limit(status.budgeted), status.value_of(rule)
    if value is None:
        return None
    is_spent = status.spent >= limit and status.spent > 0
    if rule.kind == FORECAST:
        needed = MORE_LIKELY_THAN_NOT if rule.probability is None else rule.probability
        is_breached = is_spent or status.chance_above(limit) >= needed
        return Breach(rule, value, limit, is_news=not is_spent) if is_breached else None
    return Breach(rule, value, limit) if value >= limit and value > 0 else None


def breach_has_ended(status: PeriodStatus, rule: ThresholdRule) -> bool:
    """Whether a breach is over: of actual cost as soon as a bill shows it, of a forecast when it is clearly below."""
    if find_breach(status, rule):
        return False
    value = status.value_of(rule)
    if rule.kind not in (FORECAST, RATE) or value is None:
        return True
    return value < CLEARLY_BELOW * rule.limit(status.budgeted)
