"""What may be recommended, as a form."""

from typing import Any, cast

from django import forms

from finops_site.lib.person import Person
from finops_site.models import Team
from reservations.calc.terms import KINDS, OPTIONS, PAYMENTS
from reservations.recommendations.demand_sources import HISTORY_DAYS
from reservations.recommendations.plan_parameters import Parameters

WHY_CAUTIOUS = (
    "It starts cautious: one year and no upfront, for a commitment is paid whatever comes; at most 70% covered, which "
    "leaves room to change machines; and used to 90% at least, so that a purchase still pays when a tenth of the use "
    "goes away. Three years and upfront save more, and bind longer: tick them when you are sure."
)


class PlanForm(forms.Form):
    """What may be bought, and how much of it. It starts cautious; `WHY_CAUTIOUS` says why."""

    team = forms.ModelChoiceField(
        Team.objects.none(), required=False, label="For the use of", empty_label="the whole company"
    )
    lookback_days = forms.IntegerField(
        label="Look back, days", initial=30, min_value=1, max_value=HISTORY_DAYS, help_text="7, 30, 60 or 90 are usual."
    )
    kinds = forms.MultipleChoiceField(
        label="Options",
        choices=[(kind, KINDS[kind]) for kind in OPTIONS],
        initial=list(OPTIONS),
        widget=forms.CheckboxSelectMultiple,
    )
    terms = forms.TypedMultipleChoiceField(
        label="Terms",
        choices=[(12, "1 year"), (36, "3 years")],
        coerce=int,
        initial=[12],
        widget=forms.CheckboxSelectMultiple,
    )
    payments = forms.MultipleChoiceField(
        label="Payment", choices=list(PAYMENTS.items()), initial=["none"], widget=forms.CheckboxSelectMultiple
    )
    target_coverage = forms.DecimalField(
        label="Cover at most, %",
        required=False,
        initial=70,
        min_value=0,
        max_value=100,
        help_text="70 leaves room to change; empty is no limit.",
    )
    minimum_utilisation = forms.DecimalField(
        label="Expect to use at least, %", required=False, initial=90, min_value=0, max_value=100
    )
    max_upfront = forms.DecimalField(label="Cash on the first day, at most", required=False, min_value=0, max_digits=15)
    max_monthly = forms.DecimalField(label="Paid each month, at most", required=False, min_value=0, max_digits=15)
    break_even_months = forms.DecimalField(label="Paid off within, months", required=False, min_value=0, max_value=36)
    negotiated = forms.DecimalField(
        label="Negotiated discount, %",
        required=False,
        min_value=0,
        max_value=99,
        help_text="Off the list prices on demand, by your contract. Prices of your own go into a price list instead.",
    )
    negotiated_on_commitments = forms.BooleanField(label="The contract gives it on commitments too", required=False)

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ModelChoiceField, self.fields["team"])
        field.queryset = Team.objects.visible_to(user)
        if not user.sees_whole_company:
            field.required, field.empty_label = True, None
            field.initial = field.queryset.first()

    def parameters(self) -> Parameters:
        """The limits that were chosen, with shares between 0 and 1."""
        values = self.cleaned_data
        limits: dict[str, Any] = {name: tuple(values[name]) for name in ("terms", "payments", "kinds")}
        shares = {
            name: None if values[name] is None else float(values[name] / 100)
            for name in ("target_coverage", "minimum_utilisation", "negotiated")
        }
        amounts = {
            name: None if values[name] is None else float(values[name])
            for name in ("max_upfront", "max_monthly", "break_even_months")
        }
        shares["negotiated"] = shares["negotiated"] or 0.0
        limits |= shares | amounts
        return Parameters(**limits, negotiated_on_commitments=values["negotiated_on_commitments"])
