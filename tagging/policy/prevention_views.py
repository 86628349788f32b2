"""Documents that keep untagged resources from being created."""

from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.generic import TemplateView, View

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import JSON, download
from finops_site.ui.pages import Page
from tagging.calc import prevention
from tagging.models import TagRequirement


def current_documents() -> list[prevention.Document]:
    """Those of the policy in force today."""
    today = timezone.now().date()
    return prevention.prevention_documents(TagRequirement.objects.all().as_policy().on(today).requirements)


class PreventionPage(Page, TemplateView):
    permission_required = "tagging.view_tagrequirement"
    title = _lazy("Prevention")
    subtitle = _lazy("Generated from the tag policy: with these in place, fewer untagged resources are created.")
    template_name = "tagging/prevention.html"
    breadcrumbs = ((_lazy("Tag compliance"), "tagging:overview"), (_lazy("Tag policy"), "tagging:policy"))

    @cached_property
    def documents(self) -> list[prevention.Document]:
        return current_documents()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(documents=self.documents, **kwargs)


class PreventionFile(Page, View):
    permission_required = "tagging.view_tagrequirement"

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        document = next((document for document in current_documents() if document.kind == kind), None)
        if document is None:
            raise Http404
        return download(document.text, document.kind, "json", JSON)
