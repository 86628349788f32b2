"""The form that describes a source of bills."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _

from costs.formats import NAMES
from costs.models import Source
from costs.sources.places import endpoint_choices, place_problem
from costs.web.forms import currency_code
from finops_site.translation import gettext_lazy as _lazy

_BUCKETS = (Source.Kind.S3, Source.Kind.AZURE, Source.Kind.GCS)
# The fields that only some kinds of source need: a page shows them for those, and what is in them is ignored otherwise.
NEEDED_FOR: dict[str, Sequence[str]] = {
    "bucket": (Source.Kind.FOLDER, *_BUCKETS),
    "prefix": _BUCKETS,
    "region": (Source.Kind.S3, Source.Kind.AZURE),
    "endpoint": _BUCKETS,
    "credential": _BUCKETS,
    "is_enabled": (Source.Kind.FOLDER, *_BUCKETS),
}
LABELS_BY_KIND = {
    "bucket": {"folder": _lazy("Folder"), "s3": _lazy("Bucket"), "azure": _lazy("Container"), "gcs": _lazy("Bucket")},
    "region": {"s3": _lazy("AWS region"), "azure": _lazy("Storage account")},
}


class SourceForm(forms.ModelForm):
    """Where bills come from. An address other than the provider's own can only be chosen among those allowed."""

    endpoint = forms.ChoiceField(label=_lazy("Endpoint"), required=False)
    format = forms.ChoiceField(label=_lazy("Format"), required=False)

    class Meta:
        model = Source
        fields = [
            *("name", "kind", "bucket", "prefix", "region", "endpoint", "credential", "format", "currency"),
            *("date_order", "decimal_mark"),
            *("delivery_mode", "is_enabled", "expected_every_hours"),
        ]
        labels = {
            "name": _lazy("Name"),
            "kind": _lazy("Kind"),
            "prefix": _lazy("Prefix"),
            "credential": _lazy("Credential"),
            "currency": _lazy("Currency"),
            "decimal_mark": _lazy("Decimal mark"),
            "delivery_mode": _lazy("Delivery mode"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.initial = {**self.initial, "kind": Source.Kind.S3, "expected_every_hours": 24}
        formats = [("", _("recognised by the header")), *((name, name) for name in NAMES)]
        cast(forms.ChoiceField, self.fields["endpoint"]).choices = endpoint_choices()
        cast(forms.ChoiceField, self.fields["format"]).choices = formats
        for name, choices in (("date_order", Source.DateOrder.choices), ("decimal_mark", Source.DecimalMark.choices)):
            cast(forms.ChoiceField, self.fields[name]).choices = [("", _("as the bill shows it")), *choices]
        self.fields["currency"].validators.append(currency_code)
        cast(forms.ModelChoiceField, self.fields["credential"]).empty_label = _("the machine's own identity")
        for name, kinds in NEEDED_FOR.items():
            labels = {f"data-label-{kind}": str(label) for kind, label in LABELS_BY_KIND.get(name, {}).items()}
            attributes = {"data-needed-by": "kind", "data-needed-for": " ".join(kinds), **labels}
            self.fields[name].widget.attrs |= attributes

    def clean_currency(self) -> str:
        return self.cleaned_data["currency"].upper()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, kinds in NEEDED_FOR.items():
            if name != "is_enabled" and cleaned.get("kind") not in kinds:
                cleaned[name] = None if name == "credential" else ""
        place = [cleaned.get(name) or "" for name in ("kind", "bucket", "region", "endpoint")]
        if problem := place_problem(*place):
            self.add_error(*problem)
        return cleaned
