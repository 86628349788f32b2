"""The changes that the pillars know before a bill shows them, for each budget. Nothing here may hold up a night."""

import logging
from collections.abc import Sequence

from django.db import transaction

from budgets.calc import known_changes
from budgets.forecast.spending import TeamTree
from budgets.models import Budget
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange, registry

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
    tree, by_budget = TeamTree(), {}
    for budget in budgets:
        filters = dict(budget.filters)
        if "team" in filters:
            filters["team"] = tree.with_teams_below(filters["team"])
        own = known_changes.changes_in_scope(
            changes, filters, basis=budget.basis, currency=budget.currency, left_out=budget.left_out
        )
        if own:
            by_budget[budget.pk] = own
    return by_budget
