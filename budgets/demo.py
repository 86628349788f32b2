"""The demo's budgets: the company and its four teams, a year of amounts, and the nights of the current month."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from budgets.alerts import actions, notifications
from budgets.anomalies import detection
from budgets.evaluation import evaluate, spending
from budgets.models import Alert, Anomaly, Budget
from budgets.planning import budget_changes
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
# Who answers alerts, and after how many hours.
TAKERS = {COMPANY: "fay", "Payments": "lea", "Data": "ola"}
TAKEN_AFTER = {"fay": 4, "lea": 5, "ola": 28}
# What opened lately waits for somebody.
LEFT_OPEN_DAYS = 5


def make_budgets(say: Callable[[str], object], *, as_of: date) -> None:
    """A budget for each; those that are there already are left alone. Then the nights of the month are judged."""
    fay = User.objects.get(email=f"fay@{DOMAIN}")
    month = Month.of(as_of - timedelta(days=1))
    if not Budget.objects.exists():
        company = _make(COMPANY, None, None, month, fay)
        for name in TEAMS:
            _make(name, Team.objects.get(name=name), company, month, fay)
        _propose(month)
    for day in _days(month, as_of):
        _night(day, taken=day < as_of - timedelta(days=LEFT_OPEN_DAYS))
    detection.notice(as_of, now=datetime.combine(as_of, time(4, 40), UTC))
    say(f"  {Budget.objects.count()} budgets, {Alert.objects.count()} alerts, {Anomaly.objects.count()} anomalies")


def _night(day: date, *, taken: bool) -> None:
    """Judges and tells; what opened is taken by who leads the team, and the company's by fay."""
    now = datetime.combine(day, time(4, 40), UTC)
    evaluate.evaluate_all(day, now=now, catch_up=False)
    notifications.tell_waiting(now)
    opened = Alert.objects.filter(opened_at=now, budget__name__in=TAKERS) if taken else Alert.objects.none()
    for alert in opened.select_related("budget").order_by("pk"):
        taker = TAKERS[alert.budget.name]
        alert.refresh_from_db(fields=["state"])
        if alert.is_open:
            by = User.objects.get(email=f"{taker}@{DOMAIN}")
            actions.acknowledge(alert, by=by, now=now + timedelta(hours=TAKEN_AFTER[taker]))


def _make(name: str, team: Team | None, parent: Budget | None, month: Month, fay: User) -> Budget:
    first = month.plus(-MONTHS_BEFORE)
    budget = Budget(name=name, team=team, parent=parent, start=first.start)
    spent = spending.monthly([budget], Period(first.previous.start, month.start))[budget.pk]
    wanted = {}
    for number in range(-MONTHS_BEFORE, 3):
        here = month.plus(number)
        before = spent.get(min(here.previous, month.previous).start) or Decimal(100)
        wanted[here.period] = _round(before * (SHARES[name] if number >= 0 else Decimal("1.02")))
    return budget_changes.create(budget, wanted, by=fay, why="the year's plan")


def _round(amount: Decimal) -> Decimal:
    """To two leading digits and a half, as people plan."""
    step = Decimal(5).scaleb(amount.adjusted() - 2)
    return rounded((amount / step).to_integral_value() * step, "USD")


def _propose(month: Month) -> None:
    """Lea asks for a budget of her own for machines; finance has not answered yet."""
    lea = User.objects.get(email=f"lea@{DOMAIN}")
    scope = {"service": ["Amazon Elastic Compute Cloud"]}
    budget = Budget(name="Payments machines", team=Team.objects.get(name="Payments"), scope=scope, start=month.start)
    periods = [month.plus(number).period for number in range(3)]
    budget_changes.create(
        budget, dict.fromkeys(periods, Decimal(9000)), by=lea, why="to see machines apart", state="proposed"
    )


def _days(month: Month, as_of: date) -> list[date]:
    """Every third night of the month, and tonight."""
    days = [month.start + timedelta(days=number) for number in range(0, (as_of - month.start).days, 3)]
    return sorted({*days, as_of})
