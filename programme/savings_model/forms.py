"""Forms of the savings model: its start, and an assumption."""

from typing import Any

from django import forms

from finops_site.lib.periods import Month
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField
from programme.calc.savings_model import CASES, MONEY_UNITS
from programme.models import Assumption
from programme.savings_model.assumptions import LONGEST_TEXT
from programme.savings_model.words import CASE_LABELS

PLACES = 6


class MonthField(forms.CharField):
    """A month, like 2025-11."""

    widget = forms.TextInput({"type": "month"})

    def prepare_value(self, value: Any) -> Any:
        return str(value) if isinstance(value, Month) else value

    def clean(self, value: Any) -> Month:
        try:
            return Month.parse(super().clean(value))
        except ValueError as error:
            raise forms.ValidationError(str(error), code="invalid") from None


class StartForm(forms.Form):
    """From which month savings count, and in which currency they are summed."""

    start = MonthField(label=_lazy("Savings count from"), help_text=_lazy("The month in which the programme began."))
    currency = forms.CharField(
        label=_lazy("Currency"), max_length=3, help_text=_lazy("Other currencies are converted by the company's rates.")
    )

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).strip().upper()


class AssumptionForm(forms.Form):
    """The values of an assumption in its cases, where they come from, and why they change."""

    currency = forms.CharField(label=_lazy("Currency"), max_length=3)
    source = forms.CharField(
        label=_lazy("Source"), max_length=LONGEST_TEXT, help_text=_lazy("Where the values come from.")
    )
    reason = forms.CharField(
        label=_lazy("Why it changes"),
        max_length=LONGEST_TEXT,
        widget=forms.Textarea({"rows": 2}),
        help_text=_lazy("Stands in its history."),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, assumption: Assumption, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = assumption.kind
        for case in ["expected"] if kind.single else CASES:
            label = _lazy("Value") if kind.single else CASE_LABELS[case]
            self.fields[case] = AmountField(label=label, required=False, max_digits=24, decimal_places=PLACES)
        if kind.unit not in MONEY_UNITS:
            del self.fields["currency"]
        self.order_fields([*CASES, "currency", "source", "reason", "version"])

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).strip().upper()
