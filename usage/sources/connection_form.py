"""The form that describes a connection, for the page, the API and the admin."""

from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _

from costs.sources.places import endpoint_choices
from finops_site.translation import gettext_lazy as _lazy
from usage.models import Connection
from usage.sources.connections import normalised


class ConnectionForm(forms.ModelForm):
    """What is asked, and as whom. An address other than the provider's own can only be chosen among those allowed."""

    endpoint = forms.ChoiceField(label=_lazy("Endpoint"), required=False)

    class Meta:
        model = Connection
        fields = [
            *("name", "provider", "credential", "accounts", "regions", "endpoint", "with_metrics", "with_advice"),
            "is_enabled",
        ]
        widgets = {"accounts": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["endpoint"]).choices = endpoint_choices()
        cast(forms.ModelChoiceField, self.fields["credential"]).empty_label = _("the machine's own identity")

    def clean_accounts(self) -> str:
        return normalised(self.cleaned_data["accounts"])

    def clean_regions(self) -> str:
        return ", ".join(normalised(self.cleaned_data["regions"]).split())
