"""Pages of sources: how each is, describing one, and looking for its bills now."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import View

from costs.models import Credential, Source
from costs.sources.connection_test import try_connection
from costs.sources.health import with_last_delivery
from costs.sources.sync import queue_sync, sync_after_change
from costs.web.source_form import SourceForm
from costs.web.source_tables import SourceTable, StreamTable, streams_of
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page

ADD = Action(_lazy("Connect a source"), "costs:source_add", "plug", "costs.add_source", primary=True)


class SourcesPage(ListPage):
    permission_required = "costs.view_source"
    model = Source
    title = _lazy("Sources")
    subtitle = _lazy("Where bills come from, and whether they come in time.")
    actions = (ADD,)
    table_class = SourceTable
    fragment_template_name = "costs/list_that_waits.html"
    empty = Empty(
        _lazy("No source yet"),
        _lazy("Connect the bucket your provider delivers to, and the bills come by themselves every hour."),
        "plug",
        ADD,
    )

    def get_queryset(self) -> Any:
        return with_last_delivery(super().get_queryset()).order_by("name")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waits = self.get_queryset().filter(sync=Source.Sync.RUNNING).exists()
        return super().get_context_data(waits=waits, **kwargs)


class SourcePage(FormPage):
    """Describes a new source, or changes one."""

    permission_required = ("costs.add_source", "costs.change_source")
    model = Source
    form_class = SourceForm
    template_name = "costs/source.html"
    breadcrumbs = ((_lazy("Sources"), "costs:sources"),)
    cancel_url_name = "costs:sources"
    success_url = reverse_lazy("costs:sources")

    def get_title(self) -> str:
        return str(self.object) if self.object else _("Connect a source")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_test() if "test" in request.POST else super().post(request, *args, **kwargs)

    def render_test(self) -> HttpResponse:
        """The form again as it was filled in, with what a test of the place found; nothing is saved or loaded."""
        form = self.get_form()
        connection = try_connection(form.instance) if form.is_valid() else None
        return self.render_to_response(self.get_context_data(form=form, connection=connection))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = list(streams_of(self.object)) if self.object else []
        streams = StreamTable(rows, request=None) if rows else None
        context = {"streams": streams, "folders": settings.FINOPS_FOLDERS, **kwargs}
        context["typed"] = self._typed(context.get("form"))
        return super().get_context_data(**context)

    def _typed(self, form: SourceForm | None) -> dict[str, str]:
        """What the provider's steps are filled in with: the place as it is typed, and who is trusted by which id."""
        form = form or self.get_form()
        typed = {name: str(form[name].value() or "") for name in ("kind", "bucket", "prefix", "region")}
        credential = form["credential"].value()
        if credential and self.person.has_perm("costs.view_credential") and str(credential).isdecimal():
            typed["external_id"] = getattr(Credential.objects.filter(pk=credential).first(), "external_id", "")
        return typed

    def save(self, form: SourceForm) -> Source:
        source = form.save()
        if sync_after_change(source):
            messages.success(
                self.request, _("{source} is saved; its bills are being looked for.").format(source=source)
            )
        else:
            messages.success(self.request, _("{source} is saved.").format(source=source))
        return source


class SynchroniseNow(Page, View):
    """Looks for a source's bills at once."""

    permission_required = ("costs.add_source", "costs.change_source")
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = get_object_or_404(Source.objects.visible_to(self.person), pk=pk)
        if queue_sync(source):
            messages.success(request, _("Looking for bills of {source}.").format(source=source))
        else:
            messages.info(request, _("{source} is not fetched from: people deliver its bills.").format(source=source))
        return redirect("costs:sources")
