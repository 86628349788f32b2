"""An alert in a sentence that tells it all, and how grave it is. Pure: no Django.

Amounts are whole units of the currency in a headline; the mail has every cent below it.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from finops_site.lib.money import EXACT, ratio
from finops_site.lib.periods import Month, Period

INFORMATION, WARNING, CRITICAL = "information", "warning", "critical"
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Story:
    """What an alert is about: the budget's name, its period and amount, what stood when it opened."""

    name: str
    kind: str
    period: Period
    whole: Decimal
    spent: Decimal
    landing: Decimal
    value: Decimal
    limit: Decimal
    currency: str
    as_of: date


def headline(story: Story) -> str:
    """``Payments is heading 14 % over November: 12,400 of 10,900 USD``."""
    tell = {"actual": _spent, "forecast": _heading, "rate": _rate, "day": _day, "anomaly": _unusual}
    return tell[story.kind](story)


def _spent(story: Story) -> str:
    of = f"{whole_units(story.value)} of {whole_units(story.whole)} {story.currency}"
    over = _percent_over(story.value, story.whole)
    if over is None or story.value > story.whole:
        return f"{story.name} is {f'{over} % ' if over else ''}over {span(story.period)}: {of}"
    share = ratio(EXACT.multiply(story.value, HUNDRED), story.whole) or Decimal(0)
    left = max((story.period.end - story.as_of).days, 0)
    days = "on its last day" if left <= 1 else f"with {left} days to go"
    return f"{story.name} has spent {_units(share)} % of {span(story.period)}: {of}, {days}"


def _heading(story: Story) -> str:
    of = f"{whole_units(story.landing)} of {whole_units(story.whole)} {story.currency}"
    over = _percent_over(story.landing, story.whole)
    if over is None or story.landing <= story.whole:
        return f"{story.name} may go over {span(story.period)}: most likely {of}"
    return f"{story.name} is heading {f'{over} % ' if over else ''}over {span(story.period)}: {of}"


def _rate(story: Story) -> str:
    daily = EXACT.divide(story.value, Decimal(max(story.period.days, 1)))
    pace = story.value if story.value <= story.limit else daily
    return (
        f"{story.name} spends {whole_units(pace)} {story.currency} a day: "
        f"too much for {whole_units(story.whole)} in {span(story.period)}"
    )


def _day(story: Story) -> str:
    return f"{story.name} spent {whole_units(story.value)} {story.currency} on a single day of {span(story.period)}"


def _unusual(story: Story) -> str:
    return f"{story.name} spent {whole_units(story.value)} {story.currency} more in a day than it should have"


def _percent_over(value: Decimal, whole: Decimal) -> str | None:
    """By how many percent, as text; None where there is no amount to be over."""
    share = ratio(EXACT.multiply(EXACT.subtract(value, whole), HUNDRED), whole) if whole > 0 else None
    return None if share is None else _units(share)


def span(period: Period) -> str:
    """``November``, ``Q4 2026``, ``2026`` or ``3 to 17 Nov``-like days."""
    month = Month.of(period.start)
    if period == month.period:
        return month.start.strftime("%B")
    if period.start.day == 1 and period.end == month.plus(3).start and month.number % 3 == 1:
        return f"Q{month.number // 3 + 1} {month.year}"
    if period.start.day == 1 and period.end == month.plus(12).start and month.number == 1:
        return str(month.year)
    return f"{period.start.isoformat()} to {period.last_day.isoformat()}"


def full_span(period: Period) -> str:
    """The same with its year: ``November 2026``."""
    month = Month.of(period.start)
    return month.start.strftime("%B %Y") if period == month.period else span(period)


def whole_units(amount: Decimal) -> str:
    """``12,400``; less than ten keeps its cents."""
    places = Decimal(1) if abs(amount) >= 10 else Decimal("0.01")
    return f"{amount.quantize(places, rounding=ROUND_HALF_EVEN, context=EXACT):,f}"


def _units(share: Decimal) -> str:
    return f"{share.quantize(Decimal(1), rounding=ROUND_HALF_EVEN, context=EXACT):,f}"


def gravity(kind: str, value: Decimal, whole: Decimal) -> str:
    """How grave: over the amount is critical; half of it spent is information; all else is a warning."""
    if kind == "actual":
        if value >= whole:
            return CRITICAL
        return INFORMATION if EXACT.multiply(value, HUNDRED) < EXACT.multiply(whole, Decimal(80)) else WARNING
    return WARNING
