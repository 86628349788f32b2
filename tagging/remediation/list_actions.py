"""A list page whose rows are acted on, and the rows that are ticked in it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from finops_site.ui.pages import ListPage
from tagging.remediation.virtual_tags import RemediationError

MOST_PICKED = 5000


class ActionListPage(ListPage):
    """A POST acts on rows, then the same list is shown again with a message about the outcome."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            self.act(request)
        except RemediationError as problem:
            messages.error(request, str(problem))
        if request.htmx:  # type: ignore[attr-defined]  # set by the middleware of django-htmx
            # The rows were read before they changed.
            for name in ("rows", "filterset"):
                self.__dict__.pop(name, None)
            return self.get(request, *args, **kwargs)
        return redirect(request.get_full_path())

    def act(self, request: HttpRequest) -> None:
        raise NotImplementedError

    def require(self, permission: str) -> None:
        if not self.person.has_perm(permission):
            raise PermissionDenied

    def picked_ids(self) -> list[int]:
        """The ids of the rows that are ticked."""
        ids = self.request.POST.getlist("pick")[:MOST_PICKED]
        return [int(text) for text in ids if text.isdecimal() and len(text) < 19]


def row_id(text: str) -> int:
    """A row's id out of a button; raises Http404 for anything else."""
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)
