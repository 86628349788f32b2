"""The pages of connections: the list with what became of each, one to add or change, and reading it now."""

import json
from typing import Any

import django_tables2
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.generic import View

from costs.models import Credential
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.pages import Action, Empty, FormPage, ListPage, Page
from finops_site.ui.tables import BaseTable, MomentColumn, status_html
from usage.models import Connection
from usage.sources import connections
from usage.sources.aws_reading import policy_document
from usage.sources.connection_form import ConnectionForm

State = Connection.State
SEE, ADD, CHANGE = (f"usage.{verb}_connection" for verb in ("view", "add", "change"))
CONNECT = Action(_lazy("Connect an account"), "usage:connection_add", "plug", ADD, primary=True)
CRUMBS = ((_lazy("Imports"), "usage:imports"), (_lazy("Connections"), "usage:connections"))
LIGHTS = {
    State.NEVER: ("calm", "point"),
    State.RUNNING: ("busy", "loader-2"),
    State.DONE: ("good", "circle-check"),
    State.PARTLY: ("warn", "alert-triangle"),
    State.FAILED: ("bad", "alert-circle"),
}


class ConnectionTable(BaseTable):
    name = django_tables2.Column(_lazy("Connection"), linkify=True)
    provider = django_tables2.Column(_lazy("Provider"))
    state = django_tables2.Column(_lazy("Last reading"), orderable=False, empty_values=())
    read_at = MomentColumn(verbose_name=_lazy("Read"))
    is_enabled = django_tables2.BooleanColumn(verbose_name=_lazy("Every day"))

    class Meta(BaseTable.Meta):
        model = Connection
        fields = ("name", "provider", "state", "read_at", "is_enabled")
        caption = _lazy("Connections")

    def render_state(self, record: Connection) -> SafeString:
        badge = status_html(record.get_state_display(), *LIGHTS[State(record.state)])
        return format_html('{}<span class="second-line breakable">{}</span>', badge, record.message)

    def value_state(self, record: Connection) -> str:
        return f"{record.get_state_display()}. {record.message}".strip()


class ConnectionsPage(ListPage):
    permission_required = SEE
    title = _lazy("Connections")
    subtitle = _lazy(
        "What there is, what it does and what the provider advises: asked every day by a role that only reads."
    )
    model = Connection
    table_class = ConnectionTable
    fragment_template_name = "costs/list_that_waits.html"
    breadcrumbs = CRUMBS[:1]
    can_be_saved = False
    export_name = "usage-connections"
    actions = (CONNECT,)
    empty = Empty(
        _lazy("Nothing is connected yet"),
        _lazy("Connect an account, and its inventory and metrics come by themselves every day."),
        "plug",
        CONNECT,
    )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waits = self.get_queryset().filter(state=State.RUNNING).exists()
        return super().get_context_data(waits=waits, **kwargs)


class ConnectionPage(FormPage):
    """Describes a connection, tests it, and shows what became of its newest reading."""

    permission_required = (ADD, CHANGE)
    model = Connection
    form_class = ConnectionForm
    template_name = "usage/connection.html"
    breadcrumbs = CRUMBS
    cancel_url_name = "usage:connections"
    success_url = reverse_lazy("usage:connections")

    def get_title(self) -> str:
        return str(self.object) if self.object else _("Connect an account")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_test() if "test" in request.POST else super().post(request, *args, **kwargs)

    def render_test(self) -> HttpResponse:
        """The form again as it was filled in, with what a test came to; nothing is saved or stored."""
        form = self.get_form()
        test = connections.try_connection(form.instance) if form.is_valid() else None
        return self.render_to_response(self.get_context_data(form=form, test=test))

    def save(self, form: ConnectionForm) -> Connection:
        row = form.save()
        if row.is_enabled:
            connections.queue_reading(row, self.person)
        messages.success(self.request, _("{name} is saved.").format(name=row))
        return row

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {"policy": json.dumps(policy_document(), indent=2), **kwargs}
        form = context.get("form") or self.get_form()
        context["external_id"] = self._external_id(form)
        if self.object:
            context["light"] = LIGHTS[State(self.object.state)]
            context["imports"] = self.object.imports.filter(state="current")
        return super().get_context_data(**{**context, "form": form})

    def _external_id(self, form: ConnectionForm) -> str:
        """The word that the role's trust policy asks for, for who may see credentials."""
        credential = form["credential"].value()
        if credential and self.person.has_perm("costs.view_credential") and str(credential).isdecimal():
            return getattr(Credential.objects.filter(pk=credential).first(), "external_id", "")
        return ""


class ReadNow(Page, View):
    """Lets a worker read a connection at once."""

    permission_required = CHANGE
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(Connection.objects.visible_to(self.person), pk=pk)
        connections.queue_reading(row, self.person)
        messages.success(request, _("{name} is being read.").format(name=row))
        return redirect("usage:connections")
