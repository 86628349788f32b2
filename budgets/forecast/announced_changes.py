"""What the pillars know of the days ahead, for each budget: nothing here may hold up a night."""

import logging
from collections.abc import Sequence

from django.db import transaction

from budgets.calc import known_changes
from budgets.evaluation import spending
from budgets.models import Budget
from finops_site.lib.periods import Period
from finops_site.registry import KnownChange, registry

logger = logging.getLogger(__name__)


def known(period: Period) -> list[KnownChange]:
    """What is known to change in `period`; nothing where a pillar fails: the forecast goes without."""
    try:
        with transaction.atomic():
            return registry.known_changes(period)
    except Exception:
        logger.exception("nothing is known of %s", period)
        return []


def of_budgets(budgets: Sequence[Budget], period: Period) -> dict[int, list[KnownChange]]:
    """{budget: what is known to change in `period` of what it counts}; budgets without any are left out."""
    found = known(period)
    if not found:
        return {}
    tree = spending.Tree()
    mine = {budget.pk: _touching(budget, found, tree) for budget in budgets}
    return {pk: each for pk, each in mine.items() if each}


def _touching(budget: Budget, found: Sequence[KnownChange], tree: spending.Tree) -> list[KnownChange]:
    filters = dict(budget.filters)
    if "team" in filters:
        filters["team"] = tree.below(filters["team"])
    return known_changes.touching(
        found, filters, basis=budget.basis, currency=budget.currency, left_out=budget.left_out
    )
