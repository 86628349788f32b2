"""How every form is drawn: Django's form renderer with our templates, so that no view and no form names a CSS class.

``{{ form }}`` and ``{{ form.name.as_field_group }}`` use templates/forms/; a widget has its class by
templates/django/forms/widgets/attrs.html. A field with ``is_asked`` is not called optional, though another may stand
in its place.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist
from django.forms.boundfield import BoundField
from django.forms.renderers import TemplatesSetting

from finops_site.lib.money import BadAmount, parse_amount, typed_text
from finops_site.lib.periods import Month, time_zones


class FormRenderer(TemplatesSetting):
    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"


class AmountField(forms.DecimalField):
    """A number that somebody types, as `parse_amount` reads it; every form has it for decimals, in the admin too.

    It is a text field: a number field of a browser reads ``12.400`` by the language of the machine and asks nobody.
    """

    widget = forms.TextInput

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "inputmode": "decimal", "autocomplete": "off"}

    def prepare_value(self, value: Any) -> Any:
        return typed_text(value) if isinstance(value, Decimal) else value

    def to_python(self, value: Any) -> Decimal | None:
        if value in self.empty_values:
            return None
        if isinstance(value, Decimal | int):
            return super().to_python(value)
        most = None if self.max_value is None else Decimal(str(self.max_value))
        if most is None and self.max_digits is not None and self.decimal_places is not None:
            most = Decimal(10) ** (self.max_digits - self.decimal_places) - 1
        try:
            return parse_amount(str(value), most=most)
        except BadAmount as error:
            raise forms.ValidationError(str(error), code="invalid") from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != self.to_python(initial))
        except forms.ValidationError:
            return True


class DayInput(forms.DateInput):
    """A day chosen from a calendar; where the address has a month, 2025-11, its first day, or its last."""

    input_type = "date"

    def __init__(self, *, is_last: bool = False) -> None:
        self.is_last = is_last
        super().__init__({"data-edge": "last" if is_last else "first"})

    def format_value(self, value: Any) -> Any:
        try:
            month = Month.parse(str(value or ""))
        except ValueError:
            return value or None
        return (month.period.last_day if self.is_last else month.start).isoformat()


def time_zone_field(empty_label: str, help_text: str = "") -> forms.ChoiceField:
    """A choice of every time zone that there is; `empty_label` says what none means."""
    zones = [(name, name) for name in sorted(time_zones())]
    return forms.ChoiceField(required=False, choices=[("", empty_label), *zones], help_text=help_text)


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields of a form that follow one another; a group with a title can be folded away."""

    title: str
    fields: list[BoundField]
    is_open: bool
    note: str = ""


class LongForm(forms.ModelForm):
    """A form that folds away what most people leave as it is (templates/forms/form.html)."""

    def folded_fields(self) -> Mapping[str, Sequence[str]]:
        """{title: the names of the fields under it}; all other fields stand where they are."""
        raise NotImplementedError

    def folded_notes(self) -> Mapping[str, str]:
        """{title: what its fields say now}: such a group is open only where something is wrong in it."""
        return {}

    def field_groups(self) -> list[FieldGroup]:
        """The visible fields in their order; a folded group stands where the first of its fields would."""
        titles = {name: title for title, names in self.folded_fields().items() for name in names}
        notes = self.folded_notes()
        fields: dict[str, list[BoundField]] = {}
        for number, field in enumerate(self.visible_fields()):
            fields.setdefault(titles.get(field.name, f"#{number}"), []).append(field)
        return [
            FieldGroup(
                "" if title.startswith("#") else title,
                group,
                any(field.errors for field in group) if title in notes else not all(map(self._is_usual, group)),
                notes.get(title, ""),
            )
            for title, group in fields.items()
        ]

    def _is_usual(self, field: BoundField) -> bool:
        """Whether a field is as an empty form has it, and nothing is wrong with it."""
        usual = [None, "", [], field.field.initial]
        with contextlib.suppress(FieldDoesNotExist):
            usual.append(self._meta.model._meta.get_field(field.name).get_default())
        return not field.errors and str(field.value()) in map(str, usual)


def widget_class(widget: dict[str, Any]) -> str:
    """The class of a control, from the context by which Django draws its widget; drop-down options have none."""
    kind = widget.get("type")
    if kind in ("checkbox", "radio"):
        return "form-check-input"
    if widget["template_name"] == "django/forms/widgets/select.html":
        return "form-select"
    is_text = kind not in (None, "hidden", "select") or widget["template_name"] == "django/forms/widgets/textarea.html"
    return "form-control" if is_text else ""
