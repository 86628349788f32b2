"""The pages of imports: what is known of resources beside the bill, its upload, and what of it was not read."""

from typing import Any

import django_filters
import django_tables2
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.generic import View

from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.downloads import csv_download
from finops_site.ui.pages import Action, DetailPage, Empty, FormPage, ListPage, Page
from finops_site.ui.tables import BaseTable, DayColumn, MomentColumn, NumberColumn
from usage.calc.fact_json import COMMANDS
from usage.calc.fact_layouts import LAYOUTS
from usage.models import FactImport
from usage.sources import imports
from usage.sources.imports import CannotImport

SEE, ADD, CHANGE = (f"usage.{verb}_factimport" for verb in ("view", "add", "change"))
UPLOAD = Action(_lazy("Import a file"), "usage:import_add", "upload", ADD, primary=True)
CRUMBS = ((_lazy("Imports"), "usage:imports"),)


class ImportFilters(django_filters.FilterSet):
    kind = django_filters.ChoiceFilter(label=_lazy("Kind"), choices=FactImport.Kind.choices)
    state = django_filters.ChoiceFilter(label=_lazy("State"), choices=FactImport.State.choices)

    class Meta:
        model = FactImport
        fields = ["kind", "state"]


class ImportTable(BaseTable):
    source = django_tables2.Column(_lazy("File"), linkify=True)
    kind = django_tables2.Column(_lazy("Kind"))
    layout = django_tables2.Column(_lazy("Read as"))
    state = django_tables2.Column(_lazy("State"))
    rows_read = NumberColumn(verbose_name=_lazy("Rows"))
    rows_rejected = NumberColumn(verbose_name=_lazy("Not read"))
    last_day = DayColumn(verbose_name=_lazy("Newest day"))
    made_at = MomentColumn(verbose_name=_lazy("Imported"))

    class Meta(BaseTable.Meta):
        model = FactImport
        fields = ("source", "kind", "layout", "state", "rows_read", "rows_rejected", "last_day", "made_at")
        caption = _lazy("Imports")


class ImportsPage(ListPage):
    permission_required = SEE
    title = _lazy("Imports")
    subtitle = _lazy("Metrics, inventories and providers' advice: a bill alone cannot prove that something is idle.")
    model = FactImport
    table_class = ImportTable
    filterset_class = ImportFilters
    can_be_saved = False
    export_name = "usage-imports"
    actions = (UPLOAD,)
    empty = Empty(
        _lazy("Nothing is imported yet"),
        _lazy("Findings stand on bills alone: with metrics and an inventory, idle and oversized things are seen."),
        "upload",
        UPLOAD,
    )


class ImportForm(forms.Form):
    file = forms.FileField(
        label=_lazy("File"), help_text=_lazy("CSV in UTF-8, or JSON as the provider's command line prints it.")
    )


class AddImport(FormPage):
    """Takes a file: what it is is seen by its header."""

    permission_required = ADD
    title = _lazy("Import a file")
    template_name = "usage/import_add.html"
    form_class = ImportForm
    submit_label = _lazy("Import it")
    cancel_url_name = "usage:imports"
    breadcrumbs = CRUMBS

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)
        except CannotImport as error:
            form.add_error("file", str(error))
            return self.form_invalid(form)

    def save(self, form: ImportForm) -> FactImport:
        return imports.receive_upload(form.cleaned_data["file"], self.person)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(layouts=LAYOUTS, json_readers=COMMANDS, **kwargs)


class ImportPage(DetailPage):
    """One import: what was read of it, and what was not, with line and reason."""

    permission_required = SEE
    model = FactImport
    template_name = "usage/import.html"
    exports = ("csv",)
    object: FactImport

    def get_breadcrumbs(self) -> Any:
        return CRUMBS

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        if request.GET.get("_export"):
            rows = ([one.line, one.column, one.reason, one.value] for one in imports.rejects_of(self.object))
            return csv_download([["line", "column", "reason", "value"], *rows], f"rejects-{self.object.pk}")
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            rejects=list(imports.rejects_of(self.object))[:50],
            may_change=self.person.has_perm(CHANGE) and self.object.state not in imports.GONE,
            **kwargs,
        )


class WithdrawImport(Page, View):
    permission_required = CHANGE

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(FactImport.objects.visible_to(self.person), pk=pk)
        try:
            imports.withdraw(self.person, row)
            messages.success(request, _("It counts no more from the next evaluation on."))
        except CannotImport as error:
            messages.error(request, str(error))
        return redirect(row)
