"""Periods that a budget should not have any more, after its kind, start or end had changed, are taken out of use.

A period stays that the budget's kind, start and end make today. One that holds the budget's first or last day is cut to
it. What is left over is kept as removed, with its alerts closed and their messages cancelled; a version of the budget
says what was done. Backwards they are put in use again, where no other period has their first day.
"""

from collections import defaultdict
from datetime import date

from django.db import migrations
from django.utils import timezone

MONTHS = {"month": 1, "quarter": 3, "year": 12}
WHY = "closed: this period overlapped another or lay outside of its budget's start and end"


def _first_of(year, month):
    years, place = divmod(month - 1, 12)
    return date(year + years, place + 1, 1)


def _period_of(budget, day):
    """(start, end) of the budget's period with `day`, within its own days; None where it has none."""
    if day < budget.start or (budget.end is not None and day >= budget.end):
        return None
    step = MONTHS.get(budget.kind)
    if step is None:
        return budget.start, budget.end
    month = day.month - (day.month - 1) % step
    start, end = _first_of(day.year, month), _first_of(day.year, month + step)
    return max(start, budget.start), end if budget.end is None else min(end, budget.end)


def _text(amount):
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def repair(apps, schema_editor):
    Budget, BudgetPeriod = apps.get_model("budgets", "Budget"), apps.get_model("budgets", "BudgetPeriod")
    BudgetVersion, Alert = apps.get_model("budgets", "BudgetVersion"), apps.get_model("budgets", "Alert")
    AlertDelivery = apps.get_model("budgets", "AlertDelivery")
    now = timezone.now()
    by_budget = defaultdict(list)
    for period in BudgetPeriod.objects.filter(removed_at=None).order_by("budget", "start", "pk").iterator():
        by_budget[period.budget_id].append(period)
    for budget in Budget.objects.filter(pk__in=by_budget).order_by("pk").iterator():
        periods = by_budget[budget.pk]
        right = {(period.start, period.end) for period in periods} & {
            _period_of(budget, period.start) for period in periods
        }
        removed, cut = [], []
        for period in periods:
            own = (period.start, period.end)
            wanted = _period_of(budget, max(period.start, budget.start))
            if own in right:
                continue
            # Of a month, quarter or year in which the budget starts or ends only its own days are left.
            step = MONTHS.get(budget.kind)
            is_all_of_it = step is not None and own == (
                _first_of(period.start.year, period.start.month - (period.start.month - 1) % step),
                _first_of(period.start.year, period.start.month - (period.start.month - 1) % step + step),
            )
            if wanted is not None and is_all_of_it and wanted not in right and wanted[0] < period.end:
                right.add(wanted)
                cut.append((period, wanted))
            else:
                removed.append(period)
        if not removed and not cut:
            continue
        before = {period.start.isoformat(): _text(period.amount) for period in periods if period in removed}
        before |= {period.start.isoformat(): _text(period.amount) for period, _ in cut}
        after = {start.isoformat(): _text(period.amount) for period, (start, _) in cut}
        for period in removed:
            BudgetPeriod.objects.filter(pk=period.pk).update(removed_at=now)
        for period, (start, end) in cut:
            BudgetPeriod.objects.filter(pk=period.pk).update(start=start, end=end)
        BudgetVersion.objects.create(
            budget=budget,
            number=budget.version + 1,
            before=before,
            after=after,
            what=f"repaired: {len(removed)} periods that overlapped or lay outside removed, {len(cut)} cut to its days",
        )
        Budget.objects.filter(pk=budget.pk).update(version=budget.version + 1)
        of_removed = Alert.objects.filter(period__in=[period.pk for period in removed])
        for alert in of_removed.exclude(state="resolved"):
            alert.state, alert.note, alert.snoozed_until = "resolved", WHY, None
            alert.resolved_at, alert.resolved_as_of = now, alert.evaluated_as_of
            alert.history = [*alert.history, {"at": now.isoformat(), "what": WHY, "by": ""}]
            alert.save()
        waiting = AlertDelivery.objects.filter(alert__in=of_removed, outcome="", sent_at=None, claimed_at=None)
        waiting.update(outcome="cancelled", problem=WHY)


def put_in_use_again(apps, schema_editor):
    BudgetPeriod = apps.get_model("budgets", "BudgetPeriod")
    taken = set(BudgetPeriod.objects.filter(removed_at=None).values_list("budget", "start"))
    for period in BudgetPeriod.objects.exclude(removed_at=None).order_by("-removed_at", "-pk"):
        if (period.budget_id, period.start) in taken:
            period.delete()
        else:
            taken.add((period.budget_id, period.start))
            BudgetPeriod.objects.filter(pk=period.pk).update(removed_at=None)


class Migration(migrations.Migration):
    dependencies = [("budgets", "0005_company_year_and_removed_periods")]

    operations = [migrations.RunPython(repair, put_in_use_again)]
