"""Commitments by their names and ids."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from finops_site.lib.periods import day_text
from finops_site.lib.person import Person
from finops_site.registry import SearchHit
from finops_site.ui.search import with_words
from reservations.models import Commitment


def find_commitments(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    rows = with_words(Commitment.objects.visible_to(user), words, "name", "commitment_id", "provider")
    return [
        SearchHit(
            str(row),
            row.get_absolute_url(),
            _("until {end}").format(end=day_text(row.end)) if row.end else row.provider,
        )
        for row in rows[:most]
    ]
