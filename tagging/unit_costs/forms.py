"""The form that uploads counts of a business metric."""

from typing import Any

from django import forms

from tagging.calc import unit_costs
from tagging.models import Metric


class MetricUploadForm(forms.Form):
    name = forms.CharField(
        label="Metric",
        max_length=100,
        widget=forms.TextInput({"list": "metrics", "autocomplete": "off"}),
        help_text="An existing one, or a new name: what is counted, in the plural.",
    )
    grain = forms.ChoiceField(label="Counted", choices=Metric.Grain.choices, initial=Metric.Grain.DAY)
    file = forms.FileField(
        required=False,
        allow_empty_file=True,
        help_text="CSV with the columns team, day (2026-03-31) or month (2026-03), value.",
    )
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput())

    def clean_name(self) -> str:
        return self.cleaned_data["name"].strip()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        try:
            if data.get("file") is not None:
                data["text"] = unit_costs.decode_csv(data["file"].read(unit_costs.MOST_BYTES + 1))
            elif not data.get("text"):
                self.add_error("file", "Choose a file.")
        except ValueError as error:
            self.add_error("file", str(error))
        metric = Metric.objects.filter(name__iexact=data.get("name", "")).first()
        if metric and data.get("grain") != metric.grain:
            self.add_error("grain", f"{metric} is counted {metric.get_grain_display()}.")
        data["metric"] = metric
        return data
