"""What budgets show on the home page, in the programme and in the monthly report."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Least
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.anomalies.anomaly_words import PATTERNS, words_of
from budgets.forecast import status
from budgets.forecast.spending import daily_costs
from budgets.models import Alert, Anomaly, Budget, BudgetPeriod, Forecast, ProposedChange
from budgets.planning import annual_plan
from costs.query.known_until import known_in
from finops_site.lib.money import formatted
from finops_site.lib.periods import Month, Period, day_text
from finops_site.lib.person import Person
from finops_site.lib.words import counted
from finops_site.people.demo_rows import without_demo
from finops_site.people.signed_in import signed_in_user
from finops_site.registry import Better, Measure, MeasureInput, PendingDecision, TeamBudget, Unit
from finops_site.reports.monthly_report import figure_cell
from finops_site.translation import text_lazy
from finops_site.ui.figures import percent_text
from finops_site.ui.pending_decisions import decision_items

SHOWN = 6
RESPONSE_TARGET_HOURS = Decimal(24)
RESPONSE_DAYS = 90
MOST_NOTES = 3
MOST_PERIODS = 12
UNANSWERED = Q(acknowledged_at=None, resolved_at=None)


def has_own_budget() -> bool:
    """Whether a budget is in force that the demo did not bring."""
    return without_demo(Budget.objects.filter(state=Budget.State.ACTIVE)).exists()


def budgets_panel(request: HttpRequest) -> dict[str, Any] | None:
    """The budgets at most risk today, each with the alert that nobody has acknowledged yet."""
    today = timezone.now().date()
    periods = _active_periods(signed_in_user(request), today)
    if not periods:
        return None
    rows = _rows(periods)
    rows.sort(key=lambda row: -(row["chance"] if row["chance"] is not None else -1))
    return {"rows": rows[:SHOWN], "more": max(0, len(rows) - SHOWN)}


def anomalies_panel(request: HttpRequest) -> dict[str, Any] | None:
    """The open anomalies with the most money, if there are any."""
    anomalies = Anomaly.objects.visible_to(signed_in_user(request)).filter(state=Anomaly.State.OPEN)
    rows = list(anomalies.select_related("team").by_money()[: SHOWN + 1])
    if not rows:
        return None
    shown = [{"anomaly": row, "pattern": PATTERNS[row.pattern], "words": words_of(row)} for row in rows[:SHOWN]]
    return {"rows": shown, "has_more": len(rows) > SHOWN}


def proposed_budgets(user: Person) -> QuerySet[Budget]:
    """What leads proposed, for finance."""
    return Budget.objects.visible_to(user).filter(state=Budget.State.PROPOSED)


def proposal_decisions(user: Person, rows: QuerySet[Budget]) -> list[PendingDecision]:
    url = f"{reverse('budgets:budgets')}?state={Budget.State.PROPOSED}"
    periods = BudgetPeriod.objects.filter(budget=OuterRef("pk")).order_by().values("budget")
    summed = rows.annotate(together=Subquery(periods.annotate(together=Sum("amount")).values("together")))
    return decision_items(summed, _("A budget is proposed"), _("budgets are proposed"), url, amount_of=_proposed)


def _proposed(budget: Any) -> tuple[Decimal | None, str, str]:
    return budget.together, budget.currency, _("all its periods together")


def changes_to_decide(user: Person) -> QuerySet[ProposedChange]:
    """Other amounts that leads proposed for budgets in force."""
    waiting = ProposedChange.objects.visible_to(user).filter(state=ProposedChange.State.WAITING)
    return waiting.filter(budget__state=Budget.State.ACTIVE).select_related("budget")


def change_decisions(user: Person, rows: QuerySet[ProposedChange]) -> list[PendingDecision]:
    url = f"{reverse('budgets:budgets')}?change=waiting"
    return decision_items(rows, _("A change of a budget is proposed"), _("changes of budgets are proposed"), url)


def _active_periods(user: Person, day: date) -> list[BudgetPeriod]:
    """Those of a day, each with the newest alert of it that nobody has acknowledged."""
    periods = BudgetPeriod.objects.visible_to(user).of_active().holding(day)
    alerts = Alert.objects.filter(period=OuterRef("pk"), state__in=["open", "reopened"]).order_by("-opened_at", "-pk")
    with_alert = periods.annotate(open_alert=Subquery(alerts.values("pk")[:1]))
    return list(with_alert.select_related("budget__team").order_by("budget__name"))


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
    """The monthly budgets of one team, each with what was spent of it in the month, by charge day.

    One that starts or ends amid the month has its own days, one in weeks those of the month of that name.
    """
    periods = BudgetPeriod.objects.visible_to(user).of_active().filter(start__lt=month.next.start, end__gt=month.start)
    near = periods.filter(budget__team=team, budget__kind="month").select_related("budget").order_by("budget__name")
    rows = [row for row in near if row.budget.cut.calendar.name(row.period) == month]
    if not rows:
        return []
    days = Period(min(row.start for row in rows), max(row.end for row in rows))
    costs = daily_costs([row.budget for row in rows], days)
    return [
        TeamBudget(
            row.budget.name,
            row.budgeted,
            costs[row.budget_id].total(row.period),
            row.budget.currency,
            row.budget.get_absolute_url(),
        )
        for row in rows
    ]


def variance_measure(user: Person, as_of: date) -> Measure | None:
    """The KPI "variance < 5 %" of the year so far."""
    if not Budget.objects.visible_to(user).active().exists():
        return None
    figures = annual_plan.variance_figures(annual_plan.load_annual_plan(user, annual_plan.plan_year_of(as_of), as_of))
    text = text_lazy(lambda: _variance_words(figures))
    url = reverse("budgets:annual_plan")
    inputs = tuple(
        MeasureInput(_("Variance of budgets in {currency}").format(currency=code), value, url, Unit.PERCENT)
        for code, value in figures.by_currency.items()
    )
    return Measure(figures.value, Unit.PERCENT, annual_plan.VARIANCE_TARGET, Better.LOWER, text, url, "", inputs)


def _variance_words(figures: annual_plan.VarianceFigures) -> str:
    """What the variance is of, and what is in none of it."""
    text = _("absolute differences of all budgets and complete periods of the year, by their amounts")
    if len(figures.by_currency) > 1:
        text += _(", in {currency}").format(currency=figures.currency)
    return "; ".join([text, *(note.rstrip(".") for note in figures.notes[:MOST_NOTES])])


def response_measure(user: Person, as_of: date) -> Measure | None:
    """Hours from opening to acknowledgement, on average of the alerts of the last 90 days.

    One that nobody has acknowledged counts with its age so far, or until it was resolved: to leave it out would make
    the figure better the less is answered.
    """
    now = min(timezone.now(), datetime.combine(as_of + timedelta(days=1), time.min, UTC))
    alerts = Alert.objects.visible_to(user).filter(
        opened_at__date__gt=as_of - timedelta(days=RESPONSE_DAYS), opened_at__lt=now
    )
    # What is acknowledged or resolved after `as_of` was neither then.
    answered = Least(Coalesce("acknowledged_at", "resolved_at", Value(now)), Value(now))
    mean, unanswered = Avg(answered - F("opened_at")), Count("pk", filter=UNANSWERED)
    figures = alerts.aggregate(mean=mean, unanswered=unanswered, alerts=Count("pk"))
    if figures["mean"] is None:
        return None
    hours = Decimal(round(figures["mean"].total_seconds() / 360)) / 10
    text = text_lazy(lambda: _response_words(figures["unanswered"]))
    url = reverse("budgets:alerts")
    counted_ones = f"{url}?opened_from={as_of - timedelta(days=RESPONSE_DAYS - 1)}"
    unanswered_ones = f"{counted_ones}&answer=none"
    inputs = (
        MeasureInput(_("Alerts of {days} days").format(days=RESPONSE_DAYS), Decimal(figures["alerts"]), counted_ones),
        MeasureInput(_("Of them without an answer"), Decimal(figures["unanswered"]), unanswered_ones),
    )
    return Measure(hours, Unit.HOURS, RESPONSE_TARGET_HOURS, Better.LOWER, text, url, "", inputs)


def _response_words(unanswered: int) -> str:
    """What the time is of, and how many of the alerts have no answer yet."""
    text = _("from an alert to its acknowledgement, on average of the last {response_days} days").format(
        response_days=RESPONSE_DAYS
    )
    if unanswered:
        text += _("; {alerts} without an answer with the age so far").format(alerts=counted(unanswered, "alert"))
    return text


def budgets_report(user: Person, month: Month) -> dict[str, Any] | None:
    """The month's budgets against what was spent, for the monthly report."""
    in_month = BudgetPeriod.objects.visible_to(user).of_active().filter(start__lt=month.next.start, end__gt=month.start)
    periods = list(in_month.select_related("budget__team").order_by("budget__name", "start"))
    if not periods:
        return None
    rows = _rows(periods)
    # The tone, for its words are in the language of the reader.
    over = sum(row["badge"][1] == "bad" for row in rows)
    sentence = _("{budgets}; {over} over their amount or heading there.").format(
        budgets=counted(len(rows), "budget"), over=over
    )
    return {
        "rows": rows,
        "brief": {"text": sentence},
        "text": [
            sentence,
            *known_in(user, month.period, timezone.now().date()).notes,
        ],
        "tables": [
            {
                "title": _("Budgets"),
                "head": [_("Budget"), _("Amount"), _("Actual"), _("Forecast"), _("Status")],
                "rows": [_report_cells(row) for row in rows],
            }
        ],
    }


def _report_cells(row: dict[str, Any]) -> list[str]:
    forecast, code = row["forecast"], row["budget"].currency
    amounts = [row["period"].budgeted, *([forecast.known_spent, forecast.p50] if forecast else [None, None])]
    texts = ["—" if amount is None else f"{formatted(amount, code)} {code}" for amount in amounts]
    return [row["budget"].name, *texts, row["badge"][0]]


def budgets_of_period(user: Person, period: Period, today: date) -> dict[str, Any] | None:
    """The budgets of a quarter: which were kept, which were not, and how alerts were answered."""
    inside = BudgetPeriod.objects.visible_to(user).of_active().filter(start__lt=period.end, end__gt=period.start)
    periods = list(inside.select_related("budget__team").order_by("budget__name", "start"))
    if not periods:
        return None
    rows = _rows(periods)
    over = [row for row in rows if row["share"] is not None and row["share"] > 1]
    alerts = Alert.objects.visible_to(user).filter(
        opened_at__date__gte=period.start, opened_at__date__lt=min(period.end, today + timedelta(days=1))
    )
    counts = alerts.aggregate(all=Count("pk"), unanswered=Count("pk", filter=UNANSWERED))
    budgets = len({row["budget"].pk for row in rows})
    sentence = _("{budgets} with {periods}: {over} of these are over their amount.").format(
        budgets=counted(budgets, "budget"), periods=counted(len(rows), "period"), over=len(over)
    )
    answered = _("No alert was opened.")
    if counts["all"]:
        answered = ngettext(
            "{count} alert was opened, and {answered} was answered.",
            "{count} alerts were opened, and {answered} of them were answered.",
            counts["all"],
        ).format(count=counts["all"], answered=counts["all"] - counts["unanswered"])
    listed = sorted(over, key=lambda row: -row["share"])[:MOST_PERIODS]
    return {
        "text": [sentence, answered],
        "tables": [
            {
                "title": _("Over their amount"),
                "head": [_("Budget"), _("Days"), _("Amount"), _("Spent"), _("Share")],
                "rows": [_period_cells(row) for row in listed],
            }
        ]
        if listed
        else [],
        "brief": {"text": [sentence, answered]},
        "links": [(_("Budgets"), reverse("budgets:budgets"))],
    }


def _period_cells(row: dict[str, Any]) -> list[Any]:
    period, code = row["period"], row["budget"].currency
    return [
        {"text": row["budget"].name, "url": row["budget"].get_absolute_url()},
        _("{first} to {last}").format(first=day_text(period.start), last=day_text(period.period.last_day)),
        {"amount": period.budgeted, "currency": code},
        {"amount": row["forecast"].known_spent, "currency": code},
        figure_cell(percent_text(row["share"]) or "—", row["share"] and row["share"] * 100, "%"),
    ]
