"""How budgets stand today, in figures for tables and in sentences for people."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, When
from django.utils.translation import gettext as _

from budgets.models import Budget, BudgetPeriod, Forecast
from costs.calc.filters import Operator, split_name
from costs.query import trends
from costs.query.known_until import KnownDays, known_in, known_of, known_together
from costs.query.trends import Comparison, LabelledChange
from finops_site.lib.money import EXACT, formatted, ratio
from finops_site.lib.periods import Month, Period, day_text
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.figures import percent_text

# (words, tone, icon): for a badge that does not depend on its colour.
Badge = tuple[str, str, str]
WAITING: Badge = (_lazy("waits for the bill"), "calm", "clock")
# A period of which no day is complete and no cost is there: nothing is known of it, and that is not zero.
IS_UNKNOWN = Q(spent=0, complete_until__lt=F("period__start"))
# A scope without any cost, though its bills are delivered: was something renamed?
MATCHES_NOTHING: Badge = (_lazy("matches no cost"), "warn", "alert-triangle")
# An active budget whose days go on and which has no amount for today is never judged.
WITHOUT_AMOUNT: Badge = (_lazy("no amount for today"), "warn", "alert-triangle")
# Days of which the bill is later than this are waited for, whatever the rest says.
LATE_DAYS = 10
NARROWING = (Operator.NOT, Operator.EMPTY)
SHOWN = ("p10", "p50", "p90", "chance_of_overrun", "method", "as_of", "quiet_since", "complete_until")


def with_status(budgets: QuerySet, today: date) -> QuerySet:
    """Budgets with the budgeted amount of the period that holds `today` and its newest forecast."""
    period = BudgetPeriod.objects.filter(budget=OuterRef("pk"), start__lte=today, end__gt=today)
    newest = Forecast.objects.filter(
        period__budget=OuterRef("pk"), period__removed_at=None, period__start__lte=today, period__end__gt=today
    ).order_by("-as_of")
    sums = period.annotate(sum=F("amount") + F("rolled_over")).values("sum")[:1]
    latest: dict[str, Any] = {"lacks_amount": lacks_amount(today)}
    latest |= {f"now_{name}": Subquery(newest.values(name)[:1]) for name in SHOWN}
    known = newest.annotate(spent_if_known=Case(When(IS_UNKNOWN, then=None), default=F("spent")))
    latest["now_spent"] = Subquery(known.values_list("spent_if_known")[:1])
    latest |= {f"now_{name}": Subquery(period.values(name)[:1]) for name in ("start", "end")}
    return budgets.annotate(budgeted=Subquery(sums)).annotate(**latest)


def lacks_amount(today: date) -> Q:
    """Budgets that are in force, count `today` and have no period that holds it: the night judges nothing of them."""
    counts_today = Q(Q(end=None) | Q(end__gt=today), start__lte=today, state=Budget.State.ACTIVE)
    return counts_today & ~Q(Exists(BudgetPeriod.objects.filter(budget=OuterRef("pk")).holding(today)))


def known_of_budgets(user: Person, budgets: QuerySet[Budget], today: date) -> KnownDays:
    """What the bills know of the periods of these budgets that hold `today`, for one note beside all of them.

    Only filters that all budgets of a basis and period have can be told from it: a bill that none of them counts may be
    named where they differ in what they filter by.
    """
    periods = BudgetPeriod.objects.filter(budget__in=budgets.order_by().values("pk")).holding(today)
    alike: dict[tuple[date, date, str], list[Mapping[str, Sequence[str]]]] = defaultdict(list)
    for period in periods.select_related("budget").order_by("start", "end"):
        question = period.budget.question(period.period)
        alike[period.start, period.end, question.metric].append(question.filters)
    parts = []
    for (start, end, basis), scopes in alike.items():
        # What any of them counts; what one does not count another may.
        shared = {name for name in set.intersection(*map(set, scopes)) if split_name(name)[1] not in NARROWING}
        filters = {name: sorted({value for scope in scopes for value in scope[name]}) for name in sorted(shared)}
        parts.append(known_in(user, Period(start, end), today, filters=filters, metric=basis))
    return known_together(parts)


def known_of_period(user: Person, period: BudgetPeriod, today: date) -> KnownDays:
    """What the bills know of one period of a budget."""
    return known_of(user, period.budget.question(period.period), today)


def forecast_text(forecast: Forecast | None, budgeted: Decimal | None, currency: str) -> str:
    """``forecast between 61,200 and 64,800, most likely 62,900, chance of overrun 34 %``."""
    if forecast is None:
        return _("not evaluated yet: the next night makes the first forecast")
    return forecast_text_of(
        forecast.method, forecast.p10, forecast.p50, forecast.p90, forecast.chance_of_overrun, budgeted, currency
    )


def forecast_text_of(
    method: str, low: Decimal, likely: Decimal, high: Decimal, chance: Decimal, budgeted: Decimal | None, currency: str
) -> str:
    """The same of a forecast's figures."""
    if method == Forecast.Method.NONE:
        return _("no forecast: its scope has had no cost")
    if method == Forecast.Method.DONE:
        return _("ended at {likely} {currency}").format(likely=formatted(likely, currency), currency=currency)
    text = _("forecast between {low} and {high}, most likely {likely} {currency}").format(
        low=formatted(low, currency),
        high=formatted(high, currency),
        likely=formatted(likely, currency),
        currency=currency,
    )
    if budgeted is not None:
        text += _(", chance of overrun {chance}").format(chance=percent_text(chance, 0))
    return (
        _("{text} (a run rate: less than four weeks of history)").format(text=text)
        if method == Forecast.Method.RUN_RATE
        else text
    )


def scope_doubt(forecast: Forecast | None) -> str:
    """``No cost since 28 Feb 2026: is the name still right?``, where bills are delivered and the scope has no cost."""
    if forecast is None:
        return ""
    return scope_doubt_of(forecast.quiet_since, is_nothing=forecast.matches_nothing)


def scope_doubt_of(quiet_since: date | None, *, is_nothing: bool) -> str:
    """The same of a forecast's figures."""
    if quiet_since:
        return _("No cost since {quiet_since}: is the name still right?").format(quiet_since=day_text(quiet_since))
    return _("Its scope matches no cost in any bill: is the name right?") if is_nothing else ""


def share_spent(spent: Decimal | None, budgeted: Decimal | None) -> Decimal | None:
    """How much of the amount is spent; None where there is no amount, and where more came back than was spent."""
    if spent is None or budgeted is None or spent < 0 or budgeted <= 0:
        return None
    return ratio(spent, budgeted)


def status_badge(forecast: Forecast | None, budgeted: Decimal | None) -> Badge:
    """How a budget stands; what is not known is never good."""
    if forecast is None or budgeted is None:
        return (_("not evaluated"), "calm", "circle-dashed")
    badge = status_badge_of(forecast.spent, forecast.chance_of_overrun, budgeted)
    if badge[1] != "good":
        return badge
    if forecast.quiet_since:
        return (
            _("no cost since {quiet_since}").format(quiet_since=day_text(forecast.quiet_since)),
            "warn",
            "alert-triangle",
        )
    if forecast.matches_nothing:
        return MATCHES_NOTHING
    return WAITING if forecast.is_unknown or is_late(forecast) else badge


def forecast_of_row(row: Any) -> Forecast | None:
    """The newest forecast of a budget of `with_status`, as far as its figures go; None where there is none."""
    if row.now_as_of is None:
        return None
    period = BudgetPeriod(budget=row, start=row.now_start, end=row.now_end)
    return Forecast(
        period=period, spent=row.now_spent or Decimal(0), **{name: getattr(row, f"now_{name}") for name in SHOWN}
    )


def badge_of_row(row: Any) -> Badge:
    """How a budget of `with_status` stands."""
    return WITHOUT_AMOUNT if row.lacks_amount else status_badge(forecast_of_row(row), row.budgeted)


def is_late(forecast: Forecast) -> bool:
    """Whether days of the period are missing for longer than bills usually take."""
    last_asked = min(forecast.as_of, forecast.period.period.last_day)
    return forecast.complete_until is not None and (last_asked - forecast.complete_until).days > LATE_DAYS


def status_badge_of(spent: Decimal, chance: Decimal, budgeted: Decimal) -> Badge:
    """How figures stand that are known."""
    if spent > budgeted:
        return (_("over"), "bad", "alert-circle")
    if chance >= Decimal("0.5"):
        return (_("heading over"), "bad", "trending-up")
    if chance >= Decimal("0.2"):
        return (_("at risk"), "warn", "alert-triangle")
    return (_("on track"), "good", "circle-check")


def newest_forecasts(periods: Sequence[BudgetPeriod]) -> dict[int, Forecast]:
    """{period id: its newest forecast}."""
    rows = Forecast.objects.filter(period__in=[period.pk for period in periods])
    newest = {row.period_id: row for row in rows.order_by("period_id", "-as_of").distinct("period_id")}
    for period in periods:
        if period.pk in newest:
            newest[period.pk].period = period
    return newest


def cost_drivers(user: Person, period: BudgetPeriod, until: date | None) -> tuple[Comparison, list[LabelledChange]]:
    """What changed by service since the days before the period: the largest first, of what `user` may see.

    A month is compared with the same days of the month before; other periods with as many days before them.
    """
    span = period.period
    end = min(span.end, (until or span.last_day) + timedelta(days=1))
    now = Period(span.start, max(end, span.start))
    month = Month.of(span.start)
    start = month.previous.start if span == month.period else span.start - timedelta(days=span.days)
    before = Period(start, min(start + timedelta(days=now.days), span.start))
    budget = period.budget
    comparison = Comparison(month, now, before, metric=budget.basis)
    drivers = trends.cost_drivers(user, comparison, "service", budget.filters, budget.basis)
    return comparison, drivers.get(budget.currency, [])


def variance_share(actual: Decimal, budgeted: Decimal) -> Decimal | None:
    """(actual - amount) / amount; None for an amount of nothing or less, and where more came back than was spent."""
    return None if actual < 0 or budgeted <= 0 else ratio(EXACT.subtract(actual, budgeted), budgeted)
