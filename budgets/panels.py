"""What budgets have to say on the home page, in the programme and in the monthly report."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Avg, F
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from budgets.evaluation import spending, status
from budgets.models import Alert, Budget, BudgetPeriod
from budgets.planning import annual_plan
from finops_site.lib.money import formatted
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.registry import Better, Measure, PendingDecision, TeamBudget, Unit
from finops_site.ui.pending_decisions import decision_items

SHOWN = 6
HOURS = Decimal(24)
RESPONSE_DAYS = 90


def budgets(request: HttpRequest) -> dict[str, Any] | None:
    """The budgets that stand worst today, and the alerts nobody has taken."""
    today = timezone.now().date()
    periods = list(_periods(request.user, today))
    if not periods:
        return None
    newest = status.newest(periods)
    rows = [_row(period, newest.get(period.pk)) for period in periods]
    rows.sort(key=lambda row: -(row["chance"] if row["chance"] is not None else -1))
    waiting = Alert.objects.visible_to(request.user).filter(state__in=["open", "reopened"])
    return {"rows": rows[:SHOWN], "more": max(0, len(rows) - SHOWN), "waiting": waiting.count()}


def proposed(user: Person) -> Any:
    """What leads proposed, for finance."""
    return Budget.objects.visible_to(user).filter(state=Budget.State.PROPOSED)


def proposals(user: Person, rows: Any) -> list[PendingDecision]:
    url = f"{reverse('budgets:budgets')}?state={Budget.State.PROPOSED}"
    return decision_items(rows, "A budget is proposed", "budgets are proposed", url)


def _periods(user: Person, day: date) -> Any:
    found = BudgetPeriod.objects.visible_to(user).of_active().holding(day)
    return found.select_related("budget__team").order_by("budget__name")


def _row(period: BudgetPeriod, forecast: Any) -> dict[str, Any]:
    return {
        "budget": period.budget,
        "period": period,
        "forecast": forecast,
        "share": status.share(forecast.spent, period.whole) if forecast else None,
        "light": status.light(forecast, period.whole),
        "chance": forecast.chance_of_overrun if forecast else None,
    }


def of_team(user: Person, team: int, month: Month) -> list[TeamBudget]:
    """The monthly budgets of one team, each with what was spent of it in the month, by charge day."""
    found = BudgetPeriod.objects.visible_to(user).of_active().filter(start=month.start, end=month.next.start)
    rows = list(found.filter(budget__team=team).select_related("budget").order_by("budget__name"))
    spent = spending.monthly([row.budget for row in rows], month.period) if rows else {}
    return [
        TeamBudget(
            row.budget.name,
            row.whole,
            spent[row.budget_id][month.start],
            row.budget.currency,
            row.budget.get_absolute_url(),
        )
        for row in rows
    ]


def variance_measure(user: Person, as_of: date) -> Measure | None:
    """The KPI "variance < 5 %" of the year so far."""
    if not Budget.objects.visible_to(user).active().exists():
        return None
    value = annual_plan.kpi(annual_plan.year(user, as_of.year, as_of))
    words = "absolute differences of all budgets and whole months of the year, by their amounts"
    return Measure(value, Unit.PERCENT, annual_plan.TARGET, Better.LOWER, words, reverse("budgets:finance"))


def response_measure(user: Person, as_of: date) -> Measure | None:
    """Hours from opening to acknowledgement, on average of the alerts of the last 90 days that were taken."""
    alerts = Alert.objects.visible_to(user).filter(opened_at__date__gt=as_of - timedelta(days=RESPONSE_DAYS))
    if not alerts.exists():
        return None
    mean = alerts.filter(acknowledged_at__isnull=False).aggregate(mean=Avg(F("acknowledged_at") - F("opened_at")))
    hours = None if mean["mean"] is None else Decimal(round(mean["mean"].total_seconds() / 360)) / 10
    words = f"from an alert to its acknowledgement, on average of the last {RESPONSE_DAYS} days"
    return Measure(hours, Unit.HOURS, HOURS, Better.LOWER, words, reverse("budgets:alerts"))


def report(user: Person, month: Month) -> dict[str, Any] | None:
    """The month's budgets against what was spent, for the monthly report."""
    periods = list(_periods(user, month.start))
    if not periods:
        return None
    newest = status.newest(periods)
    rows = [_row(period, newest.get(period.pk)) for period in periods]
    over = sum(row["light"][0] in ("over", "heading over") for row in rows)
    return {
        "rows": rows,
        "text": f"{len(rows)} budgets; {over} over their amount or heading there.",
        "tables": [
            {
                "title": "Budgets",
                "head": ["Budget", "Amount", "Actual", "Forecast", "Standing"],
                "rows": [_cells(row) for row in rows],
            }
        ],
    }


def _cells(row: dict[str, Any]) -> list[str]:
    forecast, code = row["forecast"], row["budget"].currency
    amounts = [row["period"].whole, *([forecast.spent, forecast.p50] if forecast else [None, None])]
    texts = ["—" if each is None else f"{formatted(each, code)} {code}" for each in amounts]
    return [row["budget"].name, *texts, row["light"][0]]
