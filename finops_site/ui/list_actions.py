"""A list page whose rows are acted on, the rows that are ticked in it, and what came of it."""

import re
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from finops_site.ui.bulk_results import BulkRefused, LeftOut, check_count
from finops_site.ui.pages import ListPage

MOST_NAMES = 50


class ActionListPage(ListPage):
    """A POST acts on rows, then the same list is shown again with a message about the outcome.

    `act` raises one of `refusals` for what cannot be done. `outcome_name` keeps the outcome apart from those of other
    pages until it is shown.
    """

    refusals: tuple[type[Exception], ...] = (BulkRefused,)
    outcome_name = "outcome"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            self.act(request)
        except self.refusals as problem:
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
        """The ids of the rows that are ticked; a box may stand for several: ``12,13``."""
        texts = [text for picked in self.request.POST.getlist("pick") for text in picked.split(",")]
        ids = list(dict.fromkeys(int(text) for text in texts if re.fullmatch("[0-9]{1,18}", text)))
        check_count(len(ids), "row")
        return ids

    def keep_outcome(self, batch: int | None = None, left_out: Sequence[LeftOut] = ()) -> None:
        """What the list shows once beside the message: a button that undoes it, and what was not possible, by name."""
        self.request.session[self.outcome_name] = {
            "undo": batch,
            "left_out": [[row.name, row.reason] for row in left_out[:MOST_NAMES]],
            "count": len(left_out),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        outcome = self.request.session.pop(self.outcome_name, None)
        if outcome:
            outcome["more"] = outcome["count"] - len(outcome["left_out"])
        return super().get_context_data(**{"outcome": outcome, **kwargs})


def row_id(text: str) -> int:
    """A row's id out of a button; raises Http404 for anything else."""
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)
