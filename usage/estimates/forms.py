"""Forms of estimates: what it is and its lines, typed or as a file."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from finops_site.lib.money import ISO_4217
from finops_site.models import Team
from finops_site.people.company import reporting_currency
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import DayInput
from usage.calc.estimate_text import EXAMPLE
from usage.estimates.estimate_changes import MOST_BYTES, CannotEstimate, read_text
from usage.models import Estimate, Scenario

LINES = _lazy("A line for each thing: how many, what, where; then hours, system and term, parted by commas.")


def _lines_field() -> forms.CharField:
    return forms.CharField(
        label=_lazy("Lines"),
        required=False,
        max_length=MOST_BYTES,
        widget=forms.Textarea({"rows": 8, "placeholder": EXAMPLE, "spellcheck": "false"}),
        help_text=LINES,
    )


def _file_field() -> forms.FileField:
    return forms.FileField(
        label=_lazy("Or a file"),
        required=False,
        help_text=_lazy("A CSV (item, count, region, hours, system, term, size), or terraform show -json plan.out."),
    )


class _WithLines(forms.Form):
    """The typed lines, or those of a file; `source` names the file."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload, text = cleaned.get("file"), cleaned.get("text") or ""
        cleaned["source"] = ""
        if upload:
            if text.strip() and text != self.initial.get("text"):
                raise forms.ValidationError(_("Lines are typed and a file is chosen: leave one of them out."))
            cleaned["source"] = upload.name
            text = self._text_of(upload)
        try:
            read_text(text, cleaned["source"])
        except CannotEstimate as error:
            self.add_error("file" if upload else "text", str(error))
        cleaned["text"] = text
        return cleaned

    def _text_of(self, upload: Any) -> str:
        if upload.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than {most} MB.").format(most=MOST_BYTES // 2**20))
        try:
            return str(upload.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is no text in UTF-8.")) from None


class EstimateForm(forms.ModelForm):
    """What an estimate is about; its scenarios have forms of their own."""

    class Meta:
        model = Estimate
        fields = ["name", "team", "currency", "starts", "tag_key", "tag_value", "note"]
        widgets = {"starts": DayInput(), "note": forms.Textarea({"rows": 3})}
        help_texts = {
            "team": _lazy("Whose budget it is on."),
            "starts": _lazy("From when on it runs: what came is compared from the first whole month."),
        }

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"] = forms.ModelChoiceField(
            Team.objects.visible_to(user),
            required=False,
            label=_lazy("Team"),
            empty_label=_lazy("No team"),
            help_text=_lazy("Whose budget it is on."),
        )
        self.fields["currency"].initial = reporting_currency(user) or "USD"

    def clean_currency(self) -> str:
        code = str(self.cleaned_data["currency"]).strip().upper()
        if code not in ISO_4217:
            raise forms.ValidationError(_("{code} is no currency of ISO 4217.").format(code=repr(code[:10])))
        return code

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("tag_key")) != bool(cleaned.get("tag_value")):
            self.add_error("tag_value", _("A tag needs both its name and its value."))
        return cleaned


class NewEstimateForm(_WithLines, EstimateForm):
    """An estimate with its first scenario."""

    text = _lines_field()
    file = _file_field()
    field_order = ["name", "text", "file", "team", "currency", "starts", "tag_key", "tag_value", "note"]


class ScenarioForm(_WithLines, forms.ModelForm):
    """Another way to do the same."""

    text = _lines_field()
    file = _file_field()

    class Meta:
        model = Scenario
        fields = ["name", "text"]
