"""The menu of saved views on the page that they belong to: hers and shared ones, and the one that is open."""

from collections.abc import Sequence
from dataclasses import dataclass

from finops_site.models import SavedView
from finops_site.ui.pages import Page

# More stand on the page of all views.
MOST_LISTED = 15


@dataclass(frozen=True, slots=True)
class ViewsMenu:
    """The views of a page; `current` is the one that is open, `is_changed` since it was saved.

    `address` is what the page shows now, and what is kept of it.
    """

    views: Sequence[SavedView]
    more: bool
    current: SavedView | None
    is_changed: bool
    can_update: bool
    address: str


def menu_of(page: Page) -> ViewsMenu | None:
    """None on pages of which no view can be kept."""
    if not page.can_be_saved:
        return None
    user, path = page.person, page.request.path
    rows = SavedView.objects.visible_to(user).filter(path=path).select_related("owner", "team").order_by("name", "pk")
    views = list(rows[: MOST_LISTED + 1])
    query, opened = page.view_query(), page.opened_view
    if opened is not None and opened.path != path:
        opened = None
    current = opened or next((view for view in views if view.query == query), None)
    is_changed = current is not None and current.query != query
    return ViewsMenu(
        views=views[:MOST_LISTED],
        more=len(views) > MOST_LISTED,
        current=current,
        is_changed=is_changed,
        can_update=is_changed and current is not None and current.owner_id == user.pk,
        address=f"{path}?{query}" if query else path,
    )
