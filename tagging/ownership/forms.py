"""Forms of ownership."""

from typing import Any, cast

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from costs.models import Pool
from finops_site.models import Team, User
from finops_site.translation import gettext_lazy as _lazy
from tagging.models import BILLED_CONDITIONS, CONDITION_LABELS, CONDITIONS, OwnershipRule


class RuleForm(forms.ModelForm):
    """A rule. `version` is the one the person read: saving over somebody else's change is refused."""

    version = forms.IntegerField(widget=forms.HiddenInput(), required=False)

    class Meta:
        model = OwnershipRule
        fields = ["name", "team", "pool", "order", "start", "end", "is_active", *CONDITIONS]
        labels = {
            **{"name": _lazy("Name"), "team": _lazy("Team"), "pool": _lazy("Pool"), "order": _lazy("Order")},
            **{name: capfirst(label) for name, label in CONDITION_LABELS.items()},
        }
        widgets = {
            "start": forms.DateInput(attrs={"type": "date"}),
            "end": forms.DateInput(attrs={"type": "date"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        team, pool = (cast(forms.ModelChoiceField, self.fields[name]) for name in ("team", "pool"))
        team.queryset = Team.objects.order_by("name")
        team.empty_label, pool.empty_label = _("no team"), _("no pool")
        pool.help_text = _("For what several teams share. Name a team or a pool.")
        for name in (*BILLED_CONDITIONS, "tag_key"):
            self.fields[name].widget.attrs["list"] = f"known-{name}"
        if self.instance.pk:
            self.initial["version"] = self.instance.version
        else:
            last = OwnershipRule.objects.order_by("-order").values_list("order", flat=True).first()
            self.initial.setdefault("order", (last or 0) + 10)

    @property
    def read_version(self) -> int:
        return self.cleaned_data.get("version") or 0


class RulesFileForm(forms.Form):
    file = forms.FileField(
        label=_lazy("File"),
        help_text=_lazy("CSV as it is exported here: name, team or pool, order, from, until, conditions."),
    )


class PoolForm(forms.ModelForm):
    class Meta:
        model = Pool
        fields = ["name", "description"]
        labels = {"name": _lazy("Name"), "description": _lazy("Description")}
        help_texts = {"description": _lazy("What is in it, and why nobody owns it alone.")}


class FixerForm(forms.Form):
    """Who finds an owner for the unowned cost of an account; empty: the person it is by default."""

    user = forms.ModelChoiceField(
        User.objects.filter(is_active=True),
        label=_lazy("Who will fix it"),
        required=False,
        empty_label=_lazy("as by default"),
    )
