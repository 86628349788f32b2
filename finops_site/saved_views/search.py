"""Saved views and dashboards by name, for the search over all pages."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.models import Dashboard, SavedView
from finops_site.registry import SearchHit
from finops_site.saved_views.opened_pages import page_label
from finops_site.ui.search import with_words


def find_views(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    rows = with_words(SavedView.objects.visible_to(user), words, "name")[:most]
    return [SearchHit(view.name, view.open_url, page_label(view.path)) for view in rows]


def find_dashboards(user: Person, words: Sequence[str], most: int) -> list[SearchHit]:
    rows = with_words(Dashboard.objects.visible_to(user), words, "name").select_related("team")[:most]
    return [
        SearchHit(
            row.name,
            row.get_absolute_url(),
            _("shared with {whom}").format(whom=row.shared_text) if row.is_shared else "",
        )
        for row in rows
    ]
