"""Findings by the name and id of their resource."""

from collections.abc import Sequence

from finops_site.lib.person import Person
from finops_site.registry import SearchHit
from finops_site.ui.search import with_words
from usage.models import Finding
from usage.worklist.finding_texts import STATES, headline


def find_findings(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    """Those that are still there: what is gone by itself is history."""
    rows = Finding.objects.visible_to(user).exclude(state=Finding.State.GONE)
    return [
        SearchHit(headline(row), row.get_absolute_url(), str(STATES[row.state][0]))
        for row in with_words(rows, words, "resource_name", "resource")[:most]
    ]
