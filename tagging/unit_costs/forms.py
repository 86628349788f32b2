"""The form that uploads counts of a business metric."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from finops_site.lib.money import ISO_4217
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField
from tagging.calc import unit_costs
from tagging.models import Metric
from tagging.unit_costs import business_metrics


class MetricUploadForm(forms.Form):
    name = forms.CharField(
        label=_lazy("Metric"),
        max_length=100,
        widget=forms.TextInput({"list": "metrics", "autocomplete": "off"}),
        help_text=_lazy("An existing one, or a new name: what is counted, in the plural."),
    )
    grain = forms.ChoiceField(label=_lazy("Counted"), choices=Metric.Grain.choices, initial=Metric.Grain.DAY)
    counted_for = forms.CharField(
        label=_lazy("Counted for"),
        initial=unit_costs.TEAM,
        required=False,
        widget=forms.TextInput({"list": "counted-for", "autocomplete": "off"}),
        help_text=_lazy("team, company, or a dimension of cost: tag:Product, tag:Environment, account."),
    )
    file = forms.FileField(
        label=_lazy("File"),
        required=False,
        allow_empty_file=True,
        help_text=_lazy(
            "CSV with the columns team, day (2026-03-31) or month (2026-03), value; of something else "
            "than teams its name (Product) in the place of team; of the company only day and value."
        ),
    )
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput())

    def clean_name(self) -> str:
        return self.cleaned_data["name"].strip()

    def clean_counted_for(self) -> str:
        return _checked(self.cleaned_data["counted_for"].strip() or unit_costs.TEAM)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        try:
            if data.get("file") is not None:
                data["text"] = unit_costs.decode_csv(data["file"].read(unit_costs.MOST_BYTES + 1))
            elif not data.get("text"):
                self.add_error("file", _("Choose a file."))
        except ValueError as error:
            self.add_error("file", str(error))
        metric = Metric.objects.filter(name__iexact=data.get("name", "")).first()
        if metric and data.get("grain") != metric.grain:
            self.add_error(
                "grain",
                _("{metric} is counted {grain}.").format(metric=metric, grain=metric.get_grain_display()),
            )
        if metric and "counted_for" in self.data and data.get("counted_for") != metric.counted_for:
            self.add_error(
                "counted_for",
                _("{metric} is counted for {counted_for}.").format(metric=metric, counted_for=metric.counted_for),
            )
        elif metric:
            data["counted_for"] = metric.counted_for
        data["metric"] = metric
        return data


def _checked(counted_for: str) -> str:
    if problem := business_metrics.counted_for_problem(counted_for):
        raise forms.ValidationError(problem)
    return counted_for


class MetricForm(forms.ModelForm):
    """What a metric is; its name, grain and what it is counted for are those of its values, and stay."""

    target = AmountField(
        label=_lazy("Target per unit"),
        required=False,
        max_digits=38,
        decimal_places=18,
        help_text=_lazy("What one may cost at most."),
    )

    class Meta:
        model = Metric
        fields = ["description", "target", "target_currency", "revenue_currency"]
        labels = {"description": _lazy("Description"), "revenue_currency": _lazy("Revenue currency")}

    def clean_target_currency(self) -> str:
        return _currency(self.cleaned_data["target_currency"])

    def clean_revenue_currency(self) -> str:
        return _currency(self.cleaned_data["revenue_currency"])


def _currency(text: str) -> str:
    code = text.strip().upper()
    if code and code not in ISO_4217:
        raise forms.ValidationError(_("{code} is no currency of ISO 4217.").format(code=code))
    return code
