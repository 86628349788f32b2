"""A body that is checked by the form of a page: what the page refuses, the API refuses, in the same words."""

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Any, TypeVar, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist
from django.db.models import Model
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

MOST_TEXT = 100_000
Row = TypeVar("Row", bound=Model)


def body_of(
    name: str,
    form_class: type[forms.Form | forms.ModelForm],
    *,
    without: Collection[str] = (),
    **more: serializers.Field,
) -> type[serializers.Serializer]:
    """A serializer called `name` with the fields of a form, for the description of the API, and `more` of its own.

    None is required here: what is left out is as the form would show it, and the form says what it lacks.
    """
    fields = {key: _described(field) for key, field in form_class.base_fields.items() if key not in without}
    return type(f"{name}Serializer", (serializers.Serializer,), {**fields, **more})


def valid_form(make_form: Callable[[QueryDict | None], Any], sent: Mapping[str, Any]) -> Any:
    """The form with what was sent in the place of what it shows, once it is valid. Raises ValidationError.

    `make_form(data)` makes it; None is the form as a page first shows it. A name that it does not have is refused.
    """
    shown = make_form(None)
    if unknown := sorted(set(sent) - set(shown.fields)):
        raise ValidationError({name: ["There is no such field."] for name in unknown})
    data = QueryDict(mutable=True)
    for name, field in shown.fields.items():
        data.setlist(name, _texts(field, sent[name] if name in sent else _shown_value(shown[name])))
    form = make_form(data)
    if not form.is_valid():
        raise ValidationError(form_errors(form))
    return form


def fresh_copy(row: Row | None) -> Row | None:
    """The row as it is stored: a form that is refused has written into the one that it was made with."""
    return None if row is None else type(row)._default_manager.get(pk=row.pk)


def form_errors(form: forms.BaseForm) -> dict[str, Any]:
    """The complaints of a form as the API answers them: by field, and about all of it under `detail`."""
    errors: dict[str, Any] = {name: [str(text) for text in texts] for name, texts in form.errors.items()}
    general = errors.pop(NON_FIELD_ERRORS, [])
    return {**errors, **({"detail": " ".join(general)} if general else {})}


def _shown_value(bound: forms.BoundField) -> Any:
    """What the page shows in a field; of a drop-down that must be answered, its first choice."""
    value, field = bound.value(), bound.field
    if value is None and field.required and type(field) is forms.ChoiceField:
        return next((key for key, _ in cast(Any, field.choices)), None)
    return value


def _described(field: forms.Field) -> serializers.Field:
    text = str(field.help_text or field.label or "")
    choices = getattr(field, "_choices", None)
    if isinstance(choices, list) and choices:
        text = f"{text}: {', '.join(str(key) for key, _ in choices if key)}"
    options: dict[str, Any] = {"required": False, "help_text": text}
    if isinstance(field, forms.BooleanField):
        return serializers.BooleanField(**options)
    if isinstance(field, forms.ModelMultipleChoiceField | forms.MultipleChoiceField):
        return serializers.ListField(child=serializers.CharField(max_length=1000), **options)
    if isinstance(field, forms.DateField):
        return serializers.DateField(allow_null=True, **options)
    if isinstance(field.widget, forms.Textarea):
        text = f"{text} A list stands for lines." if text else "A list stands for lines."
        return serializers.JSONField(**{**options, "help_text": text}, allow_null=True)
    if isinstance(field, forms.ModelChoiceField):
        text = f"{text} Its id or name." if text else "Its id or name."
        return serializers.CharField(
            allow_null=True, allow_blank=True, max_length=1000, **{**options, "help_text": text}
        )
    return serializers.CharField(allow_null=True, allow_blank=True, max_length=MOST_TEXT, **options)


def _texts(field: forms.Field, value: Any) -> list[Any]:
    """What a browser would send for a value."""
    if isinstance(field, forms.ModelMultipleChoiceField | forms.MultipleChoiceField):
        return [_id_of(field, _text(part)) for part in value or ()]
    if value is None or value is False or value == "":
        return []
    if isinstance(field, forms.ModelChoiceField):
        return [_id_of(field, _text(value))]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{_text(key)} = {_text(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(_text(part) for part in value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    # Half a character of an emoji is a text of JSON, and none of the database's.
    return str(getattr(value, "pk", value)).encode(errors="replace").decode()


def _id_of(field: forms.Field, text: str) -> str:
    """The id of what is named by its name; anything else stays as it is, for the form to judge."""
    if not isinstance(field, forms.ModelChoiceField) or field.queryset is None or text.isdecimal() or "\0" in text:
        return text
    try:
        field.queryset.model._meta.get_field("name")
    except FieldDoesNotExist:
        return text
    row = field.queryset.filter(name=text).values_list("pk", flat=True).first()
    return text if row is None else str(row)
