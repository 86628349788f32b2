"""The KPIs of budgets: how near plans and forecasts come, and how soon alerts are answered."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from budgets import panels
from budgets.models import Budget, Forecast
from budgets.planning.annual_plan import VARIANCE_TARGET
from finops_site.lib.money import EXACT, percent, ratio
from finops_site.lib.person import Person
from finops_site.registry import Better, Kpi, KpiArea, Measure, MeasureInput, Unit
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import text_lazy

MAY_SEE = "budgets.view_budget"
BUDGETS_WANTED = Decimal(5)
# What the test of a forecast calls it (budgets/calc/backtest.py, which brings numpy with it).
OURS = "forecast"
# Days before the end of a month: the middle of it, where a forecast is still of use.
IN_THE_MIDDLE = "14"
ZERO, ONE = Decimal(0), Decimal(1)


def active_budgets(user: Person, as_of: date) -> Measure | None:
    """How many active budgets count the day; none is 0, for that is known."""
    rows = Budget.objects.visible_to(user).active().filter(start__lte=as_of).exclude(end__lte=as_of)
    count, url = Decimal(rows.count()), f"{reverse('budgets:budgets')}?state=active"
    inputs = (MeasureInput(_("Active budgets"), count, url),)
    words = text_lazy(lambda: _("budgets are evaluated every night"))
    return Measure(count, Unit.COUNT, BUDGETS_WANTED, Better.HIGHER, words, url, "", inputs)


def forecast_accuracy(user: Person, as_of: date) -> Measure | None:
    """100 % less how far forecasts made in the middle of a month missed what it cost, by replaying past months.

    Of the newest forecast of each budget, weighted by what it expects; of the currency of most budgets.
    """
    rows = Forecast.objects.visible_to(user).filter(as_of__lte=as_of, period__removed_at=None)
    newest = rows.filter(period__start__lte=as_of, period__end__gt=as_of, period__budget__state="active")
    by_currency: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    of_each = newest.order_by("period__budget_id", "-as_of", "-pk").distinct("period__budget_id")
    for p50, backtest, currency in of_each.values_list("p50", "backtest", "period__budget__currency"):
        missed = backtest.get("wape", {}).get(OURS, {}).get(IN_THE_MIDDLE)
        if missed is not None and p50 > 0:
            by_currency[currency].append((p50, Decimal(str(missed))))
    if not by_currency:
        return None
    code = max(sorted(by_currency), key=lambda currency: len(by_currency[currency]))
    pairs = by_currency[code]
    expected = sum((amount for amount, _missed in pairs), ZERO)
    missed = sum((EXACT.multiply(amount, share) for amount, share in pairs), ZERO)
    share = ratio(missed, expected)
    value = None if share is None else percent(EXACT.subtract(ONE, share))
    url = f"{reverse('budgets:budgets')}?state=active"
    inputs = (
        MeasureInput(_("Budgets whose forecast was tested"), Decimal(len(pairs)), url),
        MeasureInput(_("Forecast for their periods"), expected, url, Unit.MONEY, code),
        MeasureInput(_("Of it missed, by the test"), missed, url, Unit.MONEY, code),
    )
    words = text_lazy(
        lambda: _("of forecasts made two weeks before the end of a month came true, by replaying past months")
    )
    return Measure(value, Unit.PERCENT, None, Better.HIGHER, words, url, "", inputs)


KPIS = (
    Kpi(
        "budget-variance",
        _lazy("Budget variance"),
        panels.variance_measure,
        MAY_SEE,
        21,
        KpiArea.BUDGETS,
        _lazy("How far budgets and what was spent are apart, of all periods of the year that are over and delivered."),
        _lazy("sum of |spent - amount| / sum of amounts: a team's saving does not hide another's overrun"),
        _lazy("Budget variance"),
        better=Better.LOWER,
        target=VARIANCE_TARGET,
        why_unknown=_lazy("There is no active budget."),
    ),
    Kpi(
        "alert-response",
        _lazy("Alert response time"),
        panels.response_measure,
        "budgets.view_alert",
        22,
        KpiArea.BUDGETS,
        _lazy("How long an alert waits for somebody to acknowledge it, on average of the last 90 days."),
        _lazy("mean of (acknowledged - opened); an alert without an answer counts with its age so far"),
        _lazy("Time to respond to anomalies and budget alerts"),
        Unit.HOURS,
        Better.LOWER,
        panels.RESPONSE_TARGET_HOURS,
        why_unknown=_lazy("No alert was opened in the last 90 days."),
    ),
    Kpi(
        "active-budgets",
        _lazy("Active budgets"),
        active_budgets,
        MAY_SEE,
        24,
        KpiArea.BUDGETS,
        _lazy("How many budgets are in force: each is forecast every night, and its holder is warned."),
        _lazy("number of active budgets that count today"),
        "",
        Unit.COUNT,
        target=BUDGETS_WANTED,
    ),
    Kpi(
        "forecast-accuracy",
        _lazy("Forecast accuracy"),
        forecast_accuracy,
        MAY_SEE,
        25,
        KpiArea.BUDGETS,
        _lazy("How much of what was spent a forecast in the middle of the month had right."),
        _lazy("1 - sum of |forecast - spent| / sum of spent, of past months replayed, weighted by what is forecast"),
        _lazy("Forecast accuracy rate"),
        why_unknown=_lazy("No budget has enough history to test its forecasts by."),
    ),
)
