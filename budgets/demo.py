"""The demo's budgets: the company and its four teams, a year of amounts, and the nights of the current month."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from budgets.alerts.acknowledgement import acknowledge
from budgets.alerts.notifications import send_due_notifications
from budgets.anomalies.detection import detect_anomalies
from budgets.calc.controls.rules import CannotControl
from budgets.controls.approvals import save_control
from budgets.controls.proposals import propose_by_hand
from budgets.evaluation.evaluate import evaluate_nights
from budgets.forecast.spending import monthly_costs
from budgets.models import Alert, Anomaly, Budget, Control
from budgets.planning.budget_changes import create_budget
from costs.demo.company import DEVELOPMENT, PRODUCTION
from finops_site.lib.money import rounded
from finops_site.lib.periods import Month, Period
from finops_site.models import Team, User
from finops_site.people.demo import DOMAIN, TEAMS

COMPANY = "Northwind"
# The amounts of the current month, as a share of what the month before cost: Payments will overrun, Data just holds.
SHARES = {
    COMPANY: Decimal("1.03"),
    "Payments": Decimal("0.88"),
    "Data": Decimal("1.02"),
    "Storefront": Decimal("1.10"),
    "Platform": Decimal("1.25"),
}
MONTHS_BEFORE = 10
# Who acknowledges alerts, and after how many hours.
ACKNOWLEDGED_BY = {COMPANY: "fay", "Payments": "lea", "Data": "ola"}
ACKNOWLEDGED_AFTER = {"fay": 4, "lea": 5, "ola": 28}
# What opened lately is unacknowledged.
LEFT_OPEN_DAYS = 5


def make_budgets(say: Callable[[str], object], *, as_of: date) -> None:
    """A budget for each; existing ones are left alone. Then the nights of the month are evaluated."""
    fay = User.objects.get(email=f"fay@{DOMAIN}")
    month = Month.of(as_of - timedelta(days=1))
    if not Budget.objects.exists():
        company = _create(COMPANY, None, None, month, fay)
        for name in TEAMS:
            _create(name, Team.objects.get(name=name), company, month, fay)
        # Lea asks for a budget of her own for machines; finance has not answered yet.
        lea = User.objects.get(email=f"lea@{DOMAIN}")
        scope = {"service": ["Amazon Elastic Compute Cloud"]}
        team = Team.objects.get(name="Payments")
        machines = Budget(name="Payments machines", team=team, scope=scope, start=month.start)
        amounts = dict.fromkeys((month.plus(number).period for number in range(3)), Decimal(9000))
        create_budget(machines, amounts, by=lea, why="to see machines apart", state="proposed")
    # Every third night of the month, and tonight.
    days = {month.start + timedelta(days=number) for number in range(0, (as_of - month.start).days, 3)}
    for day in sorted({*days, as_of}):
        _evaluate(day, acknowledged=day < as_of - timedelta(days=LEFT_OPEN_DAYS))
    detect_anomalies(as_of, now=datetime.combine(as_of, time(4, 40), UTC))
    _propose_control(as_of)
    say(f"  {Budget.objects.count()} budgets, {Alert.objects.count()} alerts, {Anomaly.objects.count()} anomalies")


def _propose_control(as_of: date) -> None:
    """Finance has a last resort for Payments; eli proposes it, and lea decides."""
    now = datetime.combine(as_of, time(8, 30), UTC)
    budget = Budget.objects.get(name="Payments")
    if budget.controls.exists():
        return
    control = Control(
        name="Stop Payments' dev machines over the weekend",
        budget=budget,
        threshold=budget.thresholds.get(kind="actual", percent=100),
        action="stop",
        accounts=[account for account, _ in (PRODUCTION, DEVELOPMENT)],
        box_hours=None,
        box_weekday=0,
        box_time=time(7),
        time_zone="Europe/Oslo",
    )
    save_control(control, user=User.objects.get(email=f"fay@{DOMAIN}"), now=now)
    try:
        propose_by_hand(control, user=User.objects.get(email=f"eli@{DOMAIN}"), now=now, why="Payments heads over it")
    except CannotControl:
        # Nothing of it is dev or test today: the control says so on its page.
        return


def _evaluate(day: date, *, acknowledged: bool) -> None:
    """A night; what opened is acknowledged by whoever leads the team, and the company's by fay."""
    now = datetime.combine(day, time(4, 40), UTC)
    evaluate_nights(day, now=now, catch_up=False)
    send_due_notifications(now)
    opened = Alert.objects.filter(opened_at=now, budget__name__in=ACKNOWLEDGED_BY if acknowledged else [])
    for alert in opened.select_related("budget").order_by("pk"):
        name = ACKNOWLEDGED_BY[alert.budget.name]
        alert.refresh_from_db(fields=["state"])
        if alert.is_open:
            by = User.objects.get(email=f"{name}@{DOMAIN}")
            acknowledge(alert, by=by, now=now + timedelta(hours=ACKNOWLEDGED_AFTER[name]))


def _create(name: str, team: Team | None, parent: Budget | None, month: Month, fay: User) -> Budget:
    """A budget whose amounts have two leading digits and a half, as people plan."""
    first = month.plus(-MONTHS_BEFORE)
    budget = Budget(name=name, team=team, parent=parent, start=first.start)
    costs = monthly_costs([budget], Period(first.previous.start, month.start))[budget.pk]
    amounts = {}
    for number in range(-MONTHS_BEFORE, 3):
        planned = month.plus(number)
        before = costs.get(min(planned.previous, month.previous).start) or Decimal(100)
        amount = before * (SHARES[name] if number >= 0 else Decimal("1.02"))
        step = Decimal(5).scaleb(amount.adjusted() - 2)
        amounts[planned.period] = rounded((amount / step).to_integral_value() * step, "USD")
    return create_budget(budget, amounts, by=fay, why="the year's plan")
