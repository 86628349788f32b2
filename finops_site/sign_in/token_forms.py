"""The form by which somebody makes a token: on her page and for the API."""

from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _

from finops_site.models import ApiToken
from finops_site.people.tokens import LONGEST_DAYS, USUAL_DAYS, TokenWish, pillar_names
from finops_site.translation import gettext_lazy as _lazy


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_lazy("Name"), max_length=100, help_text=_lazy("What uses it: a script, a spreadsheet, an assistant.")
    )
    scope = forms.ChoiceField(
        label=_lazy("What it may do"),
        choices=ApiToken.Scope.choices,
        initial=ApiToken.Scope.READ,
        widget=forms.RadioSelect,
    )
    pillars = forms.MultipleChoiceField(
        label=_lazy("Only"), required=False, help_text=_lazy("None chosen: all that you may see and do.")
    )
    days = forms.IntegerField(label=_lazy("Ends after days"), min_value=1, max_value=LONGEST_DAYS, initial=USUAL_DAYS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = pillar_names().items()
        cast(forms.MultipleChoiceField, self.fields["pillars"]).choices = [(label, _(name)) for label, name in names]

    def wish(self) -> TokenWish:
        chosen = self.cleaned_data
        return TokenWish(chosen["name"], chosen["scope"], tuple(chosen["pillars"]), chosen["days"])
