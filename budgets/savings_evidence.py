"""What budgets prove that was saved: overruns that an alert avoided, and what cost controls switched off."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from decimal import Decimal

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from budgets.calc.avoided_overruns import avoided_overrun
from budgets.controls.savings import ACTED
from budgets.models import Alert, Budget, BudgetPeriod, ControlChangeSet, ControlStep, Forecast
from costs.query.known_until import books_are_whole
from finops_site.lib.money import formatted, split
from finops_site.lib.periods import Month, Period, day_text, last_months
from finops_site.lib.person import Person
from finops_site.people.savings_scopes import COMPANY, scope_of, team_key, team_parents
from finops_site.registry import SavingsEvidence


def avoided_overruns(user: Person, as_of: date) -> list[SavingsEvidence]:
    """Months of budgets whose alert somebody acknowledged with what she does about it, and that ended otherwise.

    Budgets by month only, once their bill is whole: a year's would show what its months show already.
    """
    alerts = Alert.objects.filter(
        acknowledged_at__isnull=False,
        period__end__lte=as_of,
        period__in=BudgetPeriod.objects.visible_to(user),
        budget__kind=Budget.Kind.MONTH,
    ).select_related("period__budget", "budget__team")
    first_actions: dict[int, Alert] = {}
    for alert in alerts.order_by("acknowledged_at", "pk"):
        if _action_of(alert):
            first_actions.setdefault(alert.period_id, alert)
    nights = _nights(Forecast.objects.filter(period__in=first_actions, as_of__lte=as_of))
    parents = team_parents()
    evidence = []
    for period_id, alert in first_actions.items():
        row = _evidence_of(alert, nights[period_id])
        if row is not None:
            amount, text = row
            month, budget = Month.of(alert.period.period.last_day), alert.budget
            what, scope = _("Overrun of {budget}").format(budget=budget.name), scope_of(budget.team_id, parents)
            evidence.append(
                SavingsEvidence(month, amount, budget.currency, what, text, alert.get_absolute_url(), scope)
            )
    return evidence


def avoided_nothing(user: Person, as_of: date) -> bool:
    """Whether alerts are known to have avoided nothing: nobody acted on one, and the bills are whole."""
    acknowledged = Alert.objects.filter(
        acknowledged_at__date__lte=as_of,
        period__in=BudgetPeriod.objects.visible_to(user),
        budget__kind=Budget.Kind.MONTH,
    )
    return _knows_all(user, as_of) and not any(_action_of(alert) for alert in acknowledged.only("history"))


def switched_off_nothing(user: Person, as_of: date) -> bool:
    """Whether cost controls are known to have saved nothing: none has stopped anything, and the bills are whole."""
    acted = ControlStep.objects.filter(result__in=ACTED, change_set__in=ControlChangeSet.objects.visible_to(user))
    return _knows_all(user, as_of) and not acted.filter(change_set__started_at__date__lte=as_of).exists()


def _knows_all(user: Person, as_of: date) -> bool:
    """Of the whole company alone: what others do for a team it cannot say."""
    return user.sees_whole_company and books_are_whole(user, last_months(12, as_of), as_of)


def _action_of(alert: Alert) -> str:
    """What somebody wrote when she acknowledged it: without an action an alert avoided nothing."""
    lines = (line for line in alert.history if line["what"].startswith("acknowledged"))
    return next((line["comment"] for line in lines if line.get("comment")), "")


def _nights(rows: QuerySet[Forecast]) -> dict[int, list[Forecast]]:
    nights: dict[int, list[Forecast]] = defaultdict(list)
    for row in rows.order_by("as_of"):
        nights[row.period_id].append(row)
    return nights


def _evidence_of(alert: Alert, nights: Sequence[Forecast]) -> tuple[Decimal, str] | None:
    assert alert.acknowledged_at is not None
    period, currency = alert.period, alert.budget.currency
    acted_on = alert.acknowledged_at.astimezone(UTC).date()
    before = [row for row in nights if row.as_of <= acted_on and row.method == Forecast.Method.MODEL]
    final = [row for row in nights if row.method == Forecast.Method.DONE and _is_whole(row, period)]
    if not before or not final or acted_on >= period.end:
        return None
    amount = avoided_overrun(period.budgeted, before[-1].p10, before[-1].p90, final[-1].spent)
    if amount is None:
        return None
    text = _(
        "On {day} somebody acted on the alert: “{action}”. The forecast of that night was {low} to {high}, the budget "
        "{budgeted}, and the month ended at {final}. Only what is outside of the forecast and above the budget counts."
    ).format(
        day=day_text(acted_on),
        action=_action_of(alert)[:200],
        low=formatted(before[-1].p10, currency),
        high=formatted(before[-1].p90, currency),
        budgeted=formatted(period.budgeted, currency),
        final=formatted(final[-1].spent, currency),
    )
    return amount, text


def _is_whole(row: Forecast, period: BudgetPeriod) -> bool:
    """Whether every bill of the budget's scope had brought the period to its end."""
    return row.complete_until is not None and row.complete_until >= period.period.last_day


def control_evidence(user: Person, as_of: date) -> list[SavingsEvidence]:
    """What change sets of controls saved by the bill, on the days that it shows, by month."""
    rows = ControlChangeSet.objects.visible_to(user).filter(saved__isnull=False, saved_until__lte=as_of)
    resources: dict[int, set[str]] = defaultdict(set)
    for step in ControlStep.objects.filter(change_set__in=rows, result__in=ACTED):
        resources[step.change_set_id] |= set(step.resources)
    parents, owned = team_parents(), rows.select_related("team", "control__budget__team")
    return [line for row in owned for line in _months_of(row, resources[row.pk], parents)]


def _months_of(
    row: ControlChangeSet, resources: set[str], parents: Mapping[int, int | None]
) -> Iterator[SavingsEvidence]:
    """What it saved, spread over its days, month by month."""
    assert row.saved is not None
    assert row.saved_until is not None
    days = Period(row.saved_until - timedelta(days=row.saved_days - 1), row.saved_until + timedelta(days=1))
    months = days.months()
    counts = [Decimal((min(days.end, month.next.start) - max(days.start, month.start)).days) for month in months]
    owner = row.owner
    within = frozenset({COMPANY, team_key(owner.pk)}) if owner else scope_of(None, parents)
    text = ngettext(
        "A day of its resources before, against {count} day that it was in force, by the bill.",
        "A day of its resources before, against {count} days that it was in force, by the bill.",
        row.saved_days,
    )
    for month, amount in zip(months, split(row.saved, counts), strict=True):
        yield SavingsEvidence(
            month,
            amount,
            row.saved_currency,
            row.title,
            text.format(count=row.saved_days),
            row.get_absolute_url(),
            scope=frozenset(f"resource:{name}" for name in resources),
            within=within,
        )
