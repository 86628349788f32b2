"""The views that somebody pinned, as they stand on her home page and on dashboards."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from finops_site.models import SavedView, User
from finops_site.people.signed_in import signed_in_user
from finops_site.saved_views.keep_views import pinned_views
from finops_site.saved_views.opened_pages import figures_of, page_label
from finops_site.ui.view_figures import ViewFigures


@dataclass(frozen=True, slots=True)
class PinnedView:
    """A view and what its reader may see of it."""

    view: SavedView
    page: str
    shown: ViewFigures
    is_own: bool


def view_of(user: User, view: SavedView) -> PinnedView:
    return PinnedView(view, page_label(view.path), figures_of(user, view), view.owner_id == user.pk)


def pinned_panel(request: HttpRequest) -> dict[str, Any] | None:
    user = signed_in_user(request)
    pinned = [view_of(user, view) for view in pinned_views(user)]
    return {"pinned_views": pinned} if pinned else None
