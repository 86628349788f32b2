"""What the filter bar needs beyond django-filter: months, chips, and which control a field gets."""

from dataclasses import dataclass
from typing import Any

import django_filters
from django import forms
from django.http import QueryDict
from django_filters.fields import DateRangeField, DateTimeRangeField

from finops_site.lib.periods import Month
from finops_site.ui.keyset import PAGING_PARAMETERS


class MonthInput(forms.DateInput):
    input_type = "month"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"placeholder": "2025-11", "pattern": r"\d{4}-\d{2}", **(attrs or {})})

    def format_value(self, value: Any) -> str | None:
        return value if value is None or isinstance(value, str) else str(value)


class MonthField(forms.CharField):
    """A month written 2025-11; cleans to a Month or None."""

    widget = MonthInput

    def clean(self, value: Any) -> Month | None:
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

    def filter(self, queryset: Any, value: Month | None) -> Any:
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
    """A filter in force: what it says and the address of the page without it."""

    label: str
    text: str
    url: str


def active_filters(filterset: Any, parameters: QueryDict) -> list[Chip]:
    """One chip for each value given for a filter of the set; unknown parameters have none."""
    found = []
    for bound in filterset.form:
        for name in _names(bound):
            found += [_chip(bound, name, value, parameters) for value in parameters.getlist(name) if value.strip()]
    return found


def dressed(form: Any) -> list[dict[str, Any]]:
    """The form's fields, each with the kind of control the filter bar draws: range, search, select, multiple, input."""
    return [{"field": bound, "kind": _dress_filter(bound)} for bound in form]


def _dress_filter(bound: Any) -> str:
    widget = bound.field.widget
    if isinstance(widget, forms.MultiWidget):
        for part, edge in zip(widget.widgets, ("from", "to"), strict=False):
            part.attrs.update({"class": "form-control", "aria-label": f"{bound.label} {edge}", "title": edge})
            if isinstance(bound.field, DateRangeField | DateTimeRangeField):
                part.input_type = "date"
        return "range"
    if widget.is_hidden:
        return "hidden"
    if isinstance(widget, forms.SelectMultiple):
        widget.attrs.update({"class": "form-select", "data-pick": "", "size": 4})
        return "multiple"
    if isinstance(widget, forms.Select):
        widget.attrs.setdefault("class", "form-select")
        return "select"
    widget.attrs.setdefault("class", "form-control")
    return "search" if _searches(widget) else "input"


def _searches(widget: Any) -> bool:
    """Whether it is a plain text field, which then refreshes the list while somebody types."""
    if type(widget) is not forms.TextInput:
        return False
    widget.input_type = "search"
    return True


def dressed_field(bound: Any) -> dict[str, Any]:
    """{"kind", "control"} of a field in an ordinary form."""
    widget = bound.field.widget
    if isinstance(widget, forms.CheckboxInput):
        return {"kind": "check", "control": bound.as_widget(attrs={"class": "form-check-input"})}
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return {"kind": "group", "control": bound.as_widget(attrs={"class": "form-check-input"})}
    style = "form-select" if isinstance(widget, forms.Select) else "form-control"
    attrs = {"class": style + (" is-invalid" if bound.errors else "")}
    if isinstance(widget, forms.SelectMultiple):
        attrs["data-pick"] = ""
    return {"kind": "input", "control": bound.as_widget(attrs=attrs)}


def _names(bound: Any) -> list[str]:
    widget = bound.field.widget
    if not isinstance(widget, forms.MultiWidget):
        return [bound.html_name]
    return [bound.html_name + suffix for suffix in widget.widgets_names]


def _chip(bound: Any, name: str, value: str, parameters: QueryDict) -> Chip:
    rest = parameters.copy()
    rest.setlist(name, [other for other in rest.getlist(name) if other != value])
    for paging in PAGING_PARAMETERS:
        rest.pop(paging, None)
    return Chip(str(bound.label) + _edge(name), _words(bound, value), f"?{rest.urlencode()}")


def _edge(name: str) -> str:
    if name.endswith(("_after", "_min")):
        return " from"
    return " to" if name.endswith(("_before", "_max")) else ""


def _words(bound: Any, value: str) -> str:
    """What the drop-down calls the value, or the value itself."""
    for key, label in _flat(getattr(bound.field, "choices", ())):
        if str(key) == value:
            return str(label)
    return value


def _flat(choices: Any) -> Any:
    for key, label in choices:
        if isinstance(label, list | tuple):
            yield from label
        else:
            yield key, label
