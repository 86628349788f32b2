"""Which thresholds a budget has crossed, and what becomes of an alert. Pure: no Django, no clock.

One alert belongs to a threshold and a period, however often the night is run. What opens it is said once. It is said
again only when somebody had been told that it was over: because a newer bill took it back, or because it had been
resolved for RESTED days, or because a person asked to be reminded.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from finops_site.lib.money import EXACT

ACTUAL, FORECAST, RATE, DAY, ANOMALY = "actual", "forecast", "rate", "day", "anomaly"
OPEN, ACKNOWLEDGED, SNOOZED, RESOLVED, REOPENED = "open", "acknowledged", "snoozed", "resolved", "reopened"
OPENED, TAKEN_BACK = "opened", "taken back"
# A forecast near its threshold goes up and down with every bill: it has fallen back when it is this far below.
FALLEN_BACK = Decimal("0.98")
RESTED = 7
HUNDRED = Decimal(100)
# What was spent is taken back by a newer bill only; a forecast falls back by itself.
FACTS = (ACTUAL, DAY, ANOMALY)


@dataclass(frozen=True, slots=True)
class Line:
    """A threshold: a percentage of the amount, or an amount; `probability` is for forecasts."""

    id: int
    kind: str
    percent: Decimal | None = None
    amount: Decimal | None = None
    probability: Decimal = Decimal("0.5")

    def limit(self, whole: Decimal) -> Decimal:
        """What must be reached, in money."""
        if self.percent is None:
            return self.amount or Decimal(0)
        return EXACT.divide(EXACT.multiply(whole, self.percent), HUNDRED)


def _surely(limit: Decimal) -> Decimal:
    return Decimal(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a period stands as of a day. `rate` is the mean of the last three whole days, `dearest` the dearest whole
    day's cost, `unusual` what the last whole day cost more than it should; None where nothing can be said."""

    whole: Decimal
    spent: Decimal
    landing: Decimal
    days: int
    chance_above: Callable[[Decimal], Decimal] = _surely
    rate: Decimal | None = None
    dearest: Decimal | None = None
    unusual: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that is crossed: what reached which limit. `is_news` is false where another crossing says more."""

    line: Line
    value: Decimal
    limit: Decimal
    is_news: bool = True


def crossings(standing: Standing, lines: Iterable[Line]) -> list[Crossing]:
    """Every threshold that is crossed, what was spent first, the lower limits first."""
    ordered = sorted(lines, key=lambda line: (line.kind != ACTUAL, line.kind, line.limit(standing.whole), line.id))
    return [found for line in ordered if (found := _crossing(standing, line))]


def _crossing(standing: Standing, line: Line) -> Crossing | None:
    # Of nothing, only the whole is a share that says anything.
    if line.percent is not None and standing.whole <= 0 and line.percent < HUNDRED:
        return None
    limit, value = line.limit(standing.whole), value_of(standing, line)
    if value is None or not _reaches(standing, line, value, limit):
        return None
    return Crossing(line, value, limit, not (line.kind == FORECAST and _reached(standing.spent, limit)))


def value_of(standing: Standing, line: Line) -> Decimal | None:
    """What is compared with the threshold's limit."""
    if line.kind == RATE:
        # A percentage is of the period's amount, so the rate is taken to the whole period.
        return standing.rate if line.percent is None or standing.rate is None else standing.rate * standing.days
    found = {ACTUAL: standing.spent, FORECAST: standing.landing, DAY: standing.dearest, ANOMALY: standing.unusual}
    return found[line.kind]


def _reaches(standing: Standing, line: Line, value: Decimal, limit: Decimal) -> bool:
    if line.kind == FORECAST:
        return _reached(standing.spent, limit) or standing.chance_above(limit) >= line.probability
    return _reached(value, limit)


def _reached(value: Decimal, limit: Decimal) -> bool:
    return value >= limit and value > 0


def fell_back(standing: Standing, line: Line) -> bool:
    """Whether an alert that was crossed is over: a fact as soon as it is none, a forecast when it is clearly below."""
    if _crossing(standing, line):
        return False
    value = value_of(standing, line)
    if line.kind not in (FORECAST, RATE) or value is None:
        return True
    return value < FALLEN_BACK * line.limit(standing.whole)


@dataclass(frozen=True, slots=True)
class Known:
    """An alert as it stands. `has_mailed`: somebody was told of it; `told_over`: and then that it was taken back."""

    kind: str
    state: str
    judged_as_of: date
    peak: Decimal
    snoozed_until: date | None = None
    resolved_as_of: date | None = None
    reopened: int = 0
    has_mailed: bool = False
    told_over: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an alert tonight: its new standing, and the occasion to tell of, empty where there is none."""

    known: Known
    occasion: str = ""
    is_new: bool = False
    forgets_waiting: bool = False


def opening(crossing: Crossing, as_of: date) -> Verdict | None:
    """A crossing without an alert opens one; None where it is no news."""
    if not crossing.is_news:
        return None
    return Verdict(Known(crossing.line.kind, OPEN, as_of, crossing.value), OPENED, is_new=True)


def judged(known: Known, crossing: Crossing | None, as_of: date, *, over: bool) -> Verdict | None:
    """What tonight makes of an alert; None where nothing changes or a later night has judged already.

    `over`: the threshold is not crossed any more, and clearly so (`fell_back`).
    """
    if as_of < known.judged_as_of:
        return None
    if crossing:
        return _still(replace(known, judged_as_of=as_of, peak=max(known.peak, crossing.value)), known, as_of)
    if over and known.state != RESOLVED:
        return _resolved(replace(known, judged_as_of=as_of, state=RESOLVED, resolved_as_of=as_of))
    return Verdict(replace(known, judged_as_of=as_of)) if as_of > known.judged_as_of else None


def _still(now: Known, before: Known, as_of: date) -> Verdict | None:
    if before.state == RESOLVED:
        return _reopened(now, tell=_was_told_over(before, as_of))
    if before.state == SNOOZED and before.snoozed_until is not None and as_of >= before.snoozed_until:
        return _reopened(now, tell=True)
    return Verdict(now) if now != before else None


def _was_told_over(known: Known, as_of: date) -> bool:
    """Whether people take it for over: they were told so, they were never told of it, or it was over for long."""
    rested = known.resolved_as_of is not None and (as_of - known.resolved_as_of).days >= RESTED
    return known.told_over or not known.has_mailed or rested


def _reopened(now: Known, *, tell: bool) -> Verdict:
    count = now.reopened + 1
    again = replace(now, state=REOPENED, reopened=count, snoozed_until=None, resolved_as_of=None, told_over=False)
    return Verdict(again, f"{REOPENED}:{count}" if tell else "")


def _resolved(now: Known) -> Verdict:
    """A fact that was mailed and is none any more is taken back by mail; what still waits to be sent is forgotten."""
    tells = now.kind in FACTS and now.has_mailed and not now.told_over
    occasion = f"{TAKEN_BACK}:{now.reopened}" if tells else ""
    return Verdict(replace(now, told_over=now.told_over or tells), occasion, forgets_waiting=True)
