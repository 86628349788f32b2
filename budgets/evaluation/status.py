"""Where budgets stand today, in figures for tables and in sentences for people."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import F, OuterRef, QuerySet, Subquery

from budgets.models import BudgetPeriod, Forecast
from costs.query import trends
from costs.query.trends import Comparison, LabelledChange
from finops_site.lib.money import EXACT, formatted, ratio
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import Person
from finops_site.ui.figures import percent_text

SHOWN = ("spent", "p10", "p50", "p90", "chance_of_overrun", "method", "as_of")


def with_standing(budgets: QuerySet, today: date) -> QuerySet:
    """Budgets with the whole amount of the period that holds `today` and its newest forecast."""
    period = BudgetPeriod.objects.filter(budget=OuterRef("pk"), start__lte=today, end__gt=today)
    newest = Forecast.objects.filter(
        period__budget=OuterRef("pk"), period__start__lte=today, period__end__gt=today
    ).order_by("-as_of")
    found = budgets.annotate(whole=Subquery(period.annotate(sum=F("amount") + F("rolled_over")).values("sum")[:1]))
    return found.annotate(**{f"now_{name}": Subquery(newest.values(name)[:1]) for name in SHOWN})


def landing(forecast: Forecast | None, whole: Decimal | None, currency: str) -> str:
    """``landing between 61,200 and 64,800, most likely 62,900, chance of overrun 34 %``."""
    if forecast is None:
        return "not judged yet: the next night says where it will land"
    return landing_of(
        forecast.method, forecast.p10, forecast.p50, forecast.p90, forecast.chance_of_overrun, whole, currency
    )


def landing_of(
    method: str, low: Decimal, likely: Decimal, high: Decimal, chance: Decimal, whole: Decimal | None, currency: str
) -> str:
    """The same of a forecast's figures."""
    if method == Forecast.Method.NONE:
        return "nothing to go by: its scope has had no cost"
    if method == Forecast.Method.DONE:
        return f"ended at {formatted(likely, currency)} {currency}"
    words = (
        f"landing between {formatted(low, currency)} and {formatted(high, currency)}, "
        f"most likely {formatted(likely, currency)} {currency}"
    )
    if whole is not None:
        words += f", chance of overrun {percent_text(chance, 0)}".replace("%", " %")
    return f"{words} (a run rate: less than four weeks of history)" if method == Forecast.Method.RUN_RATE else words


def share(spent: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """How much of the amount is spent; None where there is no amount."""
    return None if spent is None or whole is None else ratio(spent, whole)


def light(forecast: Forecast | None, whole: Decimal | None) -> tuple[str, str, str]:
    """(words, tone, icon) of how a budget stands: for a badge that does not depend on its colour."""
    if forecast is None or whole is None:
        return ("no judgement", "calm", "circle-dashed")
    return light_of(forecast.spent, forecast.chance_of_overrun, whole)


def light_of(spent: Decimal, chance: Decimal, whole: Decimal) -> tuple[str, str, str]:
    if spent > whole:
        return ("over", "bad", "alert-circle")
    if chance >= Decimal("0.5"):
        return ("heading over", "bad", "trending-up")
    if chance >= Decimal("0.2"):
        return ("at risk", "warn", "alert-triangle")
    return ("on track", "good", "circle-check")


def newest(periods: Sequence[BudgetPeriod]) -> dict[int, Forecast]:
    """{period id: its newest forecast}."""
    found = Forecast.objects.filter(period__in=[period.pk for period in periods])
    return {each.period_id: each for each in found.order_by("period_id", "-as_of").distinct("period_id")}


def drivers(user: Person, period: BudgetPeriod, until: date | None) -> tuple[Comparison, list[LabelledChange]]:
    """What changed by service since the days before the period: the largest first, of what `user` may see.

    A month is compared with the same days of the month before; other periods with as many days before them.
    """
    span = period.period
    end = min(span.end, (until or span.last_day) + timedelta(days=1))
    now = Period(span.start, max(end, span.start))
    month = Month.of(span.start)
    start = month.previous.start if span == month.period else span.start - timedelta(days=span.days)
    before = Period(start, min(start + timedelta(days=now.days), span.start))
    comparison = Comparison(month, now, before)
    budget = period.budget
    filters = {**budget.filters, "currency": [budget.currency]}
    return comparison, trends.cost_drivers(user, comparison, "service", filters, budget.basis).get(budget.currency, [])


def variance_share(actual: Decimal, whole: Decimal) -> Decimal | None:
    """(actual - amount) / amount; None for an amount of nothing."""
    return ratio(EXACT.subtract(actual, whole), whole)
