"""The page that finds things by name; the window over every page (search.js) shows its hits."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.generic import TemplateView

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Page
from finops_site.ui.search import MOST_CHARACTERS, find_everywhere


class SearchPage(Page, TemplateView):
    """Open to anybody signed in: each source looks only at what this person may see."""

    permission_required = None
    title = _lazy("Search")
    parameters = ("q",)

    def get_template_names(self) -> list[str]:
        return ["includes/search_hits.html" if self.request.htmx else "search.html"]  # type: ignore[attr-defined]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        text = request.GET.get("q", "").strip()
        too_long = len(text) > MOST_CHARACTERS
        text = text[:MOST_CHARACTERS]
        # What was found for a part of it is not what was asked.
        groups = [] if too_long else find_everywhere(self.person, text)
        most = MOST_CHARACTERS if too_long else None
        context = self.get_context_data(text=text, groups=groups, most=most, **kwargs)
        return self.render_to_response(context, status=400 if too_long else 200)
