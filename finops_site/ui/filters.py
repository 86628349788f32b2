"""What the filter bar needs beyond django-filter: months, chips, and which control a field gets."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.forms import BaseForm, BoundField
from django.http import QueryDict
from django.utils.choices import flatten_choices
from django.utils.translation import gettext as _
from django_filters.fields import DateRangeField, DateTimeRangeField

from finops_site.lib.periods import Month
from finops_site.lib.words import labelled
from finops_site.ui.forms import AmountField
from finops_site.ui.keyset import PAGING_PARAMETERS

# Longer than the ids that providers give to resources, and short enough for an address with several filters.
MOST_CHARACTERS = 500


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


class AmountFilter(django_filters.NumberFilter):
    """A number that somebody types: ``12,400.50``, asked about where it reads in two ways."""

    field_class = AmountField


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


@dataclass(frozen=True, slots=True)
class JointFilter:
    """Parameters that are one filter together, and what they ask: a label and a text, empty where they ask nothing."""

    names: tuple[str, ...]
    label: str = ""
    text: str = ""


def active_filters(filterset: django_filters.FilterSet, parameters: QueryDict) -> list[Chip]:
    """One chip for each value given for a filter of the set, and one for its `joint` filter; unknown ones have none.

    An empty value asks nothing, but for a field that names it among its choices.
    """
    joint: JointFilter = getattr(filterset, "joint", None) or JointFilter(())
    chips = [
        _chip(bound, name, value, parameters)
        for bound in filterset.form
        for name in _parameter_names(bound)
        if name not in joint.names
        for value in dict.fromkeys(parameters.getlist(name))
        if value.strip() or (_chooses_many(bound.field.widget) and "" in _labels(bound))
    ]
    return [*chips, Chip(joint.label, joint.text, without(parameters, joint.names))] if joint.text else chips


def without(parameters: QueryDict, names: Iterable[str] = ()) -> str:
    """The address of the first page without some of its parameters."""
    rest = parameters.copy()
    for name in (*names, *PAGING_PARAMETERS):
        rest.pop(name, None)
    return f"?{rest.urlencode()}"


def form_problems(form: BaseForm) -> list[str]:
    """Everything that is wrong with a form in sentences, each with its field in front."""
    return [
        labelled(form[name].label, error) if name in form.fields else str(error)
        for name, errors in form.errors.items()
        for error in errors
    ]


def filter_parameters(filterset: django_filters.FilterSet) -> list[str]:
    """The names of all parameters of the set."""
    return [name for bound in filterset.form for name in _parameter_names(bound)]


@cache
def filter_names(filterset_class: type[django_filters.FilterSet]) -> tuple[str, ...]:
    """The names in an address that a set filters by: ``day_after`` and ``day_before`` of a range."""
    return tuple(name + suffix for name, widget in _widgets(filterset_class).items() for suffix in _suffixes(widget))


@cache
def many_names(filterset_class: type[django_filters.FilterSet]) -> frozenset[str]:
    """Those of `filter_names` that take several values."""
    return frozenset(name for name, widget in _widgets(filterset_class).items() if _chooses_many(widget))


def _widgets(filterset_class: type[django_filters.FilterSet]) -> dict[str, forms.Widget]:
    filters = filterset_class.base_filters.items()
    # Not by `chosen.field`: it is kept, and every set made afterwards would have the choices of this one.
    kinds = {name: chosen.extra.get("widget") or chosen.field_class.widget for name, chosen in filters}
    return {name: kind() if isinstance(kind, type) else kind for name, kind in kinds.items()}


def _chooses_many(widget: forms.Widget) -> bool:
    return getattr(widget, "allow_multiple_selected", False) or isinstance(widget, forms.MultipleHiddenInput)


def filter_controls(filterset: django_filters.FilterSet) -> list[tuple[BoundField, str]]:
    """The filter bar's fields, each with the kind of control: range, hidden, multiple, select, search or input."""
    return [(bound, _control(bound)) for bound in filterset.form]


def _control(bound: BoundField) -> str:
    widget = bound.field.widget
    if isinstance(widget, forms.MultiWidget):
        edges = ((_("from"), _("{label} from")), (_("to"), _("{label} to")))
        for part, (edge, text) in zip(widget.widgets, edges, strict=False):
            part.attrs.update({"aria-label": text.format(label=bound.label), "title": edge})
            if isinstance(bound.field, DateRangeField | DateTimeRangeField):
                part.input_type = "date"  # type: ignore[attr-defined]
        return "range"
    if type(widget) is forms.TextInput:
        # The list is refreshed while somebody types into it: see finops.js.
        widget.input_type = "search"
        widget.attrs.setdefault("maxlength", MOST_CHARACTERS)
        return "search"
    if bound.is_hidden:
        return "hidden"
    if isinstance(widget, forms.SelectMultiple):
        return "multiple"
    return "select" if isinstance(widget, forms.Select) else "input"


def _parameter_names(bound: BoundField) -> list[str]:
    return [bound.html_name + suffix for suffix in _suffixes(bound.field.widget)]


def _suffixes(widget: forms.Widget) -> list[str]:
    return widget.widgets_names if isinstance(widget, forms.MultiWidget) else [""]  # type: ignore[attr-defined]


def _chip(bound: BoundField, name: str, value: str, parameters: QueryDict) -> Chip:
    """What the drop-down calls the value, or the value itself; and the address without it."""
    rest = parameters.copy()
    rest.setlist(name, [other for other in rest.getlist(name) if other != value])
    label = str(bound.label)
    if name.endswith(("_after", "_min")):
        label = _("{label} from").format(label=label)
    elif name.endswith(("_before", "_max")):
        label = _("{label} to").format(label=label)
    return Chip(label, _labels(bound).get(value, value), without(rest))


def _labels(bound: BoundField) -> dict[str, str]:
    """What the choices of a field are called."""
    # Choices that a function makes have no length of their own.
    choices = flatten_choices([*getattr(bound.field, "choices", ())])  # type: ignore[var-annotated]
    return {str(key): str(label) for key, label in choices}
