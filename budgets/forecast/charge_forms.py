"""The form of a charge that is known before its bill."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from budgets.models import Budget, KnownCharge
from finops_site.ui.forms import AmountField

MOST_CHARGES = 200


class KnownChargeForm(forms.ModelForm):
    class Meta:
        model = KnownCharge
        fields = ["day", "amount", "description", "repeats", "until"]
        field_classes = {"amount": AmountField}
        widgets = {name: forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d") for name in ("day", "until")}

    def __init__(self, *args: Any, budget: Budget, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.budget = budget
        self.fields["amount"].help_text = _("In {currency}; below zero for a credit.").format(currency=budget.currency)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        others = self.instance.budget.known_charges.exclude(pk=self.instance.pk)
        if not self.instance.pk and others.count() >= MOST_CHARGES:
            raise forms.ValidationError(
                _("It has {most_charges} known charges already: remove those that are over.").format(
                    most_charges=MOST_CHARGES
                )
            )
        same = {name: values.get(name) for name in ("day", "amount", "description")}
        if not self.errors and others.filter(**same).exists():
            raise forms.ValidationError(_("It is entered already: the same day, amount and description."))
        return values
