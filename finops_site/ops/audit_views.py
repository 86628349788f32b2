"""The page of the audit log: who did what, from where, and what was there before; for administrators and finance."""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import django_filters
import django_tables2
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignKey, Model, Q, QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from finops_site.audit import chain
from finops_site.audit.declared import audited_models
from finops_site.lib.periods import moment_text
from finops_site.lib.person import Person
from finops_site.models import AuditEntry
from finops_site.translation import gettext_lazy as _lazy
from finops_site.translation import pgettext_lazy
from finops_site.ui.pages import DetailPage, Empty, ListPage
from finops_site.ui.tables import BaseTable, MomentColumn, Record

MOST_FIELDS = 3
NOWRAP = {"td": {"class": "nowrap"}}


def model_of(label: str) -> type[Model] | None:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def kind_text(label: str) -> str:
    """What a kind of row is called; of one that is no more, its label."""
    model = model_of(label)
    return capfirst(str(model._meta.verbose_name)) if model else label


def field_text(label: str, column: str) -> str:
    """What a column is called on pages."""
    field = _field_of(label, column)
    return capfirst(str(getattr(field, "verbose_name", "") or column.replace("_", " ")))


def _field_of(label: str, column: str) -> Any:
    model = model_of(label)
    names = {field.column: field for field in model._meta.concrete_fields} if model else {}
    return names.get(column)


def value_text(label: str, column: str, value: object) -> str:
    """A value as people read it: the words of a choice, and of a row elsewhere its name."""
    if value is None or value == "":
        return "—"
    field = _field_of(label, column)
    if isinstance(field, ForeignKey):
        row = field.remote_field.model._base_manager.filter(pk=value).first()
        return str(row) if row is not None else f"#{value}"
    choices = dict(getattr(field, "flatchoices", ()) or ())
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict | list):
        return json_text(value)
    return str(choices.get(value, value))


class AuditTable(BaseTable):
    at = MomentColumn(_lazy("When"))
    who = django_tables2.Column(_lazy("Who"), orderable=False, empty_values=())
    action = django_tables2.Column(_lazy("Did"), accessor="get_action_display", orderable=False, attrs=NOWRAP)
    name = django_tables2.Column(_lazy("What"), orderable=False, empty_values=(), attrs={"td": {"class": "breakable"}})
    changes = django_tables2.Column(_lazy("Fields"), orderable=False, attrs={"td": {"class": "whole-words"}})
    through = django_tables2.Column(_lazy("Through"), orderable=False, attrs={"td": {"class": "breakable"}})
    address = django_tables2.Column(pgettext_lazy("place", "From"), orderable=False)

    class Meta(BaseTable.Meta):
        fields = ()
        caption = _lazy("Audit log")

    def render_who(self, record: AuditEntry) -> str:
        return record.who or _("the system")

    def value_who(self, record: AuditEntry) -> str:
        return record.who

    def render_name(self, record: AuditEntry) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("audit_entry", args=[record.pk]), about_text(record))

    def value_name(self, record: AuditEntry) -> str:
        return " ".join(filter(None, (record.model, record.object_pk, record.name)))

    def render_changes(self, value: dict[str, Any], record: AuditEntry) -> str:
        names = [field_text(record.model, name) for name in value]
        more = len(names) - MOST_FIELDS
        shown = ", ".join(names[:MOST_FIELDS])
        return _("{names} and {count} more").format(names=shown, count=more) if more > 0 else shown

    def value_changes(self, value: dict[str, Any]) -> str:
        return "" if not value else json_text(value)

    def value_action(self, record: Record) -> str:
        return str(getattr(record, "action", ""))

    def render_through(self, value: str, record: AuditEntry) -> str:
        return f"{record.get_door_display()}: {value}"

    def value_through(self, value: str, record: AuditEntry) -> str:
        return f"{record.door}: {value}"


def json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def about_text(entry: AuditEntry) -> str:
    """What an entry is about, in words."""
    kind = kind_text(entry.model) if entry.model else ""
    name = entry.name or (f"#{entry.object_pk}" if entry.object_pk else "")
    return " ".join(filter(None, (kind, name))) or entry.get_action_display()


class AuditFilter(django_filters.FilterSet):
    text = django_filters.CharFilter(label=_lazy("Name, value or way"), method="search")
    who = django_filters.CharFilter(label=_lazy("Person"), field_name="who", lookup_expr="icontains")
    action = django_filters.ChoiceFilter(label=_lazy("Did"), choices=AuditEntry.Action.choices)
    model = django_filters.ChoiceFilter(label=_lazy("Kind"), choices=lambda: kinds())
    object_pk = django_filters.CharFilter(label=_lazy("Number"))
    door = django_filters.ChoiceFilter(label=_lazy("Through"), choices=AuditEntry.Door.choices)
    day = django_filters.DateFromToRangeFilter(label=_lazy("Day"), field_name="at")
    request_id = django_filters.CharFilter(label=_lazy("Request or task"), field_name="request")

    class Meta:
        model = AuditEntry
        fields: list[str] = []

    def search(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(
            Q(name__icontains=value)
            | Q(changes__icontains=value)
            | Q(through__icontains=value)
            | Q(address__icontains=value)
        )


def kinds() -> list[tuple[str, str]]:
    """The kinds of rows that are audited, by their names."""
    labels = [model._meta.label_lower for model in audited_models()]
    return sorted(((label, kind_text(label)) for label in labels), key=lambda pair: pair[1])


class AuditPage(ListPage):
    permission_required = "finops_site.view_auditentry"
    title = _lazy("Audit log")
    model = AuditEntry
    table_class = AuditTable
    filterset_class = AuditFilter
    orderings = ("-id",)
    empty = Empty(_lazy("Nothing yet"), _lazy("What people, tasks and commands do stands here."), "history")

    def get_subtitle(self) -> str:
        until = chain.sealed_until()
        every = _("Everything that people, tasks and commands did, written by the database itself.")
        if until is None:
            return every
        return f"{every} {_('Sealed until {moment}.').format(moment=moment_text(until))}"


class AuditEntryPage(DetailPage):
    permission_required = "finops_site.view_auditentry"
    model = AuditEntry
    template_name = "audit_entry.html"
    breadcrumbs = ((_lazy("Audit log"), "audit"),)

    @cached_property
    def row(self) -> Model | None:
        """What it is about, while it is there and has a page."""
        model = model_of(self.object.model)
        return model._base_manager.filter(pk=self.object.object_pk).first() if model and self.object.object_pk else None

    def get_title(self) -> str:
        return f"{about_text(self.object)}: {self.object.get_action_display()}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        entry: AuditEntry = self.object
        return super().get_context_data(
            **{
                "facts": self.facts(),
                "changes": list(self.changes()),
                "row_url": self.row_url(self.person),
                "history_url": f"{reverse('audit')}?model={entry.model}&object_pk={entry.object_pk}",
                "request_url": f"{reverse('audit')}?request_id={entry.request}",
                **kwargs,
            }
        )

    def facts(self) -> Sequence[tuple[str, str]]:
        entry: AuditEntry = self.object
        hash_ = bytes(entry.hash).hex() if entry.hash is not None else ""
        rows = [
            (_("When"), moment_text(entry.at)),
            (_("Who"), entry.who or _("the system")),
            (_("Through"), f"{entry.get_door_display()}: {entry.through}"),
            (pgettext("place", "From"), entry.address or ""),
            (_("Request or task"), entry.request),
            (_("Sealed"), _("as number {number}").format(number=entry.number) if entry.number else _("not yet")),
            (_("Hash"), hash_),
        ]
        return [(name, text) for name, text in rows if text]

    def changes(self) -> Any:
        """(field, before, after) for people."""
        label = self.object.model
        for column, both in self.object.changes.items():
            before, after = both if isinstance(both, list) and len(both) == 2 else (None, both)
            name = field_text(label, column) if label else column
            yield name, value_text(label, column, before), value_text(label, column, after)

    def row_url(self, user: Person) -> str:
        get_url = getattr(self.row, "get_absolute_url", None)
        try:
            return get_url() if get_url else ""
        except (NoReverseMatch, FieldDoesNotExist):
            return ""
