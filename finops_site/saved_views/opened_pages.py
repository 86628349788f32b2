"""The page of an address as somebody opens it, outside of a request of hers: with her rights, and refused alike."""

from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from finops_site.lib.addresses import BadFilter
from finops_site.lib.words import number_text
from finops_site.models import SavedView, User
from finops_site.saved_views.sharing import CannotSave
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.page_requests import request_for
from finops_site.ui.pages import Page
from finops_site.ui.view_figures import ViewFigures

MOST_CHARACTERS = 4_000
OTHER_SITE = _lazy("A view is an address of this site, as it stands behind its name: /costs/?group_by=team.")
NOT_THERE = _lazy("Its page is not there any more, or is not yours to open.")


class CannotOpen(Exception):
    """Why an address does not open for her, in a sentence."""


def page_class(path: str) -> type[Page] | None:
    """The page of a path, of those that can be saved."""
    try:
        kind = getattr(resolve(path).func, "view_class", None)
    except Resolver404:
        return None
    return kind if kind and issubclass(kind, Page) and kind.can_be_saved else None


def page_label(path: str) -> str:
    """What the page of a path is called."""
    kind = page_class(path)
    return kind.title or path if kind else path


def open_page(user: User, path: str, query: str) -> Page:
    """The page, ready to be asked. Raises CannotOpen where it would be refused."""
    kind = page_class(path)
    if kind is None or not kind.opens_for(user):
        raise CannotOpen(NOT_THERE)
    match = resolve(path)
    request = request_for(user, path, query)
    page = kind(**getattr(match.func, "view_initkwargs", {}))
    page.setup(request, *match.args, **match.kwargs)  # type: ignore[attr-defined]
    try:
        page.check_address()
    except BadFilter as error:
        raise CannotOpen(str(error)) from None
    return page


def figures_of(user: User, view: SavedView) -> ViewFigures:
    """What she may see of a view in short; why not where it does not open for her."""
    try:
        return open_page(user, view.path, view.query).get_figures()
    except CannotOpen as error:
        return ViewFigures(problems=[str(error)])
    except (Http404, PermissionDenied):
        return ViewFigures(problems=[NOT_THERE])


def read_address(user: User, address: str) -> tuple[str, str]:
    """The path and the query that a view of this address has. Raises CannotSave.

    Never an address outside of our pages: what is kept is a path that a page of ours answers.
    """
    path, query = _parts(address)
    if page_class(path) is None:
        raise CannotSave(_("Of this page no view can be kept: it is no list and no question about cost."))
    try:
        page = open_page(user, path, query)
        problems = page.get_figures().problems
    except (CannotOpen, Http404, PermissionDenied) as error:
        raise CannotSave(str(error) if isinstance(error, CannotOpen) else NOT_THERE) from None
    if problems:
        raise CannotSave(" ".join(problems))
    return path, page.view_query()


def _parts(address: str) -> tuple[str, str]:
    if len(address) > MOST_CHARACTERS:
        raise CannotSave(_("The address is longer than {most} characters.").format(most=number_text(MOST_CHARACTERS)))
    is_odd = any(character in "\\" or ord(character) < 33 for character in address)
    if is_odd or not address.startswith("/") or address.startswith("//"):
        raise CannotSave(OTHER_SITE)
    try:
        parts = urlsplit(address)
    except ValueError:
        raise CannotSave(OTHER_SITE) from None
    if parts.scheme or parts.netloc:
        raise CannotSave(OTHER_SITE)
    return parts.path, parts.query
