"""How every form is drawn: Django's form renderer with our templates, so that no view and no form names a CSS class.

``{{ form }}`` and ``{{ form.name.as_field_group }}`` use templates/forms/; a widget has its class by
templates/django/forms/widgets/attrs.html.
"""

from typing import Any

from django.forms.renderers import TemplatesSetting


class FormRenderer(TemplatesSetting):
    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"


def widget_class(widget: dict[str, Any]) -> str:
    """The class of a control, from the context by which Django draws its widget; drop-down options have none."""
    kind = widget.get("type")
    if kind in ("checkbox", "radio"):
        return "form-check-input"
    if widget["template_name"] == "django/forms/widgets/select.html":
        return "form-select"
    is_text = kind not in (None, "hidden", "select") or widget["template_name"] == "django/forms/widgets/textarea.html"
    return "form-control" if is_text else ""
