"""Budgets by their names, and by those of their teams."""

from collections.abc import Sequence

from budgets.models import Budget
from finops_site.lib.person import Person
from finops_site.registry import SearchHit
from finops_site.ui.search import with_words


def find_budgets(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    budgets = with_words(Budget.objects.visible_to(user), words, "name", "team__name").select_related("team")
    return [
        SearchHit(budget.name, budget.get_absolute_url(), f"{budget.team or 'company'}, {budget.get_state_display()}")
        for budget in budgets[:most]
    ]
