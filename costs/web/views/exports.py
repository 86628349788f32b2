"""Months as FOCUS files: asked for, written in the background, fetched."""

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.generic import View

from costs.models import ExportPlace, FocusExport
from costs.web.downloads import export_file
from costs.web.export_tables import ExportTable
from costs.web.forms import ExportForm
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Empty, ListPage, Page


class ExportsPage(ListPage):
    permission_required = "costs.view_delivery"
    model = FocusExport
    title = _lazy("FOCUS exports")
    subtitle = _lazy("Any billing month of all sources as FOCUS, with the totals of the cost lines. Kept for a week.")
    breadcrumbs = ((_lazy("Deliveries"), "costs:deliveries"),)
    table_class = ExportTable
    template_name = "costs/exports.html"
    fragment_template_name = "costs/list_that_waits.html"
    empty = Empty(
        _lazy("No export yet"), _lazy("Choose a month above: the file is written while you wait here."), "file-export"
    )

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("requested_by")

    @cached_property
    def form(self) -> ExportForm:
        return ExportForm(self.request.POST or None)

    def post(self, request: HttpRequest) -> HttpResponse:
        if not self.form.is_valid():
            return self.render_to_response(self.get_context_data())
        export = self.form.save(self.person)
        messages.success(request, _("{export} is being written.").format(export=export))
        return redirect("costs:exports")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waits = self.get_queryset().filter(status__in=["waiting", "writing"]).exists()
        places = ExportPlace.objects.all() if self.person.sees_whole_company else ExportPlace.objects.none()
        return super().get_context_data(form=self.form, waits=waits, places=places, **kwargs)


class ExportFile(Page, View):
    """The file of an export that is ready."""

    permission_required = "costs.view_delivery"

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        export = get_object_or_404(FocusExport.objects.visible_to(self.person), pk=pk)
        return export_file(export)
