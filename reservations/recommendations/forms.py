"""What may be recommended, as a form."""

from decimal import Decimal
from typing import Any, cast

from django import forms

from finops_site.lib.money import typed_text
from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField
from reservations.calc.terms import KINDS, OPTIONS, PAYMENTS
from reservations.recommendations.demand_sources import HISTORY_DAYS
from reservations.recommendations.plan_parameters import Parameters, default_parameters

WHY_CAUTIOUS = _lazy(
    "It starts with what finance's buying policy allows: terms, cash on the first day, how much "
    "is covered, how well a purchase has to be used, and what cash costs a year. A slice that "
    "returns less than cash costs is not bought. Longer terms and more cash save more, and bind "
    "longer: a plan beyond the policy says so."
)
HUNDRED = Decimal(100)
SHARES = ("target_coverage", "minimum_utilisation", "cash_rate")


class PlanForm(forms.Form):
    """What may be recommended, and how much of it. It starts with finance's policy; `WHY_CAUTIOUS` says why."""

    team = forms.ModelChoiceField(
        Team.objects.none(), required=False, label=_lazy("For the use of"), empty_label=_lazy("the whole company")
    )
    lookback_days = forms.IntegerField(
        label=_lazy("Look back, days"),
        initial=30,
        min_value=1,
        max_value=HISTORY_DAYS,
        help_text=_lazy("7, 30, 60 or 90 are usual."),
    )
    kinds = forms.MultipleChoiceField(
        label=_lazy("Options"),
        choices=[(kind, _lazy(KINDS[kind])) for kind in OPTIONS],
        initial=list(OPTIONS),
        widget=forms.CheckboxSelectMultiple,
    )
    terms = forms.TypedMultipleChoiceField(
        label=_lazy("Terms"),
        choices=[(12, _lazy("1 year")), (36, _lazy("3 years"))],
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )
    payments = forms.MultipleChoiceField(
        label=_lazy("Payment"),
        choices=[(name, _lazy(label)) for name, label in PAYMENTS.items()],
        initial=list(PAYMENTS),
        widget=forms.CheckboxSelectMultiple,
    )
    target_coverage = AmountField(
        label=_lazy("Cover at most, %"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=_lazy("70 leaves room to change; empty is no limit."),
    )
    minimum_utilisation = AmountField(
        label=_lazy("Expect to use at least, %"), required=False, min_value=0, max_value=100
    )
    cash_rate = AmountField(
        label=_lazy("Cash costs, % a year"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=_lazy("The last slice returns at least that on what it commits; empty buys all that saves anything."),
    )
    max_upfront = AmountField(
        label=_lazy("Cash on the first day, at most"),
        required=False,
        min_value=0,
        max_digits=15,
        help_text=_lazy("0 is none; empty is no limit."),
    )
    max_monthly = AmountField(label=_lazy("Paid each month, at most"), required=False, min_value=0, max_digits=15)
    break_even_months = AmountField(label=_lazy("Paid off within, months"), required=False, min_value=0, max_value=36)
    negotiated = AmountField(
        label=_lazy("Negotiated discount, %"),
        required=False,
        min_value=0,
        max_value=99,
        help_text=_lazy(
            "Off the list prices on demand, by your contract. Prices of your own go into a price list instead."
        ),
    )
    negotiated_on_commitments = forms.BooleanField(
        label=_lazy("The contract gives it on commitments too"), required=False
    )
    each_account = forms.BooleanField(
        label=_lazy("Accounts do not share"),
        required=False,
        help_text=_lazy("Where discount sharing is off, each account is advised on its own use."),
    )

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._start_with(default_parameters())
        field = cast(forms.ModelChoiceField, self.fields["team"])
        field.queryset = Team.objects.visible_to(user)
        if not user.sees_whole_company:
            field.required, field.empty_label = True, None
            field.initial = field.queryset.first()

    def _start_with(self, default: Parameters) -> None:
        """The limits of the one default that commands, API and demo start with too."""
        for name in ("terms", "kinds", "payments"):
            self.fields[name].initial = list(getattr(default, name))
        for name in SHARES:
            self.fields[name].initial = _percent_text(getattr(default, name))
        limit = default.max_upfront
        self.fields["max_upfront"].initial = None if limit is None else typed_text(Decimal(str(limit)))

    def parameters(self) -> Parameters:
        """The limits that were chosen, with shares between 0 and 1."""
        values = self.cleaned_data
        limits: dict[str, Any] = {name: tuple(values[name]) for name in ("terms", "payments", "kinds")}
        shares = {name: None if values[name] is None else float(values[name] / 100) for name in (*SHARES, "negotiated")}
        amounts = {
            name: None if values[name] is None else float(values[name])
            for name in ("max_upfront", "max_monthly", "break_even_months")
        }
        for name in ("cash_rate", "negotiated"):
            shares[name] = shares[name] or 0.0
        limits |= shares | amounts
        limits["is_shared"] = not values["each_account"]
        return Parameters(**limits, negotiated_on_commitments=values["negotiated_on_commitments"])


def _percent_text(share: float | None) -> str | None:
    return None if share is None else typed_text(Decimal(str(share)) * HUNDRED)
