"""The lists of reports that were made and of schedules."""

import django_filters
import django_tables2
from django.utils.html import format_html
from django.utils.safestring import SafeString

from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import pgettext_lazy
from finops_site.ui.tables import BaseTable, DayColumn, MomentColumn
from programme.models import MadeReport, ReportKind, ReportSchedule
from programme.reports.schedules import to_text, when_text


class MadeReportFilters(django_filters.FilterSet):
    kind = django_filters.ChoiceFilter(label=_lazy("Report"), choices=ReportKind.choices)

    class Meta:
        model = MadeReport
        fields = ["kind"]


class MadeReportTable(BaseTable):
    title = django_tables2.Column(_lazy("Report"), linkify=True)
    scope = django_tables2.Column(_lazy("Of"))
    as_of = DayColumn(verbose_name=_lazy("As of"))
    made_at = MomentColumn(verbose_name=_lazy("Made"))
    pages = django_tables2.Column(_lazy("Pages"))
    file = django_tables2.TemplateColumn(
        template_name="programme/reports/file.html",
        verbose_name=_lazy("PDF"),
        orderable=False,
        exclude_from_export=True,
    )

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Reports that were made")
        phone_facts = ("scope", "made_at")


class ScheduleTable(BaseTable):
    name = django_tables2.Column(_lazy("Schedule"), linkify=True)
    kind = django_tables2.Column(_lazy("Report"))
    when = django_tables2.Column(_lazy("When"), empty_values=(), orderable=False)
    to = django_tables2.Column(_lazy("To"), empty_values=(), orderable=False)
    owner = django_tables2.Column(_lazy("Owner"))
    next_due = MomentColumn(verbose_name=pgettext_lazy("due", "Next"), orderable=False)

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Schedules of reports")
        phone_facts = ("when", "next_due")

    def render_when(self, record: ReportSchedule) -> str | SafeString:
        if record.is_paused:
            return format_html("{}<br><span class='muted'>{}</span>", when_text(record), _lazy("paused"))
        return when_text(record)

    def value_when(self, record: ReportSchedule) -> str:
        return when_text(record)

    def render_to(self, record: ReportSchedule) -> str:
        return to_text(record)
