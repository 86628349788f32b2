"""My exports: the files that are made for me, how far each is, and fetching one."""

from typing import Any

import django_tables2
from django.contrib import messages
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import View

from finops_site.exports import jobs
from finops_site.exports.page_files import words_of_address
from finops_site.files.product import product_files
from finops_site.lib.words import number_text
from finops_site.models import Export
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Empty, FollowedPage, ListPage, Page
from finops_site.ui.tables import BaseTable, MomentColumn, NumberColumn, StatusColumn

STATES: dict[str, tuple[str, str, str]] = {
    Export.State.WAITING: (_lazy("In line"), "warn", "clock"),
    Export.State.WRITING: (_lazy("Being written"), "busy", "loader-2"),
    Export.State.READY: (_lazy("Ready"), "good", "circle-check"),
    Export.State.FAILED: (_lazy("Failed"), "bad", "alert-circle"),
    Export.State.CANCELLED: (_lazy("Cancelled"), "calm", "x"),
}


class ExportTable(BaseTable):
    title = django_tables2.Column(_lazy("Of the page"), orderable=False, linkify=True)
    kind = django_tables2.Column(_lazy("File"), orderable=False, empty_values=())
    state = StatusColumn(states=STATES, orderable=False)
    rows = NumberColumn(_lazy("Rows"), orderable=False)
    asked_at = MomentColumn(_lazy("Asked for"), orderable=False)

    caption = _lazy("My exports")

    class Meta(BaseTable.Meta):
        pass

    def render_kind(self, record: Export) -> SafeString | str:
        if record.state != Export.State.READY:
            return words_of_address(record.address)
        address = reverse("my_export_file", args=[record.pk])
        return format_html('<a href="{}">{}</a> {}', address, record.file_name, filesizeformat(record.bytes))


class ExportsPage(ListPage):
    permission_required = None
    model = Export
    title = _lazy("My exports")
    subtitle = _lazy(
        "Files that are too large to wait for are made here, one after the other. Only you can fetch yours."
    )
    table_class = ExportTable
    fragment_template_name = "costs/list_that_waits.html"
    can_be_saved = False
    exports = ()
    empty = Empty(
        _lazy("Nothing is being made"),
        _lazy("CSV and Excel of a list with very many rows are made in the background and stand here then."),
        "download",
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(waits=Export.objects.visible_to(self.person).open().exists(), **kwargs)


class ExportPage(FollowedPage):
    """One file: how far it is, and then the file."""

    permission_required = None
    model = Export
    template_name = "export.html"
    breadcrumbs = ((_lazy("My exports"), "my_exports"),)
    object: Export

    def get_title(self) -> str:
        return self.object.title

    def progress(self) -> dict[str, Any] | None:
        job = self.object
        if not job.is_open:
            return None
        before = jobs.place_in_line(job) if job.state == Export.State.WAITING else 0
        return {
            "url": f"{job.get_absolute_url()}?progress=1",
            "percent": job.percent,
            "label": STATES[job.state][0],
            "detail": _before(before) if before else _rows(job),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        job = self.object
        refused = "" if job.is_open or job.state == Export.State.CANCELLED else jobs.why_not(job, self.person)
        shown = {"state": STATES[job.state], "refused": refused, "kind": words_of_address(job.address)}
        return super().get_context_data(**{**shown, **kwargs})


class ExportFile(Page, View):
    """The file, for who asked for it, and only while she may see as much as then."""

    permission_required = None

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        job = get_object_or_404(_own(self), pk=pk)
        if reason := jobs.why_not(job, self.person):
            messages.error(request, reason)
            return redirect(job)
        return file_response(job)


class ActOnExport(Page, View):
    permission_required = None

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        job = get_object_or_404(_own(self), pk=pk)
        if verb == "cancel":
            if jobs.cancel(job, timezone.now()):
                messages.success(request, _("It is cancelled."))
            return redirect(job)
        if verb != "again":
            raise Http404
        try:
            return redirect(jobs.ask(self.person, job.address, timezone.now()))
        except jobs.CannotExport as reason:
            messages.error(request, str(reason))
            return redirect(job)


def file_response(job: Export) -> FileResponse:
    """Always as a download, of the kind that it was made as."""
    stream, _size = product_files().open(jobs.place_of(job))
    return FileResponse(stream, as_attachment=True, filename=job.file_name, content_type=job.content_type)


def _own(page: Page) -> QuerySet[Export]:
    return Export.objects.visible_to(page.person)


def _before(count: int) -> str:
    return ngettext("{n} file is made before it.", "{n} files are made before it.", count).format(n=number_text(count))


def _rows(job: Export) -> str:
    if job.rows_expected:
        return _("{rows} of {all} rows").format(rows=number_text(job.rows), all=number_text(job.rows_expected))
    return ngettext("{n} row", "{n} rows", job.rows).format(n=number_text(job.rows)) if job.rows else ""
