"""The page that finds things by name; the window over every page (search.js) shows its hits."""

from typing import Any

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

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        text = self.request.GET.get("q", "")[:MOST_CHARACTERS].strip()
        return super().get_context_data(text=text, groups=find_everywhere(self.person, text), **kwargs)
