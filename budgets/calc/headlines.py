"""An alert in one sentence, and how severe it is. Pure: no Django.

Amounts are whole units of the currency in a headline; the mail has every cent below it.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from budgets.calc.fiscal_calendar import CALENDAR_YEAR, FiscalCalendar
from finops_site.lib.language import gettext as _
from finops_site.lib.locale_format import in_marks
from finops_site.lib.money import EXACT, ratio
from finops_site.lib.periods import Month, Period, day_text, month_text
from finops_site.lib.words import number_text

INFORMATION, WARNING, CRITICAL = "information", "warning", "critical"
HUNDRED = Decimal(100)
MOST_AS_PERCENT = 10


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """What an alert is about: the budget's name, its period and amount, and the figures when it opened."""

    name: str
    kind: str
    period: Period
    budgeted: Decimal
    spent: Decimal
    forecast: Decimal
    value: Decimal
    limit: Decimal
    currency: str
    as_of: date
    # What its budget calls the period, where that is not what the calendar's year does.
    span: str = ""


def headline(summary: AlertSummary) -> str:
    """``Payments is heading 14% over November: 12,400 of 10,900 USD``."""
    span = summary.span or span_text(summary.period)
    name, value = summary.name, f"{whole_units(summary.value)} {summary.currency}"
    if summary.kind == "actual":
        return _actual_headline(summary, span)
    if summary.kind == "forecast":
        return _forecast_headline(summary, span)
    if summary.kind == "rate":
        daily = EXACT.divide(summary.value, Decimal(max(summary.period.days, 1)))
        return _("{name} spends {pace} {currency} a day: too much for {budgeted} in {span}").format(
            name=name,
            pace=whole_units(summary.value if summary.value <= summary.limit else daily),
            currency=summary.currency,
            budgeted=whole_units(summary.budgeted),
            span=span,
        )
    if summary.kind == "day":
        return _("{name} spent {value} on a single day of {span}").format(name=name, value=value, span=span)
    return _("{name} spent {value} more in a day than it should have").format(name=name, value=value)


def _forecast_headline(summary: AlertSummary, span: str) -> str:
    words = {"name": summary.name, "span": span, "amounts": _amounts(summary.forecast, summary)}
    over = _percent_over(summary.forecast, summary.budgeted)
    if over is None or summary.forecast <= summary.budgeted:
        return _("{name} may go over {span}: most likely {amounts}").format(**words)
    if times := _times(summary.forecast, summary.budgeted):
        return _("{name} is heading for {times} the amount of {span}: {amounts}").format(times=times, **words)
    if not over:
        return _("{name} is heading over {span}: {amounts}").format(**words)
    return _("{name} is heading {over}% over {span}: {amounts}").format(over=over, **words)


def correction(summary: AlertSummary) -> str:
    """What is true now of an alert that a newer bill took back: ``Payments has spent 28% of March: …``."""
    name, span, limit = summary.name, span_text(summary.period), f"{whole_units(summary.limit)} {summary.currency}"
    if summary.kind == "day":
        return _("{name} spent less than {limit} on every single day of {span}").format(
            name=name, limit=limit, span=span
        )
    if summary.kind == "anomaly":
        return _("{name} spent on no day of {span} {limit} more than it should have").format(
            name=name, limit=limit, span=span
        )
    return _actual_headline(summary, span)


def _actual_headline(summary: AlertSummary, span: str) -> str:
    words = {"name": summary.name, "span": span, "amounts": _amounts(summary.value, summary)}
    over = _percent_over(summary.value, summary.budgeted)
    if times := _times(summary.value, summary.budgeted):
        return _("{name} has spent {times} the amount of {span}: {amounts}").format(times=times, **words)
    if over is None or summary.value > summary.budgeted:
        if not over:
            return _("{name} is over {span}: {amounts}").format(**words)
        return _("{name} is {over}% over {span}: {amounts}").format(over=over, **words)
    share = ratio(EXACT.multiply(summary.value, HUNDRED), summary.budgeted) or Decimal(0)
    left = max((summary.period.end - summary.as_of).days, 0)
    text = _("{name} has spent {share}% of {span}: {amounts}, with {left} days to go")
    if left <= 1:
        text = _("{name} has spent {share}% of {span}: {amounts}, on its last day")
    return text.format(share=_whole_percent(share), left=left, **words)


def _amounts(amount: Decimal, summary: AlertSummary) -> str:
    """``12,400 of 10,900 USD``."""
    return _("{amount} of {budgeted} {currency}").format(
        amount=whole_units(amount), budgeted=whole_units(summary.budgeted), currency=summary.currency
    )


def _times(value: Decimal, budgeted: Decimal) -> str:
    """``13x`` from ten times the amount on, where a percentage says nothing any more; else empty."""
    share = ratio(value, budgeted) if budgeted > 0 else None
    return f"{number_text(share)}x" if share is not None and share >= MOST_AS_PERCENT else ""


def _percent_over(value: Decimal, budgeted: Decimal) -> str | None:
    """By how many percent, as text; None where there is no amount to be over."""
    share = ratio(EXACT.multiply(EXACT.subtract(value, budgeted), HUNDRED), budgeted) if budgeted > 0 else None
    if share is not None and 0 < share < 1:
        return _("less than 1")
    return None if share is None else _whole_percent(share)


def _whole_percent(share: Decimal) -> str:
    return in_marks(f"{share.quantize(Decimal(1), rounding=ROUND_HALF_EVEN, context=EXACT):,f}")


def span_text(period: Period) -> str:
    """``November``, ``Q4 2026``, ``2026`` or its first and last day."""
    month = Month.of(period.start)
    if period == month.period:
        return month_text(month, "long name")
    if period.start.day == 1 and period.end == month.plus(3).start and month.number % 3 == 1:
        return f"Q{month.number // 3 + 1} {month.year}"
    if period.start.day == 1 and period.end == month.plus(12).start and month.number == 1:
        return str(month.year)
    return _("{first} to {last}").format(first=day_text(period.start), last=day_text(period.last_day))


def full_span_text(period: Period) -> str:
    """The same with its year: ``November 2026``."""
    month = Month.of(period.start)
    return month_text(month, "long") if period == month.period else span_text(period)


def words_by_calendar(period: Period, calendar: FiscalCalendar) -> str:
    """The same of a budget whose year is not the calendar's: ``Q1 2026/27``, ``2026/27``, else first and last day."""
    if calendar == CALENDAR_YEAR:
        return full_span_text(period)
    year = calendar.year_of(period.start)
    words = f"{year}/{(year + 1) % 100:02}"
    if calendar.year(year) == period:
        return words
    quarters = calendar.periods("quarter", year)
    if period in quarters:
        return f"Q{quarters.index(period) + 1} {words}"
    if period == Month.of(period.start).period:
        return full_span_text(period)
    return _("{first} to {last}").format(first=day_text(period.start), last=day_text(period.last_day))


def whole_units(amount: Decimal) -> str:
    """``12,400``; less than ten has its cents."""
    unit = Decimal(1) if abs(amount) >= 10 else Decimal("0.01")
    return in_marks(f"{amount.quantize(unit, rounding=ROUND_HALF_EVEN, context=EXACT):,f}")


def severity(kind: str, value: Decimal, budgeted: Decimal) -> str:
    """How severe: over the amount is critical; less than 80% of it spent is information; all else is a warning."""
    if kind != "actual":
        return WARNING
    if value >= budgeted:
        return CRITICAL
    return INFORMATION if EXACT.multiply(value, HUNDRED) < EXACT.multiply(budgeted, Decimal(80)) else WARNING
