"""What the filter bar needs beyond django-filter: months, chips, and which control a field gets."""

from dataclasses import dataclass
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.forms import BoundField
from django.http import QueryDict
from django.utils.choices import flatten_choices
from django_filters.fields import DateRangeField, DateTimeRangeField

from finops_site.lib.periods import Month
from finops_site.ui.keyset import PAGING_PARAMETERS


class MonthInput(forms.DateInput):
    input_type = "month"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"placeholder": "2025-11", "pattern": r"\d{4}-\d{2}", **(attrs or {})})

    def format_value(self, value: Month | str | None) -> str | None:
        return value if value is None or isinstance(value, str) else str(value)


class MonthField(forms.CharField):
    """A month written 2025-11; cleans to a Month or None."""

    widget = MonthInput

    def clean(self, value: str | None) -> Month | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return Month.parse(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


class MonthFilter(django_filters.Filter):
    """One month; with lookup_expr "gte" from it on, with "lte" up to and including it. `field_name` is a date."""

    field_class = MonthField

    def filter(self, queryset: QuerySet, value: Month | None) -> QuerySet:
        if value is None:
            return queryset
        first, past = value.start, value.next.start
        wanted = {
            "gte": {f"{self.field_name}__gte": first},
            "lte": {f"{self.field_name}__lt": past},
        }.get(self.lookup_expr, {f"{self.field_name}__gte": first, f"{self.field_name}__lt": past})
        return queryset.filter(**wanted)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force: its label, its value in words, and the address of the page without it."""

    label: str
    text: str
    url: str


def active_filters(filterset: django_filters.FilterSet, parameters: QueryDict) -> list[Chip]:
    """One chip for each value given for a filter of the set; unknown parameters have none."""
    return [
        _chip(bound, name, value, parameters)
        for bound in filterset.form
        for name in _parameter_names(bound)
        for value in parameters.getlist(name)
        if value.strip()
    ]


def filter_controls(filterset: django_filters.FilterSet) -> list[tuple[BoundField, str]]:
    """The filter bar's fields, each with the kind of control: range, hidden, multiple, select, search or input."""
    return [(bound, _control(bound)) for bound in filterset.form]


def _control(bound: BoundField) -> str:
    widget = bound.field.widget
    if isinstance(widget, forms.MultiWidget):
        for part, edge in zip(widget.widgets, ("from", "to"), strict=False):
            part.attrs.update({"aria-label": f"{bound.label} {edge}", "title": edge})
            if isinstance(bound.field, DateRangeField | DateTimeRangeField):
                part.input_type = "date"  # type: ignore[attr-defined]
        return "range"
    if type(widget) is forms.TextInput:
        # The list is refreshed while somebody types into it: see finops.js.
        widget.input_type = "search"
        return "search"
    if bound.is_hidden:
        return "hidden"
    if isinstance(widget, forms.SelectMultiple):
        return "multiple"
    return "select" if isinstance(widget, forms.Select) else "input"


def _parameter_names(bound: BoundField) -> list[str]:
    widget = bound.field.widget
    suffixes = widget.widgets_names if isinstance(widget, forms.MultiWidget) else [""]  # type: ignore[attr-defined]
    return [bound.html_name + suffix for suffix in suffixes]


def _chip(bound: BoundField, name: str, value: str, parameters: QueryDict) -> Chip:
    """What the drop-down calls the value, or the value itself; and the address without it."""
    rest = parameters.copy()
    rest.setlist(name, [other for other in rest.getlist(name) if other != value])
    for paging in PAGING_PARAMETERS:
        rest.pop(paging, None)
    edge = " from" if name.endswith(("_after", "_min")) else " to" if name.endswith(("_before", "_max")) else ""
    labels = {str(key): str(label) for key, label in flatten_choices(getattr(bound.field, "choices", ()))}  # type: ignore[var-annotated]
    return Chip(f"{bound.label}{edge}", labels.get(value, value), f"?{rest.urlencode()}")
