"""The changes that the pillars know before a bill shows them, for each budget. Nothing here may hold up a night."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction

from budgets.calc import known_changes
from budgets.models import Budget, KnownCharge
from costs.query.filter_values import FilterValues
from finops_site.lib.periods import Period
from finops_site.lib.trees import all_above
from finops_site.registry import KnownChange, registry

DAY = timedelta(days=1)

logger = logging.getLogger(__name__)


def announced_changes(budgets: Sequence[Budget], period: Period) -> dict[int, list[KnownChange]]:
    """{budget: what is known to change in `period` of what it counts}; budgets without any are left out.

    Where a pillar fails the forecast is made without its changes.
    """
    try:
        with transaction.atomic():
            changes = registry.known_changes(period)
    except Exception:
        logger.exception("the changes known in %s are not in the forecast", period)
        changes = []
    if not changes:
        return {}
    values, by_budget = FilterValues(), {}
    for budget in budgets:
        own = known_changes.changes_in_scope(
            changes, values.resolve_all(budget.filters), basis=budget.basis, currency=budget.currency
        )
        if own:
            by_budget[budget.pk] = own
    return by_budget


def known_charges(budgets: Sequence[Budget], period: Period) -> dict[int, list[KnownChange]]:
    """{budget: the charges in `period` that people entered for it or for one below it}; two queries for all."""
    parents = dict(Budget.objects.filter(parent__isnull=False).values_list("pk", "parent"))
    wanted = {budget.pk: budget for budget in budgets}
    by_budget: dict[int, list[KnownChange]] = defaultdict(list)
    charges = KnownCharge.objects.filter(day__lt=period.end).exclude(budget__state=Budget.State.ARCHIVED)
    for charge in charges.select_related("budget"):
        own = charge.budget
        for pk in {own.pk, *all_above(own.pk, parents)} & set(wanted):
            if wanted[pk].currency == own.currency:
                by_budget[pk] += [
                    KnownChange(day, {}, own.basis, charge.amount, own.currency, charge.description, day + DAY)
                    for day in charge.days_in(period)
                ]
    return by_budget
