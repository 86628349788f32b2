"""Forms of virtual tags: a tag set by hand, and a claim."""

from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc.policy_problems import tag_problem


class TagForm(forms.Form):
    key = forms.CharField(
        label=_lazy("Key"), max_length=1000, widget=forms.TextInput({"list": "tag-keys", "autocomplete": "off"})
    )
    value = forms.CharField(label=_lazy("Value"), max_length=2000)
    start = forms.DateField(
        label=_lazy("From"), widget=forms.DateInput({"type": "date"}), help_text=_lazy("The first charge day.")
    )
    end = forms.DateField(
        label=_lazy("Until"),
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text=_lazy("The first charge day it no longer holds; empty: for good."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name, problem in tag_problem(data.get("key", "x"), data.get("value", "x")).items():
            self.add_error(name, problem)
        if data.get("start") and data.get("end") and data["end"] <= data["start"]:
            self.add_error("end", _("It must hold for a day at least: until is after from."))
        return data


class ClaimForm(forms.Form):
    resource = forms.CharField(
        label=_lazy("Resource"), max_length=2000, help_text=_lazy("Its id or its name, exactly as the bill has it.")
    )
    team = forms.ModelChoiceField(Team.objects.none(), label=_lazy("Team"), empty_label=None)

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelChoiceField, self.fields["team"]).queryset = Team.objects.visible_to(user)
