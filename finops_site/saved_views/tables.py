"""The lists of saved views and of dashboards."""

import django_tables2
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from finops_site.models import Dashboard, SavedView
from finops_site.saved_views.opened_pages import page_label
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.tables import BaseTable


class SavedViewTable(BaseTable):
    name = django_tables2.Column(_lazy("View"))
    path = django_tables2.Column(_lazy("Page"))
    shared = django_tables2.Column(_lazy("Shared with"), accessor="shared_text", orderable=False)
    owner = django_tables2.Column(_lazy("By"))
    for_me = django_tables2.Column(_lazy("For me"), empty_values=(), orderable=False)
    actions = django_tables2.TemplateColumn(
        template_name="saved_views/row_actions.html", verbose_name="", orderable=False, exclude_from_export=True
    )

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Saved views")

    def render_name(self, record: SavedView) -> SafeString:
        return format_html('<a href="{}">{}</a>', record.open_url, record)

    def value_name(self, record: SavedView) -> str:
        return record.name

    def render_path(self, value: str) -> str:
        return page_label(value)

    def render_for_me(self, record: SavedView) -> str:
        parts = [_("on home") if record.is_pinned else "", _("by mail") if record.is_mailed else ""]  # type: ignore[attr-defined]
        return ", ".join(filter(None, parts)) or "—"


class DashboardTable(BaseTable):
    name = django_tables2.Column(_lazy("Dashboard"))
    shared = django_tables2.Column(_lazy("Shared with"), accessor="shared_text", orderable=False)
    owner = django_tables2.Column(_lazy("By"))
    item_count = django_tables2.Column(_lazy("Views and panels"))

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Dashboards")

    def render_name(self, record: Dashboard) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("dashboard", args=[record.pk]), record)

    def value_name(self, record: Dashboard) -> str:
        return record.name
