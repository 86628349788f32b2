"""The admin of connections: the form of their page, read and tested by the same services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from finops_site.people.signed_in import signed_in_user
from finops_site.translation import gettext_lazy as _lazy
from usage.models import Connection
from usage.sources.connection_form import ConnectionForm
from usage.sources.connections import queue_reading, try_connection

# Each may take half a minute, and somebody waits.
MOST_TESTED = 3


@admin.register(Connection)
class ConnectionAdmin(ModelAdmin):
    form = ConnectionForm
    fields = [*ConnectionForm.Meta.fields, "state", "message", "read_at"]
    list_display = ["name", "provider", "state", "read_at", "is_enabled"]
    readonly_fields = ["state", "message", "read_at"]
    search_fields = ["name"]
    actions = ["test_connection", "read_now"]

    @admin.action(description=_lazy("Test the connection; nothing is stored"), permissions=["change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset.select_related("credential")[:MOST_TESTED]:
            outcome = try_connection(connection)
            words = f"{connection}: {outcome.words}"
            if outcome.missing:
                words += " " + _("Missing: {missing}").format(missing=", ".join(outcome.missing))
            self.message_user(request, words, messages.SUCCESS if outcome.is_ok else messages.ERROR)

    @admin.action(description=_lazy("Read now"), permissions=["change"])
    def read_now(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset:
            queue_reading(connection, signed_in_user(request))
        self.message_user(request, _("They are being read."), messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.is_enabled:
            queue_reading(obj, signed_in_user(request))
