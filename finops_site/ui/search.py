"""Finding things by name: what the pillars registered is asked for what a person may see of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet
from django.db.models.functions import Length

from finops_site.lib.person import Person
from finops_site.registry import SearchHit, SearchSource, registry
from finops_site.ui.navigation import allowed_entries

# More of one kind are not shown: one more word is quicker than a long list.
MOST = 6
MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class SearchGroup:
    """What was found of one kind; `more` where there is more of it than is shown."""

    label: str
    icon: str
    hits: Sequence[SearchHit]
    more: bool


def find_everywhere(user: Person, text: str) -> list[SearchGroup]:
    """What the words of `text` name, kind by kind; nothing for a text without words."""
    words = text.replace("\x00", " ")[:MOST_CHARACTERS].split()
    if not words:
        return []
    by_source = [(source, source.hits(user, words, MOST + 1)) for source in registry.allowed(SearchSource, user)]
    return [SearchGroup(source.label, source.icon, hits[:MOST], len(hits) > MOST) for source, hits in by_source if hits]


def with_words(rows: QuerySet, words: Sequence[str], *fields: str) -> QuerySet:
    """The rows in whose fields every word stands; those with the shortest first field, the closest match, first."""
    for word in words:
        rows = rows.filter(reduce(or_, (Q(**{f"{field}__icontains": word}) for field in fields)))
    return rows.order_by(Length(fields[0]), fields[0], "pk")


def has_words(text: str, words: Sequence[str]) -> bool:
    lower = text.lower()
    return all(word.lower() in lower for word in words)


def find_pages(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    """The pages of the sidebar and their tabs, by their names, those of their entries and those of their groups."""
    rows = [
        (entry, page)
        for entry in allowed_entries(user)
        for page in entry.pages
        if has_words(f"{page.label} {entry.label} {entry.item.section}", words)
    ]
    # A page's own name is closer than that of its entry, and that of its entry closer than that of its group.
    rows.sort(key=lambda row: (not has_words(row[1].label, words), not has_words(row[0].label, words)))
    return [
        SearchHit(entry.label, page.url, entry.item.section)
        if page.url == entry.url and has_words(entry.label, words)
        else SearchHit(page.label, page.url, entry.label)
        for entry, page in rows[:most]
    ]
