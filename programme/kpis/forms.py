"""The form in which finance says what a KPI should reach, by when, and who answers for it."""

from typing import Any, cast

from django import forms

from finops_site.models import User
from finops_site.translation import gettext_lazy as _lazy
from finops_site.ui.forms import AmountField
from programme.models import Kpi, KpiComment


class KpiForm(forms.ModelForm):
    class Meta:
        model = Kpi
        fields = ["target", "target_day", "owner", "baseline", "baseline_day"]
        field_classes = {"target": AmountField, "baseline": AmountField}
        widgets = {
            "target_day": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "baseline_day": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = cast(forms.ModelChoiceField, self.fields["owner"])
        owner.queryset = User.objects.filter(is_active=True).order_by("email")


class CommentForm(forms.ModelForm):
    class Meta:
        model = KpiComment
        fields = ["text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3, "maxlength": 2000})}
        labels = {"text": _lazy("Your comment")}
