"""What budgets show on the home page, in the programme and in the monthly report."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Avg, F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from budgets.forecast import status
from budgets.forecast.spending import monthly_costs
from budgets.models import Alert, Budget, BudgetPeriod, Forecast
from budgets.planning import annual_plan
from costs.query.known_until import known_in
from finops_site.lib.money import formatted
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import Better, Measure, PendingDecision, TeamBudget, Unit
from finops_site.ui.pending_decisions import decision_items

SHOWN = 6
RESPONSE_TARGET_HOURS = Decimal(24)
RESPONSE_DAYS = 90


def budgets_panel(request: HttpRequest) -> dict[str, Any] | None:
    """The budgets at most risk today, and the number of unacknowledged alerts."""
    today = timezone.now().date()
    periods = _active_periods(signed_in_user(request), today)
    if not periods:
        return None
    rows = _rows(periods)
    rows.sort(key=lambda row: -(row["chance"] if row["chance"] is not None else -1))
    alerts = Alert.objects.visible_to(signed_in_user(request)).filter(state__in=["open", "reopened"])
    return {"rows": rows[:SHOWN], "more": max(0, len(rows) - SHOWN), "unacknowledged": alerts.count()}


def proposed_budgets(user: Person) -> QuerySet[Budget]:
    """What leads proposed, for finance."""
    return Budget.objects.visible_to(user).filter(state=Budget.State.PROPOSED)


def proposal_decisions(user: Person, rows: QuerySet[Budget]) -> list[PendingDecision]:
    url = f"{reverse('budgets:budgets')}?state={Budget.State.PROPOSED}"
    return decision_items(rows, "A budget is proposed", "budgets are proposed", url)


def _active_periods(user: Person, day: date) -> list[BudgetPeriod]:
    periods = BudgetPeriod.objects.visible_to(user).of_active().holding(day)
    return list(periods.select_related("budget__team").order_by("budget__name"))


def _rows(periods: Sequence[BudgetPeriod]) -> list[dict[str, Any]]:
    """A row of figures for each period, with its newest forecast."""
    newest, rows = status.newest_forecasts(periods), []
    for period in periods:
        forecast: Forecast | None = newest.get(period.pk)
        rows.append(
            {
                "budget": period.budget,
                "period": period,
                "forecast": forecast,
                "share": status.share_spent(forecast.known_spent, period.budgeted) if forecast else None,
                "badge": status.status_badge(forecast, period.budgeted),
                "chance": forecast.chance_of_overrun if forecast else None,
            }
        )
    return rows


def team_budgets(user: Person, team: int, month: Month) -> list[TeamBudget]:
    """The monthly budgets of one team, each with what was spent of it in the month, by charge day."""
    periods = BudgetPeriod.objects.visible_to(user).of_active().filter(start=month.start, end=month.next.start)
    rows = list(periods.filter(budget__team=team).select_related("budget").order_by("budget__name"))
    costs = monthly_costs([row.budget for row in rows], month.period) if rows else {}
    return [
        TeamBudget(
            row.budget.name,
            row.budgeted,
            costs[row.budget_id][month.start],
            row.budget.currency,
            row.budget.get_absolute_url(),
        )
        for row in rows
    ]


def variance_measure(user: Person, as_of: date) -> Measure | None:
    """The KPI "variance < 5 %" of the year so far."""
    if not Budget.objects.visible_to(user).active().exists():
        return None
    value = annual_plan.variance_kpi(annual_plan.load_annual_plan(user, as_of.year, as_of))
    text = "absolute differences of all budgets and complete months of the year, by their amounts"
    return Measure(value, Unit.PERCENT, annual_plan.VARIANCE_TARGET, Better.LOWER, text, reverse("budgets:annual_plan"))


def response_measure(user: Person, as_of: date) -> Measure | None:
    """Hours from opening to acknowledgement, on average of the acknowledged alerts of the last 90 days."""
    alerts = Alert.objects.visible_to(user).filter(opened_at__date__gt=as_of - timedelta(days=RESPONSE_DAYS))
    if not alerts.exists():
        return None
    mean = alerts.filter(acknowledged_at__isnull=False).aggregate(mean=Avg(F("acknowledged_at") - F("opened_at")))
    hours = None if mean["mean"] is None else Decimal(round(mean["mean"].total_seconds() / 360)) / 10
    text = f"from an alert to its acknowledgement, on average of the last {RESPONSE_DAYS} days"
    return Measure(hours, Unit.HOURS, RESPONSE_TARGET_HOURS, Better.LOWER, text, reverse("budgets:alerts"))


def budgets_report(user: Person, month: Month) -> dict[str, Any] | None:
    """The month's budgets against what was spent, for the monthly report."""
    periods = _active_periods(user, month.start)
    if not periods:
        return None
    rows = _rows(periods)
    over = sum(row["badge"][0] in ("over", "heading over") for row in rows)
    return {
        "rows": rows,
        "text": [
            f"{len(rows)} budgets; {over} over their amount or heading there.",
            *known_in(user, month.period, timezone.now().date()).notes,
        ],
        "tables": [
            {
                "title": "Budgets",
                "head": ["Budget", "Amount", "Actual", "Forecast", "Status"],
                "rows": [_report_cells(row) for row in rows],
            }
        ],
    }


def _report_cells(row: dict[str, Any]) -> list[str]:
    forecast, code = row["forecast"], row["budget"].currency
    amounts = [row["period"].budgeted, *([forecast.known_spent, forecast.p50] if forecast else [None, None])]
    texts = ["—" if amount is None else f"{formatted(amount, code)} {code}" for amount in amounts]
    return [row["budget"].name, *texts, row["badge"][0]]
