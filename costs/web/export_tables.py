"""The table of FOCUS exports."""

from datetime import datetime

import django_tables2
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.models import FocusExport
from costs.web.tables import BilledTotalsColumn
from finops_site.lib.periods import moment_text
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import BaseTable, MonthColumn, NumberColumn, StatusColumn

EXPORT_STATES: dict[str, tuple[str, str, str]] = {
    FocusExport.Status.WAITING: (_lazy("Queued"), "warn", "clock"),
    FocusExport.Status.WRITING: (_lazy("Being written"), "busy", "loader-2"),
    FocusExport.Status.READY: (_lazy("Ready"), "good", "circle-check"),
    FocusExport.Status.FAILED: (_lazy("Failed"), "bad", "alert-circle"),
}


class ExportTable(BaseTable):
    billing_month = MonthColumn(_lazy("Billing month"))
    kind = django_tables2.Column(_lazy("File"), orderable=False)
    status = StatusColumn(states=EXPORT_STATES, orderable=False)
    rows = NumberColumn(_lazy("Rows"), orderable=False)
    totals = BilledTotalsColumn(_lazy("Billed cost"), orderable=False)
    filled = django_tables2.Column(_lazy("Filled"), orderable=False, empty_values=(None, []))
    notes = django_tables2.Column(_lazy("Lacks"), orderable=False, empty_values=(None, []))
    created_at = django_tables2.Column(_lazy("Asked for"), orderable=False)

    caption = _lazy("FOCUS exports")

    class Meta(BaseTable.Meta):
        pass

    def render_kind(self, record: FocusExport) -> SafeString | str:
        if record.status != FocusExport.Status.READY:
            return record.message or record.get_kind_display()
        address = reverse("costs:export_file", args=[record.pk])
        return format_html('<a href="{}" download>{}</a> {}', address, record.file_name, filesizeformat(record.bytes))

    def value_kind(self, record: FocusExport) -> str:
        return record.file_name

    def render_filled(self, value: list[str]) -> str:
        return ", ".join(name.replace("_", " ") for name in value)

    def render_notes(self, value: list[str]) -> str:
        return " ".join(value)

    def render_created_at(self, value: datetime, record: FocusExport) -> str:
        return _("{at} by {person}").format(at=moment_text(value), person=record.requested_by or _("the API"))
